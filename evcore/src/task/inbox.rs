//! Wakes from any thread: a list of woken tasks that threads push to and the executor takes whole.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::Waker;

/// The list is empty, and the executor looks at it before it sleeps.
const EMPTY: u32 = 0;
/// The list is empty, and the executor sleeps or is about to: a push has to wake it.
const ASLEEP: u32 = u32::MAX;

/// The index that stands in the list, where one does: from 1 on.
fn index(listed: u32) -> Option<u32> {
    listed.checked_sub(1).filter(|index| *index < Inbox::LIMIT)
}

/// What names a task in the list. Its index is less than [`Inbox::LIMIT`].
pub(crate) struct Node {
    pub(crate) index: u32,
    /// The node that was pushed before this one.
    next: AtomicU32,
    is_listed: AtomicBool,
}

/// The list of woken tasks: a stack of indices. Threads push, the executor takes all at once, so no entry is ever reused
/// under a thread that looks at it.
///
/// ```text
///           prepare_sleep           push: wakes           take
///   EMPTY ────────────────▶ ASLEEP ────────────▶ indices ────────▶ EMPTY
///     ▲ └─────────── push ─────────────────────────▲
///     └── awake ──────────────┘
/// ```
pub(crate) struct Inbox {
    first: AtomicU32,
    /// Wakes the executor.
    waker: Option<Waker>,
}

impl Node {
    pub(crate) fn new(index: u32) -> Self {
        Self { index, next: AtomicU32::new(EMPTY), is_listed: AtomicBool::new(false) }
    }
}

impl Inbox {
    /// One more than the greatest index.
    pub(crate) const LIMIT: u32 = ASLEEP - 1;

    pub(crate) fn new(waker: Option<Waker>) -> Self {
        Self { first: AtomicU32::new(EMPTY), waker }
    }

    /// Whether a wake from another thread ends a sleep.
    pub(crate) fn can_wake(&self) -> bool {
        self.waker.is_some()
    }

    /// Lists a task, once for any number of pushes before it is taken, and wakes the executor if it sleeps.
    pub(crate) fn push(&self, node: &Node) {
        // Always a swap: what this thread wrote before is visible to the executor, also if the task is listed already.
        if node.is_listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            node.next.store(first, Ordering::Relaxed);
            match self.first.compare_exchange_weak(
                first,
                node.index.wrapping_add(1),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(changed) => first = changed,
            }
        }
        if let (ASLEEP, Some(waker)) = (first, &self.waker) {
            waker.wake_by_ref();
        }
    }

    /// Whether nothing is listed. May miss a push of this moment, which [`Inbox::prepare_sleep`] will not.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.first.load(Ordering::Relaxed), EMPTY | ASLEEP)
    }

    /// Takes the list: its first index, if there is one.
    pub(crate) fn take(&self) -> Option<u32> {
        index(self.first.swap(EMPTY, Ordering::AcqRel))
    }

    /// Passes a node of the list that was taken: wakes from here on list it again. Answers the index of the next one.
    pub(crate) fn pass(node: &Node) -> Option<u32> {
        let next = node.next.load(Ordering::Relaxed);
        node.is_listed.swap(false, Ordering::AcqRel);
        index(next)
    }

    /// Says that the executor is about to sleep. `false`: something is listed, so it must not.
    pub(crate) fn prepare_sleep(&self) -> bool {
        self.first.compare_exchange(EMPTY, ASLEEP, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Says that the executor is awake.
    pub(crate) fn awake(&self) {
        // When it fails, something is listed, which says the same.
        let _ = self.first.compare_exchange(ASLEEP, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
    }
}
