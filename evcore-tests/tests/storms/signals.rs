//! Storms of signals.

use std::thread;

use evcore::{EventBase, Wait};
use libc::{SIGTERM, SIGUSR1};

use crate::{Backend, Base, Make, alone, storm, sys};

on_each_backend! {
    a_storm_of_one_loses_no_other
    a_storm_from_threads_is_counted_to_the_last
}

const USR1: u32 = 1;
const TERM: u32 = 2;

fn base<B: Backend>(make: Make<B>) -> Base<B> {
    let mut base: Base<B> = EventBase::new(make().unwrap());
    base.insert_signal(SIGUSR1, USR1).unwrap();
    base.insert_signal(SIGTERM, TERM).unwrap();
    base
}

/// Runs one turn. Returns the count of each signal; no hand-out has a count of zero.
fn turn<B: Backend>(base: &mut Base<B>, wait: Wait) -> [u32; 2] {
    let mut counts = [0; 2];
    assert!(base.poll(wait).unwrap().is_running());
    while let Some(fired) = base.next_active() {
        assert!(fired.count > 0, "a hand-out for no signal");
        counts[if *fired.data == USR1 { 0 } else { 1 }] += fired.count;
    }
    counts
}

/// No turn runs during the storm: libuv loses the SIGTERM after 4,096, libevent both after 65,536.
fn a_storm_of_one_loses_no_other<B: Backend>(make: Make<B>) {
    let _alone = alone();
    for count in [1, 4_095, 4_096, 65_535, 65_536, storm(200_000)] {
        let mut base = base(make);
        (0..count).for_each(|_| sys::raise(SIGUSR1));
        sys::raise(SIGTERM);
        assert_eq!(turn(&mut base, Wait::Forever), [count, 1]);
        assert_eq!(turn(&mut base, Wait::None), [0, 0]);
    }
}

/// The loop runs all the time.
fn a_storm_from_threads_is_counted_to_the_last<B: Backend>(make: Make<B>) {
    let _alone = alone();
    let mut base = base(make);
    let each = storm(100_000) / 2;
    let mut counted = [0; 2];
    let mut add = |more: [u32; 2]| {
        counted[0] += more[0];
        counted[1] += more[1];
    };
    thread::scope(|scope| {
        let storms = [(); 2].map(|()| scope.spawn(|| (0..each).for_each(|_| sys::raise(SIGUSR1))));
        while !storms.iter().all(thread::ScopedJoinHandle::is_finished) {
            add(turn(&mut base, Wait::None));
        }
    });
    sys::raise(SIGTERM);
    // Signals that have arrived end the wait.
    add(turn(&mut base, Wait::Forever));
    assert_eq!(counted, [each * 2, 1]);
}
