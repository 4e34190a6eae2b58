//! Tests the suite: for each fault of a backend, the intended case fails.
//!
//! A wrapper puts a [`Fault`] into a correct backend, `Manual` or epoll. The table names the case that should find
//! it, and the backends on which it can be observed.

#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use evcore::{Fixed, Growable};
use evcore_tests::{
    Proof, changes, clock, edge, faults, files, interest, many, one_loop, readiness, refusals, signals, timers, wake,
};

use fault::Fault;
use worlds::{OnEpoll, OnManual, on_epoll, on_manual};

mod backend;
mod fault;
mod reports;
#[path = "../conformance/sys.rs"]
mod sys;
mod wakers;
mod worlds;

/// A fault, and the case that should find it.
struct Meant {
    fault: Fault,
    case: &'static str,
    on_manual: Option<fn(OnManual) -> Proof>,
    on_epoll: Option<fn(OnEpoll) -> Proof>,
}

/// Each fault, the case that should find it, and where it can be observed.
macro_rules! meant {
    ($($fault:ident => $topic:ident::$case:ident on $($backend:ident)*;)*) => {
        const MEANT: &[Meant] = &[$({
            #[allow(unused_mut, reason = "one of the two backends may be all")]
            let mut meant =
                Meant { fault: Fault::$fault, case: stringify!($case), on_manual: None, on_epoll: None };
            $(meant!(@ meant $backend $topic $case);)*
            meant
        }),*];
    };
    (@ $meant:ident manual $topic:ident $case:ident) => { $meant.on_manual = Some($topic::$case::<_, Growable>) };
    (@ $meant:ident epoll $topic:ident $case:ident) => { $meant.on_epoll = Some($topic::$case::<_, Growable>) };
}

