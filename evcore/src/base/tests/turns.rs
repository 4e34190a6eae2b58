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

/// The time of the exit is the end of the wait: a program that looks at `ended` then is told of the exit, not a call later.
#[test]
fn next_event_tells_of_an_exit_whose_time_comes_with_the_end_of_its_wait() {
    for (delay, wait) in [(0, Wait::None), (5, Wait::For(Duration::from_nanos(5))), (5, Wait::Forever)] {
        let mut base = base();
        base.loop_exit_after(Duration::from_nanos(delay));
        assert!(base.next_event(wait).unwrap().is_none());
        assert_eq!(base.ended(), Some(End::Exit), "{wait:?}");
        assert!(base.next_event(Wait::None).unwrap().is_none());
        assert_eq!(base.ended(), None, "it is told once");
    }
}

/// A loop of which nothing is left ends without a wait, but not while it is asleep: that is an error in each call.
#[test]
fn run_of_an_empty_base_is_refused_while_it_is_asleep_and_so_is_next_event() {
    let mut base = base();
    base.loop_exit();
    assert!(base.next_event(Wait::None).unwrap().is_none());
    let asleep = base.begin_sleep(Wait::Until(Instant::from_nanos(5))).unwrap();
    assert_eq!(base.run(Mode::empty(), |_, _| {}), Err(Error::Backend(ManualError::Asleep)));
    assert!(base.next_event(Wait::None).is_err());
    assert_eq!(base.ended(), Some(End::Exit), "nothing has changed");
    assert!(base.end_sleep(asleep).unwrap().is_running());
    assert_eq!(base.run(Mode::empty(), |_, _| {}), Ok(End::Empty));
}
