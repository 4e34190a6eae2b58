//! Tasks: futures on a base.

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use evcore::backend::EventOp;
use evcore::options::Missed;
use evcore::storage::Complete;
use evcore::task::{Executor, Handle, Item, JoinError, yield_now};
use evcore::{End, Error, Event, EventBase, Interest, Ready, Wait};

use crate::{Fixture, PATIENCE, Proof};

pub(super) const READ: Interest = Interest::READ;
pub(super) const MS: Duration = Duration::from_millis(1);

/// A fixture whose backend can run tasks.
pub trait FixtureOfTasks:
    Fixture<Backend: EventOp<Fd: 'static, Error: PartialEq> + 'static, Waker: Clone + Send + Sync + 'static> + 'static
{
}
impl<F: Fixture<Backend: EventOp<Fd: 'static, Error: PartialEq> + 'static> + 'static> FixtureOfTasks for F {}

type HandleOf<F> = Handle<<<F as Fixture>::Backend as EventOp>::Fd, <<F as Fixture>::Backend as EventOp>::Error>;
type RunOf<F, S> = Executor<<F as Fixture>::Backend, S, u32>;

/// An executor on a fixture's backend.
pub(super) struct Tasks<F: FixtureOfTasks, S: Complete + 'static> {
    pub(super) executor: RunOf<F, S>,
    pub(super) handle: HandleOf<F>,
    pub(super) fixture: F,
    can_be_woken: bool,
}

/// Wakes the base with the fixture's waker.
struct Alarm<F: Fixture>(F::Waker);

impl<F: Fixture + 'static> alloc::task::Wake for Alarm<F> {
    fn wake(self: Arc<Self>) {
        F::wake(&self.0);
    }
}

impl<F: FixtureOfTasks, S: Complete + 'static> Tasks<F, S> {
    pub(super) fn new(fixture: F) -> Self {
        Self::with_priorities(fixture, 1)
    }

    fn with_priorities(mut fixture: F, priorities: u8) -> Self {
        let mut base = EventBase::new(fixture.backend());
        base.set_priorities(priorities).unwrap();
        let waker = fixture.waker(base.backend_mut());
        let can_be_woken = waker.is_some();
        let executor: RunOf<F, S> = match waker {
            Some(waker) => Executor::with_waker(base, Waker::from(Arc::new(Alarm::<F>(waker)))),
            None => Executor::local(base),
        };
        Self { handle: executor.handle(), executor, fixture, can_be_woken }
    }

    pub(super) fn block_on<R>(&mut self, future: impl Future<Output = R>) -> R {
        self.executor.block_on(future).unwrap()
    }

    pub(super) fn source(&mut self) -> F::Source {
        self.fixture.source(self.executor.base().unwrap().backend_mut())
    }

    pub(super) fn feed(&mut self, source: &mut F::Source) {
        self.fixture.feed(self.executor.base().unwrap().backend_mut(), source);
    }

    pub(super) fn drain(&mut self, source: &mut F::Source) {
        self.fixture.drain(self.executor.base().unwrap().backend_mut(), source);
    }

    pub(super) fn events(&mut self) -> u32 {
        self.executor.base().unwrap().counts().events
    }

    /// Runs tasks for `time`.
    pub(super) fn pass(&mut self, time: Duration) {
        let handle = self.handle.clone();
        self.block_on(handle.sleep(time)).unwrap();
    }
}

/// Polls a future once, with a waker that does nothing.
fn poll_once<R>(future: impl Future<Output = R>) -> Poll<R> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A task ends with its output, which its handle gets, even if it is awaited late.
pub fn task_ends_with_its_output<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let task = tasks.handle.spawn(async { 7 }).unwrap();
    assert!(!task.is_finished(), "polled by spawn itself");
    tasks.block_on(yield_now());
    assert!(task.is_finished());
    assert_eq!(tasks.block_on(task).unwrap(), 7);
    // Unlike a task, this future may borrow.
    let local = 5;
    assert_eq!(tasks.block_on(async { local + 1 }), 6);
    assert_eq!((tasks.events(), tasks.executor.tasks()), (0, 0));
    Proof::Shown
}

