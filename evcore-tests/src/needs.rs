//! Which parts of a storage each case needs, and what is shown if one is missing.

use evcore::storage::{Part as _, Storage};
use evcore::{Error, Event, EventBase, Interest};

use crate::fixture::{ErrorOf, FdOf, Fixture};
use crate::proof::Proof;

/// A part of a storage that a case needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Events on descriptors.
    Fds,
    /// Several events on one descriptor.
    SharedFds,
    /// More than one priority.
    Levels,
    /// Events on signals.
    Signals,
    /// Prepare, check and wake events.
    Watchers,
    /// Events that remove themselves.
    Once,
    /// Pauses.
    Pauses,
    /// Statistics.
    Stats,
    /// Limits on a turn.
    Limits,
}

impl Needs {
    const ALL: [Self; 9] = [
        Self::Fds,
        Self::SharedFds,
        Self::Levels,
        Self::Signals,
        Self::Watchers,
        Self::Once,
        Self::Pauses,
        Self::Stats,
        Self::Limits,
    ];

    /// Whether the case needs this part.
    const fn is_of(self, case: &str) -> bool {
        match self {
            // The list of cases that need none is shorter.
            Self::Fds => !contains(WITHOUT_FDS, case),
            Self::SharedFds => contains(SHARED_FDS, case),
            Self::Levels => contains(LEVELS, case),
            Self::Signals => contains(SIGNALS, case),
            Self::Watchers => contains(WATCHERS, case),
            Self::Once => contains(ONCE, case),
            Self::Pauses => contains(PAUSES, case),
            Self::Stats => contains(STATS, case),
            Self::Limits => contains(LIMITS, case),
        }
    }

    const fn is_in<S: Storage>(self) -> bool {
        match self {
            Self::Fds => S::HAS_FDS,
            Self::SharedFds => S::SharedFds::IS_KEPT,
            Self::Levels => S::HAS_LEVELS,
            Self::Signals => S::HAS_SIGNALS,
            Self::Watchers => S::HAS_WATCHERS,
            Self::Once => S::Once::IS_KEPT,
            Self::Pauses => S::Pauses::IS_KEPT,
            Self::Stats => S::Stats::IS_KEPT,
            Self::Limits => S::Limits::IS_KEPT,
        }
    }

    /// The part that a case needs and the storage lacks. Evaluated in a `const`, this keeps the code of such cases
    /// out of an image.
    #[must_use]
    pub const fn missing<S: Storage>(case: &str) -> Option<Self> {
        let mut rest = Self::ALL.as_slice();
        while let [needs, others @ ..] = rest {
            if !needs.is_in::<S>() && needs.is_of(case) {
                return Some(*needs);
            }
            rest = others;
        }
        None
    }

    /// Shows, instead of a case that does not apply to a storage, that the missing part is refused and nothing
    /// changes. (Calls that cannot return a refusal do not compile.)
    // Not inlined, so that its base does not enlarge the caller's stack frame: small devices have small stacks.
    #[inline(never)]
    pub fn refused<F: Fixture, S: Storage>(self, mut fixture: F) -> Proof {
        let mut base: EventBase<F::Backend, S, u32> = EventBase::new(fixture.backend());
        match self {
            Self::Fds => {
                let source = fixture.source(base.backend_mut());
                let fd = fixture.fd(&source);
                is_refused::<F, S>(&mut base, Event::io(fd, Interest::READ), |error| matches!(error, Error::Full));
            }
            Self::SharedFds => {
                let source = fixture.source(base.backend_mut());
                let fd = fixture.fd(&source);
                let first = base.insert(fd, Interest::READ, 1).expect("there is room");
                is_refused::<F, S>(&mut base, Event::io(fd, Interest::READ), |error| matches!(error, Error::Full));
                let other = fixture.source(base.backend_mut());
                let elsewhere = base.insert(fixture.fd(&other), Interest::READ, 2).expect("there is room");
                assert!(matches!(base.replace_fd(elsewhere, fd), Err(Error::Full)));
                assert_eq!(base.fd(elsewhere), Some(fixture.fd(&other)));
                assert_eq!(base.remove(first), Some(1));
                assert!(base.replace_fd(elsewhere, fd).is_ok());
                assert_eq!(base.remove(elsewhere), Some(2));
            }
            Self::Levels => assert!(matches!(base.set_priorities(2), Err(Error::Full))),
            Self::Signals => is_refused::<F, S>(&mut base, Event::signal(1), |error| {
                matches!(error, Error::Full | Error::Unsupported)
            }),
            Self::Watchers => {
                for event in [Event::prepare(), Event::check(), Event::wake()] {
                    is_refused::<F, S>(&mut base, event, |error| matches!(error, Error::Full));
                }
            }
            Self::Once => {
                is_refused::<F, S>(&mut base, Event::user().once(), |error| matches!(error, Error::Unsupported))
            }
            Self::Pauses | Self::Stats | Self::Limits => {}
        }
        assert!(base.check(), "the base's tables disagree: {base}");
        assert_eq!(base.counts().events, 0);
        let own = base.start(Event::user(), 7);
        assert!(own.is_ok_and(|own| base.remove(own) == Some(7)), "the base works on");
        Proof::LeftOut(self)
    }
}

