//! Tasks on a backend driven by hand: faults that were found once.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use evcore::backend::Manual;
use evcore::options::Missed;
use evcore::task::{Executor, Handle, Item, Source, yield_now};
use evcore::{EventBase, Fixed, Growable, Interest, Ready, Wait};

type Tasks = Executor<Manual, Growable, u32>;

const SECOND: Duration = Duration::from_secs(1);

fn tasks() -> (Tasks, Handle<u32, evcore::backend::ManualError>) {
    let base: EventBase<Manual, Growable, Item<u32>> = EventBase::new(Manual::new());
    let executor = Executor::local(base);
    let handle = executor.handle();
    (executor, handle)
}

#[test]
fn error_that_was_awaited_does_not_spin_while_nobody_waits() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    executor.base().unwrap().backend_mut().set_ready(3, Ready::READ | Ready::ERROR | Ready::HANGUP);
    for _ in 0..2 {
        assert!(executor.block_on(source.ready(Interest::READ)).unwrap().unwrap().is_error());
        // The first of these turns may bring it once more, for nobody.
        executor
            .block_on(async {
                yield_now().await;
                yield_now().await;
            })
            .unwrap();
        assert_eq!(executor.base().unwrap().backend().watched(3).unwrap_or_default(), Interest::empty());
    }
    // On this backend time stands still while something is ready.
    executor.block_on(handle.sleep(SECOND)).unwrap().unwrap();
}

#[test]
fn idle_timeout_is_not_put_off_by_polls() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    // Between two ticks: a new wait takes no notice of what came before it.
    let idle = SECOND * 21 / 2;
    source.set_idle_timeout(Some(idle));
    for drops_its_wait in [false, true] {
        let mut tick = handle.interval(SECOND, Missed::Skip).unwrap();
        let begin = handle.now().unwrap();
        let mut ticks = 0;
        let mut ready = pin!(source.ready(Interest::READ));
        let ended = executor.block_on(poll_fn(|context| {
            while tick.poll_next(context).is_ready() {
                ticks += 1;
                if drops_its_wait {
                    ready.set(source.ready(Interest::READ));
                }
            }
            if ticks > 20 { Poll::Ready(None) } else { ready.as_mut().poll(context).map(Some) }
        }));
        assert_eq!(ended, Ok(Some(Ok(Ready::TIMEOUT))));
        assert_eq!(handle.now().unwrap().saturating_since(begin), idle);
    }
}

#[test]
fn idle_timeout_that_is_changed_counts_from_the_next_poll() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    source.set_idle_timeout(Some(SECOND * 10));
    let early = executor.block_on(handle.timeout(SECOND, source.ready(Interest::READ))).unwrap();
    assert!(early.is_err());
    source.set_idle_timeout(Some(SECOND * 20));
    assert_eq!(executor.block_on(source.ready(Interest::READ)).unwrap(), Ok(Ready::TIMEOUT));
    assert_eq!(handle.now().unwrap().as_nanos(), 21_000_000_000);
}

#[test]
fn idle_timeout_does_not_go_on_while_nobody_waits() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    source.set_idle_timeout(Some(SECOND));
    for _ in 0..2 {
        assert_eq!(executor.block_on(source.ready(Interest::READ)).unwrap(), Ok(Ready::TIMEOUT));
        let before = executor.base().unwrap().stats().waits;
        executor.block_on(handle.sleep(SECOND * 1_000)).unwrap().unwrap();
        let waits = executor.base().unwrap().stats().waits - before;
        assert!(waits <= 4, "{waits} waits for one sleep");
    }
}

#[test]
fn idle_timeout_counts_from_a_hand_out_in_the_same_turn() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    source.set_idle_timeout(Some(SECOND * 20));
    let waits = handle.spawn(async move {
        // The second wait begins in the turn that ends the first.
        (source.ready(Interest::READ).await, source.ready(Interest::READ).await)
    });
    let mut waits = pin!(waits.unwrap());
    assert!(executor.block_on(handle.timeout(SECOND * 15, waits.as_mut())).unwrap().is_err());
    executor.base().unwrap().backend_mut().set_ready(3, Ready::READ);
    assert!(executor.next_event(Wait::None).unwrap().is_none());
    executor.base().unwrap().backend_mut().set_ready(3, Ready::empty());
    let ended = executor.block_on(waits).unwrap().unwrap();
    assert_eq!(ended, (Ok(Ready::READ), Ok(Ready::TIMEOUT)));
    assert_eq!(handle.now().unwrap().as_nanos(), 35_000_000_000);
}

