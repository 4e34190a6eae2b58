//! Each model a test.

use evcore_loom_boards::models;

macro_rules! models {
    ($($model:ident)*) => { $(
        #[test]
        fn $model() {
            models::$model();
        }
    )* };
}

models! {
    no_interrupt_is_slept_over
    no_wake_is_slept_over_for_a_line
    no_byte_is_left_in_a_ring
}
