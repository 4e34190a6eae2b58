//! With a storage of fixed capacity nothing allocates: neither the core nor the cases that prove it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use evcore::Fixed;
use evcore::backend::WakeFlag;
use evcore_tests::{ByHand, run_all};

/// The system's allocator, counting the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Whether allocations of this thread fail.
    static IS_REFUSED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: everything is passed on to the system's allocator; the counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        if IS_REFUSED.get() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's guarantee is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn fixed_mode_allocates_nothing() {
    static FLAG: WakeFlag = WakeFlag::new();
    let (before, case) = (Cell::new(0), Cell::new(""));
    run_all::<_, Fixed<64>>(
        |name| {
            case.set(name);
            FLAG.take();
            before.set(ALLOCATIONS.get());
            ByHand::with_flag(&FLAG)
        },
        |_| {
            let allocations = ALLOCATIONS.get() - before.get();
            // A panic allocates, which shows that the counter works.
            assert!(
                allocations == 0 || case.get() == "callback_panic_leaves_loop_usable",
                "{}: {allocations}",
                case.get()
            );
        },
    );
}

/// What epoll allocates after it was created: files, which the kernel refuses, and the list of nests.
#[cfg(target_os = "linux")]
#[test]
fn epoll_without_memory_refuses_a_file_and_a_nest_and_takes_them_later() {
    use evcore::{EventBase, Fd, Interest};
    use evplat_linux::{Epoll, Error};

    let null = std::fs::File::open("/dev/null").unwrap();
    let mut base: EventBase<Epoll, Fixed<4>, ()> = EventBase::new(Epoll::new().unwrap());
    IS_REFUSED.set(true);
    let file = base.insert(Fd::of(&null), Interest::READ, ()).map_err(|rejected| rejected.error);
    let nest = base.backend_mut().nest().map(drop);
    IS_REFUSED.set(false);
    assert_eq!(file, Err(evcore::Error::Backend(Error::Full)));
    assert_eq!(nest, Err(Error::Full));
    base.insert(Fd::of(&null), Interest::READ, ()).unwrap();
    base.backend_mut().nest().unwrap();
}
