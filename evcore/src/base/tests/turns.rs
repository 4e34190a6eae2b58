//! What a turn is told of, and when the loop ends.

use super::*;
use crate::backend::Sleep;

/// Else a loop that waits by other means would not come back to try again.
#[test]
fn next_sleep_ends_when_the_backend_is_asked_again_for_what_it_has_refused() {
    let mut base = base();
    let event = base.insert(3, Interest::READ, 0).unwrap();
    base.modify(event, Interest::WRITE).unwrap();
    base.backend_mut().refuse_for_now(1);
    assert!(base.poll(Wait::None).unwrap().is_running());
    let retry = base.next_deadline().unwrap();
    assert_eq!(base.next_sleep(Wait::Forever), Sleep::Until(retry));
    base.backend_mut().set_now(retry);
    for _ in 0..2 {
        assert!(base.poll(Wait::None).unwrap().is_running());
    }
    assert_eq!(base.backend().watched(3), Some(Interest::WRITE));
    assert_eq!(base.next_sleep(Wait::Forever), Sleep::Forever);
}
