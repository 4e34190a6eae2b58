//! libevent's `watch/malloc_failure`, for events of all kinds: a failed allocation is an error, and nothing is lost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::time::Duration;

use evcore::backend::Manual;
use evcore::{Error, Event, EventBase, Growable, Interest, Ready, Wait};

/// Makes one allocation of a thread fail, after a given number of others.
struct Refusing;

thread_local! {
    static GRANTED: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn is_refused() -> bool {
    let left = GRANTED.get();
    GRANTED.set(if left == 0 { usize::MAX } else { left.saturating_sub(usize::from(left != usize::MAX)) });
    left == 0
}

// SAFETY: it passes requests on to the system's allocator, or returns that there is no memory.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused() {
            return ptr::null_mut();
        }
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static REFUSING: Refusing = Refusing;

/// Each allocation that creating an event makes fails in turn, until none is left.
#[test]
fn an_allocator_that_refuses_is_an_error_and_nothing_is_lost() {
    let kinds = [
        Event::io(3, Interest::READ),
        Event::timer(),
        Event::signal(10),
        Event::prepare(),
        Event::check(),
        Event::user(),
    ];
    for kind in kinds {
        let mut refusals = 0;
        for before in [0, 1, 4, 64] {
            for granted in 0.. {
                let mut base: EventBase<Manual, Growable, usize> = EventBase::new(Manual::new());
                let events: Vec<_> = (0..before).map(|number| base.create(kind, number).unwrap()).collect();
                GRANTED.set(granted);
                let created = base.create(kind, 1_000);
                let is_over = GRANTED.replace(usize::MAX) != usize::MAX;
                assert!(base.check());
                match created {
                    Ok(event) => assert_eq!(base.remove(event), Some(1_000)),
                    Err(rejected) => {
                        assert!(!is_over, "nothing was refused");
                        assert_eq!((rejected.error, rejected.data), (Error::Full, 1_000));
                        refusals += 1;
                    }
                }
                // Nothing has changed, and there is room again.
                let after = base.create(kind, 1_001).unwrap();
                for event in events.iter().chain([&after]) {
                    base.activate(*event, Ready::READ).unwrap();
                }
                base.insert_timer(Duration::from_secs(1), 1_002).unwrap();
                assert!(base.poll(Wait::None).unwrap().is_running());
                for number in (0..before).chain([1_001]) {
                    assert_eq!(base.next_active().map(|fired| *fired.data), Some(number));
                }
                assert!(base.next_active().is_none() && base.check());
                if is_over {
                    break;
                }
            }
        }
        assert!(refusals > 0, "{kind:?} asks for no memory");
    }
}