/// Two sources that become ready in one turn cause one poll of the task that waits for both; what happens after that
/// poll causes one in the next turn.
pub fn task_is_polled_once_a_turn<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut raw = [tasks.source(), tasks.source()];
    let sources = [0, 1].map(|which: usize| tasks.handle.source(tasks.fixture.fd(&raw[which]), ()).unwrap());
    let (polls, seen) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let task = tasks.handle.spawn({
        let (polls, seen) = (polls.clone(), seen.clone());
        poll_fn(move |context: &mut Context<'_>| {
            polls.set(polls.get() + 1);
            for source in &sources {
                seen.set(seen.get() + i32::from(source.poll_ready(context, READ).is_ready()));
            }
            Poll::<()>::Pending
        })
    });
    let task = task.unwrap();
    tasks.block_on(yield_now());
    let first = polls.get();
    raw.iter_mut().for_each(|raw| tasks.feed(raw));
    for turn in 1..4 {
        let before = polls.get();
        assert!(tasks.executor.next_event(Wait::None).unwrap().is_none());
        assert!(polls.get() <= before + 1, "{} polls in turn {turn}", polls.get() - before);
    }
    assert!(seen.get() >= 2 && polls.get() > first, "it has not seen both");
    task.abort();
    assert!(tasks.block_on(task).is_err());
    Proof::Shown
}

/// A task that is woken many times before it is polled is polled once.
pub fn task_woken_twice_is_polled_once<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let (polls, waker) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
    let task = tasks.handle.spawn({
        let (polls, waker) = (polls.clone(), waker.clone());
        poll_fn(move |context: &mut Context<'_>| {
            polls.set(polls.get() + 1);
            *waker.borrow_mut() = Some(context.waker().clone());
            if polls.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
    });
    let task = task.unwrap();
    tasks.block_on(yield_now());
    for expected in [1, 2] {
        assert_eq!(polls.get(), expected);
        let waker: Waker = waker.borrow().clone().unwrap();
        waker.wake_by_ref();
        waker.wake();
        tasks.pass(MS);
    }
    assert!(polls.get() == 3 && task.is_finished());
    Proof::Shown
}

/// A task that another one aborts is not polled again: its future is dropped, and its waits end.
pub fn task_aborted_by_another<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let kept = Rc::new(());
    let handle = tasks.handle.clone();
    let victim = handle.spawn({
        let (handle, kept) = (handle.clone(), kept.clone());
        async move {
            handle.sleep(PATIENCE).await.unwrap();
            drop(kept);
        }
    });
    let victim = victim.unwrap();
    let done = handle.spawn(async {}).unwrap();
    tasks.block_on(yield_now());
    assert_eq!(tasks.events(), 2, "the victim, and its sleep");
    let aborter = handle.spawn(async move {
        victim.abort();
        victim.abort();
        done.abort();
        (victim.await, done.await)
    });
    let (victim, done) = tasks.block_on(aborter.unwrap()).unwrap();
    assert!(matches!(victim, Err(JoinError::Aborted)));
    assert!(matches!(done, Ok(())), "it had ended before");
    assert_eq!((Rc::strong_count(&kept), tasks.events()), (1, 0));
    Proof::Shown
}

/// A task that is aborted before its first poll, while it waits, or after it was woken is not polled again, and neither is
/// one whose event the program removes.
pub fn task_aborted_in_each_state_is_not_polled<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    for (state, is_removed) in
        ["not polled", "waiting", "woken"].into_iter().flat_map(|state| [(state, false), (state, true)])
    {
        let (polls, waker) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None::<Waker>)));
        let victim = tasks.handle.spawn({
            let (polls, waker) = (polls.clone(), waker.clone());
            poll_fn(move |context: &mut Context<'_>| {
                polls.set(polls.get() + 1);
                *waker.borrow_mut() = Some(context.waker().clone());
                Poll::<()>::Pending
            })
        });
        let victim = victim.unwrap();
        if state != "not polled" {
            tasks.block_on(yield_now());
        }
        if state == "woken" {
            waker.borrow().as_ref().unwrap().wake_by_ref();
        }
        let before = polls.get();
        if is_removed {
            let mut base = tasks.executor.base().unwrap();
            let event = base.iter().next().unwrap().0;
            drop(base.remove(event));
            assert!(victim.is_finished(), "{state}");
        } else {
            victim.abort();
        }
        assert!(matches!(tasks.block_on(victim), Err(JoinError::Aborted)), "{state}");
        assert_eq!((polls.get(), tasks.events(), tasks.executor.tasks()), (before, 0, 0), "{state}");
    }
    Proof::Shown
}

