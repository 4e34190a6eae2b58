//! The heap memory of an event, per slot of capacity. `.ci/instructions` compares the printed line with the record.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use evcore::backend::{EventOp, FdInfos, Features, Modified, Sink, Sleep, Token};
use evcore::{Event, EventBase, Growable, Instant, Interest};

/// The system's allocator, counting the memory in use.
struct Measured;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator; the counting does not allocate.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

/// A backend that accepts any number of descriptors and stores nothing.
struct Blind;

impl EventOp for Blind {
    type Fd = evcore::Fd;
    type FdInfo = ();
    type Error = std::convert::Infallible;

    fn name(&self) -> &'static str {
        "blind"
    }

    fn features(&self) -> Features {
        Features::empty()
    }

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn add(&mut self, _: Self::Fd, _: Token, _: Interest, _: &mut impl FdInfos<()>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn modify(
        &mut self,
        _: Self::Fd,
        _: Token,
        _: Interest,
        _: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<Modified, Self::Error> {
        Ok(Modified::Kept)
    }

    fn del(&mut self, _: Self::Fd, _: Token, _: Interest, _: &mut impl FdInfos<()>) {}

    fn dispatch(&mut self, _: Sleep, _: &mut impl Sink<Self::Fd>) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Tables double their size, so with a power of two of events no slot is unused.
const EVENTS: usize = 1 << 9;

fn bytes_per_event(create: impl Fn(&mut EventBase<Blind, Growable, ()>, usize)) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    let mut base = EventBase::new(Blind);
    (0..EVENTS).for_each(|number| create(&mut base, number));
    let taken = IN_USE.load(Ordering::Relaxed) - before;
    drop(base);
    assert_eq!(IN_USE.load(Ordering::Relaxed), before, "a base gives all of it back");
    taken / EVENTS
}

// A single test, because a concurrent one would be measured as well.
#[test]
fn bytes_per_slot_are_as_recorded() {
    let files: Vec<_> = (0..EVENTS).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    let event = |number: usize| Event::io(evcore::Fd::of(&files[number]), Interest::READ).persist();
    // With or without a timeout: memory for a timeout is reserved when the event is created.
    let fd_event = bytes_per_event(|base, number| {
        base.start(event(number).timeout(std::time::Duration::from_secs(1)), ()).unwrap();
    });
    let timer = bytes_per_event(|base, _| {
        base.insert_timer(std::time::Duration::from_secs(1), ()).unwrap();
    });
    println!("bytes fd-event={fd_event} timer={timer}");
    // A timer without an fd needs no row; the other tables are the same.
    assert!(timer < fd_event && fd_event <= 120, "fd event {fd_event}, timer {timer}");
}