/// Checks that the event is not created and its data is returned.
#[track_caller]
fn is_refused<F: Fixture, S: Storage>(
    base: &mut EventBase<F::Backend, S, u32>,
    event: Event<FdOf<F>>,
    is_right: impl Fn(&Error<ErrorOf<F>>) -> bool,
) {
    match base.create(event, 7) {
        Err(rejected) => assert!(is_right(&rejected.error) && rejected.data == 7, "{:?}", rejected.error),
        Ok(_) => panic!("it was created without room for it"),
    }
}

/// Whether a list contains a name; works in a `const`.
#[must_use]
pub const fn contains(names: &[&str], name: &str) -> bool {
    let mut rest = names;
    while let [first, others @ ..] = rest {
        if is_same(first.as_bytes(), name.as_bytes()) {
            return true;
        }
        rest = others;
    }
    false
}

const fn is_same(mut one: &[u8], mut other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    while let ([first, rest @ ..], [second, others @ ..]) = (one, other) {
        if *first != *second {
            return false;
        }
        (one, other) = (rest, others);
    }
    true
}

/// Cases that need no descriptor.
const WITHOUT_FDS: &[&str] = &[
    "delay_counts_from_a_point",
    "each_of_40_is_reported",
    "each_of_300_is_reported",
    "each_of_1000_is_reported",
    "data_is_dropped_once",
    "full_gives_the_data_back",
    "left_out_is_refused",
    "id_of_another_base_is_an_error",
    "deleted_while_active",
    "once_removed_in_its_handler",
    "b12_running_event_outside_is_none",
    "wrong_kind_is_an_error",
    "timer_not_early",
    "order_by_deadline",
    "timer_late_bound",
    "cancelled_and_moved_timers_wake_once",
    "zero_delay_fires_next_iteration",
    "equal_deadline_fifo",
    "rearm_moves_later",
    "rearm_moves_earlier",
    "persist_interval_no_drift",
    "persist_after_jump_skips",
    "persist_after_jump_bursts",
    "persist_after_jump_delays",
    "huge_delays_never_fire",
    "wait_longer_than_i32_ms",
    "sub_millisecond_no_spin",
    "ten_thousand_same_deadline",
    "timer_cancel_in_timer_callback",
    "b1_timer_not_late_by_the_handlers_time",
    "delay_counts_from_the_call",
    "cached_clock_stands_still",
    "clock_backwards_is_harmless",
    "next_deadline_is_known",
    "past_deadline_is_due",
    "slack_shares_a_wake_up",
    "some_timer_is_on_time",
    "activated_restarts_at_hand_out",
    "delay_period_counts_from_hand_out",
    "pending_shows_restarted_timeout",
    "now_outside_hand_outs_is_now",
    "urgent_comes_first",
    "fifo_in_class",
    "higher_activated_in_callback_runs_first",
    "activated_in_a_handler_comes_this_turn",
    "priority_change_while_active",
    "priority_out_of_range_refused",
    "b13_priorities_do_not_shrink_under_an_event",
    "default_priority_is_the_middle",
    "empty_run_returns_none",
    "no_exit_on_empty_waits",
    "runs_until_nothing_is_pending",
    "break_now",
    "end_requested_in_advance",
    "exit_in_20ms",
    "continue_rescans",
    "reentrant_run_refused",
    "once_runs_one_pass",
    "nonblock_returns",
    "modes_combine",
    "bounded_poll_comes_back",
    "break_after_removing_itself",
    "callback_panic_leaves_loop_usable",
    "nothing_comes_after_a_break",
    "rest_of_a_turn_does_not_wait",
    "each_level_has_its_share",
    "interval_ends_a_turn",
    "exempt_levels_are_not_bounded",
    "bound_is_always_on",
    "bounds_are_those_of_the_next_turn",
    "watchers_do_not_keep_alive",
    "b9_watcher_removed_in_its_own_callback",
    "b10_activated_in_prepare_shortens_the_wait",
    "watcher_deleted_and_added",
    "exit_in_prepare",
    "signal_delivered",
    "two_events_same_signal",
    "signal_once",
    "signal_once_counts_until_its_hand_out",
    "signal_count_is_what_came",
    "signal_storm_keeps_sigterm",
    "signal_while_processing",
    "signal_free_in_callback",
    "b6_signal_with_a_timeout_survives_it",
    "b7_remove_timer_keeps_an_active_signal",
    "b15_two_bases_one_signal_any_order",
    "pending_signal_at_drop_is_drained",
    "activated_by_signal",
    "activation_carries_a_count",
    "signal_and_timeout_together",
    "signal_is_not_counted_twice",
    "signal_del_leaves_the_others",
    "each_signal_is_its_own",
    "signal_survives_changes_of_others",
    "next_event_keeps_the_bounds",
    "insert_timer_is_gone_after_it_came",
    "poll_returns_the_kind_of_turn",
    "turn_without_a_limit",
];

