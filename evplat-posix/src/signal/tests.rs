use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use libc::{SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGWINCH};

use super::*;
use crate::doorbell::Doorbell;
use crate::sys::tests::{
    COUNTED, block, blocked_signals, blocks, count_handler, flags_of, handle, handler_of, ignore, in_child,
    is_readable, kill_self, raise, raise_in, read, this_thread,
};
use crate::waker::WakeState;

#[path = "tests/forks.rs"]
mod forks;
#[path = "tests/handlers.rs"]
mod handlers;

/// Signals affect the whole process, and tests run in its threads, so each test takes this lock.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake() -> Waker {
    Waker::new(WakeState::new(Doorbell::pipe().unwrap())).unwrap()
}

fn signals() -> Signals {
    Signals::new(&wake()).unwrap()
}

fn drained(signals: &mut Signals) -> Vec<(Signum, u32)> {
    let mut all = Vec::new();
    signals.drain(|signum, count| all.push((signum, count)));
    all
}

#[test]
fn each_arrival_is_counted_and_wakes() {
    let _alone = alone();
    let wake = wake();
    let mut signals = Signals::new(&wake).unwrap();
    signals.add(SIGUSR1).unwrap();
    signals.add(SIGUSR2).unwrap();
    assert!(!signals.is_pending() && wake.state().prepare_sleep());
    raise(SIGUSR2);
    assert!(signals.is_pending() && is_readable(wake.state().doorbell()));
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1), (SIGUSR2, 2)]);
    assert!(!signals.is_pending());
    assert_eq!(drained(&mut signals), []);
    assert_eq!(blocked_signals(), 0);
}

#[test]
fn two_bases_share_a_signal_and_end_in_any_order() {
    let _alone = alone();
    for first_ends_first in [true, false] {
        let before = handler_of(SIGUSR1);
        let (mut a, mut b) = (signals(), signals());
        a.add(SIGUSR1).unwrap();
        b.add(SIGUSR1).unwrap();
        raise(SIGUSR1);
        assert_eq!((drained(&mut a), drained(&mut b)), (vec![(SIGUSR1, 1)], vec![(SIGUSR1, 1)]));
        let (gone, mut left) = if first_ends_first { (a, b) } else { (b, a) };
        drop(gone);
        raise(SIGUSR1);
        assert_eq!(drained(&mut left), [(SIGUSR1, 1)], "deaf after the other base had gone");
        drop(left);
        assert_eq!(handler_of(SIGUSR1), before);
    }
}

#[test]
fn what_is_no_signal_is_refused_and_leaves_nothing() {
    let _alone = alone();
    let mut signals = signals();
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
    for signum in [0, -1, i32::MIN, i32::MAX, 65, 127, 128, 4096, SIGKILL, SIGSTOP].into_iter().chain(faults) {
        assert_eq!(signals.add(signum).map_err(|e| e.errno()), Err(Some(libc::EINVAL)), "{signum}");
        assert!(!signals.inbox.watches(signum));
        signals.del(signum);
    }
    assert_eq!(signals.inbox.watched().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn real_time_signals_work_up_to_the_last() {
    let _alone = alone();
    let mut signals = signals();
    for signum in [libc::SIGRTMIN(), libc::SIGRTMAX()] {
        signals.add(signum).unwrap();
        raise(signum);
        assert_eq!(drained(&mut signals), [(signum, 1)]);
    }
}

#[test]
fn a_storm_loses_no_last_signal() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    signals.add(SIGTERM).unwrap();
    for _ in 0..1_000_000 {
        raise(SIGUSR1);
    }
    raise(SIGTERM);
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1_000_000), (SIGTERM, 1)]);
}

#[test]
fn a_storm_from_other_threads_is_counted_to_the_last() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    let mut counted = 0u32;
    thread::scope(|scope| {
        let storms = [(); 2].map(|()| scope.spawn(|| (0..50_000).for_each(|_| raise(SIGUSR1))));
        while !storms.iter().all(thread::ScopedJoinHandle::is_finished) {
            signals.drain(|_, count| counted += count);
        }
    });
    signals.drain(|_, count| counted += count);
    assert_eq!(counted, 100_000);
}