#[test]
fn wait_for_closed_is_not_ended_by_what_an_earlier_one_waited_for() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    executor.base().unwrap().backend_mut().set_ready(3, Ready::READ | Ready::WRITE);
    for _ in 0..2 {
        assert_eq!(executor.block_on(source.ready(Interest::READ)).unwrap(), Ok(Ready::READ));
        assert_eq!(executor.block_on(source.ready(Interest::WRITE)).unwrap(), Ok(Ready::WRITE));
        let closed = handle.timeout(SECOND, source.ready(Interest::CLOSED));
        assert_eq!(executor.block_on(closed).unwrap(), Err(evcore::Error::TimedOut));
    }
}

#[test]
fn stale_waiter_polls_no_other_task() {
    let (mut executor, handle) = tasks();
    let source = Rc::new(handle.source(3, ()).unwrap());
    let waiter = source.clone();
    let left = poll_fn(move |context| Poll::Ready(waiter.poll_ready(context, Interest::READ).is_pending()));
    let left = handle.spawn(left).unwrap();
    assert!(executor.block_on(left).unwrap().unwrap());
    // One of these gets the place of the task that has ended.
    let polls = Rc::new(RefCell::new(0));
    for _ in 0..2 {
        let counted = polls.clone();
        let other = poll_fn(move |_| {
            *counted.borrow_mut() += 1;
            Poll::<()>::Pending
        });
        handle.spawn(other).unwrap().detach();
    }
    executor.block_on(yield_now()).unwrap();
    executor.base().unwrap().backend_mut().set_ready(3, Ready::READ);
    executor.block_on(handle.sleep(SECOND)).unwrap().unwrap();
    assert_eq!(*polls.borrow(), 2);
}

#[test]
fn task_with_two_ready_sources_is_not_polled_twice_in_a_turn() {
    let (mut executor, handle) = tasks();
    let sources = [3, 4].map(|fd| handle.source(fd, ()).unwrap());
    let polls = Rc::new(RefCell::new(0));
    let counted = polls.clone();
    let both = poll_fn(move |context| {
        *counted.borrow_mut() += 1;
        let [first, second] = sources.each_ref().map(|source| source.poll_ready(context, Interest::READ));
        if first.is_ready() && second.is_ready() { Poll::Ready(()) } else { Poll::Pending }
    });
    handle.spawn(both).unwrap().detach();
    executor.block_on(yield_now()).unwrap();
    for fd in [3, 4] {
        executor.base().unwrap().backend_mut().set_ready(fd, Ready::READ);
    }
    for turn in 2..5 {
        assert!(executor.next_event(evcore::Wait::None).unwrap().is_none());
        assert_eq!(*polls.borrow(), turn);
    }
}

#[test]
fn room_where_no_fd_finds_a_place_is_refused() {
    let base: EventBase<Manual, Fixed<8, 1>, Item<u32>> = EventBase::new(Manual::new());
    let executor = Executor::local(base);
    let handle = executor.handle();
    assert_eq!(handle.room(), Ok(()));
    let source = handle.source(3, ()).unwrap();
    assert!(handle.source(4, ()).is_err());
    assert_eq!(handle.room(), Err(evcore::Error::Full));
    drop(source);
    assert_eq!(handle.room(), Ok(()));
}

#[test]
fn wait_dropped_while_the_base_was_lent_takes_no_room_after_that() {
    let base: EventBase<Manual, Fixed<2>, Item<u32>> = EventBase::new(Manual::new());
    let mut executor = Executor::local(base);
    let handle = executor.handle();
    executor.base().unwrap().insert_timer(SECOND, Item::from(1)).unwrap();
    let source = handle.source(3, ()).unwrap();
    let lent = executor.base().unwrap();
    drop(source);
    drop(lent);
    let source = handle.source(3, ()).unwrap();
    let own = executor.next_event(evcore::Wait::Forever).unwrap().unwrap();
    drop(source);
    drop(own);
    assert_eq!(handle.room(), Ok(()));
    assert!(handle.spawn(async {}).is_ok());
}

