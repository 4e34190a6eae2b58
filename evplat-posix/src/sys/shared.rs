//! What threads and the handlers of signals share.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use std::alloc::Layout;

/// A link to something that stays for ever, written once. To read it is one load, to write it one store: neither waits for
/// a thread that the child of a fork has not got.
pub(crate) struct Link<T: 'static>(AtomicPtr<T>);

impl<T: Sync> Link<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Async-signal-safe.
    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or what `set` was given, which stays for ever and is only shared.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn set(&self, to: &'static T) {
        self.0.store(ptr::from_ref(to).cast_mut(), Ordering::Release);
    }
}

/// What several owners share, as in an `Arc`; but where there is no memory for it, that is said and ends nothing.
pub(crate) struct Shared<T> {
    counted: NonNull<Counted<T>>,
}

pub(crate) struct Counted<T> {
    /// How many there are besides the first.
    others: AtomicUsize,
    value: T,
}

// SAFETY: as an `Arc`: an owner in another thread sees the value, and may be the one to drop it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// `None` when there is no memory.
    pub(crate) fn new(value: T) -> Option<Self> {
        // SAFETY: the layout has a size, that of the count at least.
        let memory = unsafe { std::alloc::alloc(Layout::new::<Counted<T>>()) };
        let counted = NonNull::new(memory.cast::<Counted<T>>())?;
        // SAFETY: the memory is new, and has this layout.
        unsafe { counted.write(Counted { others: AtomicUsize::new(0), value }) };
        Some(Self { counted })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: it lives as long as one owner does.
        unsafe { self.counted.as_ref() }
    }

    fn into_raw(self) -> *mut Counted<T> {
        core::mem::ManuallyDrop::new(self).counted.as_ptr()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // Relaxed: a clone is made of one that exists, and nothing is read by the count.
        if self.counted().others.fetch_add(1, Ordering::Relaxed) > usize::MAX >> 1 {
            // So many that were forgotten: before the count wraps, as in an `Arc`.
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
        // Release and acquire: what each owner did to the value was done before it is dropped.
        if self.counted().others.fetch_sub(1, Ordering::Release) != 0 {
            return;
        }
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner. The value is dropped once, and the memory then given back as it was asked for.
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

/// A [`Shared`] that handlers of signals may look into while its owner takes it away.
///
/// A handler counts itself in, then loads the pointer; the owner removes the pointer, then waits until nobody is counted.
pub(crate) struct Lent<T> {
    pointer: AtomicPtr<Counted<T>>,
    borrowers: AtomicUsize,
}

/// Counts one borrower, however it ends.
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
        // Release: what the borrower read, it read before the owner sees the count.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl<T: Send + Sync> Lent<T> {
    pub(crate) const fn empty() -> Self {
        Self { pointer: AtomicPtr::new(ptr::null_mut()), borrowers: AtomicUsize::new(0) }
    }

    /// Lends `value`. Another one that was lent is leaked: it is to be taken before.
    pub(crate) fn lend(&self, value: Shared<T>) {
        self.pointer.store(value.into_raw(), Ordering::SeqCst);
    }

    /// Whether someone looks into it now, or looked into an earlier value when the process was forked.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.borrowers.load(Ordering::SeqCst) != 0
    }

    /// Looks into it, if something is lent. Async-signal-safe where `look` is.
    pub(crate) fn with(&self, look: impl FnOnce(&T)) {
        let _borrower = Borrower::new(&self.borrowers);
        let pointer = self.pointer.load(Ordering::SeqCst);
        // SAFETY: null, or the pointer of a `Shared` whose count `lend` has kept. `take` gives the count up only when it has
        // seen no borrower after it removed the pointer, and this one has been counted since before it loaded it.
        if let Some(counted) = unsafe { pointer.as_ref() } {
            look(&counted.value);
        }
    }

    /// Takes it back, when nobody looks into it any more: those who begin now find nothing, and `pause` is called while
    /// there are others. `None`: nothing was lent, or `pause` has answered that it waits no longer, and the value is leaked.
    pub(crate) fn take(&self, mut pause: impl FnMut() -> bool) -> Option<Shared<T>> {
        // This swap, the load below and the two operations of a borrower have one order, the sequentially consistent one. A
        // borrower that loaded the pointer before this swap counted itself before, so the load below sees it.
        let counted = NonNull::new(self.pointer.swap(ptr::null_mut(), Ordering::SeqCst))?;
        while self.is_borrowed() {
            if !pause() {
                return None;
            }
        }
        // It came from `into_raw`, the swap has given it to this thread alone, and no borrower is left.
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