const SHARED_FDS: &[&str] = &[
    "two_events_same_fd",
    "two_readers_same_fd",
    "half_close_is_closed",
    "rst_is_read_write",
    "urgent_data_is_priority",
    "spurious_is_harmless",
    "b18_edge_and_level_do_not_mix",
    "mode_may_change_when_all_have_left",
    "et_multiple_events_same_fd",
    "et_second_event_gets_what_is_ready",
    "interest_is_what_all_events_ask_for",
    "refused_kind_keeps_the_first",
    "removing_one_of_two_keeps_the_other",
    "two_of_one_report_come_together",
    "del_then_add_waits_a_turn",
    "modify_back_waits_a_turn",
    "replace_fd_back_waits_a_turn",
    "replace_fd_waits_a_turn",
    "second_event_waits_a_turn",
    "modify_gains_bits_next_turn",
    "reuse_gets_no_unread_report",
    "activate_keeps_order_of_report",
    "regular_file_is_always_ready",
    "remove_lets_the_descriptor_be_closed",
    "activated_by_fd",
    "exit_after_class",
    "deregister_leaves_others",
    "reinit_registers_everything_again",
    "everything_at_once",
];

const LEVELS: &[&str] = &[
    "set_priorities_refused_while_unread",
    "activate_urgent_precedes_reports",
    "getters_return_what_was_given",
    "urgent_comes_first",
    "strict_priority",
    "low_priority_not_starved",
    "higher_activated_in_callback_runs_first",
    "priority_change_while_active",
    "b13_priorities_do_not_shrink_under_an_event",
    "default_priority_is_the_middle",
    "each_level_has_its_share",
    "exempt_levels_are_not_bounded",
];

const SIGNALS: &[&str] = &[
    "busy_sources_starve_nobody",
    "refused_add_leaves_the_others",
    "refused_modify_keeps_what_stood",
    "refused_second_event_keeps_the_first",
    "refused_signal_keeps_the_other",
    "activate_signal_follows_reports",
    "signal_delivered",
    "signal_wakes_a_sleeping_loop",
    "two_events_same_signal",
    "signal_once",
    "signal_once_counts_until_its_hand_out",
    "signal_count_is_what_came",
    "signal_storm_keeps_sigterm",
    "signal_while_processing",
    "signal_free_in_callback",
    "b6_signal_with_a_timeout_survives_it",
    "b7_remove_timer_keeps_an_active_signal",
    "b15_two_bases_one_signal_any_order",
    "pending_signal_at_drop_is_drained",
    "activated_by_signal",
    "activation_carries_a_count",
    "eintr_is_invisible",
    "signal_and_timeout_together",
    "signal_beside_everything_else",
    "signal_is_not_counted_twice",
    "signal_del_leaves_the_others",
    "each_signal_is_its_own",
    "signal_survives_changes_of_others",
    "reinit_keeps_wakers_and_signals",
    "fork_parent_unharmed",
    "fork_child_gets_its_signals",
    "reinit_loses_nothing_that_came_before",
];

const WATCHERS: &[&str] = &[
    "nothing_comes_after_a_break",
    "watchers_come_around_the_wait",
    "watchers_do_not_keep_alive",
    "b9_watcher_removed_in_its_own_callback",
    "b10_activated_in_prepare_shortens_the_wait",
    "watcher_deleted_and_added",
    "exit_in_prepare",
    "poll_returns_the_kind_of_turn",
];

const ONCE: &[&str] = &[
    "data_is_dropped_once",
    "once_is_gone_at_the_next_report",
    "once_cleans_up",
    "once_removed_in_its_handler",
    "break_after_removing_itself",
    "insert_timer_is_gone_after_it_came",
];

const PAUSES: &[&str] = &[
    "max_counts_include_unread_reports",
    "pause_then_add_waits_a_turn",
    "wrong_kind_is_an_error",
    "add_ends_pause_and_restarts_now",
    "pause_is_quiet_and_ends",
    "pause_drops_what_was_queued",
    "add_ends_a_pause",
    "pause_is_one_events",
    "timeout_restarts_after_a_pause",
    "paused_may_be_removed",
    "pause_of_an_idle_event_adds_it",
    "refused_for_now_after_a_pause_comes_later",
    "restart_counts_from_now",
];

const STATS: &[&str] = &[
    "changes_of_a_turn_are_merged",
    "refused_change_reports_error",
    "max_counts_include_unread_reports",
    "activate_follows_unread_reports",
    "activate_signal_follows_reports",
    "counts_and_their_maxima",
    "counters_count",
    "slack_shares_a_wake_up",
];

const LIMITS: &[&str] = &[
    "bound_counts_reports_of_both_kinds",
    "timers_do_not_starve_io",
    "max_callbacks_budget_polls_between",
    "rest_of_a_turn_does_not_wait",
    "each_level_has_its_share",
    "interval_ends_a_turn",
    "exempt_levels_are_not_bounded",
    "bounds_are_those_of_the_next_turn",
    "next_event_keeps_the_bounds",
    "turn_without_a_limit",
];
