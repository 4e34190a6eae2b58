//! A correct backend with a fault.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use evcore::backend::{Descriptor, EventOp, FdInfos, Features, Modified, SignalOp, Signum, Sink, Sleep, Token, Wake};
use evcore::{Instant, Interest, Ready};

use crate::fault::Fault;
use crate::reports::Found;
use crate::wakers::Shared;

pub(crate) const URGENT: Interest = Interest::URGENT;
const NOW: Sleep = Sleep::None;

/// A correct backend.
pub(crate) trait Sound: Wake<FdInfo = ()> + 'static {
    /// Keeps a descriptor's file open.
    type Kept;

    /// The error with which it refuses.
    fn refusal() -> Self::Error;
    /// Uses a waker.
    fn wake(waker: &Self::Waker);
    /// Keeps a descriptor's file open.
    fn keep(fd: Self::Fd) -> Option<Self::Kept>;
    /// A descriptor with that number.
    fn fd(number: u32, fd: Self::Fd) -> Self::Fd;
}

/// A correct backend, with a fault.
pub(crate) struct Broken<B: Sound> {
    pub(crate) inner: B,
    pub(crate) fault: Fault,
    /// How many registrations and changes are refused.
    refusals: u32,
    /// All registrations ever made, in order.
    pub(crate) known: Vec<Known<B::Fd>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wakers: u32,
    watched_signals: Vec<Signum>,
    seen_signals: Vec<Signum>,
    pub(crate) last_signals: Vec<(Signum, u32)>,
    is_signal_poisoned: bool,
    pub(crate) last: Vec<(Token, Ready)>,
    pub(crate) ended: Vec<Token>,
    dels: Vec<(B::Fd, Token, Interest)>,
    kept: Vec<B::Kept>,
    adds: Vec<(B::Fd, Token, Interest)>,
    poisoned: Vec<u32>,
    pub(crate) reports: u32,
    /// Changes since the last wait, and in total.
    modifies: u32,
    made: u32,
    waits: u32,
    readded: u32,
    was_rebuilt: bool,
    was_told_of_a_wake: bool,
    looks: Cell<u32>,
    clock: Cell<Instant>,
}

pub(crate) struct Known<F> {
    pub(crate) fd: F,
    pub(crate) token: Token,
    pub(crate) interest: Interest,
    pub(crate) lives: bool,
    /// How many times it was reported.
    pub(crate) reported: u32,
    pub(crate) hung_up: bool,
    pub(crate) is_mute: bool,
    pub(crate) had: Ready,
}

