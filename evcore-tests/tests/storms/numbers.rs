//! Descriptors that are closed, and whose numbers are reused.

use std::os::fd::{AsRawFd, OwnedFd};

use evcore::{Event, EventBase, EventId, Fd, Interest, Wait};

use crate::{Backend, Base, Make, alone, storm, sys};

on_each_backend! {
    nothing_stale_is_handed_out
}

/// A readable, registered descriptor; its event's data is its generation.
struct Held {
    fd: OwnedFd,
    event: EventId,
    generation: u32,
}

const HELD: usize = 8;

/// In each cycle one of several descriptors is closed, its event removed before, after or not at all, and its number
/// reused at once. Only existing events of the current generation may be handed out.
fn nothing_stale_is_handed_out<B: Backend>(make: Make<B>) {
    let _alone = alone();
    let mut base: Base<B> = EventBase::new(make().unwrap());
    let mut generation = 0;
    let mut held: Vec<Held> = (0..HELD).map(|_| fresh(&mut base, &mut generation)).collect();
    let cycles = storm(20_000);
    let (mut reused, mut stale) = (0u32, 0u32);
    for cycle in 0..cycles {
        if cycle % 4 == 0 {
            // The reports of this wait are from before the change.
            assert!(base.poll(Wait::None).unwrap().is_running());
        }
        let old = held.swap_remove(cycle as usize % HELD);
        let number = old.fd.as_raw_fd();
        let is_left = cycle % 3 == 2;
        if cycle % 3 == 0 {
            assert_eq!(base.remove(old.event), Some(old.generation));
        }
        drop(old.fd);
        if cycle % 3 == 1 {
            assert_eq!(base.remove(old.event), Some(old.generation));
        }
        let new = fresh(&mut base, &mut generation);
        reused += u32::from(new.fd.as_raw_fd() == number);
        held.push(new);
        while let Some(fired) = base.next_active() {
            let number = *fired.data;
            let is_alive = held.iter().any(|held| held.generation == number);
            // An event that was not removed gets what was found before the close, and an error for the close.
            stale += u32::from(!(is_alive || is_left && number == old.generation));
        }
        if is_left {
            base.remove(old.event);
        }
        if cycle % 65_536 == 65_535 {
            eprintln!("{}: {} of {cycles} cycles", base.method(), cycle + 1);
        }
    }
    assert_eq!(stale, 0, "stale hand-outs in {cycles} cycles");
    assert!(reused > cycles / 2, "{reused} numbers of {cycles} were given out again: this shows nothing");
    let mut left: Vec<u32> = Vec::new();
    assert!(base.poll(Wait::None).unwrap().is_running());
    while let Some(fired) = base.next_active() {
        left.push(*fired.data);
    }
    let mut alive: Vec<u32> = held.iter().map(|held| held.generation).collect();
    left.sort_unstable();
    alive.sort_unstable();
    assert_eq!(left, alive);
    assert!(base.check());
}

fn fresh<B: Backend>(base: &mut Base<B>, generation: &mut u32) -> Held {
    *generation += 1;
    let fd = sys::readable();
    let event = Event::io(Fd::of(&fd), Interest::READ).persist();
    let event = base.start(event, *generation).unwrap();
    Held { fd, event, generation: *generation }
}
