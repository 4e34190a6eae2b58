//! The models. Each panics in the interleaving in which something goes wrong.

use evcore::backend::{SignalOp, Signum, Sink, Sleep, Token};
use evcore::{Fd, Ready};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::task::Wake as _;

use crate::doorbell::{self, Doorbell};
use crate::inbox;
use crate::interrupts::Interrupts;
use crate::task_inbox::{Inbox, Places};
use crate::wake::WakeFlag;

/// How a backend waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bell {
    /// poll, select, and epoll with a pipe: waits level-triggered, and drains the doorbell after each wait.
    Level,
    /// epoll with an eventfd.
    Edge,
    /// epoll inside another loop: that one waits, and the base only polls.
    Nested,
}

pub const BELLS: [Bell; 3] = [Bell::Level, Bell::Edge, Bell::Nested];

/// The loop's side of the protocol, as the backends do it.
struct Loop {
    interrupts: Interrupts,
    bell: Bell,
}

#[derive(Default)]
struct Signals {
    came: Vec<(Signum, u32)>,
}

impl Sink<Fd> for Signals {
    fn ready(&mut self, _: Token, _: Ready) -> bool {
        false
    }

    fn ready_fd(&mut self, _: Fd, _: Ready) -> bool {
        false
    }

    fn failed(&mut self, _: Token) {}

    fn signal(&mut self, signum: Signum, count: u32) {
        self.came.push((signum, count));
    }

    fn woken(&mut self) {}

    fn rebuild(&mut self) {}
}

impl Loop {
    fn new(bell: Bell) -> Self {
        Self { interrupts: Interrupts::new(Doorbell::pipe), bell }
    }

    /// Marks the base as asleep in another loop, as `Epoll::nest` and `dispatch` do.
    fn mark_asleep(&self) {
        if let (Bell::Nested, Some(doorbell)) = (self.bell, self.interrupts.doorbell()) {
            if self.interrupts.prepare(Sleep::Forever) == Sleep::None {
                doorbell.ring();
            }
        }
    }

    /// One wait without an end; or one that ends at once for a reason other than a wake.
    fn turn(&mut self, is_cut_short: bool) -> Signals {
        match self.bell {
            Bell::Nested => {
                if let (Some(doorbell), false) = (self.interrupts.doorbell(), is_cut_short) {
                    doorbell.wait_by_level();
                }
                let _ = self.interrupts.prepare(Sleep::None);
            }
            _ => {
                let sleeps = self.interrupts.prepare(Sleep::Forever) == Sleep::Forever && !is_cut_short;
                if let (Some(doorbell), true) = (self.interrupts.doorbell(), sleeps) {
                    if self.bell == Bell::Level { doorbell.wait_by_level() } else { doorbell.wait_by_edge() }
                }
            }
        }
        if let (Some(doorbell), Bell::Edge | Bell::Nested) = (self.interrupts.doorbell(), self.bell) {
            doorbell.take_edge();
        }
        let is_woken = self.interrupts.awake();
        if self.bell == Bell::Level {
            self.interrupts.answer().expect("the bell is in order");
        }
        let mut signals = Signals::default();
        self.interrupts.report(is_woken, &mut signals);
        self.mark_asleep();
        signals
    }
}

/// One model at a time, because the list of inboxes is global.
static ALONE: shim::really::Mutex<()> = shim::really::Mutex::new(());

fn check(model: impl Fn() + Sync + Send + 'static) {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut builder = loom::model::Builder::new();
    // Dropping a base checks each signal for watchers. A loop that sleeps for ever exceeds any limit.
    builder.max_branches = builder.max_branches.max(5_000);
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(move || {
        shim::begin();
        doorbell::forget_rings();
        model();
    });
}

/// Two threads write and wake. The loop, one of whose waits ends for another reason, sees both writes and does not
/// miss a wake, or it would sleep for ever.
pub fn no_wake_is_lost(bell: Bell) {
    check(move || {
        let mut base = Loop::new(bell);
        let messages = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let wakers = [0, 1].map(|which| {
            let (messages, waker) = (Arc::clone(&messages), base.interrupts.waker().expect("a waker"));
            thread::spawn(move || {
                messages[which].store(1, Ordering::Relaxed);
                waker.wake();
            })
        });
        base.mark_asleep();
        base.turn(true);
        while messages.iter().any(|message| message.load(Ordering::Relaxed) == 0) {
            base.turn(false);
        }
        for waker in wakers {
            waker.join().expect("it ends");
        }
    });
}

