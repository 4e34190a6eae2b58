//! Each model a test.

use evcore_loom::models::{self, Bell};

macro_rules! on_each_bell {
    ($($model:ident)*) => { $(
        mod $model {
            use super::{Bell, models};

            #[test]
            fn level() {
                models::$model(Bell::Level);
            }

            #[test]
            fn edge() {
                models::$model(Bell::Edge);
            }

            #[test]
            fn nested() {
                models::$model(Bell::Nested);
            }
        }
    )* };
}

macro_rules! once {
    ($($model:ident)*) => { $(
        #[test]
        fn $model() {
            models::$model();
        }
    )* };
}

on_each_bell! {
    no_wake_is_lost
    wakes_of_one_thread_are_seen_in_their_order
    no_signal_is_lost
}

once! {
    only_a_sleep_is_rung_for
    a_waker_outlives_its_base
    each_arrival_is_counted
    a_base_may_go_while_a_handler_runs
    an_inbox_is_used_again
    inboxes_are_appended_while_a_handler_walks
    a_flag_that_was_taken_shows_what_was_written
    a_task_sees_what_was_written_before_its_wake
    each_woken_task_is_listed_once
}
