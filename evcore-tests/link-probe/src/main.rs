//! Proves at link time that no panic is reachable through evcore's API.
//!
//! The panic handler calls a function that is defined nowhere. So the program links only if the optimiser has removed
//! every call of the handler, because it has proved every panic unreachable, including those of overflow checks.
//! Every public function is called, with a base and arguments about which the optimiser can assume nothing.
//!
//! `.ci/link-probe` builds it, checks that it calls every public function, and that it does not link if a panic is
//! inserted (`--features panic`). It proves nothing about a *generic* parameter: a user's own backend or handler may
//! panic, and so may the destructor of a user's data.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use evcore::backend::Manual;
use evcore::callback::Callback;
use evcore::storage::{Complete, Lean, Storage};
use evcore::{EventBase, Fixed};

#[cfg(feature = "alloc")]
mod allocator;
mod board;
mod calls;
mod hostile;
mod values;

use hostile::Hostile;

#[cfg(not(feature = "find"))]
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        /// Defined nowhere.
        safe fn a_panic_can_be_reached() -> !;
    }
    a_panic_can_be_reached()
}

/// Keeps the locations of panics in the program, so that they can be looked up.
#[cfg(feature = "find")]
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    loop {
        black_box(info.location());
    }
}

// SAFETY: no other function of this name is linked.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    values::every_call();
    with_all_parts::<Fixed<1>>();
    with_all_parts::<Fixed<64>>();
    with_all_parts::<Fixed<64, 8, 1>>();
    with_storage::<Fixed<8, 2, 1, Lean>>();
    with_storage::<Fixed<8, 0, 1, Lean>>();
    with_storage::<Fixed<64, 0, 4, Lean>>();
    #[cfg(feature = "alloc")]
    with_all_parts::<evcore::Growable>();
    #[cfg(feature = "panic")]
    black_box(black_box(1_u32) + black_box(2_u32));
    0
}

fn with_all_parts<S: Complete>() {
    with_storage::<S>();
    let mut base = EventBase::<Manual<4>, S, u32>::new(Manual::with_room());
    calls::of_parts(black_box(&mut base));
    let mut base = EventBase::<Hostile, S, u32>::new(Hostile);
    calls::of_parts(black_box(&mut base));
}

fn with_storage<S: Storage>() {
    let mut base = EventBase::<Manual<4>, S, u32>::new(Manual::with_room());
    calls::every_call(black_box(&mut base));
    calls::manual(black_box(base.backend_mut()));
    let mut base = EventBase::<Hostile, S, u32>::new(Hostile);
    calls::every_call(black_box(&mut base));
    let mut base = EventBase::<Hostile, S, Callback<Hostile, S, u8>>::new(Hostile);
    calls::callbacks(black_box(&mut base));
    board::every_call::<S>();
    #[cfg(feature = "alloc")]
    calls::closures::<S>(black_box(&mut EventBase::new(Hostile)));
}
