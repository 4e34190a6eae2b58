//! Where the handler records the signals that have arrived: one inbox for each base that watches any.

use core::iter;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use evcore::backend::Signum;

use crate::account::Locked;
use crate::error::Error;
use crate::fork;
use crate::sys::{Lent, Link, SIGNALS, Shared};
use crate::waker::WakeState;

/// The base-2 logarithm of the bits in a set's word.
const WORD: u32 = usize::BITS.ilog2();
const WORDS: usize = SIGNALS >> WORD;

/// The signals that have arrived for one base.
///
/// ```text
///                    FIRST ──▶ inbox ──▶ inbox ──▶ inbox        a list that only grows;
///                               │ taken    │ free    │ taken    a free inbox is reused
///   handler of signal 15 ───────┴──────────┴─────────┴──▶
///       watched has 15?  counts[15] += 1,  arrived |= 15,  any = true,  wake the base
/// ```
///
/// A handler may access any inbox at any time, in any thread. So inboxes are never freed, and the list needs no lock:
/// each link is written once. The base's wake state, which an inbox lends to handlers, is taken back before it is
/// freed.
pub(crate) struct Inbox {
    next: Link<Inbox>,
    /// Whether a base owns this inbox. Changed only under the lock of `account`.
    taken: AtomicBool,
    /// The process of the owning base. In the child of a fork the inbox records nothing until `reinit`.
    epoch: AtomicU32,
    watched: SignalSet,
    arrived: SignalSet,
    /// Whether `arrived` may be nonempty, so that checking costs one load.
    any: AtomicBool,
    counts: [AtomicU32; SIGNALS],
    wake: Lent<WakeState>,
}

static FIRST: Link<Inbox> = Link::new();

/// All inboxes ever made. Async-signal-safe: each step is one load.
fn inboxes() -> impl Iterator<Item = &'static Inbox> {
    iter::successors(FIRST.get(), |inbox| inbox.next.get())
}

/// The handler's work: records that `signum` has arrived. Takes no lock and allocates nothing; its only system call
/// is the doorbell's. Returns whether any base of this process watches the signal.
pub(crate) fn arrived(signum: Signum) -> bool {
    let mut any = false;
    for inbox in inboxes() {
        any |= inbox.put(signum);
    }
    any
}

/// Whether any inbox other than this one watches `signum`.
pub(crate) fn is_watched_besides(inbox: &Inbox, signum: Signum) -> bool {
    inboxes().any(|other| !core::ptr::eq(other, inbox) && other.watches(signum))
}

/// Claims a free or new inbox for a base that `wake` wakes.
pub(crate) fn claim(_locked: &mut Locked, wake: Shared<WakeState>) -> Result<&'static Inbox, Error> {
    // An inbox that was borrowed during a fork stays borrowed in the child and could never be released.
    let free = inboxes().find(|inbox| !inbox.taken.load(Ordering::Relaxed) && !inbox.wake.is_borrowed());
    let inbox = match free {
        Some(inbox) => inbox,
        None => append()?,
    };
    // Relaxed: accessed only under the lock.
    inbox.taken.store(true, Ordering::Relaxed);
    // The previous owner may have left it set.
    inbox.any.store(false, Ordering::Relaxed);
    inbox.wake.lend(wake);
    inbox.adopt();
    Ok(inbox)
}

fn append() -> Result<&'static Inbox, Error> {
    // `Vec`, because `Box` cannot report that there is no memory.
    let mut memory = Vec::new();
    memory.try_reserve_exact(1).map_err(|_| Error::Full)?;
    memory.push(Inbox::new());
    let inbox: &'static Inbox = memory.leak().first().ok_or(Error::Full)?;
    let end = inboxes().last().map_or(&FIRST, |last| &last.next);
    // Under the lock no other thread writes the link.
    end.set(inbox);
    Ok(inbox)
}

impl Inbox {
    const fn new() -> Self {
        Self {
            next: Link::new(),
            taken: AtomicBool::new(false),
            epoch: AtomicU32::new(0),
            watched: SignalSet::new(),
            arrived: SignalSet::new(),
            any: AtomicBool::new(false),
            counts: [const { AtomicU32::new(0) }; SIGNALS],
            wake: Lent::empty(),
        }
    }

