//! Waiting never allocates, and a backend of fixed size allocates only for wakers and signals.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use evcore::backend::Wake;
use evcore::storage::Storage;
use evcore::{EventBase, Fd, Fixed, Growable, Interest, Wait};
use evplat_posix::backend::Slots;
use evplat_posix::{Clock, Error, Poll, Select};

/// Counts each thread's allocations.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
    static FREED: Cell<usize> = const { Cell::new(0) };
    /// This many allocations succeed, and the next one fails.
    static GRANTED: Cell<usize> = const { Cell::new(usize::MAX) };
}

// SAFETY: it passes requests on to the system's allocator, and counts them.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        let granted = GRANTED.get();
        GRANTED.set(granted.wrapping_sub(1));
        if granted == 0 {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        FREED.set(FREED.get() + 1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The number of allocations in `work`.
fn asked(work: impl FnOnce()) -> usize {
    let before = ASKED.get();
    work();
    ASKED.get() - before
}

const PAIRS: usize = 8;

fn turn<B: Wake<Fd = Fd, Error = Error>, S: Storage>(base: &mut EventBase<B, S, ()>, wait: Wait) {
    assert!(base.poll(wait).unwrap().is_running());
    while base.next_active().is_some() {}
}

/// Everything an event can do after it was created.
fn work<B: Wake<Fd = Fd, Error = Error>, S: Storage>(
    base: &mut EventBase<B, S, ()>,
    pairs: &[(UnixStream, UnixStream)],
) {
    let mut events = [None; PAIRS];
    for (event, (near, _)) in events.iter_mut().zip(pairs) {
        *event = base.insert(Fd::of(near), Interest::READ, ()).ok();
    }
    for (event, (near, far)) in events.iter().flatten().zip(pairs) {
        (&*far).write_all(b"x").unwrap();
        turn(base, Wait::Forever);
        (&*near).read_exact(&mut [0]).unwrap();
        base.modify(*event, Interest::WRITE).unwrap();
        turn(base, Wait::Forever);
        base.modify(*event, Interest::empty()).unwrap();
        let soon = base.update_now().saturating_add(Duration::from_millis(1));
        turn(base, Wait::Until(soon));
    }
    for event in events.into_iter().flatten() {
        base.remove(event);
    }
}

fn pairs() -> Vec<(UnixStream, UnixStream)> {
    (0..PAIRS).map(|_| UnixStream::pair().unwrap()).collect()
}

fn growable_is_quiet_after_warm_up<B: Wake<Fd = Fd, Error = Error>>(backend: B) {
    let pairs = pairs();
    let mut base: EventBase<B, Growable, ()> = EventBase::new(backend);
    let waker = base.waker().unwrap();
    assert_ne!(asked(|| work(&mut base, &pairs)), 0);
    drop(waker);
    assert_eq!(asked(|| work(&mut base, &pairs)), 0);
}

fn fixed_is_always_quiet<B: Wake<Fd = Fd, Error = Error>>(make: fn() -> Result<B, Error>) {
    let pairs = pairs();
    // The process's first fork handler is the only thing that allocates.
    drop(make().unwrap());
    let silent = asked(|| {
        let mut base: EventBase<B, Fixed<16>, ()> = EventBase::new(make().unwrap());
        work(&mut base, &pairs);
    });
    assert_eq!(silent, 0);
}

fn fixed<S: Slots>() -> Result<(Poll<S>, Select<S>), Error> {
    Ok((Poll::with_clock(Clock::Monotonic)?, Select::with_clock(Clock::Monotonic)?))
}

#[test]
fn poll() {
    growable_is_quiet_after_warm_up(Poll::new().unwrap());
    fixed_is_always_quiet(|| Ok(fixed::<Fixed<16>>()?.0));
}

#[test]
fn select() {
    growable_is_quiet_after_warm_up(Select::new().unwrap());
    fixed_is_always_quiet(|| Ok(fixed::<Fixed<16>>()?.1));
}

/// Each allocation in turn fails: the process survives, and the call succeeds when it is repeated.
fn refused_memory_is_an_error<B: Wake<Fd = Fd, Error = Error>>(make: fn() -> Result<B, Error>) {
    drop(make().unwrap());
    let mut refused = 0;
    for granted in 0.. {
        let mut base: EventBase<B, Fixed<16>, ()> = EventBase::new(make().unwrap());
        GRANTED.set(granted);
        let woken = base.waker().map(drop);
        let watched = base.insert_signal(10, ()).map(drop);
        GRANTED.set(usize::MAX);
        let failed = usize::from(woken.is_err()) + usize::from(watched.is_err());
        refused += failed;
        base.waker().unwrap();
        if watched.is_err() {
            base.insert_signal(10, ()).unwrap();
        }
        if failed == 0 {
            break;
        }
    }
    // At least the waker allocates; an inbox may be left over from another test.
    assert!(refused >= 1);
}

#[test]
fn poll_without_memory() {
    refused_memory_is_an_error(|| Ok(fixed::<Fixed<16>>()?.0));
}

#[test]
fn select_without_memory() {
    refused_memory_is_an_error(|| Ok(fixed::<Fixed<16>>()?.1));
}

/// The sleeper's list has to grow.
#[test]
fn a_sleep_without_memory_is_an_error() {
    let mut base: EventBase<Poll, Growable, ()> = EventBase::new(Poll::new().unwrap());
    let asleep = base.begin_sleep(Wait::None).unwrap();
    assert!(base.end_sleep(asleep).unwrap().is_running());
    let pairs = pairs();
    for (near, _) in &pairs {
        base.insert(Fd::of(near), Interest::READ, ()).unwrap();
    }
    GRANTED.set(0);
    let refused = base.begin_sleep(Wait::None).map(drop);
    GRANTED.set(usize::MAX);
    assert_eq!(refused, Err(Error::Full));
    assert!(base.begin_sleep(Wait::None).is_ok());
}

/// Each base takes a free inbox; if there is none, a new one is allocated.
#[test]
fn an_inbox_without_memory_is_an_error() {
    let mut held = Vec::new();
    for _ in 0..64 {
        let mut base: EventBase<Poll, Fixed<4>, ()> = EventBase::new(Poll::new().unwrap());
        base.waker().unwrap();
        GRANTED.set(0);
        let watched = base.insert_signal(10, ()).map_err(|rejected| rejected.error);
        GRANTED.set(usize::MAX);
        if let Err(error) = watched {
            assert_eq!(error, evcore::Error::Backend(Error::Full));
            base.insert_signal(10, ()).unwrap();
            return;
        }
        held.push(base);
    }
    panic!("{} bases have an inbox without memory", held.len());
}

/// Either of the table's two lists may fail to grow; both must still have the same length.
#[test]
fn an_fd_that_finds_no_memory_leaves_the_table_in_order() {
    let pairs = pairs();
    for granted in 0.. {
        let mut base: EventBase<Poll, Fixed<16>, usize> = EventBase::new(Poll::new().unwrap());
        let mut refused = 0;
        for (index, (near, _)) in pairs.iter().enumerate() {
            GRANTED.set(granted);
            let inserted = base.insert(Fd::of(near), Interest::READ, index).map(drop);
            GRANTED.set(usize::MAX);
            if inserted.is_err() {
                refused += 1;
                base.insert(Fd::of(near), Interest::READ, index).unwrap();
            }
        }
        // Removing the first entry moves the last one to its index.
        let first = base.iter().find(|(_, index)| **index == 0).map(|(id, _)| id);
        base.remove(first.unwrap());
        let (_, far) = pairs.last().unwrap();
        (&*far).write_all(b"x").unwrap();
        assert_eq!(base.next_event(Wait::Forever).unwrap().map(|event| *event.data), Some(PAIRS - 1));
        let (near, _) = pairs.last().unwrap();
        (&*near).read_exact(&mut [0]).unwrap();
        if refused == 0 {
            assert!(granted > 1, "nothing was refused");
            break;
        }
    }
}

#[test]
fn a_base_gives_all_its_memory_back() {
    drop(Poll::new().unwrap());
    let (asked, freed) = (ASKED.get(), FREED.get());
    let mut base: EventBase<Poll, Growable, ()> = EventBase::new(Poll::new().unwrap());
    base.waker().unwrap().wake();
    let _ = base.begin_sleep(Wait::None).unwrap();
    drop(base);
    assert_eq!(ASKED.get() - asked, FREED.get() - freed);
}
