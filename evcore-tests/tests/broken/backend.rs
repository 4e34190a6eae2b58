//! A sound backend with a fault.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use evcore::backend::{Descriptor, EventOp, FdInfos, Features, Modified, SignalOp, Signum, Sink, Sleep, Token, Wake};
use evcore::{Instant, Interest, Ready};

use crate::fault::Fault;

const URGENT: Interest = Interest::URGENT;
const URGENT_READY: Ready = Ready::URGENT;
const NOW: Sleep = Sleep::None;

/// A sound backend.
pub(crate) trait Sound: Wake<FdInfo = ()> + 'static {
    /// What keeps a descriptor's file alive.
    type Kept;

    /// What it answers when it refuses.
    fn refusal() -> Self::Error;
    /// Uses a waker.
    fn wake(waker: &Self::Waker);
    /// Keeps a descriptor's file alive.
    fn keep(fd: Self::Fd) -> Option<Self::Kept>;
    /// A descriptor of that number.
    fn fd(number: u32, fd: Self::Fd) -> Self::Fd;
}

/// A sound backend, with a fault.
pub(crate) struct Broken<B: Sound> {
    pub(crate) inner: B,
    fault: Fault,
    /// So many registrations and changes are refused.
    refusals: u32,
    /// Every registration that there ever was, in order.
    known: Vec<Known<B::Fd>>,
    shared: Arc<Shared>,
    wakers: u32,
    watched_signals: Vec<Signum>,
    seen_signals: Vec<Signum>,
    last_signals: Vec<(Signum, u32)>,
    is_signal_poisoned: bool,
    last: Vec<(Token, Ready)>,
    ended: Vec<Token>,
    dels: Vec<(B::Fd, Token, Interest)>,
    kept: Vec<B::Kept>,
    adds: Vec<(B::Fd, Token, Interest)>,
    poisoned: Vec<u32>,
    reports: u32,
    /// Changes since the last wait, and ever.
    modifies: u32,
    made: u32,
    waits: u32,
    readded: u32,
    was_rebuilt: bool,
    was_told_of_a_wake: bool,
    looks: Cell<u32>,
    clock: Cell<Instant>,
}

struct Known<F> {
    fd: F,
    token: Token,
    interest: Interest,
    lives: bool,
    /// How often it was reported.
    reported: u32,
    hung_up: bool,
    is_mute: bool,
    told: Ready,
}

/// What the backend and its wakers share.
#[derive(Default)]
struct Shared {
    was_woken: AtomicBool,
    was_busy: AtomicBool,
    is_dead: AtomicBool,
    wakes: AtomicU32,
    /// Nobody has waited since the last wake.
    is_pending: AtomicBool,
}

/// A waker, with its backend's fault.
pub(crate) struct BrokenWaker<B: Sound> {
    inner: B::Waker,
    fault: Fault,
    number: u32,
    shared: Arc<Shared>,
}

impl<B: Sound> Clone for BrokenWaker<B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), fault: self.fault, number: self.number, shared: self.shared.clone() }
    }
}

impl<B: Sound> BrokenWaker<B> {
    pub(crate) fn wake(&self) {
        let wakes = self.shared.wakes.fetch_add(1, Ordering::SeqCst);
        let is_lost = match self.fault {
            Fault::LosesWakes => true,
            Fault::LosesWakesWhenBusy => self.shared.was_busy.load(Ordering::SeqCst),
            Fault::WakesOnce => wakes > 0,
            Fault::SecondWakerIsDead => self.number > 1,
            Fault::ReinitLosesWakers => self.shared.is_dead.load(Ordering::SeqCst),
            _ => false,
        };
        if !is_lost {
            self.shared.was_woken.store(true, Ordering::SeqCst);
            self.shared.is_pending.store(true, Ordering::SeqCst);
            B::wake(&self.inner);
        }
    }
}

/// Keeps what is found.
#[derive(Default)]
struct Found {
    reports: Vec<(Token, Ready)>,
    failed: Vec<Token>,
    signals: Vec<(Signum, u32)>,
    is_rebuild_due: bool,
    is_woken: bool,
}

