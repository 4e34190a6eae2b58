//! What tasks wait for: descriptors, time, signals.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::{Future, pending};
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;

use evcore::options::Missed;
use evcore::storage::Complete;
use evcore::task::Item;
use evcore::{Error, Interest, Ready};

use super::tasks::{FixtureOfTasks, MS, READ, Tasks};
use crate::{PATIENCE, Proof};

const WRITE: Interest = Interest::WRITE;

/// A future waits until its fd is ready, level-triggered: it also completes if the fd is already ready.
pub fn task_waits_for_readiness<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut source = tasks.source();
    let (handle, fd) = (tasks.handle.clone(), tasks.fixture.fd(&source));
    let early = tasks.block_on(handle.timeout(MS * 5, handle.ready(fd, READ)));
    assert!(matches!(early, Err(Error::TimedOut)), "ready before it was fed");
    tasks.feed(&mut source);
    for _ in 0..3 {
        assert!(tasks.block_on(handle.ready(fd, READ)).unwrap().is_readable());
        assert!(tasks.block_on(handle.ready(fd, WRITE)).unwrap().is_writable());
    }
    assert_eq!(tasks.events(), 0);
    Proof::Shown
}

/// A source has one event for all its waits; readiness that nobody waits for does not make the loop spin.
pub fn source_is_registered_once<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut raw = tasks.source();
    let fd = tasks.fixture.fd(&raw);
    let source = tasks.handle.source(fd, ()).unwrap();
    for _ in 0..3 {
        tasks.feed(&mut raw);
        assert!(tasks.block_on(source.ready(READ)).unwrap().is_readable());
        assert!(tasks.block_on(source.ready(WRITE)).unwrap().is_writable());
        assert_eq!(tasks.events(), 1);
        // Ready in both directions, with nobody waiting.
        let waits = tasks.executor.base().unwrap().stats().waits;
        tasks.pass(MS * 5);
        let waits = tasks.executor.base().unwrap().stats().waits - waits;
        assert!(waits <= 6, "{waits} waits for one sleep");
        tasks.drain(&mut raw);
    }
    drop(source);
    assert_eq!(tasks.events(), 0);
    Proof::Shown
}

/// A source's value is dropped after its event was removed, even if the source is dropped while the base is in use.
pub fn source_keeps_its_value_until_it_is_gone<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let raw = tasks.source();
    let (fd, owner) = (tasks.fixture.fd(&raw), Rc::new(()));
    let source = tasks.handle.source(fd, owner.clone()).unwrap();
    {
        let base = tasks.executor.base().unwrap();
        drop(source);
        assert_eq!(base.counts().events, 1);
        assert_eq!(Rc::strong_count(&owner), 2, "the fd may be closed while it is registered");
    }
    assert_eq!((tasks.events(), Rc::strong_count(&owner)), (0, 1));
    let source = tasks.handle.source(fd, owner.clone()).unwrap();
    assert!(source.into_inner().is_some_and(|inner| Rc::ptr_eq(&inner, &owner)));
    assert_eq!(tasks.events(), 0);
    Proof::Shown
}

/// A wait that is dropped before its first poll, while it waits, or after it became ready leaves no event.
pub fn wait_dropped_in_each_state_leaves_nothing<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut raw = tasks.source();
    tasks.feed(&mut raw);
    let (handle, fd) = (tasks.handle.clone(), tasks.fixture.fd(&raw));
    let mut context = Context::from_waker(Waker::noop());
    for state in ["not polled", "waiting", "come"] {
        let mut waits: [Pin<Box<dyn Future<Output = bool> + '_>>; 5] = [
            Box::pin(async { handle.sleep(MS).await.is_ok() }),
            Box::pin(async { handle.sleep_until(handle.now().unwrap() + MS).await.is_ok() }),
            Box::pin(async { handle.ready(fd, READ).await.is_ok() }),
            Box::pin(async { handle.timeout(MS, pending::<()>()).await.is_ok() }),
            Box::pin(async { handle.interval(MS, Missed::Skip).unwrap().next().await.is_ok() }),
        ];
        let count = u32::try_from(waits.len()).unwrap();
        if state != "not polled" {
            assert!(waits.iter_mut().all(|wait| wait.as_mut().poll(&mut context).is_pending()));
            assert_eq!(tasks.events(), count);
        }
        if state == "come" {
            tasks.pass(MS * 5);
            assert_eq!(tasks.events(), count);
        }
        drop(waits);
        assert_eq!(tasks.events(), 0, "{state}");
    }
    Proof::Shown
}

/// A wait that is dropped while the base is borrowed ends before the base is used again.
pub fn wait_dropped_while_the_base_is_lent_ends_first<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let raw = tasks.source();
    let (handle, fd) = (tasks.handle.clone(), tasks.fixture.fd(&raw));
    let waiting = || {
        let mut wait = Box::pin(handle.ready(fd, READ));
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        wait
    };
    let wait = waiting();
    let mut base = tasks.executor.base().unwrap();
    drop(wait);
    let own = base.insert_timer(MS, Item::from(7)).unwrap();
    assert_eq!(base.counts().events, 1, "its event was there still");
    drop(base);
    // Dropping it in a handler is such a case.
    let mut wait = Some(waiting());
    let mut seen = false;
    let sleep = handle.sleep(MS * 2);
    let slept = tasks.executor.run(sleep, |base, event| {
        seen = event.id == own;
        let before = base.counts().events;
        drop(wait.take());
        assert!(base.remove(event.id).is_some());
        assert_eq!(base.counts().events, before - 2, "its event was there still");
    });
    slept.unwrap().unwrap();
    assert!(seen);
    Proof::Shown
}

