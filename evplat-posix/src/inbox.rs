//! Where the handler puts the signals that have arrived: one inbox for each base that watches any.

use core::iter;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use evcore::backend::Signum;

use crate::account::Locked;
use crate::error::Error;
use crate::fork;
use crate::sys::{Lent, Link, SIGNALS, Shared};
use crate::waker::WakeState;

/// A word of a set is 2 to this power bits.
const WORD: u32 = usize::BITS.ilog2();
const WORDS: usize = SIGNALS >> WORD;

/// What has arrived for one base.
///
/// ```text
///                    FIRST ──▶ inbox ──▶ inbox ──▶ inbox        a list that only grows;
///                               │ taken    │ free    │ taken    a free inbox is used again
///   handler of signal 15 ───────┴──────────┴─────────┴──▶
///       watched has 15?  counts[15] += 1,  arrived |= 15,  any = true,  wake the base
/// ```
///
/// A handler may stand at any inbox at any time, in any thread. So inboxes are never freed and the list needs no lock: each
/// link is written once. What an inbox lends to handlers, the base's wake state, is taken back before it is freed.
pub(crate) struct Inbox {
    next: Link<Inbox>,
    /// Whether a base has it. Changed under the accounts' lock.
    taken: AtomicBool,
    /// The process whose base has it. In the child of a fork it takes nothing in until `reinit`.
    epoch: AtomicU32,
    watched: SignalSet,
    arrived: SignalSet,
    /// Whether `arrived` may hold anything: so that looking costs one load.
    any: AtomicBool,
    counts: [AtomicU32; SIGNALS],
    wake: Lent<WakeState>,
}

static FIRST: Link<Inbox> = Link::new();

/// Every inbox that there has ever been. Async-signal-safe: each step is one load.
fn inboxes() -> impl Iterator<Item = &'static Inbox> {
    iter::successors(FIRST.get(), |inbox| inbox.next.get())
}

/// The handler's work: `signum` has arrived. Takes no lock and allocates nothing; the system call, if any, is the bell's.
/// Answers whether any base of this process watches it.
pub(crate) fn arrived(signum: Signum) -> bool {
    let mut any = false;
    for inbox in inboxes() {
        any |= inbox.put(signum);
    }
    any
}

/// Whether any other inbox than this one watches `signum`.
pub(crate) fn is_watched_besides(inbox: &Inbox, signum: Signum) -> bool {
    inboxes().any(|other| !core::ptr::eq(other, inbox) && other.watches(signum))
}

/// An inbox for a base that is woken through `wake`: a free one, or a new one.
pub(crate) fn claim(_locked: &mut Locked, wake: Shared<WakeState>) -> Result<&'static Inbox, Error> {
    // One that was borrowed while the process was forked stays so in the child, and could not be given up again.
    let free = inboxes().find(|inbox| !inbox.taken.load(Ordering::Relaxed) && !inbox.wake.is_borrowed());
    let inbox = match free {
        Some(inbox) => inbox,
        None => append()?,
    };
    // Relaxed: read and written under the accounts' lock only.
    inbox.taken.store(true, Ordering::Relaxed);
    // The base before may have left something.
    inbox.any.store(false, Ordering::Relaxed);
    inbox.wake.lend(wake);
    inbox.adopt();
    Ok(inbox)
}

fn append() -> Result<&'static Inbox, Error> {
    // A vector, because a box cannot say that there is no memory.
    let mut memory = Vec::new();
    memory.try_reserve_exact(1).map_err(|_| Error::Full)?;
    memory.push(Inbox::new());
    let inbox: &'static Inbox = memory.leak().first().ok_or(Error::Full)?;
    let end = inboxes().last().map_or(&FIRST, |last| &last.next);
    // Under the accounts' lock nobody else writes the link.
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

    /// Takes in a signal, if it is watched. Answers whether it is.
    fn put(&self, signum: Signum) -> bool {
        // Looked at before the wake state is borrowed: once a base has ended its watches, no handler that begins then comes
        // as far as that, and the base that waits for the borrowers waits only for those that were on their way.
        if !self.watched.contains(signum) {
            return false;
        }
        // The parent's, in a child that may never look at it: nobody would see it.
        if self.epoch.load(Ordering::Relaxed) != fork::epoch() {
            return false;
        }
        let Some(count) = self.count(signum) else { return false };
        // Count, bit, summary, bell: each is released by the next one, and `drain` goes the other way. So who finds a bit
        // finds the count; who found the count before the bit finds a zero later, and says nothing of it.
        let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_add(1));
        self.arrived.insert(signum);
        // Exchanged, not stored: a store would end what the handler before it in another thread has released, and `drain`,
        // which finds only the last one, might then find the summary and not that handler's bit.
        self.any.swap(true, Ordering::Release);
        self.wake.with(WakeState::wake);
        true
    }

    /// From now on it is this process's.
    pub(crate) fn adopt(&self) {
        // Relaxed: the handler runs in this process too, and a child has one thread when it begins.
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
            // A handler that was on its way when the watch ended, or when this inbox was another base's, may still come.
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

    /// Begins to take in `signum`, from zero.
    pub(crate) fn watch(&self, signum: Signum) {
        self.forget(signum);
        self.watched.insert(signum);
    }

    /// Takes in no more of it. What has arrived, or is on its way, is not reported.
    pub(crate) fn unwatch(&self, signum: Signum) {
        self.watched.remove(signum);
    }

    /// Forgets what has arrived of `signum`. Answers how often it had.
    pub(crate) fn forget(&self, signum: Signum) -> u32 {
        // Its bit may stay: without a count it says nothing.
        self.count(signum).map_or(0, |count| count.swap(0, Ordering::Relaxed))
    }

    fn count(&self, signum: Signum) -> Option<&AtomicU32> {
        self.counts.get(usize::try_from(signum).ok()?)
    }

    /// Whether a handler was looking into it when this process was forked off, and so seems to for ever.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.wake.is_borrowed()
    }

    /// Gives the inbox up. It watches nothing any more. `pause` is called while a handler in another thread is still busy
    /// with it, and answers whether to go on waiting; if not, the inbox is never used again.
    pub(crate) fn release(&self, locked: impl FnOnce() -> Locked, pause: impl FnMut() -> bool) {
        // Its end closes descriptors, perhaps: with no lock held.
        let wake = self.wake.take(pause);
        if wake.is_some() {
            let _locked = locked();
            self.taken.store(false, Ordering::Relaxed);
        }
    }
}

/// A set of signal numbers that threads and handlers change at the same time.
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

    /// Empties the set, in ascending order.
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
    /// Behaves as a handler that is busy with this inbox while `busy` runs.
    pub(crate) fn lent_to_a_test(&self, busy: impl FnOnce()) {
        self.wake.with(|_| busy());
    }

    /// Behaves as if `signum` had come so many times.
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

    /// What a handler does that was interrupted before its first step, `watched`, had any consequence.
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
