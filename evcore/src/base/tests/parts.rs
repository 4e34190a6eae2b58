//! Storages with less than everything: what has no room is refused, and the rest is as it is elsewhere.

use core::time::Duration;

use crate::backend::Manual;
use crate::manual::ManualError;
use crate::storage::{Lean, Storage};
use crate::{Error, Event, EventBase, Fixed, Interest, Ready, Wait};

type Base<S> = EventBase<Manual, S, u32>;

fn refused<S: Storage>(base: &mut Base<S>, event: Event<u32>) -> (bool, u32) {
    let rejected = base.create(event, 7).unwrap_err();
    (matches!(rejected.error, Error::Full), rejected.data)
}

#[test]
fn create_without_a_table_is_full() {
    let mut base: Base<Fixed<8, 0, 1, Lean>> = Base::new(Manual::new());
    for event in [Event::io(3, Interest::READ), Event::signal(1), Event::prepare(), Event::check(), Event::wake()] {
        assert_eq!(refused(&mut base, event), (true, 7));
    }
    assert!(matches!(base.set_priorities(2), Err(Error::Full)));
    assert_eq!(base.counts().events, 0);
    assert!(base.check());
}

#[test]
fn create_on_fds_is_bounded_by_their_table_alone() {
    let mut base: Base<Fixed<8, 2>> = Base::new(Manual::new());
    // The events on fds have indices beyond their table.
    let timers = [1, 2, 3].map(|delay| base.insert_timer(Duration::from_secs(delay), 0).unwrap());
    let first = base.insert(3, Interest::READ, 1).unwrap();
    let second = base.insert(3, Interest::WRITE, 2).unwrap();
    assert_eq!(refused(&mut base, Event::io(3, Interest::READ)), (true, 7));
    assert_eq!(refused(&mut base, Event::io(4, Interest::READ)), (true, 7));
    assert!(base.check());
    assert_eq!((base.fd(first), base.interest(second)), (Some(3), Some(Interest::WRITE)));
    assert_eq!((base.fd(timers[0]), base.interest(timers[1])), (None, None));
    base.backend_mut().set_ready(3, Ready::READ | Ready::WRITE);
    assert!(base.poll(Wait::None).unwrap().is_running());
    let came = [(); 2].map(|()| base.next_active().map(|fired| (*fired.data, fired.ready)));
    assert_eq!(came, [Some((1, Ready::READ)), Some((2, Ready::WRITE))]);
    base.remove(first).unwrap();
    base.replace_fd(second, 9).unwrap();
    let third = base.insert(4, Interest::READ, 3).unwrap();
    assert_eq!(refused(&mut base, Event::io(5, Interest::READ)), (true, 7));
    assert_eq!((base.fd(second), base.fd(third)), (Some(9), Some(4)));
    assert!(base.check());
    for event in timers.into_iter().chain([second, third]) {
        assert!(base.remove(event).is_some());
        assert!(base.check());
    }
}

/// It lost its registration before it was found that there is one event on each fd.
#[test]
fn replace_fd_to_a_taken_one_leaves_the_registration_alone() {
    let mut base: Base<Fixed<8, 2, 1, Lean>> = Base::new(Manual::new());
    let first = base.insert(3, Interest::READ, 1).unwrap();
    base.insert(4, Interest::READ, 2).unwrap();
    base.backend_mut().refuse(1);
    assert_eq!(base.replace_fd(first, 4), Err(Error::Full));
    let pending = base.pending(first).unwrap();
    assert_eq!((base.fd(first), pending.registered, pending.active), (Some(3), true, None));
    assert_eq!(base.backend().watched(3), Some(Interest::READ));
    assert!(base.create(Event::io(9, Interest::READ), 9).is_err() && base.check());
    // The refusal is still to come: nothing has asked the backend.
    assert_eq!(base.replace_fd(first, 9), Err(Error::Backend(ManualError::Refused)));
    assert_eq!((base.fd(first), base.backend().watched(3)), (Some(3), Some(Interest::READ)));
    base.replace_fd(first, 9).unwrap();
    base.replace_fd(first, 9).unwrap();
    assert_eq!((base.fd(first), base.backend().watched(9)), (Some(9), Some(Interest::READ)));
    assert!(base.check());
}

#[test]
fn what_is_left_out_takes_no_memory() {
    let sizes = [
        size_of::<Base<Fixed<8>>>(),
        size_of::<Base<Fixed<8, 0>>>(),
        size_of::<Base<Fixed<8, 0, 1>>>(),
        size_of::<Base<Fixed<8, 0, 1, Lean>>>(),
    ];
    assert!(sizes.is_sorted_by(|one, other| one > other), "{sizes:?}");
}