impl<F> Sink<F> for Found {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        self.reports.push((token, ready));
        true
    }
    fn ready_fd(&mut self, _: F, _: Ready) -> bool {
        unreachable!("no backend here reports by fd")
    }
    fn failed(&mut self, token: Token) {
        self.failed.push(token);
    }
    fn signal(&mut self, signum: Signum, count: u32) {
        if count > 0 {
            self.signals.push((signum, count));
        }
    }
    fn woken(&mut self) {
        self.is_woken = true;
    }
    fn rebuild(&mut self) {
        self.is_rebuild_due = true;
    }
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

    /// What an `add` really asks for.
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

    /// What a `modify` really asks for.
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

    /// Whether an `add` is answered with `Ok` and does nothing.
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

    /// What is refused, and what becomes of it.
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

    /// What really becomes of a wait.
    fn wait(&self, sleep: Sleep) -> Sleep {
        let now = self.inner.now();
        match (self.fault, sleep) {
            (Fault::NeverSleeps, _) | (Fault::ForeverIsNone, Sleep::Forever) => NOW,
            (Fault::NeverSleepsWithMany, _) if self.living().count() > 100 => NOW,
            (Fault::SpinsAfterAWake, _) if self.shared.was_woken.load(Ordering::SeqCst) => NOW,
            (Fault::WakesLate, Sleep::Until(end)) => Sleep::Until(end.saturating_add(Duration::from_millis(5))),
            (Fault::WakesEarly, Sleep::Until(end)) => Sleep::Until(now.saturating_add(end.saturating_since(now) / 2)),
            (Fault::WaitsWholeMilliseconds, Sleep::Until(end)) if end != Instant::MAX => {
                Sleep::Until(Instant::from_nanos(end.as_nanos() / 1_000_000 * 1_000_000))
            }
            (Fault::NoneWaits, NOW) => Sleep::Until(now.saturating_add(Duration::from_millis(1))),
            (Fault::ForgetsTheDeadline, Sleep::Until(_)) => Sleep::Forever,
            (_, sleep) => sleep,
        }
    }

    /// What becomes of the reports of a wait.
    fn distorted(&mut self, mut reports: Vec<(Token, Ready)>) -> Vec<(Token, Ready)> {
        let fault = self.fault;
        let interest_of = |token: Token| {
            self.known.iter().rev().find(|known| known.token == token).map_or(Interest::empty(), |known| known.interest)
        };
        let is_read = |(_, ready): &(Token, Ready)| ready.contains(Ready::READ);
        match fault {
            Fault::LosesReports => {
                let mut count = self.reports;
                reports.retain(|_| {
                    count += 1;
                    count % 2 == 1
                });
                self.reports = count;
            }
            Fault::StarvesTheRest => reports.truncate(3),
            Fault::StarvesWriters if reports.iter().any(is_read) => {
                reports.retain(|(token, _)| interest_of(*token).difference(Interest::EDGE) != Interest::WRITE);
            }
            Fault::StarvesRareKinds if reports.iter().any(is_read) => reports.retain(|(token, _)| {
                let interest = interest_of(*token).difference(Interest::EDGE);
                interest != Interest::CLOSED && interest != URGENT
            }),
            Fault::CutsAt16 => reports.truncate(16),
            Fault::CutsAt32 => reports.truncate(32),
            Fault::CutsAt64 => reports.truncate(64),
            Fault::CutsAt256 => reports.truncate(256),
            Fault::ServesTheFirstEight if reports.len() > 8 => {
                let place = |token: Token| self.known.iter().position(|known| known.token == token);
                reports.sort_by_key(|(token, _)| place(*token));
                reports.truncate(8);
            }
            Fault::ReportsTheDeadAsTheLiving => {
                let living = self.known.iter().rev().find(|known| known.lives).map(|known| known.token);
                for (token, _) in &mut reports {
                    if let (Some(living), true) = (living, self.known.iter().any(|k| k.token == *token && !k.lives)) {
                        *token = living;
                    }
                }
            }
            Fault::ReportsOnceMore => reports.extend(self.ended.drain(..).map(|token| (token, Ready::READ))),
            Fault::ReportsTwice => {
                let last = std::mem::replace(&mut self.last, reports.clone());
                reports.extend(last);
            }
            Fault::SwapsTokens => {
                for pair in reports.chunks_exact_mut(2) {
                    let token = pair[0].0;
                    pair[0].0 = pair[1].0;
                    pair[1].0 = token;
                }
            }
            Fault::DropsTheGeneration => {
                for (token, _) in &mut reports {
                    *token = Token::from_bits(token.to_bits() >> 32 << 32);
                }
            }
            Fault::HidesErrors => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::ERROR | Ready::HANGUP)),
            Fault::HidesError => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::ERROR)),
            Fault::HangUpAsError => {
                for (_, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::HANGUP)) {
                    *ready = ready.difference(Ready::HANGUP) | Ready::ERROR;
                }
            }
            Fault::UrgentHidesRead => {
                for (_, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(URGENT_READY)) {
                    ready.remove(Ready::READ);
                }
            }
            Fault::TruncatesTheGeneration | Fault::TruncatesTheGenerationTo16 => {
                let bits =
                    if fault == Fault::TruncatesTheGeneration { 0xFFFF_FFFF_0000_00FF } else { 0xFFFF_FFFF_0000_FFFF };
                reports.iter_mut().for_each(|(token, _)| *token = Token::from_bits(token.to_bits() & bits));
            }
            Fault::HidesHangUp => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::HANGUP)),
            Fault::HidesHangUpFromWriters => {
                for (token, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::HANGUP)) {
                    if interest_of(*token).difference(Interest::EDGE) == Interest::WRITE {
                        *ready = Ready::empty();
                    }
                }
            }
            Fault::HidesResets => reports.retain(|(token, _)| interest_of(*token) != Interest::CLOSED),
            Fault::WriteWithRead => {
                for (token, ready) in reports.iter_mut().filter(|report| is_read(report)) {
                    ready.set(
                        Ready::WRITE,
                        ready.contains(Ready::WRITE) || interest_of(*token).contains(Interest::WRITE),
                    );
                }
            }
            Fault::ReadWithUrgent => {
                for (token, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(URGENT_READY)) {
                    ready.set(Ready::READ, ready.contains(Ready::READ) || interest_of(*token).contains(Interest::READ));
                }
            }
            Fault::EdgeReadHidesWrite => {
                for (token, ready) in reports.iter_mut().filter(|report| is_read(report)) {
                    if interest_of(*token).contains(Interest::EDGE) {
                        ready.remove(Ready::WRITE);
                    }
                }
            }
            Fault::HalfCloseStopsWriting => {
                for (_, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::CLOSED)) {
                    ready.remove(Ready::WRITE);
                }
            }
            Fault::ClosedAsRead => {
                for (token, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::CLOSED)) {
                    if interest_of(*token).contains(Interest::READ) {
                        *ready = ready.difference(Ready::CLOSED) | Ready::READ;
                    }
                }
            }
            Fault::ReportsNothing => {
                for known in self.known.iter().filter(|known| known.lives) {
                    if !reports.iter().any(|(token, _)| *token == known.token) {
                        reports.push((known.token, Ready::empty()));
                    }
                }
                return reports;
            }
            _ => {}
        }
        self.by_history(&mut reports);
        reports.retain(|(_, ready)| !ready.is_empty());
        reports
    }

    /// Distorts by what was reported before.
    fn by_history(&mut self, reports: &mut [(Token, Ready)]) {
        let fault = self.fault;
        for (token, ready) in reports {
            let Some(known) = self.known.iter_mut().rev().find(|known| known.token == *token) else { continue };
            known.reported += 1;
            let told = known.told;
            known.told |= *ready;
            match fault {
                Fault::ClosedHidesHangUp if told.contains(Ready::CLOSED) => ready.remove(Ready::HANGUP),
                Fault::ReadHidesClosedEdge if told.contains(Ready::READ) && known.interest.contains(Interest::EDGE) => {
                    ready.remove(Ready::CLOSED);
                }
                _ => {}
            }
            let (is_level, times) = (!known.interest.contains(Interest::EDGE), known.reported);
            let is_muted = match fault {
                Fault::LevelAsEdge => is_level && times > 1,
                Fault::TiresAfterTen => is_level && times > 10,
                Fault::LevelEachSecondTime => is_level && times % 2 == 0,
                Fault::RoomOnce => is_level && times > 1 && *ready == Ready::WRITE,
                Fault::HangUpOnce => ready.contains(Ready::HANGUP) && std::mem::replace(&mut known.hung_up, true),
                _ => std::mem::take(&mut known.is_mute),
            };
            if is_muted {
                *ready = Ready::empty();
            }
        }
    }

    fn report_signals(&mut self, mut signals: Vec<(Signum, u32)>, is_busy: bool, sink: &mut impl Sink<B::Fd>) {
        match self.fault {
            Fault::CountsToOne => signals.iter_mut().for_each(|(_, count)| *count = 1),
            Fault::CountsInAByte => signals.iter_mut().for_each(|(_, count)| *count &= 0xFF),
            Fault::CountsDouble => signals.iter_mut().for_each(|(_, count)| *count *= 2),
            Fault::LosesSignals => signals.truncate(1),
            Fault::ReadinessHidesSignals if is_busy => signals.clear(),
            Fault::SignalsTwice => {
                let last = std::mem::replace(&mut self.last_signals, signals.clone());
                signals.extend(last);
            }
            _ => {}
        }
        for (signum, count) in signals {
            sink.signal(signum, count);
        }
    }

    /// What is done late.
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
            told: Ready::empty(),
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
                // What it finds is lost.
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

impl<B: Sound> Wake for Broken<B> {
    type Waker = BrokenWaker<B>;

    fn waker(&mut self) -> Result<BrokenWaker<B>, B::Error> {
        self.wakers += 1;
        self.shared.is_dead.store(false, Ordering::SeqCst);
        let (inner, shared) = (self.inner.waker()?, Arc::clone(&self.shared));
        Ok(BrokenWaker { inner, fault: self.fault, number: self.wakers, shared })
    }
}