impl<B: Sound> Broken<B> {
    pub(crate) fn new(inner: B, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            refusals: 0,
            known: Vec::new(),
            shared: Arc::default(),
            wakers: 0,
            watched_signals: Vec::new(),
            seen_signals: Vec::new(),
            last_signals: Vec::new(),
            is_signal_poisoned: false,
            last: Vec::new(),
            ended: Vec::new(),
            dels: Vec::new(),
            kept: Vec::new(),
            adds: Vec::new(),
            poisoned: Vec::new(),
            reports: 0,
            modifies: 0,
            made: 0,
            waits: 0,
            readded: 0,
            was_rebuilt: false,
            was_told_of_a_wake: false,
            looks: Cell::new(0),
            clock: Cell::new(Instant::ZERO),
        }
    }

    pub(crate) fn refuse(&mut self, count: u32) {
        self.refusals = count;
    }

    fn refuses(&mut self) -> bool {
        let is_refused = self.refusals > 0;
        self.refusals = self.refusals.saturating_sub(1);
        is_refused
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn known(&mut self, token: Token) -> Option<&mut Known<B::Fd>> {
        self.known.iter_mut().rev().find(|known| known.token == token)
    }

    fn living(&self) -> impl DoubleEndedIterator<Item = &Known<B::Fd>> {
        self.known.iter().filter(|known| known.lives)
    }

    fn end(&mut self, fd: B::Fd, token: Token, interest: Interest, infos: &mut impl FdInfos<()>) {
        if let Some(known) = self.known(token) {
            known.lives = false;
        }
        self.inner.del(fd, token, interest, infos);
    }

    /// The interest that the faulty `add` registers.
    fn asked_by_add(&self, interest: Interest) -> Interest {
        let without = |bits: Interest| if interest == bits { interest } else { interest.difference(bits) };
        let edge = Interest::EDGE;
        match self.fault {
            Fault::AddForgetsClosed if interest.contains(Interest::READ) => without(Interest::CLOSED),
            Fault::AddForgetsUrgent if interest.contains(Interest::READ) => without(URGENT),
            Fault::AddForgetsWriteEdge if interest.contains(edge | Interest::READ) => without(Interest::WRITE),
            Fault::EdgeAsLevel => interest.difference(edge),
            Fault::ReinitForgetsEdge if self.was_rebuilt => interest.difference(edge),
            _ => interest,
        }
    }

    /// The interest that the faulty `modify` registers.
    fn asked_by_modify(&self, old: Interest, new: Interest) -> Interest {
        let without = |bits: Interest| if new == bits { new } else { new.difference(bits) };
        match self.fault {
            Fault::NeverNarrows => old | new,
            Fault::NeverWidens if !(old & new).difference(Interest::EDGE).is_empty() => old & new,
            Fault::ModifyForgetsClosed => without(Interest::CLOSED),
            Fault::ModifyForgetsEdge | Fault::EdgeAsLevel => new.difference(Interest::EDGE),
            Fault::ReinitForgetsEdge if self.was_rebuilt => new.difference(Interest::EDGE),
            _ => new,
        }
    }

    /// Whether `add` returns `Ok` and does nothing.
    fn ignores_add(&mut self, fd: B::Fd) -> bool {
        let number = fd.number();
        match self.fault {
            Fault::MissesTheReadd => self.known.iter().any(|known| known.fd == fd),
            Fault::ForgetsAfterReinit => self.was_rebuilt,
            Fault::ReinitForgetsTheFirst => std::mem::take(&mut self.readded) == 1,
            Fault::HoldsOnly64 => self.living().count() >= 64,
            Fault::HoldsOnly32 => self.living().count() >= 32,
            Fault::RefusedAddPoisons => {
                let at = self.poisoned.iter().position(|poisoned| *poisoned == number);
                at.map(|at| self.poisoned.remove(at)).is_some()
            }
            _ => false,
        }
    }

    /// Whether `add` is refused, with the fault's side effects.
    fn refuse_add(
        &mut self,
        fd: B::Fd,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<(), B::Error> {
        match self.fault {
            Fault::HidesRefusals => return Ok(()),
            Fault::LeavesRefusalsBehind => self.inner.add(fd, token, interest, infos)?,
            Fault::RefusedAddPoisons => self.poisoned.push(fd.number()),
            Fault::RefusedAddEndsAnother => {
                let last = self.living().next_back().map(|known| (known.fd, known.token, known.interest));
                if let Some((fd, token, interest)) = last {
                    self.end(fd, token, interest, infos);
                }
            }
            _ => {}
        }
        Err(B::refusal())
    }

    fn refuse_modify(
        &mut self,
        fd: B::Fd,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, B::Error> {
        match self.fault {
            Fault::HidesRefusals => return Ok(Modified::Kept),
            Fault::RefusedModifyEnds => self.end(fd, token, old, infos),
            Fault::RefusedModifyTakesHold => drop(self.inner.modify(fd, token, old, new, infos)?),
            Fault::RefusedModifyEndsAnother => {
                let other = self.living().find(|known| known.token != token);
                if let Some((fd, token, interest)) = other.map(|known| (known.fd, known.token, known.interest)) {
                    self.end(fd, token, interest, infos);
                }
            }
            _ => {}
        }
        Err(B::refusal())
    }

    fn lose_a_wake(&mut self) {
        if self.is(Fault::ChangesLoseAWake) && self.shared.is_pending.swap(false, Ordering::SeqCst) {
            let _ = self.inner.dispatch(NOW, &mut Found::default());
        }
    }

    /// How long the faulty wait is.
    fn wait(&self, sleep: Sleep) -> Sleep {
        let now = self.inner.now();
        match (self.fault, sleep) {
            (Fault::NeverSleeps, _) | (Fault::ForeverIsNone, Sleep::Forever) => NOW,
            (Fault::NeverSleepsWithMany, _) if self.living().count() > 100 => NOW,
            (Fault::SpinsAfterAWake, _) if self.shared.was_woken.load(Ordering::SeqCst) => NOW,
            (Fault::WakesLate, Sleep::Until(end)) => Sleep::Until(end.saturating_add(Duration::from_millis(5))),
            (Fault::WakesEarly, Sleep::Until(end)) => Sleep::Until(now.saturating_add(end.saturating_since(now) / 8)),
            (Fault::WaitsWholeMilliseconds, Sleep::Until(end)) if end != Instant::MAX => {
                Sleep::Until(Instant::from_nanos(end.as_nanos() / 1_000_000 * 1_000_000))
            }
            (Fault::NoneWaits, NOW) => Sleep::Until(now.saturating_add(Duration::from_millis(1))),
            (Fault::ForgetsTheDeadline, Sleep::Until(_)) => Sleep::Forever,
            (_, sleep) => sleep,
        }
    }

    /// Carries out delayed operations.
    fn catch_up(&mut self) {
        struct Nothing;
        impl FdInfos<()> for Nothing {
            fn info(&mut self, _: Token) -> Option<&mut ()> {
                None
            }
        }
        for (fd, token, interest) in std::mem::take(&mut self.dels) {
            let is_registered = self.living().any(|known| known.fd == fd);
            if !is_registered {
                self.inner.del(fd, token, interest, &mut Nothing);
            }
        }
        self.kept.clear();
        self.modifies = 0;
    }

    fn catch_up_adds(&mut self) {
        struct Nothing;
        impl FdInfos<()> for Nothing {
            fn info(&mut self, _: Token) -> Option<&mut ()> {
                None
            }
        }
        for (fd, token, interest) in std::mem::take(&mut self.adds) {
            if self.living().any(|known| known.token == token) {
                let _ = self.inner.add(fd, token, interest, &mut Nothing);
            }
        }
    }
}

impl<B: Sound> EventOp for Broken<B> {
    type Fd = B::Fd;
    type FdInfo = ();
    type Error = B::Error;

    fn name(&self) -> &'static str {
        "broken"
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn now(&self) -> Instant {
        let now = self.inner.now();
        self.looks.set(self.looks.get().wrapping_add(1));
        match self.fault {
            Fault::ForgetsTheClock => Instant::ZERO,
            Fault::RoundsTheClock => Instant::from_nanos(now.as_nanos().next_multiple_of(1_000_000)),
            Fault::ClockStopsWhenBusy => self.clock.get(),
            Fault::ReinitSetsTheClockBack if self.was_rebuilt => {
                Instant::from_nanos(now.as_nanos().saturating_sub(1_000_000))
            }
            Fault::ClockStepsBackRarely if self.looks.get() % 997 == 0 => {
                Instant::from_nanos(now.as_nanos().saturating_sub(20_000))
            }
            Fault::ClockIsSlow => Instant::from_nanos(now.as_nanos() / 2),
            Fault::ClockStepsBack if self.looks.get() % 16 == 0 => {
                Instant::from_nanos(now.as_nanos().saturating_sub(1_000_000))
            }
            _ => now,
        }
    }

    fn usable(&self) -> Result<(), B::Error> {
        self.inner.usable()
    }

    fn add(
        &mut self,
        fd: B::Fd,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<(), B::Error> {
        if self.is(Fault::ClaimsTooMuch) && interest == Interest::CLOSED || self.refuses() {
            return self.refuse_add(fd, token, interest, infos);
        }
        if self.ignores_add(fd) {
            return Ok(());
        }
        let fd = if self.is(Fault::TruncatesNumbers) { B::fd(fd.number() & 0xFFFF, fd) } else { fd };
        let is_mute = match self.fault {
            Fault::AddMissesWhatIsReady => true,
            Fault::ReinitReportsNoEdge => self.was_rebuilt && interest.contains(Interest::EDGE),
            _ => false,
        };
        for known in self.known.iter_mut().filter(|known| known.fd == fd) {
            known.lives = false;
        }
        if self.known.len() > 2_048 {
            self.known.retain(|known| known.lives);
        }
        self.known.push(Known {
            fd,
            token,
            interest,
            lives: true,
            reported: 0,
            hung_up: false,
            is_mute,
            had: Ready::empty(),
        });
        if self.is(Fault::AddsLate) {
            self.adds.push((fd, token, interest));
            return Ok(());
        }
        self.lose_a_wake();
        self.inner.add(fd, token, self.asked_by_add(interest), infos)
    }

    fn modify(
        &mut self,
        fd: B::Fd,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, B::Error> {
        if self.refuses() {
            return self.refuse_modify(fd, token, old, new, infos);
        }
        self.modifies += 1;
        let last = self.known.last().map(|known| known.token);
        let is_ignored = match self.fault {
            Fault::IgnoresModify => true,
            Fault::IgnoresEqualModify => old == new,
            Fault::OneModifyATurn => self.modifies > 1,
            Fault::DelMovesTheLast => !self.ended.is_empty() && last == Some(token),
            _ => false,
        };
        if is_ignored {
            return Ok(Modified::Kept);
        }
        let asked = self.asked_by_modify(old, new);
        if self.is(Fault::ModifyHitsNeighbour) {
            let before = self.living().take_while(|known| known.token != token).last();
            if let Some((fd, token, interest)) = before.map(|known| (known.fd, known.token, known.interest)) {
                self.inner.modify(fd, token, interest, new, infos)?;
            }
        }
        let is_edge = new.contains(Interest::EDGE);
        let fault = self.fault;
        if let Some(known) = self.known(token) {
            known.interest = new;
            known.reported = 0;
            known.is_mute = is_edge && matches!(fault, Fault::ModifyReportsNoEdge | Fault::ModifyLosesNextEdge);
        }
        let fd = if self.is(Fault::TruncatesNumbers) { B::fd(fd.number() & 0xFFFF, fd) } else { fd };
        self.lose_a_wake();
        self.made += 1;
        match self.inner.modify(fd, token, old, asked, infos)? {
            _ if self.is(Fault::KeptAsReplaced) && self.made % 8 == 0 => Ok(Modified::Replaced),
            Modified::Replaced if !self.is(Fault::ReplacedAsKept) => Ok(Modified::Replaced),
            _ => Ok(Modified::Kept),
        }
    }

    fn del(&mut self, fd: B::Fd, token: Token, old: Interest, infos: &mut impl FdInfos<()>) {
        self.ended.push(token);
        if let Some(known) = self.known(token) {
            known.lives = false;
        }
        match self.fault {
            Fault::IgnoresDel | Fault::ReportsTheDeadAsTheLiving => return,
            Fault::ReinitStopsDels if self.was_rebuilt => return,
            Fault::DelsLate => {
                self.kept.extend(B::keep(fd));
                return self.dels.push((fd, token, old));
            }
            Fault::DelEndsNeighbour => {
                let mut after = self.known.iter().skip_while(|known| known.token != token);
                let next = after.find(|known| known.lives).map(|known| (known.fd, known.token, known.interest));
                if let Some((fd, token, interest)) = next {
                    self.inner.del(fd, token, interest, infos);
                }
            }
            _ => {}
        }
        let fd = if self.is(Fault::TruncatesNumbers) { B::fd(fd.number() & 0xFFFF, fd) } else { fd };
        self.inner.del(fd, token, old, infos);
    }

    fn look(&mut self, sink: &mut impl Sink<B::Fd>) -> bool {
        match self.fault {
            Fault::LookLies => !self.last.is_empty(),
            Fault::LookLosesReports if !self.last.is_empty() => {
                let mut found = Found::default();
                let outcome = self.inner.dispatch(NOW, &mut found);
                outcome.is_ok() && !found.reports.is_empty()
            }
            _ => {
                let _ = sink;
                false
            }
        }
    }

    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<B::Fd>) -> Result<(), B::Error> {
        let is_over = matches!(sleep, Sleep::Until(end) if end <= self.inner.now());
        if self.is(Fault::NoneDoesNotLook) && sleep == NOW || self.is(Fault::PastDoesNotLook) && is_over {
            return Ok(());
        }
        self.catch_up();
        self.waits += 1;
        self.shared.is_pending.store(false, Ordering::SeqCst);
        let sleep = self.wait(sleep);
        let mut found = Found::default();
        self.inner.dispatch(sleep, &mut found)?;
        self.catch_up_adds();
        let Found { reports, failed, signals, is_rebuild_due, is_woken } = found;
        self.was_told_of_a_wake |= is_woken;
        let says_so = match self.fault {
            Fault::SaysNothingOfWakes => false,
            Fault::SaysNothingOfWakesWhenBusy => is_woken && reports.is_empty(),
            Fault::SaysWokenEachTime => self.was_told_of_a_wake,
            _ => is_woken,
        };
        if says_so {
            sink.woken();
        }
        if reports.is_empty() {
            self.clock.set(self.inner.now());
        }
        self.shared.was_busy.store(!reports.is_empty(), Ordering::SeqCst);
        self.report_signals(signals, !reports.is_empty(), sink);
        let reports = self.distorted(reports);
        for (token, ready) in &reports {
            if self.is(Fault::FailsAtHangUp) && ready.contains(Ready::HANGUP) {
                sink.failed(*token);
            } else {
                sink.ready(*token, *ready);
            }
        }
        for token in failed {
            sink.failed(token);
        }
        if is_rebuild_due || self.is(Fault::RebuildsOften) && self.waits % 8 == 0 {
            sink.rebuild();
        }
        if self.fault != Fault::ReportsTwice {
            self.last = reports;
        }
        Ok(())
    }

    fn reinit(&mut self) -> Result<(), B::Error> {
        self.was_rebuilt = true;
        self.readded = 1;
        self.shared.is_dead.store(true, Ordering::SeqCst);
        for known in &mut self.known {
            known.lives = false;
        }
        match self.fault {
            Fault::ReinitKeepsTheOld => return Ok(()),
            Fault::ReinitLosesAWake | Fault::ReinitLosesASignal => {
                // Its reports are lost.
                let mut found = Found::default();
                self.inner.dispatch(NOW, &mut found)?;
            }
            Fault::ReinitLosesSignals => {
                for signum in std::mem::take(&mut self.watched_signals) {
                    self.inner.signals().expect("signals").del(signum);
                }
            }
            _ => {}
        }
        self.inner.reinit()
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = B::Error>> {
        self.inner.signals()?;
        Some(self)
    }
}

impl<B: Sound> SignalOp for Broken<B> {
    type Error = B::Error;

    fn add(&mut self, signum: Signum) -> Result<(), B::Error> {
        if self.refuses() {
            self.is_signal_poisoned = self.is(Fault::RefusedSignalPoisons);
            return if self.is(Fault::HidesRefusals) { Ok(()) } else { Err(B::refusal()) };
        }
        let is_again = self.seen_signals.contains(&signum);
        if self.is(Fault::IgnoresHighSignals) && signum >= 32 || self.is(Fault::SignalsAreKept) && is_again {
            return Ok(());
        }
        if self.is(Fault::SignalAddLosesOthers) {
            self.inner.dispatch(NOW, &mut Found::default())?;
        }
        if self.is(Fault::SignalReaddIsIgnored) && is_again || std::mem::take(&mut self.is_signal_poisoned) {
            return Ok(());
        }
        let Some(signals) = self.inner.signals() else { return Ok(()) };
        signals.add(signum)?;
        self.seen_signals.push(signum);
        self.watched_signals.push(signum);
        Ok(())
    }

    fn del(&mut self, signum: Signum) -> u32 {
        if self.is(Fault::SignalsAreKept) {
            return 0;
        }
        let Some(signals) = self.inner.signals() else { return 0 };
        let mut unreported = 0;
        if self.fault == Fault::SignalDelEndsAll {
            unreported = self.watched_signals.drain(..).map(|signum| signals.del(signum)).sum();
        } else if let Some(at) = self.watched_signals.iter().position(|watched| *watched == signum) {
            self.watched_signals.remove(at);
            unreported = signals.del(signum);
        }
        if self.fault == Fault::SignalDelTellsNothing { 0 } else { unreported }
    }
}