    /// Records a signal if it is watched. Returns whether it is.
    fn put(&self, signum: Signum) -> bool {
        // Checked before the wake state is borrowed: handlers that begin after a base has stopped watching do not
        // borrow it, so `release` waits only for handlers that had already begun.
        if !self.watched.contains(signum) {
            return false;
        }
        // In a forked child the inbox is still the parent's, and the child may never read it.
        if self.epoch.load(Ordering::Relaxed) != fork::epoch() {
            return false;
        }
        let Some(count) = self.count(signum) else { return false };
        // Count, bit, summary, doorbell: each is released by the next, and `drain` reads them in the opposite order.
        // So a reader that finds the bit finds the count. A reader that found the count before the bit finds zero
        // later and reports nothing.
        let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_add(1));
        self.arrived.insert(signum);
        // A swap rather than a store: a store would break the release sequence of a handler in another thread.
        // `drain`, which reads only the last write, could then find the summary without that handler's bit.
        self.any.swap(true, Ordering::Release);
        self.wake.with(WakeState::wake);
        true
    }

    /// Makes this process the inbox's owner.
    pub(crate) fn adopt(&self) {
        // Relaxed: the handler runs in this process, and a child starts with one thread.
        self.epoch.store(fork::epoch(), Ordering::Relaxed);
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn drain(&self, mut report: impl FnMut(Signum, u32)) {
        if !self.any.load(Ordering::Relaxed) || !self.any.swap(false, Ordering::Acquire) {
            return;
        }
        self.arrived.take_each(|signum| {
            let count = self.count(signum).map_or(0, |count| count.swap(0, Ordering::Relaxed));
            // A handler that had begun before the watch ended, or before this base owned the inbox, may still finish.
            if count > 0 && self.watched.contains(signum) {
                report(signum, count);
            }
        });
    }

    pub(crate) fn watches(&self, signum: Signum) -> bool {
        self.watched.contains(signum)
    }

    /// The signals that this inbox watches.
    pub(crate) fn watched(&self) -> impl Iterator<Item = Signum> + '_ {
        (1..).take(SIGNALS - 1).filter(|&signum| self.watched.contains(signum))
    }

    /// Starts to record `signum`, with a count of zero.
    pub(crate) fn watch(&self, signum: Signum) {
        self.forget(signum);
        self.watched.insert(signum);
    }

    /// Stops recording `signum`. Earlier arrivals, and handlers still running, are not reported.
    pub(crate) fn unwatch(&self, signum: Signum) {
        self.watched.remove(signum);
    }

    /// Discards the arrivals of `signum`. Returns their number.
    pub(crate) fn forget(&self, signum: Signum) -> u32 {
        // Its bit may stay set: with a count of zero it is not reported.
        self.count(signum).map_or(0, |count| count.swap(0, Ordering::Relaxed))
    }

    fn count(&self, signum: Signum) -> Option<&AtomicU32> {
        self.counts.get(usize::try_from(signum).ok()?)
    }

    /// Whether a handler was using it when this process was forked; it then seems borrowed for ever.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.wake.is_borrowed()
    }

    /// Releases the inbox, which must no longer watch anything. While a handler in another thread still uses it,
    /// `pause` is called; if it returns `false`, this stops waiting and the inbox is never used again.
    pub(crate) fn release(&self, locked: impl FnOnce() -> Locked, pause: impl FnMut() -> bool) {
        // Dropping the wake state may close descriptors, so no lock is held.
        let wake = self.wake.take(pause);
        if wake.is_some() {
            let _locked = locked();
            self.taken.store(false, Ordering::Relaxed);
        }
    }
}

/// A set of signal numbers that threads and handlers may change concurrently.
struct SignalSet {
    words: [AtomicUsize; WORDS],
}

impl SignalSet {
    const fn new() -> Self {
        Self { words: [const { AtomicUsize::new(0) }; WORDS] }
    }

    fn place(&self, signum: Signum) -> Option<(&AtomicUsize, usize)> {
        let number = usize::try_from(signum).ok()?;
        let bit = number & ((1 << WORD) - 1);
        Some((self.words.get(number >> WORD)?, 1 << bit))
    }

    fn contains(&self, signum: Signum) -> bool {
        self.place(signum).is_some_and(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
    }

    fn insert(&self, signum: Signum) {
        if let Some((word, bit)) = self.place(signum) {
            word.fetch_or(bit, Ordering::Release);
        }
    }

    fn remove(&self, signum: Signum) {
        if let Some((word, bit)) = self.place(signum) {
            word.fetch_and(!bit, Ordering::Release);
        }
    }

    /// Removes all numbers, in ascending order.
    fn take_each(&self, each: impl FnMut(Signum)) {
        let numbers = (0..).zip(&self.words).flat_map(|(at, word): (Signum, _)| {
            let bits = word.swap(0, Ordering::Acquire);
            (0..1 << WORD).filter(move |bit| bits >> bit & 1 != 0).map(move |bit: Signum| at << WORD | bit)
        });
        numbers.for_each(each);
    }
}

#[cfg(test)]
impl Inbox {
    /// Behaves like a handler that uses this inbox while `busy` runs.
    pub(crate) fn lent_to_a_test(&self, busy: impl FnOnce()) {
        self.wake.with(|_| busy());
    }

    /// Behaves as if `signum` had arrived `count` times.
    pub(crate) fn pretend(&self, signum: Signum, count: u32) {
        self.count(signum).unwrap().store(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(inbox: &Inbox) -> Vec<(Signum, u32)> {
        let mut all = Vec::new();
        inbox.drain(|signum, count| all.push((signum, count)));
        all
    }

    /// What a handler does if it is interrupted after it checked `watched`.
    fn straggle(inbox: &Inbox, signum: Signum) {
        inbox.watched.insert(signum);
        inbox.put(signum);
        inbox.watched.remove(signum);
    }

    #[test]
    fn a_straggler_from_an_earlier_watch_is_not_reported() {
        let inbox = Inbox::new();
        straggle(&inbox, 10);
        assert_eq!(drained(&inbox), []);
        straggle(&inbox, 10);
        inbox.watch(10);
        assert_eq!(drained(&inbox), []);
        inbox.put(10);
        assert_eq!(drained(&inbox), [(10, 1)]);
    }

    #[test]
    fn a_bit_that_comes_after_its_count_was_taken_says_nothing() {
        let inbox = Inbox::new();
        inbox.watch(10);
        inbox.put(10);
        assert_eq!(drained(&inbox), [(10, 1)]);
        inbox.arrived.insert(10);
        inbox.any.store(true, Ordering::Release);
        assert_eq!(drained(&inbox), []);
    }

    #[test]
    fn a_set_holds_every_number_and_no_other() {
        let set = SignalSet::new();
        for signum in [-1, i32::MIN, 128, i32::MAX] {
            set.insert(signum);
            assert!(!set.contains(signum));
        }
        for signum in 0..128 {
            set.insert(signum);
            assert!(set.contains(signum) && !set.contains(signum + 1));
        }
        let mut taken = Vec::new();
        set.take_each(|signum| taken.push(signum));
        assert!(taken.into_iter().eq(0..128));
        set.take_each(|signum| panic!("{signum} again"));
    }
}
