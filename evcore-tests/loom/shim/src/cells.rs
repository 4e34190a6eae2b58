//! Atomic cells of loom that can be made in a constant expression, and that support SeqCst.

use core::fmt;
use std::sync::{Mutex, PoisonError};

use loom::sync::atomic::Ordering::{self, AcqRel, Acquire, Release, SeqCst};
use loom::sync::atomic::{self, fence};

use crate::made;
use crate::once::interleaving;

/// Runs an operation with the ordering that loom supports. loom treats a SeqCst operation as acquire and release,
/// which is weaker. With a fence on either side it has its place in the single total order.
fn ordered<R>(order: Ordering, weaker: Ordering, operation: impl FnOnce(Ordering) -> R) -> R {
    if order != SeqCst {
        return operation(order);
    }
    fence(SeqCst);
    let answer = operation(weaker);
    fence(SeqCst);
    answer
}

macro_rules! cell {
    ($name:ident, $value:ty) => {
        pub struct $name {
            initial: $value,
            /// Created at first use in an interleaving, because only a running model can create one. Never freed,
            /// because a cell in a `static` is used again in the next interleaving.
            inner: Mutex<Option<(usize, &'static atomic::$name)>>,
        }

        impl $name {
            pub const fn new(initial: $value) -> Self {
                Self { initial, inner: Mutex::new(None) }
            }

            fn inner(&self) -> &'static atomic::$name {
                let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                let now = interleaving();
                let fresh = || (now, &*Box::leak(Box::new(made::$name::take(self.initial))));
                let current = inner.take().filter(|(made_in, _)| *made_in == now).unwrap_or_else(fresh);
                inner.insert(current).1
            }

            pub fn load(&self, order: Ordering) -> $value {
                ordered(order, Acquire, |order| self.inner().load(order))
            }

            pub fn store(&self, value: $value, order: Ordering) {
                ordered(order, Release, |order| self.inner().store(value, order));
            }

            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                ordered(order, AcqRel, |order| self.inner().swap(value, order))
            }

            pub fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.inner().compare_exchange(old, new, success, failure)
            }

            /// Never fails spuriously here.
            pub fn compare_exchange_weak(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(old, new, success, failure)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

macro_rules! number {
    ($name:ident, $value:ty) => {
        cell!($name, $value);

        impl $name {
            pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                ordered(order, AcqRel, |order| self.inner().fetch_add(value, order))
            }

            pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                ordered(order, AcqRel, |order| self.inner().fetch_sub(value, order))
            }

            pub fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                ordered(order, AcqRel, |order| self.inner().fetch_or(value, order))
            }

            pub fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                ordered(order, AcqRel, |order| self.inner().fetch_and(value, order))
            }

            pub fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                ordered(order, AcqRel, |order| self.inner().fetch_max(value, order))
            }

            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.inner().fetch_update(set, fetch, change)
            }
        }
    };
}

cell!(AtomicBool, bool);
number!(AtomicU8, u8);
number!(AtomicU32, u32);
number!(AtomicUsize, usize);

/// A pointer stored as a number, because loom only compares numbers.
pub struct AtomicPtr<T> {
    number: AtomicUsize,
    of: core::marker::PhantomData<core::sync::atomic::AtomicPtr<T>>,
}

impl<T> AtomicPtr<T> {
    /// Always starts as null, because a pointer's number is not known in a constant expression.
    pub const fn new(_: *mut T) -> Self {
        Self { number: AtomicUsize::new(0), of: core::marker::PhantomData }
    }

    pub fn load(&self, order: Ordering) -> *mut T {
        core::ptr::with_exposed_provenance_mut(self.number.load(order))
    }

    pub fn store(&self, pointer: *mut T, order: Ordering) {
        self.number.store(pointer.expose_provenance(), order);
    }

    pub fn swap(&self, pointer: *mut T, order: Ordering) -> *mut T {
        core::ptr::with_exposed_provenance_mut(self.number.swap(pointer.expose_provenance(), order))
    }
}
