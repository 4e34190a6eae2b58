//! Values shared by threads and signal handlers.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use std::alloc::Layout;

/// A link to something that is never freed, written once. Reading is one load and writing one store, so neither waits
/// for a thread that does not exist in the child of a fork.
pub(crate) struct Link<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Link<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Async-signal-safe.
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or the reference given to `set`, which is `'static` and shared.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn set(&self, to: &'static T) {
        self.0.store(ptr::from_ref(to).cast_mut(), Ordering::Release);
    }
}

/// A shared value with several owners, like an `Arc`; but lack of memory is returned as `None` and does not abort.
pub(crate) struct Shared<T> {
    counted: NonNull<Counted<T>>,
}

pub(crate) struct Counted<T> {
    /// The number of owners besides the first.
    others: AtomicUsize,
    value: T,
}

// SAFETY: as for `Arc`: an owner in another thread can read the value, and may be the one to drop it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// `None` when there is no memory.
    pub(crate) fn new(value: T) -> Option<Self> {
        // SAFETY: the layout's size is not zero: it includes the count.
        let memory = unsafe { std::alloc::alloc(Layout::new::<Counted<T>>()) };
        let counted = NonNull::new(memory.cast::<Counted<T>>())?;
        // SAFETY: the memory is new, and has this layout.
        unsafe { counted.write(Counted { others: AtomicUsize::new(0), value }) };
        Some(Self { counted })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: it lives as long as any owner does.
        unsafe { self.counted.as_ref() }
    }

    fn into_raw(self) -> *mut Counted<T> {
        core::mem::ManuallyDrop::new(self).counted.as_ptr()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // Relaxed: a clone is made from an owner that exists, and the count does not order any reads.
        if self.counted().others.fetch_add(1, Ordering::Relaxed) > usize::MAX >> 1 {
            // That many owners were leaked: abort before the count wraps, like `Arc`.
            std::process::abort();
        }
        Self { counted: self.counted }
    }
}

impl<T> core::ops::Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Release and acquire: everything each owner did to the value happens before it is dropped.
        if self.counted().others.fetch_sub(1, Ordering::Release) != 0 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner. The value is dropped once, and the memory is then freed with the layout it
        // was allocated with.
        unsafe { self.counted.drop_in_place() };
        // SAFETY: as above.
        unsafe { std::alloc::dealloc(self.counted.as_ptr().cast(), Layout::new::<Counted<T>>()) };
    }
}

impl<T: core::fmt::Debug> core::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

/// A [`Shared`] that signal handlers may read while its owner takes it away.
///
/// A handler increments the count, then loads the pointer; the owner clears the pointer, then waits until the count
/// is zero.
pub(crate) struct Lent<T> {
    pointer: AtomicPtr<Counted<T>>,
    borrowers: AtomicUsize,
}

/// Counts one borrower; dropping it ends the count, even during a panic.
struct Borrower<'a>(&'a AtomicUsize);

impl<'a> Borrower<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        // SeqCst, see `Lent::take`.
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Borrower<'_> {
    fn drop(&mut self) {
        // Release: the borrower's reads happen before the owner sees the count.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl<T: Send + Sync> Lent<T> {
    pub(crate) const fn empty() -> Self {
        Self { pointer: AtomicPtr::new(ptr::null_mut()), borrowers: AtomicUsize::new(0) }
    }

    /// Lends `value`. A value that was lent before is leaked; `take` it first.
    pub(crate) fn lend(&self, value: Shared<T>) {
        self.pointer.store(value.into_raw(), Ordering::SeqCst);
    }

    /// Whether a handler reads it now, or was reading an earlier value when the process was forked.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.borrowers.load(Ordering::SeqCst) != 0
    }

    /// Calls `look` with the value, if one is lent. Async-signal-safe if `look` is.
    pub(crate) fn with(&self, look: impl FnOnce(&T)) {
        let _borrower = Borrower::new(&self.borrowers);
        let pointer = self.pointer.load(Ordering::SeqCst);
        // SAFETY: null, or the pointer of a `Shared` whose reference `lend` has kept. `take` gives that reference up
        // only after it removed the pointer and then saw no borrower, and this one has been counted since before it
        // loaded the pointer.
        if let Some(counted) = unsafe { pointer.as_ref() } {
            look(&counted.value);
        }
    }

    /// Takes the value back when no handler reads it any more. Handlers that begin now find nothing; `pause` is
    /// called while there are others. Returns `None` if nothing was lent, or if `pause` returned `false`: then it
    /// stops waiting and leaks the value.
    pub(crate) fn take(&self, mut pause: impl FnMut() -> bool) -> Option<Shared<T>> {
        // This swap, the load below and the two operations of a borrower are sequentially consistent, so they have
        // one total order. A borrower that loaded the pointer before this swap was counted before that, so the load
        // below sees it.
        let counted = NonNull::new(self.pointer.swap(ptr::null_mut(), Ordering::SeqCst))?;
        while self.is_borrowed() {
            if !pause() {
                return None;
            }
        }
        // The pointer came from `into_raw`, the swap gave it to this thread alone, and no borrower is left.
        Some(Shared { counted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_is_not_freed_under_a_borrower() {
        let lent = Lent::empty();
        let value = Shared::new(7).unwrap();
        lent.lend(value.clone());
        lent.with(|seen| {
            assert_eq!(*seen, 7);
            let mut asked = 0;
            let taken = lent.take(|| {
                asked += 1;
                asked < 3
            });
            assert!(taken.is_none() && asked == 3);
            lent.with(|_| panic!("it was taken"));
        });
        assert!(!lent.is_borrowed());
        assert_eq!(value.counted().others.load(Ordering::SeqCst), 1, "leaked rather than freed");
        drop(Shared { counted: value.counted });
        lent.lend(value.clone());
        assert!(lent.take(|| false).is_some());
        assert!(lent.take(|| false).is_none());
    }

    #[test]
    fn what_is_shared_is_dropped_once_by_the_last_owner() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Counts;
        impl Drop for Counts {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::SeqCst);
            }
        }
        let first = Shared::new(Counts).unwrap();
        let owners = [first.clone(), first.clone(), first];
        std::thread::scope(|scope| {
            for owner in owners {
                scope.spawn(move || drop(owner));
            }
        });
        assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
    }
}
