//! Storms of wakes from several threads.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use evcore::{EventBase, Wait};

use crate::{Backend, Base, Make, alone, storm};

on_each_backend! {
    of_all_wakes_none_is_lost
    bases_come_and_go_under_their_wakers
}

const THREADS: u32 = 3;
/// A sleep this long means that a wake was lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Each thread publishes a number, then wakes the loop. Only wakes end the loop's sleep, and it must see the last
/// number of each thread; every few wakes a thread waits for the loop, so that the next wake finds it asleep.
fn of_all_wakes_none_is_lost<B: Backend>(make: Make<B>) {
    let _alone = alone();
    let mut base: Base<B> = EventBase::new(make().unwrap());
    let each = storm(150_000) / THREADS;
    let sent = [const { AtomicU32::new(0) }; THREADS as usize];
    let seen = [const { AtomicU32::new(0) }; THREADS as usize];
    thread::scope(|scope| {
        for (which, (sent, seen)) in (1..).zip(sent.iter().zip(&seen)) {
            let waker = base.waker().unwrap();
            scope.spawn(move || {
                for number in 1..=each {
                    sent.store(number, Ordering::Relaxed);
                    waker.wake();
                    while number % (61 + which) == 0 && seen.load(Ordering::Relaxed) < number {
                        thread::yield_now();
                    }
                }
            });
        }
        while seen.iter().any(|seen| seen.load(Ordering::Relaxed) < each) {
            let end = base.update_now().saturating_add(PATIENCE);
            assert!(base.poll(Wait::Until(end)).unwrap().is_running());
            assert!(base.update_now() < end, "a wake was lost: {sent:?} were sent, {seen:?} seen");
            assert!(base.next_active().is_none());
            for (sent, seen) in sent.iter().zip(&seen) {
                seen.store(sent.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    });
    assert!(base.check());
}

/// Bases are dropped while threads wake them, and their wakers outlive them.
fn bases_come_and_go_under_their_wakers<B: Backend>(make: Make<B>) {
    let _alone = alone();
    for round in 0..storm(150_000) / 1_000 {
        let mut base: Base<B> = EventBase::new(make().unwrap());
        let wakers = [(); THREADS as usize].map(|()| base.waker().unwrap());
        thread::scope(|scope| {
            for waker in wakers {
                scope.spawn(move || (0..300).for_each(|_| waker.clone().wake()));
            }
            for _ in 0..round % 40 {
                let soon = base.update_now().saturating_add(Duration::from_micros(50));
                assert!(base.poll(Wait::Until(soon)).unwrap().is_running());
            }
            drop(base);
        });
    }
}
