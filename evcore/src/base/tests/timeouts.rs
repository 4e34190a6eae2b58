//! Timeouts that restart.

use super::*;

/// A timeout given to `add`, until it is dropped.
#[test]
fn restart_counts_a_timeout_that_was_given_after_the_event_came_or_was_deleted() {
    let delay = Duration::from_millis(5);
    for event in [Event::timer(), Event::timer().persist(), Event::io(3, Interest::READ), Event::signal(15)] {
        let mut base = base();
        let event = base.create(event, 0).unwrap();
        assert_eq!(base.restart(event), Err(Error::WrongKind), "it never had one");
        base.add(event, Some(delay)).unwrap();
        assert!(base.next_event(Wait::Forever).unwrap().is_some());
        for _ in 0..2 {
            base.restart(event).unwrap();
            assert_eq!(base.pending(event).unwrap().remaining, Some(delay));
            base.del(event).unwrap();
        }
        base.add(event, None).unwrap();
        assert_eq!(base.pending(event).unwrap().remaining, None, "`add` starts those alone that events were made with");
        base.clear_timeout(event).unwrap();
        assert_eq!(base.restart(event), Err(Error::WrongKind), "it was dropped");
        base.remove(event).unwrap();
        let next = base.create(Event::timer(), 1).unwrap();
        assert_eq!(base.restart(next), Err(Error::WrongKind), "its slot's event before had one");
        assert!(base.check());
    }
}