#[test]
fn source_made_by_an_urgent_task_makes_no_other_task_urgent() {
    let (mut executor, handle) = tasks();
    executor.base().unwrap().set_priorities(3).unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let reader = |source: Source<(), u32, evcore::backend::ManualError>, name| {
        let order = order.clone();
        async move {
            source.ready(Interest::READ).await.unwrap();
            order.borrow_mut().push(name);
        }
    };
    let maker = handle.clone();
    let made = handle.spawn_at(0, async move { maker.source(3, ()).unwrap() }).unwrap();
    let made = executor.block_on(made).unwrap().unwrap();
    handle.spawn_at(2, reader(made, "last")).unwrap().detach();
    handle.spawn_at(1, reader(handle.source(4, ()).unwrap(), "first")).unwrap().detach();
    executor.block_on(handle.sleep(SECOND)).unwrap().unwrap();
    for fd in [3, 4] {
        executor.base().unwrap().backend_mut().set_ready(fd, Ready::READ);
    }
    executor.block_on(handle.sleep(SECOND)).unwrap().unwrap();
    assert_eq!(*order.borrow(), ["first", "last"]);
}

#[test]
fn tasks_are_polled_in_the_order_of_their_wakes() {
    let (mut executor, handle) = tasks();
    let (wakers, order) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    for number in 0..4 {
        let (wakers, order) = (wakers.clone(), order.clone());
        let mut is_woken = false;
        let task = poll_fn(move |context| {
            if std::mem::replace(&mut is_woken, true) {
                order.borrow_mut().push(number);
                return Poll::Ready(());
            }
            wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        });
        handle.spawn(task).unwrap().detach();
    }
    executor.block_on(yield_now()).unwrap();
    for number in [2, 0, 3, 1, 0] {
        wakers.borrow()[number].wake_by_ref();
    }
    executor.block_on(handle.sleep(SECOND)).unwrap().unwrap();
    assert_eq!(*order.borrow(), [2, 0, 3, 1]);
}

/// What panics when it is dropped.
#[cfg(feature = "std")]
struct Bomb;

#[cfg(feature = "std")]
impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[cfg(feature = "std")]
#[test]
fn output_that_panics_when_dropped_ends_nothing_else() {
    let (mut executor, handle) = tasks();
    handle.spawn(async { Bomb }).unwrap().detach();
    // A future that panics when it is aborted.
    let aborted = handle.spawn({
        let bomb = Bomb;
        async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        }
    });
    let aborted = aborted.unwrap();
    aborted.abort();
    assert_eq!(executor.block_on(yield_now()), Ok(()));
    assert!(matches!(executor.block_on(aborted), Ok(Err(evcore::task::JoinError::Panicked(_)))));
    assert_eq!((executor.tasks(), executor.base().unwrap().counts().events), (0, 0));
    // What is left when the executor is dropped.
    handle.spawn(async { Bomb }).unwrap().detach();
    drop(executor);
}

#[test]
fn task_whose_event_the_program_removes_is_aborted() {
    let (mut executor, handle) = tasks();
    let kept = Rc::new(());
    let owned = kept.clone();
    let task = handle.spawn(async move {
        std::future::pending::<()>().await;
        drop(owned);
    });
    let mut base = executor.base().unwrap();
    let event = base.iter().next().unwrap().0;
    base.remove(event);
    drop(base);
    assert_eq!(Rc::strong_count(&kept), 1);
    assert!(matches!(executor.block_on(task.unwrap()), Ok(Err(evcore::task::JoinError::Aborted))));
    // It was counted for ever.
    assert_eq!(executor.tasks(), 0);
}

