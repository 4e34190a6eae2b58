//! no report reaches an event of another registration, even if an event was removed and its number and slot
//! were reused in the same turn.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use evcore::{Event, Fd, Interest, Ready, Wait};

use crate::backend::{Backend, Make, base, readable, wait};

on_each_backend! {
    r01_a_number_and_a_slot_taken_again_in_the_turn_are_not_called_in_it
    r01_a_silent_one_in_its_place_is_not_called_at_all
}

/// Two sources are ready. The handler of the first removes and closes the other, and gives its number and slot to a
/// third. Returns what the third got in that turn.
fn replace_in_the_turn<B: Backend>(make: Make<B>, third: fn() -> (UnixStream, UnixStream), later: &[(u32, Ready)]) {
    let mut base = base(make);
    let pairs = [readable(), readable()];
    let [(a, _a_far), (b, _b_far)] = pairs;
    let mut sources: [Option<OwnedFd>; 2] = [Some(a.into()), Some(b.into())];
    let event = |source: &OwnedFd| Event::io(Fd::of(source), Interest::READ).persist();
    let ids: Vec<_> = (0..)
        .zip(&sources)
        .map(|(number, source)| base.start(event(source.as_ref().unwrap()), number).unwrap())
        .collect();

    assert!(base.poll(Wait::Forever).unwrap().is_running());
    let first = *base.next_active().expect("one of the two").data as usize;
    let other = 1 - first;
    assert_eq!(base.remove(ids[other]), Some(other as u32));
    let number = sources[other].as_ref().unwrap().as_raw_fd();
    sources[other] = None;
    let (near, far) = third();
    assert_eq!(near.as_raw_fd(), number, "not the same number");
    let id = base.start(Event::io(Fd::of(&near), Interest::READ).persist(), 2).unwrap();
    assert_eq!(id.to_bits() as u32, ids[other].to_bits() as u32, "not the same slot");
    assert_ne!(id, ids[other]);

    assert_eq!(base.next_active().map(|fired| *fired.data), None, "in the same turn");
    assert!(base.stats().stale <= 1);
    assert_eq!(base.remove(ids[first]), Some(first as u32));
    assert_eq!(base.remove(ids[other]), None);
    assert!(base.check());
    if later.is_empty() {
        crate::backend::Rest::of(&mut base, std::time::Duration::from_millis(50)).assert_idle("a silent third");
    } else {
        assert_eq!(wait(&mut base), later);
    }
    drop(far);
}

fn r01_a_number_and_a_slot_taken_again_in_the_turn_are_not_called_in_it<B: Backend>(make: Make<B>) {
    replace_in_the_turn(make, readable, &[(2, Ready::READ)]);
}

fn r01_a_silent_one_in_its_place_is_not_called_at_all<B: Backend>(make: Make<B>) {
    replace_in_the_turn(make, || UnixStream::pair().unwrap(), &[]);
}
