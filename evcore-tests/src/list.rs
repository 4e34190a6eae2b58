//! The list of all cases.

use evcore::storage::Storage;

use crate::{Fixture, Needs, Proof};

/// Calls a macro with all cases: `topic: case case …;` for each topic.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ($($then:ident)::+ ! $($with:tt)*) => {
        $($then)::+! { $($with)*
            readiness:
                read_ready_now
                read_ready_later
                write_ready
                write_blocks_then_ready
                read_write_same_event
                two_events_same_fd
                two_readers_same_fd
                only_what_was_asked_for
                level_repeats
                level_stops_when_drained
                eof_is_read
                hang_up_wakes_a_writer
                pipe_end_is_read
                half_close_is_closed
                closed_alone_is_reported
                b3_closed_alone_gets_a_reset
                b16_closed_alone_is_refused_where_unknown
                rst_is_read_write
                connect_refused
                error_and_hangup_show_as_declared
                hup_without_interest_does_not_spin
                oob_not_read
                urgent_data_is_priority
                listener_accept
                oneshot_comes_once
                spurious_is_harmless
                dup_fd_both_registered
                every_ready_source_is_served
                many_ready_small_batch
                caps_are_honest
                level_repeats_for_many_turns;
            edge:
                et_once_per_edge
                et_new_edge
                et_initial_state_reported
                b18_edge_and_level_do_not_mix
                mode_may_change_when_all_have_left
                et_multiple_events_same_fd
                et_rearm_after_modify
                et_unchanged_modify_is_no_edge
                et_readded_is_reported_again
                et_readded_at_once_is_reported_again
                et_edges_in_a_row_are_reported
                et_second_event_gets_what_is_ready;
            interest:
                interest_gets_its_bits
                interest_follows_its_source
                modify_changes_to_any_interest
                interest_is_what_all_events_ask_for
                et_interest_gets_its_edges
                et_modify_changes_to_any_interest
                half_close_reaches_each_interest
                hang_up_reaches_each_interest
                reset_reaches_each_interest
                urgent_data_reaches_each_interest
                each_change_of_a_connection_is_reported
                urgent_data_hides_nothing;
            many:
                each_of_40_is_reported
                each_of_300_is_reported
                each_of_1000_is_reported
                busy_sources_starve_nobody
                random_changes_are_followed
                et_random_changes_are_followed
                registered_many_times_is_reported;
            refusals:
                refused_add_leaves_the_others
                refused_modify_keeps_what_stood
                refused_second_event_keeps_the_first
                refused_signal_keeps_the_other
                refused_kind_keeps_the_first
                refused_at_a_rebuild_concerns_one;
            changes:
                del_other_in_batch
                del_self_in_callback
                free_other_then_reuse_slot
                close_fd_reuse_number_in_batch
                add_in_callback_not_called_same_pass
                readd_oneshot_in_callback
                nonpersist_readd
                modify_interest_read_to_write
                modify_drops_what_was_queued
                empty_interest_is_silent
                add_twice_is_one_registration
                del_twice_ok
                add_del_add_without_dispatch
                changes_of_a_turn_are_merged
                failed_add_is_atomic
                failed_insert_gives_the_data_back
                refused_change_reports_error
                removing_one_of_two_keeps_the_other
                replaced_fd_is_watched_instead
                all_removed_from_one_handler
                data_is_dropped_once;
            unread:
                counts_include_unread_reports
                max_counts_include_unread_reports
                pending_shows_unread_reports
                is_empty_sees_unread_reports
                set_priorities_refused_while_unread
                break_leaves_reports_active
                continue_leaves_reports_active
                poll_keeps_unread_reports
                two_of_one_report_come_together
                bound_counts_reports_of_both_kinds
                timer_due_follows_reports
                once_is_gone_at_the_next_report
                reinit_keeps_unread_reports
                backend_mut_keeps_unread_reports
                backend_swap_keeps_unread_reports
                waker_keeps_unread_reports;
            unread_changes:
                del_then_add_waits_a_turn
                modify_back_waits_a_turn
                pause_then_add_waits_a_turn
                replace_fd_back_waits_a_turn
                replace_fd_waits_a_turn
                second_event_waits_a_turn
                modify_gains_bits_next_turn
                reuse_gets_no_unread_report
                activate_joins_unread_report
                activate_keeps_order_of_report
                activate_fd_joins_unread_report
                again_joins_unread_report
                activate_follows_unread_reports
                activate_urgent_precedes_reports
                activate_signal_follows_reports
                set_priority_moves_unread_report
                remove_makes_no_report_stale
                insert_many_loses_no_report;
            files:
                closed_fd_hits_only_its_event
                stale_after_close_with_dup
                b11_reused_fd_is_registered_again
                reused_numbers_are_not_confused
                readded_after_reuse
                bad_fd_refused
                number_of_another_file_reports_error
                closed_number_of_an_open_file_reports_error
                reinit_registers_no_other_file
                regular_file_is_always_ready
                file_starves_nobody
                drop_closes_all
                cloexec
                remove_lets_the_descriptor_be_closed
                reused_number_does_not_reach_the_old_event
                reinit_closes_what_it_replaces
                file_follows_its_interest;
            events:
                new_twice
                created_is_idle
                full_gives_the_data_back
                left_out_is_refused
                stale_id_is_an_error
                id_of_another_base_is_an_error
                getters_return_what_was_given
                pending_shows_what_is_waited_for
                activated_is_handed_out
                activated_twice_is_one_hand_out
                deleted_while_active
                activated_by_fd
                again_is_the_next_turn
                once_cleans_up
                once_removed_in_its_handler
                free_active_base
                counts_and_their_maxima
                events_can_be_listed
                counters_count
                b12_running_event_outside_is_none
                wrong_kind_is_an_error;
            timers:
                timer_not_early
                order_by_deadline
                timer_late_bound
                cancelled_and_moved_timers_wake_once
                zero_delay_fires_next_iteration
                equal_deadline_fifo
                rearm_moves_later
                rearm_moves_earlier
                add_without_timeout_keeps_it
                add_takes_back_a_queued_timeout
                remove_timer_keeps_io
                timeout_and_read_together
                activate_plus_timeout_not_lost
                b4_added_while_active_by_timeout_keeps_its_fd
                persist_interval_no_drift
                persist_after_jump_skips
                persist_after_jump_bursts
                persist_after_jump_delays
                persist_io_resets_interval
                huge_delays_never_fire
                sub_millisecond_no_spin
                ten_thousand_same_deadline
                timer_cancel_in_timer_callback
                b1_timer_not_late_by_the_handlers_time
                next_deadline_is_known
                past_deadline_is_due
                slack_shares_a_wake_up
                timers_do_not_starve_io
                some_timer_is_on_time
                timer_comes_beside_ready_sources;
            clock:
                wait_longer_than_i32_ms
                delay_counts_from_the_call
                delay_counts_from_a_point
                cached_clock_stands_still
                clock_backwards_is_harmless
                clock_goes_on
                clock_keeps_pace
                wait_that_is_over_only_looks
                wait_without_end_sleeps;
            intervals:
                idle_timeout_counts_from_hand_out
                activated_restarts_at_hand_out
                delay_period_counts_from_hand_out
                add_ends_pause_and_restarts_now
                pending_shows_restarted_timeout
                idle_timeout_stays_while_others_are_busy
                now_outside_hand_outs_is_now
                past_deadline_comes_once
                zero_timeout_comes_once;
            pauses:
                pause_is_quiet_and_ends
                pause_drops_what_was_queued
                add_ends_a_pause
                pause_is_one_events
                timeout_restarts_after_a_pause
                paused_may_be_removed
                pause_of_an_idle_event_adds_it
                refused_for_now_after_a_pause_comes_later
                change_refused_for_now_comes_later
                reinit_refused_for_now_comes_later;
            priorities:
                urgent_comes_first
                strict_priority
                low_priority_not_starved
                fifo_in_class
                higher_activated_in_callback_runs_first
                self_activation_bounded
                activated_in_a_handler_comes_this_turn
                active_later_next_iteration
                priority_change_while_active
                priority_out_of_range_refused
                b13_priorities_do_not_shrink_under_an_event
                default_priority_is_the_middle;
            loop_control:
                empty_run_returns_none
                no_exit_on_empty_waits
                runs_until_nothing_is_pending
                break_now
                exit_after_class
                end_requested_in_advance
                exit_in_20ms
                continue_rescans
                reentrant_run_refused
                once_runs_one_pass
                nonblock_returns
                modes_combine
                background_does_not_keep_alive
                bounded_poll_comes_back
                break_after_removing_itself
                callback_panic_leaves_loop_usable
                nothing_comes_after_a_break;
            limits:
                max_callbacks_budget_polls_between
                rest_of_a_turn_does_not_wait
                each_level_has_its_share
                interval_ends_a_turn
                exempt_levels_are_not_bounded
                bound_is_always_on
                bounds_are_those_of_the_next_turn;
            watchers:
                watchers_come_around_the_wait
                watchers_do_not_keep_alive
                b9_watcher_removed_in_its_own_callback
                b10_activated_in_prepare_shortens_the_wait
                watcher_deleted_and_added
                exit_in_prepare;
            signals:
                signal_delivered
                signal_wakes_a_sleeping_loop
                two_events_same_signal
                signal_once
                signal_once_counts_until_its_hand_out
                signal_count_is_what_came
                signal_storm_keeps_sigterm
                signal_while_processing
                signal_free_in_callback
                bad_signal_refused
                b6_signal_with_a_timeout_survives_it
                b7_remove_timer_keeps_an_active_signal
                activated_by_signal
                activation_carries_a_count
                signal_and_timeout_together
                signal_beside_everything_else
                signal_is_not_counted_twice
                signal_del_leaves_the_others
                each_signal_is_its_own
                signal_survives_changes_of_others;
            handlers:
                b15_two_bases_one_signal_any_order
                handler_restored_after_del
                pending_signal_at_drop_is_drained
                eintr_is_invisible
                stop_cont_is_invisible;
            wake:
                wake_before_wait_not_lost
                thousand_wakes_coalesce
                b2_a_wake_does_not_spin
                wake_from_elsewhere
                waker_does_not_keep_alive
                wake_after_the_base_is_gone
                wake_hides_nothing
                wakes_are_never_lost
                wake_ends_the_next_wait_after_anything
                wake_by_a_handler_ends_the_next_wait
                each_waker_wakes
                wake_reaches_its_own_base
                wake_event_comes_beside_readiness;
            one_loop:
                next_event_is_the_whole_loop
                next_event_ends_with_its_reason
                next_event_keeps_the_bounds
                insert_timer_is_gone_after_it_came
                own_timeout_starts_with_each_add
                restart_counts_from_now
                deregister_stops_watching_at_once
                deregister_leaves_others
                poll_returns_the_kind_of_turn
                turn_without_a_limit
                wake_event_is_handed_out
                wake_ends_run_once;
            faults:
                reinit_registers_everything_again
                reinit_keeps_wakers_and_signals
                fork_child_refused_until_reinit
                fork_parent_unharmed
                fork_child_gets_its_signals
                everything_at_once
                reinit_keeps_each_interest
                reinit_loses_nothing_that_came_before;
        }
    };
}