/// A task's waker may be used after the task and its executor are gone.
pub fn waker_outlives_its_executor<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let waker = tasks.block_on(poll_fn(|context| Poll::Ready(context.waker().clone())));
    waker.wake_by_ref();
    // The slot is another task's now, which gets a spurious wake.
    let task = tasks.handle.spawn(yield_now()).unwrap();
    waker.wake_by_ref();
    tasks.block_on(task).unwrap();
    drop(tasks);
    waker.wake_by_ref();
    waker.wake();
    Proof::Shown
}

/// A wake from another thread ends the base's sleep.
pub fn wake_of_another_thread_ends_a_sleep<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let tasks = Tasks::<F, S>::new(fixture);
    if tasks.can_be_woken { wake_from_a_thread(tasks) } else { Proof::Absent("waker") }
}

#[cfg(not(feature = "std"))]
fn wake_from_a_thread<F: FixtureOfTasks, S: Complete + 'static>(_: Tasks<F, S>) -> Proof {
    Proof::Absent("threads")
}

#[cfg(feature = "std")]
fn wake_from_a_thread<F: FixtureOfTasks, S: Complete + 'static>(mut tasks: Tasks<F, S>) -> Proof {
    use core::sync::atomic::{AtomicBool, Ordering};
    for _ in 0..3 {
        let (sent, mut thread) = (Arc::new(AtomicBool::new(false)), None);
        tasks.block_on(poll_fn(|context| {
            if sent.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            thread.get_or_insert_with(|| {
                let (sent, waker) = (sent.clone(), context.waker().clone());
                std::thread::spawn(move || {
                    std::thread::sleep(MS);
                    sent.store(true, Ordering::Relaxed);
                    waker.wake();
                })
            });
            Poll::Pending
        }));
        thread.unwrap().join().unwrap();
    }
    Proof::Shown
}

/// What remains of a dropped executor returns the error that it has ended, and wakes tasks elsewhere that wait for
/// it.
pub fn futures_outlive_their_executor<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    struct Count(core::sync::atomic::AtomicUsize);
    impl alloc::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        }
    }
    let mut tasks = Tasks::<F, S>::new(fixture);
    let raw = tasks.source();
    let (handle, fd, owner) = (tasks.handle.clone(), tasks.fixture.fd(&raw), Rc::new(()));
    let source = handle.source(fd, owner.clone()).unwrap();
    let mut interval = handle.interval(MS, Missed::Skip).unwrap();
    let task = handle.spawn(pending::<()>()).unwrap();
    let wakes = Arc::new(Count(Default::default()));
    let waker = Waker::from(wakes.clone());
    assert!(source.poll_ready(&Context::from_waker(&waker), READ).is_pending());
    drop(tasks.executor);
    assert_eq!(wakes.0.load(core::sync::atomic::Ordering::Relaxed), 1);
    assert!(matches!(poll_once(source.ready(READ)), Poll::Ready(Err(Error::Ended))));
    assert!(matches!(poll_once(interval.next()), Poll::Ready(Err(Error::Ended))));
    assert!(matches!(poll_once(handle.sleep(MS)), Poll::Ready(Err(Error::Ended))));
    assert!(matches!(handle.spawn(async {}).map_err(|refused| refused.error), Err(Error::Ended)));
    assert!(matches!(poll_once(task), Poll::Ready(Err(JoinError::Aborted))));
    drop((source, interval));
    assert_eq!(Rc::strong_count(&owner), 1);
    Proof::Shown
}

/// A task that constantly wakes itself is polled once per turn: other tasks and timers are not starved.
pub fn task_that_wakes_itself_starves_nobody<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let polls = Rc::new(Cell::new(0u32));
    let greedy = tasks.handle.spawn({
        let (polls, handle) = (polls.clone(), tasks.handle.clone());
        async move {
            loop {
                polls.set(polls.get() + 1);
                yield_now().await;
                if F::IS_VIRTUAL && polls.get() > 100 {
                    // Virtual time does not advance while a task can run.
                    handle.sleep(MS).await.unwrap();
                }
            }
        }
    });
    let greedy = greedy.unwrap();
    for round in 1..4 {
        tasks.block_on(yield_now());
        assert!(polls.get() <= 2 * round, "{} polls in {round} turns", polls.get());
    }
    tasks.pass(MS * 2);
    greedy.abort();
    assert!(tasks.block_on(greedy).is_err());
    Proof::Shown
}

