//! Cells that were made before the model began.
//!
//! loom takes the making of a cell for a write that everything else must come after. A cell that is made when it is first
//! used, by whatever thread, would race with the others.

use std::sync::{Mutex, PoisonError};

use loom::sync::atomic;

/// More than a model uses of a kind.
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
                // Those of an earlier interleaving mean nothing now, not even to their destructor.
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