/// Like [`for_each_case`], for the cases about backends that implement `Split`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_split_case {
    ($($then:ident)::+ ! $($with:tt)*) => {
        $($then)::+! { $($with)*
            halves:
                halves_make_a_turn
                readiness_ends_a_sleep
                sleep_takes_no_edge
                changes_end_a_sleep
                earlier_deadline_ends_a_sleep
                signal_ends_a_sleep
                end_of_loop_ends_a_sleep
                poll_refused_while_asleep
                change_is_no_wake
                no_sleep_where_poll_has_none
                watchers_come_around_a_sleep
                restarted_timeout_ends_a_sleep
                deleted_while_asleep
                sleep_of_another_base_refused
                dropped_while_asleep
                reinit_while_asleep
                fork_while_asleep;
        }
    };
}

/// Like [`for_each_case`], for the cases about tasks.
#[cfg(feature = "async")]
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_task_case {
    ($($then:ident)::+ ! $($with:tt)*) => {
        $($then)::+! { $($with)*
            tasks:
                task_ends_with_its_output
                task_woken_twice_is_polled_once
                task_is_polled_once_a_turn
                task_aborted_by_another
                task_aborted_in_each_state_is_not_polled
                waker_outlives_its_executor
                wake_of_another_thread_ends_a_sleep
                futures_outlive_their_executor
                task_that_wakes_itself_starves_nobody
                more_urgent_task_goes_first
                own_events_beside_tasks
                refused_task_gives_its_future_back
                tasks_that_nothing_wakes_end_the_loop;
            waits:
                task_waits_for_readiness
                source_is_registered_once
                source_keeps_its_value_until_it_is_gone
                wait_dropped_in_each_state_leaves_nothing
                wait_dropped_while_the_base_is_lent_ends_first
                ready_and_timed_out_is_ready
                sleep_is_not_early
                interval_counts_what_was_missed
                signal_is_awaited
                idle_timeout_is_of_the_source
                room_is_refused_as_an_event_is;
        }
    };
}