/// One thread wakes twice with a message each: the second wake may find the loop in any state, including one caused
/// by its first wake.
pub fn wakes_of_one_thread_are_seen_in_their_order(bell: Bell) {
    check(move || {
        let mut base = Loop::new(bell);
        let message = Arc::new(AtomicU32::new(0));
        let (its, waker) = (Arc::clone(&message), base.interrupts.waker().expect("a waker"));
        let thread = thread::spawn(move || {
            for number in 1..=2 {
                its.store(number, Ordering::Relaxed);
                waker.wake();
            }
        });
        base.mark_asleep();
        while message.load(Ordering::Relaxed) < 2 {
            base.turn(false);
        }
        thread.join().expect("it ends");
    });
}

/// Wakes of a loop that does not sleep cost no system call, and its next wait returns at once. Wakes of a sleeping
/// loop cost one for each sleep.
pub fn only_a_sleep_is_rung_for() {
    check(|| {
        let mut base = Loop::new(Bell::Level);
        let wakers = [(); 2].map(|()| {
            let waker = base.interrupts.waker().expect("a waker");
            thread::spawn(move || waker.wake())
        });
        let mut sleeps = 0;
        for waker in wakers {
            waker.join().expect("it ends");
        }
        assert_eq!(doorbell::rings(), 0, "an awake loop was rung for");
        assert_eq!(base.interrupts.prepare(Sleep::Forever), Sleep::None, "a wake was lost");
        assert!(base.interrupts.awake());
        let wakers = [(); 2].map(|()| {
            let waker = base.interrupts.waker().expect("a waker");
            thread::spawn(move || waker.wake())
        });
        for _ in 0..2 {
            sleeps += usize::from(base.interrupts.prepare(Sleep::Forever) == Sleep::Forever);
            base.interrupts.awake();
        }
        for waker in wakers {
            waker.join().expect("it ends");
        }
        assert!(doorbell::rings() <= sleeps, "{} rings for {sleeps} sleeps", doorbell::rings());
    });
}

/// Whether or not a waker is dropped last, the doorbell is freed once, after all threads have rung it.
pub fn a_waker_outlives_its_base() {
    check(|| {
        let mut base = Loop::new(Bell::Edge);
        let waker = base.interrupts.waker().expect("a waker");
        let _ = base.interrupts.prepare(Sleep::Forever);
        let thread = thread::spawn(move || waker.wake());
        drop(base);
        thread.join().expect("it ends");
    });
}

const TERM: Signum = 15;
const USR1: Signum = 10;

/// Handlers run in two threads, for two signals or the same one. The loop reports each exactly as often as it
/// arrived, never with a count of zero, and misses none in its sleep.
pub fn no_signal_is_lost(bell: Bell) {
    check(move || {
        let mut base = Loop::new(bell);
        base.interrupts.add(TERM).expect("a signal");
        base.interrupts.add(USR1).expect("a signal");
        let handlers = [USR1, TERM].map(|signum| thread::spawn(move || inbox::arrived(signum)));
        base.mark_asleep();
        let mut left = [(USR1, 1u32), (TERM, 1)];
        while left.iter().any(|(_, count)| *count > 0) {
            for (signum, count) in base.turn(false).came {
                assert!(count > 0, "a count of zero");
                let entry = left.iter_mut().find(|(each, _)| *each == signum).expect("a signal that was watched");
                entry.1 = entry.1.checked_sub(count).expect("more than came");
            }
        }
        for handler in handlers {
            handler.join().expect("it ends");
        }
        assert_eq!(signals_of(&mut base), []);
    });
}

/// The same signal in two threads: every arrival is counted.
pub fn each_arrival_is_counted() {
    check(|| {
        let mut base = Loop::new(Bell::Edge);
        base.interrupts.add(USR1).expect("a signal");
        let handlers = [(); 2].map(|()| thread::spawn(|| inbox::arrived(USR1)));
        let mut counted = 0;
        while counted < 2 {
            counted +=
                base.turn(false).came.iter().map(|(_, count)| *count).inspect(|count| assert!(*count > 0)).sum::<u32>();
        }
        for handler in handlers {
            handler.join().expect("it ends");
        }
        assert_eq!((counted, signals_of(&mut base)), (2, vec![]));
    });
}

fn signals_of(base: &mut Loop) -> Vec<(Signum, u32)> {
    let mut signals = Signals::default();
    base.interrupts.report(false, &mut signals);
    signals.came
}

/// A base is dropped while a handler in another thread has begun with it, or is ringing. The doorbell is not freed
/// under the handler, and the drop ends.
pub fn a_base_may_go_while_a_handler_runs() {
    check(|| {
        let mut base = Loop::new(Bell::Edge);
        base.interrupts.add(USR1).expect("a signal");
        assert_eq!(base.interrupts.prepare(Sleep::Forever), Sleep::Forever);
        let handler = thread::spawn(|| inbox::arrived(USR1));
        drop(base);
        handler.join().expect("it ends");
    });
}

