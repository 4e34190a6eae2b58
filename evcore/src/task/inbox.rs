//! Wakes from any thread: a list of woken tasks.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::Waker;

/// Empty, and the executor checks it before it sleeps.
const EMPTY: u32 = 0;
/// Empty, and the executor sleeps or is about to: a push must wake it.
const ASLEEP: u32 = u32::MAX;

/// The index in the list, from 1 on, if any.
fn index(listed: u32) -> Option<u32> {
    listed.checked_sub(1).filter(|index| *index < Inbox::LIMIT)
}

/// What a task's waker points to: a task in the list. Its index is less than [`Inbox::LIMIT`].
pub(crate) struct Node {
    inbox: Arc<Inbox>,
    index: u32,
    /// The node pushed before this one.
    next: AtomicU32,
    is_listed: AtomicBool,
}

/// The woken tasks: a stack of indices. Threads push and the executor takes all at once, so no entry is reused while a
/// thread looks at it.
///
/// ```text
///           prepare_sleep           push: wakes           take
///   EMPTY ────────────────▶ ASLEEP ────────────▶ indices ────────▶ EMPTY
///     ▲ └─────────── push ─────────────────────────▲
///     └── awake ──────────────┘
/// ```
pub(crate) struct Inbox {
    first: AtomicU32,
    waker: Option<Waker>,
}

impl Node {
    pub(crate) fn new(index: u32, inbox: &Arc<Inbox>) -> Self {
        Self { inbox: Arc::clone(inbox), index, next: AtomicU32::new(EMPTY), is_listed: AtomicBool::new(false) }
    }
}

impl Wake for Node {
    fn wake(self: Arc<Self>) {
        self.inbox.push(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inbox.push(self);
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

    /// Lists a task, once until it is taken, and wakes the executor if it sleeps.
    fn push(&self, node: &Node) {
        // Always a swap: the executor must see what this thread wrote before, even if the task is listed.
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

    /// Whether nothing is listed. May miss a concurrent push, which [`Inbox::prepare_sleep`] does not.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.first.load(Ordering::Relaxed), EMPTY | ASLEEP)
    }

    /// Passes on the indices of woken tasks, in the order of their wakes. Later wakes list a task again.
    pub(crate) fn take<'a>(&self, node: impl Fn(u32) -> Option<&'a Node>, mut wake: impl FnMut(u32)) {
        let node = |listed| index(listed).and_then(&node);
        // The last one first, so the links are turned round before any is passed on.
        let (mut taken, mut listed) = (self.first.swap(EMPTY, Ordering::AcqRel), EMPTY);
        while let Some(node) = node(taken) {
            // Nobody else looks at the link while the node is listed.
            taken = node.next.load(Ordering::Relaxed);
            node.next.store(listed, Ordering::Relaxed);
            listed = node.index.wrapping_add(1);
        }
        while let Some(node) = node(listed) {
            listed = node.next.load(Ordering::Relaxed);
            node.is_listed.swap(false, Ordering::AcqRel);
            wake(node.index);
        }
    }

    /// Announces a sleep. `false`: something is listed, so do not sleep.
    pub(crate) fn prepare_sleep(&self) -> bool {
        self.first.compare_exchange(EMPTY, ASLEEP, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn awake(&self) {
        // If it fails, something is listed, and the executor counts as awake.
        let _ = self.first.compare_exchange(ASLEEP, EMPTY, Ordering::AcqRel, Ordering::Relaxed);
    }
}