/// Makes each case a `#[test]`, for each storage: `name::fixed::case` and `name::growable::case`.
///
/// The second argument is an expression that makes the [`Fixture`], evaluated in each test. Give the suite a test
/// file of its own: cases about signals and about descriptor numbers need the process to themselves, and exclude each
/// other with a lock.
///
/// ```
/// use evcore_tests::{ByHand, conformance};
///
/// conformance!(manual, ByHand::new());
/// # fn main() {}
/// ```
#[cfg(feature = "std")]
#[macro_export]
macro_rules! conformance {
    ($name:ident, $fixture:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need none")]
            use super::*;

            mod fixed {
                #[allow(unused_imports, reason = "the expression may need none")]
                use super::*;
                $crate::for_each_case! { $crate::conformance_tests! ($name::fixed, $crate::Fixed<64>, $fixture) }
            }
            mod growable {
                #[allow(unused_imports, reason = "the expression may need none")]
                use super::*;
                $crate::for_each_case! { $crate::conformance_tests! ($name::growable, $crate::Growable, $fixture) }
            }
        }
    };
}

/// Like [`conformance!`], for the cases about backends that implement [`Split`](evcore::backend::Split), which
/// [`conformance!`] does not include. Choose another name for it.
///
/// ```
/// use evcore_tests::{ByHand, conformance, split_conformance};
///
/// conformance!(manual, ByHand::new());
/// split_conformance!(manual_asleep, ByHand::new());
/// # fn main() {}
/// ```
#[cfg(feature = "std")]
#[macro_export]
macro_rules! split_conformance {
    ($name:ident, $fixture:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need none")]
            use super::*;

            mod fixed {
                #[allow(unused_imports, reason = "the expression may need none")]
                use super::*;
                $crate::for_each_split_case! { $crate::conformance_tests! ($name::fixed, $crate::Fixed<64>, $fixture) }
            }
            mod growable {
                #[allow(unused_imports, reason = "the expression may need none")]
                use super::*;
                $crate::for_each_split_case! { $crate::conformance_tests! ($name::growable, $crate::Growable, $fixture) }
            }
        }
    };
}

