//! The test of the tests: a backend that breaks the contract fails the suite, by the case that is meant for it.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use evcore::backend::{
    EventOp, FdInfos, Features, Manual, ManualError, Modified, SignalOp, Signum, Sink, Sleep, Token, WakeFlag,
};
use evcore::{Fixed, Growable, Instant, Interest, Ready};
use evcore_tests::{ByHand, Fixture, Proof, changes, edge, faults, readiness, signals, timers, wake};

/// What is wrong with a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// Every second report is lost.
    LosesReports,
    /// Of what is ready only the first three are ever reported.
    StarvesTheRest,
    /// What is found for a registration that has ended is reported under one that lives.
    ReportsTheDeadAsTheLiving,
    /// `del` does nothing.
    IgnoresDel,
    /// `modify` does nothing.
    IgnoresModify,
    /// An fd that was registered before is not registered a second time.
    MissesTheReadd,
    /// `add` takes hold only after the next wait.
    AddsLate,
    /// What the system refuses is answered with `Ok`.
    HidesRefusals,
    /// What the system refuses is registered all the same.
    LeavesRefusalsBehind,
    /// Waits are five milliseconds too long.
    WakesLate,
    /// Waits are half as long as they should be.
    WakesEarly,
    /// Every wait is none.
    NeverSleeps,
    /// The clock stands still.
    ForgetsTheClock,
    /// The clock shows whole milliseconds, the next one.
    RoundsTheClock,
    /// A wait past a point in time does not end there.
    ForgetsTheDeadline,
    /// What is ready by level is reported once.
    LevelAsEdge,
    /// What is ready by edge is reported until it is not.
    EdgeAsLevel,
    /// ERROR and HANGUP are declared and not reported.
    HidesErrors,
    /// A reset is no news to who waits for CLOSED alone.
    HidesResets,
    /// What is not ready is reported all the same, without a bit.
    ReportsNothing,
    /// CLOSED is declared, and asking for it is refused.
    ClaimsTooMuch,
    /// A wake does not end a wait.
    LosesWakes,
    /// A wake ends all waits from then on.
    SpinsAfterAWake,
    /// A signal that came more than once is reported as one.
    CountsToOne,
    /// A second signal of the same wait is lost.
    LosesSignals,
    /// Starting anew forgets what is watched and says nothing when it is registered again.
    ForgetsAfterReinit,
}

/// `Manual`, with a fault.
struct Broken {
    inner: Manual,
    fault: Fault,
    count: u32,
    /// Every registration that there ever was, whether it lives, and whether it was reported.
    known: Vec<Known>,
    woken: bool,
    is_new: bool,
}

struct Known {
    fd: u32,
    token: Token,
    interest: Interest,
    lives: bool,
    was_reported: bool,
}

impl Broken {
    fn known(&mut self, token: Token) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.token == token)
    }

    /// What becomes of the reports of a wait.
    fn distorted(&mut self, mut reports: Vec<(Token, Ready)>) -> Vec<(Token, Ready)> {
        match self.fault {
            Fault::LosesReports => reports.retain(|_| {
                self.count += 1;
                self.count % 2 == 1
            }),
            Fault::StarvesTheRest => reports.truncate(3),
            Fault::LevelAsEdge => reports.retain(|(token, _)| {
                let known = self.known.iter_mut().find(|known| known.token == *token);
                known.is_none_or(|known| !std::mem::replace(&mut known.was_reported, true))
            }),
            Fault::HidesErrors => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::ERROR | Ready::HANGUP)),
            Fault::HidesResets => reports.retain(|(token, _)| {
                let known = self.known.iter().find(|known| known.token == *token);
                known.is_none_or(|known| known.interest != Interest::CLOSED)
            }),
            Fault::ReportsNothing => {
                for known in self.known.iter().filter(|known| known.lives) {
                    if !reports.iter().any(|(token, _)| *token == known.token) {
                        reports.push((known.token, Ready::empty()));
                    }
                }
            }
            Fault::EdgeAsLevel => {
                for known in self.known.iter().filter(|known| known.lives && known.interest.contains(Interest::EDGE)) {
                    let ready = self.inner.ready(known.fd) & Ready::from_bits_retain(known.interest.bits());
                    if !ready.is_empty() && !reports.iter().any(|(token, _)| *token == known.token) {
                        reports.push((known.token, ready));
                    }
                }
            }
            Fault::ReportsTheDeadAsTheLiving => {
                let is_dead_ready =
                    self.known.iter().any(|known| !known.lives && self.inner.ready(known.fd).contains(Ready::READ));
                let living = self.known.iter().rev().find(|known| known.lives);
                if let (true, Some(living)) = (is_dead_ready, living) {
                    reports.push((living.token, Ready::READ));
                }
            }
            _ => {}
        }
        reports
    }
}

/// A sink that keeps reports, and passes signals on as the fault has them.
struct Found<'a, K> {
    sink: &'a mut K,
    fault: Fault,
    signals: u32,
    reports: Vec<(Token, Ready)>,
}

