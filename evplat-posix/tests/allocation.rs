//! Waiting allocates nothing, and a backend of fixed size never does, but for wakers and signals.

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

/// Counts what each thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it asks the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often `work` asks for memory.
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

/// All that an event goes through after it was created.
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
    // The process's first fork handler is the one thing that is asked for.
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
