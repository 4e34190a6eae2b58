//! Cells that are created before the model begins.
//!
//! loom treats the creation of a cell as a write that all other accesses must come after. A cell created at first
//! use, in any thread, would race with the others.

use std::sync::{Mutex, PoisonError};

use loom::sync::atomic;

/// More cells of one kind than any model uses.
const ROOM: usize = 96;

macro_rules! made {
    ($name:ident, $value:ty, $zero:expr, $pool:ident) => {
        static $pool: Mutex<Vec<atomic::$name>> = Mutex::new(Vec::new());

        pub(crate) struct $name;

        impl $name {
            pub(crate) fn take(initial: $value) -> atomic::$name {
                assert!(initial == $zero, "every cell begins with zero");
                let mut pool = $pool.lock().unwrap_or_else(PoisonError::into_inner);
                pool.pop().expect("enough cells")
            }

            fn fill() {
                let mut pool = $pool.lock().unwrap_or_else(PoisonError::into_inner);
                // Cells of an earlier interleaving are invalid now, even for their destructor.
                std::mem::forget(std::mem::take(&mut *pool));
                pool.extend((0..ROOM).map(|_| atomic::$name::new($zero)));
            }
        }
    };
}

made!(AtomicBool, bool, false, BOOLS);
made!(AtomicU8, u8, 0, U8S);
made!(AtomicU32, u32, 0, U32S);
made!(AtomicUsize, usize, 0, USIZES);

pub(crate) fn fill() {
    AtomicBool::fill();
    AtomicU8::fill();
    AtomicU32::fill();
    AtomicUsize::fill();
}