/// `room` returns an error exactly when the next event would be refused.
pub fn room_is_refused_as_an_event_is<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let raw = tasks.source();
    let fd = tasks.fixture.fd(&raw);
    let mut sources = Vec::new();
    while tasks.handle.room().is_ok() && sources.len() < 100 {
        sources.push(tasks.handle.source(fd, ()).unwrap());
    }
    if sources.len() == 100 {
        return Proof::Refused("limit on events");
    }
    assert!(matches!(tasks.handle.room(), Err(Error::Full)));
    assert!(tasks.handle.source(fd, ()).is_err());
    sources.pop();
    assert_eq!(tasks.handle.room(), Ok(()));
    assert_eq!(tasks.events() as usize, sources.len());
    drop(tasks.executor);
    assert_eq!(tasks.handle.room(), Err(Error::Ended));
    Proof::Shown
}

/// If a future is ready and its time is over as well, its result is returned.
pub fn ready_and_timed_out_is_ready<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut raw = tasks.source();
    let (handle, fd) = (tasks.handle.clone(), tasks.fixture.fd(&raw));
    let both = handle.timeout(Duration::ZERO, handle.ready(fd, WRITE));
    assert!(tasks.block_on(both).unwrap().unwrap().is_writable());
    assert!(matches!(tasks.block_on(handle.timeout(MS, pending::<()>())), Err(Error::TimedOut)));
    tasks.feed(&mut raw);
    assert_eq!(tasks.block_on(handle.timeout(PATIENCE, async { 7 })), Ok(7));
    assert_eq!(tasks.events(), 0);
    Proof::Shown
}

/// A sleep ends when its time is over and not before; shorter ones end first, whatever the order of their tasks.
pub fn sleep_is_not_early<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let order = Rc::new(RefCell::new(Vec::new()));
    let begin = tasks.handle.now().unwrap();
    let sleepers: Vec<_> = [9u32, 3, 6]
        .map(|ms| {
            let (handle, order) = (tasks.handle.clone(), order.clone());
            let sleeper = async move {
                match ms {
                    6 => handle.sleep_until(begin + MS * 6).await.unwrap(),
                    ms => handle.sleep(MS * ms).await.unwrap(),
                }
                order.borrow_mut().push(ms);
                assert!(handle.now().unwrap() >= begin + MS * ms, "early");
            };
            tasks.handle.spawn(sleeper).unwrap()
        })
        .into_iter()
        .collect();
    for sleeper in sleepers {
        tasks.block_on(sleeper).unwrap();
    }
    assert_eq!(*order.borrow(), [3, 6, 9]);
    if F::IS_VIRTUAL {
        assert_eq!(tasks.handle.now(), Ok(begin + MS * 9), "time jumps to the next deadline, and no further");
    }
    Proof::Shown
}

/// An interval counts the periods that passed while nobody waited.
pub fn interval_counts_what_was_missed<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut interval = tasks.handle.interval(MS * 2, Missed::Skip).unwrap();
    assert!(tasks.block_on(interval.next()).unwrap() >= 1);
    tasks.pass(MS * 11);
    let missed = tasks.block_on(interval.next()).unwrap();
    assert!(missed >= 5, "{missed} of five periods");
    assert!(!F::IS_VIRTUAL || missed == 5);
    drop(interval);
    assert_eq!(tasks.events(), 0);
    Proof::Shown
}

/// A signal completes a wait for it.
pub fn signal_is_awaited<F: FixtureOfTasks, S: Complete + 'static>(mut fixture: F) -> Proof {
    fixture.alone();
    let mut tasks = Tasks::<F, S>::new(fixture);
    let Some(signum) = tasks.fixture.signal(0) else { return Proof::Absent("signals") };
    let Ok(mut signal) = tasks.handle.signal(signum) else { return Proof::Refused("signals") };
    let Tasks { executor, fixture, .. } = &mut tasks;
    fixture.raise(executor.base().unwrap().backend_mut(), signum);
    assert_eq!(tasks.block_on(signal.next()), Ok(1));
    Proof::Shown
}

/// An idle timeout ends a wait for a source, needs no additional event, and starts with the wait.
pub fn idle_timeout_is_of_the_source<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut raw = tasks.source();
    let fd = tasks.fixture.fd(&raw);
    let source = tasks.handle.source(fd, ()).unwrap();
    source.set_idle_timeout(Some(MS * 20));
    for _ in 0..2 {
        // It does not run while nobody waits.
        tasks.pass(MS * 30);
        let begin = tasks.handle.now().unwrap();
        let ready = tasks.block_on(source.ready(READ)).unwrap();
        let waited = tasks.handle.now().unwrap().saturating_since(begin);
        assert_eq!(ready, Ready::TIMEOUT);
        assert!(waited >= MS * 20 && (!F::IS_VIRTUAL || waited == MS * 20), "{waited:?}");
        assert_eq!(tasks.events(), 1);
    }
    tasks.feed(&mut raw);
    assert!(tasks.block_on(source.ready(READ)).unwrap().is_readable());
    tasks.drain(&mut raw);
    source.set_idle_timeout(None);
    let handle = tasks.handle.clone();
    let waited = tasks.block_on(handle.timeout(MS * 50, source.ready(READ)));
    assert!(matches!(waited, Err(Error::TimedOut)));
    Proof::Shown
}