/// Like [`conformance!`], for the cases about tasks (feature `async` of evcore), which [`conformance!`] does not
/// include. Choose another name for it.
///
/// ```
/// use evcore::backend::WakeFlag;
/// use evcore_tests::{ByHand, task_conformance};
///
/// task_conformance!(manual_tasks, {
///     static FLAG: WakeFlag = WakeFlag::new();
///     ByHand::with_flag(&FLAG)
/// });
/// # fn main() {}
/// ```
#[cfg(feature = "std")]
#[macro_export]
macro_rules! task_conformance {
    ($name:ident, $fixture:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may need none")]
            use super::*;

            mod fixed {
                #[allow(unused_imports, reason = "the expression may need none")]
                use super::*;
                $crate::for_each_task_case! { $crate::conformance_tests! ($name::fixed, $crate::Fixed<64>, $fixture) }
            }
            mod growable {
                #[allow(unused_imports, reason = "the expression may need none")]
                use super::*;
                $crate::for_each_task_case! { $crate::conformance_tests! ($name::growable, $crate::Growable, $fixture) }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    (($name:ident::$kind:ident, $storage:ty, $fixture:expr) $($topic:ident: $($case:ident)*;)*) => {
        $($(
            #[test]
            fn $case() {
                let proof = $crate::$topic::$case::<_, $storage>($fixture);
                $crate::print(concat!(stringify!($name), "::", stringify!($kind)), stringify!($case), proof);
            }
        )*)*
    };
}

macro_rules! names {
    ($($topic:ident: $($case:ident)*;)*) => {
        /// The names of all cases.
        pub const NAMES: &[&str] = &[$($(stringify!($case)),*),*];

        /// Runs all cases in order, for a program without a test harness. `begin` gets the name of each case before
        /// it runs and returns its fixture; `end` gets its proof. A case that fails panics.
        ///
        /// If the storage lacks a part that a case needs, this shows instead that the part is refused.
        pub fn run_all<F: Fixture, S: Storage>(mut begin: impl FnMut(&'static str) -> F, mut end: impl FnMut(Proof)) {
            $($(
                let fixture = begin(stringify!($case));
                end(match Needs::missing::<S>(stringify!($case)) {
                    Some(missing) => missing.refused::<F, S>(fixture),
                    None => crate::$topic::$case::<F, S>(fixture),
                });
            )*)*
        }
    };
}
for_each_case! { names! }

#[cfg(test)]
mod tests {
    use evcore::Fixed;

    use super::*;
    use crate::ByHand;

    #[test]
    fn all_cases_run_without_a_harness() {
        let (mut begun, mut ended) = (0, 0);
        let begin = |name| {
            assert_eq!(NAMES[begun], name);
            begun += 1;
            ByHand::new()
        };
        run_all::<_, Fixed<64>>(begin, |_| ended += 1);
        assert_eq!((begun, ended), (NAMES.len(), NAMES.len()));
    }

    #[test]
    fn no_name_is_given_twice() {
        for (at, name) in NAMES.iter().enumerate() {
            assert!(!NAMES[..at].contains(name), "{name}");
        }
    }
}