#[test]
fn what_came_before_del_is_not_reported_after_a_new_add() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGURG).unwrap();
    raise(SIGURG);
    signals.del(SIGURG);
    signals.add(SIGURG).unwrap();
    assert_eq!(drained(&mut signals), []);
}

/// Handlers run in two threads all the time: none may touch a dropped base or delay its drop for long.
#[test]
fn bases_come_and_go_in_a_storm() {
    let _alone = alone();
    let stop = AtomicBool::new(false);
    let mut steady = signals();
    steady.add(SIGWINCH).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    raise(SIGWINCH);
                }
            });
        }
        for _ in 0..2_000 {
            let mut passing = signals();
            passing.add(SIGWINCH).unwrap();
            passing.drain(|signum, count| assert!(signum == SIGWINCH && count > 0));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(drained(&mut steady).len(), 1);
}

#[test]
fn a_handler_in_the_dropping_thread_does_not_lock_it_up() {
    let _alone = alone();
    let mut signals = signals();
    // A signal that does nothing if nobody watches it.
    signals.add(SIGURG).unwrap();
    thread::scope(|scope| {
        let dropper = scope.spawn(move || {
            for _ in 0..1_000 {
                signals.del(SIGURG);
                signals.add(SIGURG).unwrap();
            }
            drop(signals);
        });
        while !dropper.is_finished() {
            kill_self(SIGURG);
        }
    });
}

#[test]
fn a_system_call_that_was_interrupted_goes_on() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let reader = this_thread();
    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        raise_in(reader, SIGUSR1);
        thread::sleep(Duration::from_millis(20));
        far.write_all(b"x").unwrap();
    });
    assert_eq!(read(&near, &mut [0; 8]), Ok(1));
    writer.join().unwrap();
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1)]);
}

#[test]
fn the_count_stops_at_the_top() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    signals.inbox.pretend(SIGUSR1, u32::MAX - 1);
    for _ in 0..3 {
        raise(SIGUSR1);
    }
    assert_eq!(drained(&mut signals), [(SIGUSR1, u32::MAX)]);
}

/// Whether our handler counts one more signal after `work`.
fn counts_one(work: impl FnOnce()) -> bool {
    let before = COUNTED.load(Ordering::SeqCst);
    work();
    COUNTED.load(Ordering::SeqCst) == before + 1
}

#[test]
fn signal_blocked_by_the_inherited_mask_arrives() {
    let _alone = alone();
    thread::spawn(|| {
        block(SIGUSR1);
        // A signal pending behind the mask arrives as well.
        raise(SIGUSR1);
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        raise(SIGUSR1);
        assert_eq!(drained(&mut signals), [(SIGUSR1, 2)]);
        assert_eq!(blocked_signals(), 0);
    })
    .join()
    .unwrap();
}

#[test]
fn inboxes_are_used_again() {
    let _alone = alone();
    let held = signals();
    let inbox: *const Inbox = { signals().inbox };
    for _ in 0..100 {
        assert!(core::ptr::eq(signals().inbox, inbox));
    }
    drop(held);
}

#[test]
fn add_of_a_watched_signal_forgets_nothing() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    raise(SIGUSR1);
    signals.add(SIGUSR1).unwrap();
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1)]);
}

#[test]
fn reinit_in_a_process_that_was_not_forked_forgets_nothing() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    raise(SIGUSR1);
    signals.reinit().unwrap();
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1)]);
}

#[test]
fn a_new_base_in_an_inbox_that_was_left_full_has_nothing_pending() {
    let _alone = alone();
    let mut left = signals();
    left.add(SIGUSR1).unwrap();
    raise(SIGUSR1);
    drop(left);
    assert!(!signals().is_pending());
}
