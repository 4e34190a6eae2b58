//! With storage of fixed capacity nothing is allocated: neither by the core, nor by the cases that prove it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use evcore::Fixed;
use evcore::backend::WakeFlag;
use evcore_tests::{ByHand, run_all};

/// The system's allocator, which counts what each thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; counting is no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
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
            // Panicking allocates, and that is what this one does.
            assert!(
                allocations == 0 || case.get() == "callback_panic_leaves_loop_usable",
                "{}: {allocations}",
                case.get()
            );
        },
    );
}