meant! {
    LosesReports => edge::et_new_edge on manual epoll;
    StarvesTheRest => readiness::every_ready_source_is_served on manual epoll;
    StarvesWriters => many::busy_sources_starve_nobody on manual epoll;
    StarvesRareKinds => many::busy_sources_starve_nobody on manual epoll;
    CutsAt16 => many::each_of_40_is_reported on manual epoll;
    CutsAt32 => many::each_of_40_is_reported on manual epoll;
    CutsAt64 => many::each_of_300_is_reported on manual epoll;
    CutsAt256 => many::each_of_300_is_reported on manual epoll;
    ServesTheFirstEight => many::each_of_40_is_reported on manual epoll;
    ReportsTheDeadAsTheLiving => changes::free_other_then_reuse_slot on manual epoll;
    ReportsOnceMore => many::each_of_40_is_reported on manual epoll;
    ReportsTwice => readiness::level_stops_when_drained on manual epoll;
    SwapsTokens => many::each_of_40_is_reported on manual epoll;
    DropsTheGeneration => readiness::read_ready_now on manual epoll;
    TruncatesTheGeneration => many::registered_many_times_is_reported on manual epoll;
    TruncatesTheGenerationTo16 => many::registered_many_times_is_reported on manual epoll;
    LevelAsEdge => readiness::level_repeats on manual epoll;
    RoomOnce => readiness::level_repeats_for_many_turns on manual epoll;
    HangUpOnce => readiness::level_repeats_for_many_turns on manual epoll;
    TiresAfterTen => readiness::level_repeats_for_many_turns on manual epoll;
    LevelEachSecondTime => readiness::level_repeats on manual epoll;
    EdgeAsLevel => edge::et_once_per_edge on manual epoll;
    EdgeReadHidesWrite => interest::et_interest_gets_its_edges on manual epoll;
    HidesErrors => readiness::error_and_hangup_show_as_declared on manual epoll;
    HidesError => readiness::error_and_hangup_show_as_declared on manual epoll;
    HidesHangUp => readiness::error_and_hangup_show_as_declared on manual epoll;
    HangUpAsError => interest::hang_up_reaches_each_interest on manual epoll;
    HidesHangUpFromWriters => readiness::hang_up_wakes_a_writer on manual epoll;
    HidesResets => readiness::b3_closed_alone_gets_a_reset on manual epoll;
    FailsAtHangUp => interest::hang_up_reaches_each_interest on manual epoll;
    ClosedHidesHangUp => interest::each_change_of_a_connection_is_reported on manual epoll;
    ReadHidesClosedEdge => interest::each_change_of_a_connection_is_reported on manual epoll;
    WriteWithRead => interest::interest_gets_its_bits on manual epoll;
    ReadWithUrgent => interest::urgent_data_reaches_each_interest on manual epoll;
    UrgentHidesRead => interest::urgent_data_hides_nothing on manual epoll;
    HalfCloseStopsWriting => interest::half_close_reaches_each_interest on manual epoll;
    ClosedAsRead => interest::half_close_reaches_each_interest on manual epoll;
    ReportsNothing => readiness::read_ready_later on manual epoll;

    MissesTheReadd => readiness::oneshot_comes_once on manual epoll;
    AddsLate => readiness::read_ready_now on manual epoll;
    AddMissesWhatIsReady => edge::et_initial_state_reported on manual epoll;
    AddForgetsClosed => interest::half_close_reaches_each_interest on manual epoll;
    AddForgetsUrgent => interest::urgent_data_reaches_each_interest on manual epoll;
    AddForgetsWriteEdge => interest::et_interest_gets_its_edges on manual epoll;
    HoldsOnly64 => many::each_of_300_is_reported on manual epoll;
    HoldsOnly32 => many::each_of_40_is_reported on manual epoll;
    TruncatesNumbers => readiness::only_what_was_asked_for on manual;
    HidesRefusals => refusals::refused_add_leaves_the_others on manual epoll;
    LeavesRefusalsBehind => refusals::refused_add_leaves_the_others on manual epoll;
    RefusedAddPoisons => refusals::refused_add_leaves_the_others on manual epoll;
    RefusedAddEndsAnother => refusals::refused_add_leaves_the_others on manual epoll;
    RefusedModifyEnds => refusals::refused_modify_keeps_what_stood on manual epoll;
    RefusedModifyTakesHold => refusals::refused_modify_keeps_what_stood on manual epoll;
    RefusedModifyEndsAnother => refusals::refused_second_event_keeps_the_first on manual epoll;
    ClaimsTooMuch => readiness::caps_are_honest on manual epoll;

    IgnoresModify => changes::modify_interest_read_to_write on manual epoll;
    IgnoresEqualModify => edge::et_second_event_gets_what_is_ready on manual epoll;
    OneModifyATurn => many::each_of_40_is_reported on manual epoll;
    NeverNarrows => interest::modify_changes_to_any_interest on manual epoll;
    NeverWidens => interest::modify_changes_to_any_interest on manual epoll;
    ModifyForgetsClosed => interest::half_close_reaches_each_interest on manual epoll;
    ModifyHitsNeighbour => many::random_changes_are_followed on manual epoll;
    ModifyForgetsEdge => interest::et_modify_changes_to_any_interest on manual epoll;
    ModifyReportsNoEdge => interest::et_modify_changes_to_any_interest on manual epoll;
    ModifyLosesNextEdge => interest::et_modify_changes_to_any_interest on manual epoll;
    ReplacedAsKept => files::reused_number_does_not_reach_the_old_event on epoll;
    KeptAsReplaced => many::random_changes_are_followed on manual epoll;

    IgnoresDel => readiness::hup_without_interest_does_not_spin on manual epoll;
    DelsLate => files::remove_lets_the_descriptor_be_closed on epoll;
    DelEndsNeighbour => many::each_of_40_is_reported on manual epoll;
    DelMovesTheLast => many::random_changes_are_followed on manual epoll;

    WakesLate => timers::some_timer_is_on_time on manual epoll;
    WakesEarly => timers::cancelled_and_moved_timers_wake_once on manual epoll;
    NeverSleeps => readiness::hup_without_interest_does_not_spin on manual epoll;
    NeverSleepsWithMany => many::each_of_300_is_reported on manual epoll;
    ForeverIsNone => clock::wait_without_end_sleeps on epoll;
    NoneWaits => clock::wait_that_is_over_only_looks on manual epoll;
    NoneDoesNotLook => readiness::level_repeats on manual epoll;
    PastDoesNotLook => clock::wait_that_is_over_only_looks on manual epoll;
    WaitsWholeMilliseconds => timers::sub_millisecond_no_spin on manual epoll;
    ForgetsTheClock => clock::clock_goes_on on manual epoll;
    RoundsTheClock => clock::clock_goes_on on manual epoll;
    ClockStopsWhenBusy => timers::timer_comes_beside_ready_sources on manual epoll;
    ClockStepsBack => clock::clock_goes_on on manual epoll;
    ClockStepsBackRarely => clock::clock_goes_on on manual epoll;
    ReinitSetsTheClockBack => clock::clock_goes_on on manual epoll;
    ClockIsSlow => clock::clock_keeps_pace on manual epoll;
    ForgetsTheDeadline => timers::timer_not_early on manual;
    LookLies => readiness::level_repeats_for_many_turns on manual epoll;
    LookLosesReports => readiness::level_repeats_for_many_turns on manual epoll;
    RebuildsOften => readiness::level_repeats_for_many_turns on manual epoll;

    LosesWakes => wake::wake_before_wait_not_lost on manual;
    SaysNothingOfWakes => one_loop::wake_event_is_handed_out on manual epoll;
    SaysNothingOfWakesWhenBusy => wake::wake_event_comes_beside_readiness on manual epoll;
    SaysWokenEachTime => one_loop::wake_event_is_handed_out on manual epoll;
    SpinsAfterAWake => wake::thousand_wakes_coalesce on manual epoll;
    LosesWakesWhenBusy => wake::wake_by_a_handler_ends_the_next_wait on manual;
    WakesOnce => wake::each_waker_wakes on manual;
    SecondWakerIsDead => wake::each_waker_wakes on manual;
    ChangesLoseAWake => wake::wake_ends_the_next_wait_after_anything on manual;
    ReinitLosesWakers => wake::each_waker_wakes on manual;
    ReinitLosesAWake => faults::reinit_loses_nothing_that_came_before on manual;

    CountsToOne => signals::signal_count_is_what_came on manual;
    CountsDouble => signals::signal_is_not_counted_twice on manual epoll;
    CountsInAByte => signals::signal_count_is_what_came on manual;
    IgnoresHighSignals => signals::each_signal_is_its_own on manual;
    SignalsAreKept => signals::signal_survives_changes_of_others on manual epoll;
    SignalAddLosesOthers => signals::signal_survives_changes_of_others on manual epoll;
    LosesSignals => signals::signal_beside_everything_else on manual epoll;
    ReadinessHidesSignals => signals::signal_beside_everything_else on manual epoll;
    SignalsTwice => signals::signal_is_not_counted_twice on manual epoll;
    SignalDelEndsAll => signals::signal_del_leaves_the_others on manual;
    SignalDelTellsNothing => signals::signal_once_counts_until_its_hand_out on manual;
    SignalReaddIsIgnored => signals::signal_del_leaves_the_others on manual;
    RefusedSignalPoisons => refusals::refused_signal_keeps_the_other on manual;
    ReinitLosesSignals => faults::reinit_keeps_wakers_and_signals on manual;
    ReinitLosesASignal => faults::reinit_loses_nothing_that_came_before on manual epoll;

    ForgetsAfterReinit => faults::reinit_registers_everything_again on manual epoll;
    ReinitForgetsTheFirst => faults::reinit_keeps_each_interest on manual epoll;
    ReinitForgetsEdge => faults::reinit_keeps_each_interest on manual epoll;
    ReinitReportsNoEdge => faults::reinit_keeps_each_interest on manual epoll;
    ReinitKeepsTheOld => faults::reinit_keeps_each_interest on manual epoll;
    ReinitStopsDels => faults::reinit_keeps_each_interest on manual epoll;
}