/// A task and its waits have the task's priority.
pub fn more_urgent_task_goes_first<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::with_priorities(fixture, 3);
    let order = Rc::new(RefCell::new(Vec::new()));
    let (handle, begin) = (tasks.handle.clone(), tasks.handle.now().unwrap());
    let all: Vec<_> = [2u8, 1, 0]
        .into_iter()
        .map(|priority| {
            let (handle, order) = (handle.clone(), order.clone());
            let task = async move {
                order.borrow_mut().push(priority);
                handle.sleep_until(begin + MS * 3).await.unwrap();
                order.borrow_mut().push(10 + priority);
            };
            tasks.handle.spawn_at(priority, task).unwrap()
        })
        .collect();
    assert!(matches!(handle.spawn_at(3, async {}).map_err(|refused| refused.error), Err(Error::NoSuchPriority)));
    tasks.block_on(yield_now());
    let Tasks { executor, fixture, .. } = &mut tasks;
    fixture.pass(executor.base().unwrap().backend_mut(), MS * 4);
    for task in all {
        tasks.block_on(task).unwrap();
    }
    assert_eq!(*order.borrow(), [0, 1, 2, 10, 11, 12]);
    Proof::Shown
}

/// The program's own events are handed out beside the tasks, through both interfaces.
pub fn own_events_beside_tasks<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let task = tasks.handle.spawn({
        let handle = tasks.handle.clone();
        async move { handle.sleep(MS * 3).await.unwrap() }
    });
    let task = task.unwrap();
    for (delay, data) in [(MS, 1), (MS * 2, 2)] {
        tasks.executor.base().unwrap().insert_timer(delay, Item::from(data)).unwrap();
    }
    let event = tasks.executor.next_event(Wait::Forever).unwrap().unwrap();
    assert_eq!((*event.data, event.ready), (1, Ready::TIMEOUT));
    drop(event);
    let mut seen = 0;
    let result = tasks.executor.run(task, |base, event| {
        seen = *base.get_mut(event.id).unwrap().get_mut().unwrap();
    });
    result.unwrap().unwrap();
    assert_eq!(seen, 2);
    assert!(tasks.executor.next_event(Wait::None).unwrap().is_none());
    assert_eq!(tasks.executor.ended(), None);
    assert!(tasks.executor.next_event(Wait::Forever).unwrap().is_none());
    assert_eq!(tasks.executor.ended(), Some(End::Empty));
    Proof::Shown
}

/// If there is no room for a task, it is refused and its future returned; when there is room again it runs.
pub fn refused_task_gives_its_future_back<F: FixtureOfTasks, S: Complete + 'static>(fixture: F) -> Proof {
    let mut tasks = Tasks::<F, S>::new(fixture);
    let mut fillers = Vec::new();
    while fillers.len() < 100 {
        let mut base = tasks.executor.base().unwrap();
        let Ok(event) = base.create(Event::user(), Item::from(0)) else { break };
        fillers.push(event);
    }
    let kept = Rc::new(());
    let future = {
        let kept = kept.clone();
        async move { Rc::strong_count(&kept) }
    };
    let future = match tasks.handle.spawn(future) {
        Ok(task) if fillers.len() == 100 => {
            assert_eq!(tasks.block_on(task).unwrap(), 2);
            return Proof::Refused("limit on events");
        }
        Ok(_) => panic!("a base that is full took a task"),
        Err(refused) => {
            assert!(matches!(refused.error, Error::Full));
            refused.data
        }
    };
    assert_eq!(Rc::strong_count(&kept), 2);
    assert!(matches!(tasks.executor.block_on(async {}), Err(Error::Full)));
    for event in fillers {
        tasks.executor.base().unwrap().remove(event);
    }
    let task = tasks.handle.spawn(future).unwrap();
    assert_eq!(tasks.block_on(task).unwrap(), 2);
    Proof::Shown
}

/// If no other thread can wake them, tasks that wait for nothing on the base end the loop: the deadlock is an error.
pub fn tasks_that_nothing_wakes_end_the_loop<F: FixtureOfTasks, S: Complete + 'static>(mut fixture: F) -> Proof {
    let base: EventBase<F::Backend, S, Item<u32>> = EventBase::new(fixture.backend());
    let mut executor = Executor::local(base);
    let handle = executor.handle();
    let task = handle.spawn(pending::<()>()).unwrap();
    let blocked = executor.block_on(async {
        handle.sleep(MS).await.unwrap();
        let _ = task.await;
    });
    assert!(matches!(blocked, Err(Error::Ended)));
    assert_eq!(executor.ended(), Some(End::Empty));
    // The executor can be used again.
    assert_eq!(executor.block_on(async { 7 }), Ok(7));
    Proof::Shown
}