/// The inbox of a dropped base is claimed by another one while a handler has already begun with it. A signal for the
/// new base arrives there once; the late handler adds at most one more.
pub fn an_inbox_is_used_again() {
    check(|| {
        let mut first = Loop::new(Bell::Edge);
        first.interrupts.add(USR1).expect("a signal");
        let handler = thread::spawn(|| inbox::arrived(USR1));
        drop(first);
        let mut second = Loop::new(Bell::Edge);
        second.interrupts.add(USR1).expect("a signal");
        inbox::arrived(USR1);
        let mut counted: u32 = signals_of(&mut second).iter().map(|(_, count)| *count).sum();
        handler.join().expect("it ends");
        counted += signals_of(&mut second).iter().map(|(_, count)| *count).sum::<u32>();
        assert!((1..=2).contains(&counted), "{counted}");
    });
}

/// Two bases are made at once, each of which appends an inbox, while a handler walks the list.
pub fn inboxes_are_appended_while_a_handler_walks() {
    check(|| {
        let make = || {
            let mut base = Loop::new(Bell::Edge);
            base.interrupts.add(USR1).expect("a signal");
            base
        };
        let mut first = make();
        let other = thread::spawn(move || {
            let mut second = make();
            inbox::arrived(USR1);
            signals_of(&mut second)
        });
        let own = signals_of(&mut first);
        let second = other.join().expect("it ends");
        assert_eq!(second, [(USR1, 1)]);
        assert_eq!(own.len() + signals_of(&mut first).len(), 1, "the first base got it not at all, or twice");
    });
}

/// Two interrupts write and set the flag; the loop takes it, without a read-modify-write, and sees both writes.
pub fn a_flag_that_was_taken_shows_what_was_written() {
    check(|| {
        let shared = Arc::new((WakeFlag::new(), [AtomicU32::new(0), AtomicU32::new(0)]));
        assert!(!shared.0.is_set());
        let interrupts = [0, 1].map(|which| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1[which].store(1, Ordering::Relaxed);
                shared.0.wake();
            })
        });
        let is_seen = || shared.1.iter().all(|message| message.load(Ordering::Relaxed) == 1);
        // Values read before the flag is taken do not count: a loop reads after it was woken.
        loop {
            while !shared.0.take() {
                thread::yield_now();
            }
            if is_seen() {
                break;
            }
        }
        for interrupt in interrupts {
            interrupt.join().expect("it ends");
        }
    });
}

/// What an executor sleeps on.
struct Sleeping(loom::sync::Notify);

impl std::task::Wake for Sleeping {
    fn wake(self: alloc::sync::Arc<Self>) {
        self.0.notify();
    }
}

/// Runs an executor with two tasks until `is_done` returns `true` after a check of woken tasks: it sleeps for ever if
/// a wake is lost.
fn run_tasks(wakes: [usize; 2], is_done: impl Fn(&[u32], &[AtomicU32; 2]) -> bool) {
    let sleep = alloc::sync::Arc::new(Sleeping(loom::sync::Notify::new()));
    let inbox = alloc::sync::Arc::new(Inbox::new(Some(sleep.clone().into())));
    let mut places = Places::default();
    let wakers = [0, 1].map(|event| places.take(event, &inbox).expect("a number").waker);
    let shared = Arc::new((wakers, [AtomicU32::new(0), AtomicU32::new(0)]));
    let threads = [0, 1].map(|which| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (wakers, messages) = &*shared;
            messages[which].store(1, Ordering::Relaxed);
            wakers[wakes[which]].wake_by_ref();
        })
    });
    let (_, messages) = &*shared;
    let mut woken = Vec::new();
    loop {
        let before = woken.len();
        places.take_woken(&inbox, |event| {
            woken.push(event);
            true
        });
        let is_anybody = woken.len() > before;
        if is_anybody && is_done(&woken, messages) {
            break;
        }
        if !is_anybody && inbox.prepare_sleep() {
            sleep.0.wait();
            inbox.awake();
        }
    }
    for thread in threads {
        thread.join().expect("it ends");
    }
}

/// Two threads wake one task. The executor polls it after the second wake, too, and then sees both writes.
pub fn a_task_sees_what_was_written_before_its_wake() {
    check(|| {
        run_tasks([0, 0], |woken, messages| {
            assert!(woken.len() <= 2 && woken.iter().all(|event| *event == 0));
            messages.iter().all(|message| message.load(Ordering::Relaxed) == 1)
        });
    });
}

/// Two threads wake a task each. Both are listed, once.
pub fn each_woken_task_is_listed_once() {
    check(|| {
        run_tasks([1, 0], |woken, _| {
            assert!(woken.len() < 2 || woken[0] != woken[1]);
            woken.len() == 2
        });
    });
}