impl<K: Sink<u32>> Sink<u32> for Found<'_, K> {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        self.reports.push((token, ready));
        true
    }
    fn ready_fd(&mut self, fd: u32, ready: Ready) -> bool {
        self.sink.ready_fd(fd, ready)
    }
    fn failed(&mut self, token: Token) {
        self.sink.failed(token);
    }
    fn signal(&mut self, signum: Signum, count: u32) {
        self.signals += 1;
        match self.fault {
            Fault::LosesSignals if self.signals > 1 => {}
            Fault::CountsToOne => self.sink.signal(signum, 1),
            _ => self.sink.signal(signum, count),
        }
    }
    fn woken(&mut self) {
        self.sink.woken();
    }
    fn rebuild(&mut self) {
        self.sink.rebuild();
    }
}

impl EventOp for Broken {
    type Fd = u32;
    type FdInfo = ();
    type Error = ManualError;

    fn name(&self) -> &'static str {
        "broken"
    }

    fn features(&self) -> Features {
        self.inner.features()
    }

    fn now(&self) -> Instant {
        let now = self.inner.now().as_nanos();
        match self.fault {
            Fault::ForgetsTheClock => Instant::ZERO,
            Fault::RoundsTheClock => Instant::from_nanos(now.next_multiple_of(1_000_000)),
            _ => Instant::from_nanos(now),
        }
    }

    fn add(
        &mut self,
        fd: u32,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<(), ManualError> {
        let is_known = self.known.iter().any(|known| known.fd == fd);
        if self.fault == Fault::ClaimsTooMuch && interest == Interest::CLOSED {
            return Err(ManualError::Refused);
        }
        if self.fault == Fault::MissesTheReadd && is_known {
            return Ok(());
        }
        if self.fault == Fault::ForgetsAfterReinit && !self.is_new {
            return Ok(());
        }
        self.known.push(Known { fd, token, interest, lives: true, was_reported: false });
        if self.fault == Fault::AddsLate {
            return Ok(());
        }
        let outcome = EventOp::add(&mut self.inner, fd, token, interest, infos);
        match (self.fault, outcome) {
            (Fault::HidesRefusals, Err(_)) => Ok(()),
            (Fault::LeavesRefusalsBehind, Err(error)) => {
                self.inner.refuse(0);
                EventOp::add(&mut self.inner, fd, token, interest, infos).and(Err(error))
            }
            (_, outcome) => outcome,
        }
    }

    fn modify(
        &mut self,
        fd: u32,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<()>,
    ) -> Result<Modified, ManualError> {
        if self.fault == Fault::IgnoresModify {
            return Ok(Modified::Kept);
        }
        if let Some(known) = self.known(token) {
            known.interest = new;
        }
        match self.inner.modify(fd, token, old, new, infos) {
            Err(_) if self.fault == Fault::HidesRefusals => Ok(Modified::Kept),
            outcome => outcome,
        }
    }

    fn del(&mut self, fd: u32, token: Token, old: Interest, infos: &mut impl FdInfos<()>) {
        if let Some(known) = self.known(token) {
            known.lives = false;
        }
        if self.fault != Fault::IgnoresDel {
            EventOp::del(&mut self.inner, fd, token, old, infos);
        }
    }

    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<u32>) -> Result<(), ManualError> {
        let now = self.inner.now();
        let sleep = match (self.fault, sleep) {
            (Fault::NeverSleeps, _) => Sleep::None,
            (Fault::SpinsAfterAWake, _) if self.woken => Sleep::None,
            (Fault::WakesLate, Sleep::Until(end)) => Sleep::Until(end.saturating_add(Duration::from_millis(5))),
            (Fault::WakesEarly, Sleep::Until(end)) => Sleep::Until(now.saturating_add(end.saturating_since(now) / 2)),
            (Fault::ForgetsTheDeadline, Sleep::Until(_)) => Sleep::Forever,
            (_, sleep) => sleep,
        };
        let before = self.inner.now();
        let mut found = Found { sink, fault: self.fault, signals: 0, reports: Vec::new() };
        self.inner.dispatch(sleep, &mut found)?;
        let Found { signals, reports, .. } = found;
        let reports = self.distorted(reports);
        for (token, ready) in &reports {
            sink.ready(*token, *ready);
        }
        if let (Sleep::Until(end), true) = (sleep, self.inner.now() == before && reports.is_empty()) {
            // Nothing found, and no time passed: it was woken.
            self.woken = true;
            if self.fault == Fault::LosesWakes && signals == 0 {
                self.inner.set_now(end);
            }
        }
        Ok(())
    }

    fn reinit(&mut self) -> Result<(), ManualError> {
        self.is_new = false;
        self.inner.reinit()
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = ManualError>> {
        self.inner.signals()
    }
}

/// `ByHand`, for a backend with a fault.
struct World {
    hands: ByHand,
    fault: Fault,
}

macro_rules! by_hand {
    ($($name:ident)*) => {
        $(fn $name(&mut self, backend: &mut Broken, source: &mut u32) -> bool {
            self.hands.$name(&mut backend.inner, source)
        })*
    };
}

impl Fixture for World {
    type Backend = Broken;
    type Source = u32;
    type Waker = &'static WakeFlag;
    const IS_VIRTUAL: bool = true;

