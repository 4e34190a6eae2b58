//! B2: a wake that is not cleared makes a loop spin.

use std::thread;
use std::time::{Duration, Instant};

use evcore::Wait;

use crate::backend::{Backend, Make, Rest, base, turn};

on_each_backend! {
    b2_a_wake_leaves_the_process_idle
    b2_a_storm_of_wakes_leaves_the_process_idle
    a_wake_after_the_base_is_gone_is_harmless
}

/// One wake of a sleeping base, then a second in which nothing happens.
fn b2_a_wake_leaves_the_process_idle<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let waker = base.waker().unwrap();
    // Measured before the thread starts, so its wake is at least 50 ms from here.
    let start = Instant::now();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        waker.wake();
        // Kept alive: the doorbell of a live waker must be drained.
        waker
    });
    let end = base.update_now().saturating_add(Duration::from_secs(5));
    while start.elapsed() < Duration::from_millis(50) {
        assert_eq!(turn(&mut base, Wait::Until(end)), []);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "the wake was lost");
    let waker = thread.join().unwrap();
    Rest::of(&mut base, Duration::from_secs(1)).assert_idle("the second after a wake");
    drop(waker);
}

/// Many wakes from several threads, which find the base in all of its states.
fn b2_a_storm_of_wakes_leaves_the_process_idle<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let waker = base.waker().unwrap();
    let end = base.update_now().saturating_add(Duration::from_secs(10));
    thread::scope(|scope| {
        let storm: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for count in 0..2_000 {
                        waker.wake();
                        if count % 50 == 0 {
                            thread::sleep(Duration::from_micros(200));
                        }
                    }
                })
            })
            .collect();
        while !storm.iter().all(|thread| thread.is_finished()) {
            // The last wake may have been noticed already.
            let soon = base.update_now().saturating_add(Duration::from_millis(5));
            assert!(soon < end, "it does not come to an end");
            assert_eq!(turn(&mut base, Wait::Until(soon)), []);
        }
    });
    Rest::of(&mut base, Duration::from_secs(1)).assert_idle("the second after a storm of wakes");
    waker.wake();
    assert_eq!(turn(&mut base, Wait::Until(evcore::Instant::MAX)), []);
}

fn a_wake_after_the_base_is_gone_is_harmless<B: Backend>(make: Make<B>) {
    let waker = {
        let mut base = base(make);
        let waker = base.waker().unwrap();
        assert_eq!(turn(&mut base, Wait::None), []);
        waker
    };
    (0..1_000).for_each(|_| waker.wake());
}
