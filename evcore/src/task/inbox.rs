//! Wakes from any thread: a list of woken tasks.

use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use crate::event::EventId;

/// Empty, and the executor checks it before it sleeps.
const EMPTY: u32 = 0;
/// Empty, and the executor sleeps or is about to: a push must wake it.
const ASLEEP: u32 = 1;
/// The number of the first place.
const FIRST: u32 = 2;

/// The woken tasks: a stack of numbers. Threads push and the executor takes all at once, so no entry is reused while a
/// thread looks at it.
///
/// ```text
///           prepare_sleep           push: wakes           take
///   EMPTY ────────────────▶ ASLEEP ────────────▶ numbers ────────▶ EMPTY
///     ▲ └─────────── push ─────────────────────────▲
///     └── awake ──────────────┘
/// ```
pub(crate) struct Inbox {
    first: AtomicU32,
    waker: Option<Waker>,
}

impl Inbox {
    pub(crate) fn new(waker: Option<Waker>) -> Self {
        Self { first: AtomicU32::new(EMPTY), waker }
    }

    /// Whether a wake from another thread ends a sleep.
    pub(crate) fn can_wake(&self) -> bool {
        self.waker.is_some()
    }

    /// Whether nothing is listed. May miss a concurrent push, which [`Inbox::prepare_sleep`] does not.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.load(Ordering::Relaxed) < FIRST
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

/// What a task's waker points to.
struct Node {
    inbox: Arc<Inbox>,
    number: u32,
    /// Zero when the task is not listed, else one more than what was listed before it.
    next: AtomicU32,
}

impl Wake for Node {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// Lists the task, once until it is taken, and wakes the executor if it sleeps.
    fn wake_by_ref(self: &Arc<Self>) {
        // Always a write: the executor must see what this thread wrote before, even if the task is listed.
        if self.next.fetch_max(1, Ordering::AcqRel) > 0 {
            return;
        }
        let before = self.inbox.first.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |first| {
            // A swap, which keeps what another thread published by the write above.
            self.next.swap(first.wrapping_add(1), Ordering::AcqRel);
            Some(self.number)
        });
        if let (Ok(ASLEEP), Some(waker)) = (before, &self.inbox.waker) {
            waker.wake_by_ref();
        }
    }
}

/// A task's event, and its number and waker.
pub(crate) struct Head {
    pub(crate) event: EventId,
    pub(crate) number: u32,
    pub(crate) waker: Waker,
}

/// The tasks of an executor, numbered for their wakers.
#[derive(Default)]
pub(crate) struct Places {
    list: Vec<Place>,
    /// Those of ended tasks.
    free: Vec<u32>,
    /// The numbers of woken tasks, the last one first.
    woken: Vec<u32>,
}

/// It serves one task after another, so an old waker can only cause a spurious wake.
struct Place {
    event: Option<EventId>,
    node: Arc<Node>,
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(FIRST)?).ok()
}

impl Places {
    /// `None`: there are no more numbers.
    pub(crate) fn take(&mut self, event: EventId, inbox: &Arc<Inbox>) -> Option<Head> {
        if self.free.is_empty() {
            let number = u32::try_from(self.list.len()).ok()?.checked_add(FIRST)?;
            let node = Node { inbox: Arc::clone(inbox), number, next: AtomicU32::new(0) };
            self.list.push(Place { event: None, node: Arc::new(node) });
            self.free.push(number);
        }
        let number = self.free.pop()?;
        let place = self.list.get_mut(index(number)?)?;
        place.event = Some(event);
        Some(Head { event, number, waker: Waker::from(Arc::clone(&place.node)) })
    }

    /// Frees the place of the task with this event, unless it was freed and may be another task's.
    pub(crate) fn free(&mut self, number: u32, event: EventId) {
        let place = index(number).and_then(|index| self.list.get_mut(index));
        if let Some(place) = place.filter(|place| place.event == Some(event)) {
            place.event = None;
            self.free.push(number);
        }
    }

    /// The number of tasks.
    pub(crate) fn len(&self) -> usize {
        self.list.len().saturating_sub(self.free.len())
    }

    /// Passes on the events of woken tasks, in the order of their wakes. Later wakes list a task again. `wake` returns
    /// whether the event exists; if not, the place is freed.
    pub(crate) fn take_woken(&mut self, inbox: &Inbox, mut wake: impl FnMut(EventId) -> bool) {
        let mut first = inbox.first.swap(EMPTY, Ordering::AcqRel);
        while let Some(place) = index(first).and_then(|index| self.list.get(index)) {
            first = place.node.next.swap(0, Ordering::AcqRel).saturating_sub(1);
            self.woken.push(place.node.number);
        }
        while let Some(number) = self.woken.pop() {
            // A task that has ended has no event.
            let event = index(number).and_then(|index| self.list.get(index)?.event);
            if let Some(gone) = event.filter(|event| !wake(*event)) {
                self.free(number, gone);
            }
        }
    }
}