    fn backend(&mut self) -> Broken {
        let (inner, fault) = (self.hands.backend(), self.fault);
        Broken { inner, fault, count: 0, known: Vec::new(), woken: false, is_new: true }
    }
    fn source(&mut self, backend: &mut Broken) -> u32 {
        self.hands.source(&mut backend.inner)
    }
    fn fd(&self, source: &u32) -> u32 {
        *source
    }
    fn feed(&mut self, backend: &mut Broken, source: &mut u32) {
        self.hands.feed(&mut backend.inner, source);
    }
    fn drain(&mut self, backend: &mut Broken, source: &mut u32) {
        self.hands.drain(&mut backend.inner, source);
    }
    fn pass(&mut self, backend: &mut Broken, time: Duration) {
        backend.inner.advance(time);
    }
    by_hand! { fill make_room half_close hang_up reset }
    fn refuse(&mut self, backend: &mut Broken, count: u32) -> bool {
        self.hands.refuse(&mut backend.inner, count)
    }
    fn waker(&mut self, backend: &mut Broken) -> Option<&'static WakeFlag> {
        self.hands.waker(&mut backend.inner)
    }
    fn wake(waker: &&'static WakeFlag) {
        waker.wake();
    }
    fn signal(&self, which: usize) -> Option<Signum> {
        self.hands.signal(which)
    }
    fn raise(&mut self, backend: &mut Broken, signum: Signum) {
        self.hands.raise(&mut backend.inner, signum);
    }
}

type Case = fn(World) -> Proof;

/// Each fault, and the case that is meant for it, on each storage.
macro_rules! meant {
    ($($fault:ident => $topic:ident::$case:ident,)*) => {
        const MEANT: &[(Fault, &str, [Case; 2])] = &[$(
            (Fault::$fault, stringify!($case), [$topic::$case::<_, Fixed<64>>, $topic::$case::<_, Growable>]),
        )*];
    };
}

meant! {
    LosesReports => edge::et_new_edge,
    StarvesTheRest => readiness::every_ready_source_is_served,
    ReportsTheDeadAsTheLiving => changes::free_other_then_reuse_slot,
    IgnoresDel => readiness::hup_without_interest_does_not_spin,
    IgnoresModify => changes::modify_interest_read_to_write,
    MissesTheReadd => readiness::want_only_once,
    AddsLate => readiness::read_ready_now,
    HidesRefusals => changes::failed_add_is_atomic,
    LeavesRefusalsBehind => changes::failed_insert_gives_the_data_back,
    WakesLate => timers::timer_late_bound,
    WakesEarly => timers::sub_millisecond_no_spin,
    NeverSleeps => wake::b2_a_wake_does_not_spin,
    ForgetsTheClock => timers::timer_not_early,
    RoundsTheClock => timers::timer_not_early,
    ForgetsTheDeadline => timers::timer_not_early,
    LevelAsEdge => readiness::level_repeats,
    EdgeAsLevel => edge::et_once_per_edge,
    HidesErrors => readiness::error_and_hangup_show_as_declared,
    HidesResets => readiness::b3_closed_alone_hears_of_a_reset,
    ReportsNothing => readiness::read_ready_later,
    ClaimsTooMuch => readiness::caps_are_honest,
    LosesWakes => wake::wake_before_wait_not_lost,
    SpinsAfterAWake => wake::thousand_wakes_coalesce,
    CountsToOne => signals::signal_count_is_what_came,
    LosesSignals => signals::signal_storm_keeps_sigterm,
    ForgetsAfterReinit => faults::reinit_registers_everything_again,
}

/// Whether a case fails with a fault.
fn fails(fault: Fault, case: Case) -> bool {
    static FLAG: WakeFlag = WakeFlag::new();
    FLAG.take();
    let world = World { hands: ByHand::with_flag(&FLAG), fault };
    panic::catch_unwind(AssertUnwindSafe(|| case(world))).is_err()
}

#[test]
fn a_case_without_its_power_needs_no_larger_storage() {
    static FLAG: WakeFlag = WakeFlag::new();
    let world = World { hands: ByHand::with_flag(&FLAG), fault: Fault::None };
    let proof = readiness::many_ready_small_batch::<_, Fixed<8>>(world);
    assert!(matches!(proof, Proof::Absent(_)), "{proof}");
}

#[test]
fn each_fault_fails_the_case_that_is_meant_for_it() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcomes = MEANT.iter().flat_map(|(fault, name, cases)| {
        cases.iter().map(|case| (*fault, *name, fails(Fault::None, *case), fails(*fault, *case)))
    });
    let outcomes: Vec<_> = outcomes.collect();
    panic::set_hook(hook);
    let mut wrong = 0;
    for (fault, name, fails_sound, fails_broken) in outcomes {
        println!("{fault:?}: {name} {}", if fails_broken { "fails, as it should" } else { "does not notice" });
        wrong += u32::from(fails_sound || !fails_broken);
        assert!(!fails_sound, "{name} fails without a fault");
    }
    assert_eq!(wrong, 0);
}