thread_local! {
    /// Whether panics of this thread are expected.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Suppresses the messages of expected panics.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                hook(info);
            }
        }));
    });
}

/// Whether a case fails. Prints the reason if it should not.
fn fails<F>(case: fn(F) -> Proof, fixture: F, is_expected: bool) -> bool {
    IS_QUIET.set(is_expected);
    let has_failed = panic::catch_unwind(AssertUnwindSafe(|| case(fixture))).is_err();
    IS_QUIET.set(false);
    has_failed
}

/// Whether the case for a fault passes without it and fails with it, on one of the two backends.
fn outcome(meant: &Meant, is_epoll: bool) -> Option<(bool, bool)> {
    let both = [(Fault::None, false), (meant.fault, true)];
    let [sound, broken] = match (is_epoll, meant.on_manual, meant.on_epoll) {
        (true, _, Some(case)) => both.map(|(fault, expected)| fails(case, on_epoll(fault), expected)),
        (false, Some(case), _) => both.map(|(fault, expected)| fails(case, on_manual(fault), expected)),
        _ => return None,
    };
    Some((sound, broken))
}

fn each_fault_fails_its_case(is_epoll: bool) {
    quieten();
    let mut wrong = Vec::new();
    for meant in MEANT {
        let Meant { fault, case, .. } = meant;
        match outcome(meant, is_epoll) {
            Some((false, true)) => println!("{fault:?}: {case} fails, as it should"),
            Some((true, _)) => wrong.push(format!("{case} fails without a fault")),
            Some((false, false)) => wrong.push(format!("{fault:?}: {case} does not notice")),
            None => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_fault_of_manual_fails_its_case() {
    each_fault_fails_its_case(false);
}

#[test]
fn each_fault_of_epoll_fails_its_case() {
    each_fault_fails_its_case(true);
}

#[test]
fn each_fault_is_in_the_table() {
    let all = include_str!("fault.rs").lines().filter_map(|line| line.trim().strip_suffix(','));
    for fault in all.filter(|fault| *fault != "None") {
        assert!(MEANT.iter().any(|meant| format!("{:?}", meant.fault) == fault), "{fault}");
    }
}

#[test]
fn a_case_without_its_power_needs_no_larger_storage() {
    let mut world = on_manual(Fault::None);
    world.can_bound = false;
    let proof = readiness::many_ready_small_batch::<_, Fixed<8>>(world);
    assert!(matches!(proof, Proof::Absent(_)), "{proof}");
}