/// The place of the future that `run` polls was freed twice, and then shared by two tasks.
#[test]
fn events_that_a_handler_removes_end_the_tasks_and_the_run_alone() {
    let (mut executor, handle) = tasks();
    executor.base().unwrap().insert_timer(SECOND, Item::from(1)).unwrap();
    let sleeper = handle.clone();
    let task = handle.spawn(async move { sleeper.sleep(SECOND * 2).await }).unwrap();
    let end = executor.run(task, |base, _| {
        let events: Vec<_> = base.iter().map(|(event, _)| event).collect();
        for event in events {
            base.remove(event);
        }
    });
    assert!(matches!(end, Err(evcore::Error::Ended)));
    assert_eq!(executor.tasks(), 0);
    let tasks = [1, 2].map(|output| {
        handle.spawn(async move {
            yield_now().await;
            output
        })
    });
    let [first, second] = tasks.map(Result::unwrap);
    let outputs = executor.block_on(async { (first.await.unwrap(), second.await.unwrap()) });
    assert_eq!((outputs.unwrap(), executor.tasks()), ((1, 2), 0));
}

#[test]
fn task_without_a_priority_has_that_of_its_spawner() {
    let (mut executor, handle) = tasks();
    executor.base().unwrap().set_priorities(3).unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let spawner = handle.clone();
    let noted = order.clone();
    let spawns = async move {
        [(None, "last"), (Some(1), "first")].map(|(priority, name)| {
            let noted = noted.clone();
            spawner.spawn_at(priority, async move { noted.borrow_mut().push(name) }).unwrap()
        })
    };
    let spawns = handle.spawn_at(2, spawns).unwrap();
    assert_eq!(executor.tasks(), 1);
    executor
        .block_on(async {
            for task in spawns.await.unwrap() {
                task.await.unwrap();
            }
        })
        .unwrap();
    assert_eq!(*order.borrow(), ["first", "last"]);
}

#[test]
fn task_that_never_waits_goes_on_in_the_next_turn_after_128_operations() {
    let (mut executor, handle) = tasks();
    let operations = Rc::new(RefCell::new(0));
    let counted = operations.clone();
    let proceeding = handle.clone();
    let greedy = async move {
        for _ in 0..1_000 {
            poll_fn(|context| proceeding.poll_proceed(context)).await;
            *counted.borrow_mut() += 1;
        }
    };
    handle.spawn(greedy).unwrap().detach();
    assert!(executor.next_event(Wait::None).unwrap().is_none());
    assert_eq!(*operations.borrow(), 128);
}

#[test]
fn own_data_comes_back_out_of_its_item() {
    let (mut executor, _) = tasks();
    let own = executor.base().unwrap().insert_timer(SECOND, Item::from(7)).unwrap();
    assert_eq!(executor.base().unwrap().remove(own).and_then(Item::into_inner), Some(7));
}

#[test]
fn task_after_a_panic_has_no_priority_of_another() {
    let (mut executor, handle) = tasks();
    executor.base().unwrap().set_priorities(3).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| executor.block_on(async { panic!("on purpose") })));
    assert!(panicked.is_err());
    let order = Rc::new(RefCell::new(Vec::new()));
    let spawn = |priority, name| {
        let order = order.clone();
        handle.spawn_at(priority, async move { order.borrow_mut().push(name) }).unwrap()
    };
    let (last, middle, first) = (spawn(Some(2), "last"), spawn(None, "middle"), spawn(Some(0), "first"));
    executor
        .block_on(async {
            for task in [last, middle, first] {
                task.await.unwrap();
            }
        })
        .unwrap();
    assert_eq!(*order.borrow(), ["first", "middle", "last"]);
}

#[test]
fn idle_timeout_that_comes_late_does_not_shorten_the_next() {
    let (mut executor, handle) = tasks();
    let source = Rc::new(handle.source(3, ()).unwrap());
    source.set_idle_timeout(Some(SECOND * 20));
    let waits = [Interest::READ, Interest::WRITE].map(|interest| {
        let source = source.clone();
        // The second wait begins in the turn that ends the first.
        let waits = async move { (source.ready(interest).await, source.ready(interest).await) };
        handle.spawn(waits).unwrap()
    });
    assert!(executor.next_event(Wait::For(SECOND * 15)).unwrap().is_none());
    executor.base().unwrap().backend_mut().advance(SECOND * 10);
    for waits in waits {
        assert_eq!(executor.block_on(waits).unwrap().unwrap(), (Ok(Ready::TIMEOUT), Ok(Ready::TIMEOUT)));
    }
    assert_eq!(handle.now().unwrap().as_nanos(), 45_000_000_000);
}
