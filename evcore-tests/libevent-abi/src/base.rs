//! `struct event_base`: an evcore base, libevent's queues of active callbacks, and the state of the loop.

use core::cell::{Cell, RefCell, RefMut};
use core::ffi::{c_int, c_short, c_ulong, c_void};
use std::ptr::null_mut;

use evcore::backend::Either;
use evcore::{EventBase, EventId, Growable, Instant};
use evplat_linux::Epoll;
use evplat_posix::{Poll, Select};

use crate::abi::{ev, list, timeval};
use crate::active::Queue;
use crate::config::Config;
use crate::from_c::{BaseRef, Cb, Ev};
use crate::once::Once;
use crate::threads;
use crate::watch::Watchers;

pub(crate) type Backend = Either<Either<Epoll, Poll>, Select>;
/// The data of an evcore event is its C event; `None` while it has none.
pub(crate) type Core = EventBase<Backend, Growable, Option<Ev>>;

/// `struct event_base`. All of it is in cells, because callbacks call back into it; the lock excludes other threads.
pub struct Base {
    core: RefCell<Core>,
    /// The program's lock and condition; null without threads.
    pub(crate) lock: *mut c_void,
    pub(crate) cond: *mut c_void,
    /// The thread that runs the loop, or ran it last.
    pub(crate) owner: Cell<c_ulong>,
    pub(crate) flags: c_int,
    pub(crate) max_callbacks: c_int,
    pub(crate) max_interval: Option<core::time::Duration>,
    pub(crate) limit_from: c_int,
    /// Some priority has limits.
    is_limited: bool,
    /// There has only ever been one priority, and there are no limits.
    pub(crate) is_plain: Cell<bool>,
    /// `EV_ET` if the backend supports it: it is then reported to events that asked for it.
    pub(crate) edge: c_short,

    // The loop is running.
    pub(crate) is_running: Cell<bool>,
    /// The loop's thread is waiting, without the lock.
    pub(crate) is_asleep: Cell<bool>,
    /// `BREAK`, `CONTINUE` and `EXIT`.
    pub(crate) stops: Cell<u8>,
    pub(crate) level: Cell<c_int>,
    pub(crate) current: Cell<Option<Cb>>,
    pub(crate) waiters: Cell<u32>,
    pub(crate) cached: Cell<Option<Instant>>,
    /// The wall clock's time minus the monotonic clock's in nanoseconds, for this turn.
    pub(crate) wall_ahead: Cell<Option<i128>>,

    // The active callbacks.
    /// One for each priority; there are `levels`. Former, higher priorities stay valid for events that have one.
    pub(crate) queues: [Queue; 256],
    pub(crate) levels: Cell<u8>,
    pub(crate) levels_max: Cell<u8>,
    pub(crate) later: Queue,
    pub(crate) deferred: Cell<u32>,
    pub(crate) active: Tally,
    /// The number of inserted events, plus those with a timeout. (libevent counts an event for each, and again while
    /// it is active.)
    pub(crate) pending: Cell<c_int>,
    pub(crate) added_max: Cell<c_int>,
    pub(crate) virtuals: Tally,

    /// The number of events that wait for signals.
    pub(crate) signals: Cell<u32>,
    pub(crate) once: RefCell<Vec<Once>>,
    #[expect(clippy::vec_box, reason = "C keeps pointers to them")]
    pub(crate) common: RefCell<Vec<Box<timeval>>>,
    pub(crate) prepare: Watchers,
    pub(crate) check: Watchers,
    /// An evcore event that is activated to end a sleep.
    bell: EventId,
    /// evcore events without a C event, unless they have been reused.
    parked: [Cell<u64>; PARKED],
    next_parked: Cell<u8>,
}

/// `event_base_loopbreak` was called.
pub(crate) const BREAK: u8 = 1;
/// `event_base_loopcontinue` was called, or something more urgent has become active.
pub(crate) const CONTINUE: u8 = 2;
/// The delay of `event_base_loopexit` has expired: active callbacks are still called.
pub(crate) const EXIT: u8 = 4;

/// How many evcore events without a C event are kept. A power of two.
const PARKED: usize = 16;

/// A count and its maximum.
#[derive(Default)]
pub(crate) struct Tally {
    now: Cell<c_int>,
    max: Cell<c_int>,
}

impl Tally {
    #[inline(always)]
    pub(crate) fn get(&self) -> c_int {
        self.now.get()
    }

    pub(crate) fn max(&self) -> c_int {
        self.max.get()
    }

    pub(crate) fn clear_max(&self) {
        self.max.set(0);
    }

    #[inline(always)]
    pub(crate) fn up(&self) {
        self.add(1);
    }

    #[inline(always)]
    pub(crate) fn add(&self, count: c_int) {
        let now = self.now.get() + count;
        self.now.set(now);
        if now > self.max.get() {
            self.max.set(now);
        }
    }

    #[inline(always)]
    pub(crate) fn down(&self) {
        self.now.set(self.now.get() - 1);
    }
}

/// Holds the base's lock.
pub(crate) struct Guard<'a>(&'a Base);

impl Drop for Guard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl Base {
    pub(crate) fn new(mut core: Core, config: &Config, has_lock: bool) -> Option<Self> {
        let bell = core.create(evcore::Event::user().background(), None).ok()?;
        core.set_limits(evcore::options::Limits { hand_outs: None, timers: None, ..Default::default() });
        let has_edge = core.features().contains(evcore::backend::Features::EDGE);
        let (lock, cond) = if has_lock { (threads::new_lock(), threads::new_cond()) } else { (null_mut(), null_mut()) };
        Some(Self {
            core: RefCell::new(core),
            lock,
            cond,
            owner: Cell::new(0),
            flags: config.flags,
            max_callbacks: config.max_callbacks,
            max_interval: config.max_interval,
            limit_from: config.limit_from(),
            is_limited: config.limit_from() != c_int::MAX,
            is_plain: Cell::new(config.limit_from() == c_int::MAX),
            edge: if has_edge { ev::ET } else { 0 },
            is_running: Cell::new(false),
            is_asleep: Cell::new(false),
            stops: Cell::new(0),
            level: Cell::new(-1),
            current: Cell::new(None),
            waiters: Cell::new(0),
            cached: Cell::new(None),
            wall_ahead: Cell::new(None),
            queues: [const { Queue::new() }; 256],
            levels: Cell::new(1),
            levels_max: Cell::new(1),
            later: Queue::new(),
            deferred: Cell::new(0),
            active: Tally::default(),
            pending: Cell::new(0),
            added_max: Cell::new(0),
            parked: [const { Cell::new(0) }; PARKED],
            next_parked: Cell::new(0),
            virtuals: Tally::default(),
            signals: Cell::new(0),
            once: RefCell::default(),
            common: RefCell::default(),
            prepare: Watchers::default(),
            check: Watchers::default(),
            bell,
        })
    }

    /// evcore's base. It is borrowed for one or a few calls, and never while a callback of C runs: a second borrow
    /// would end the process.
    #[inline(always)]
    pub(crate) fn core(&self) -> RefMut<'_, Core> {
        self.core.borrow_mut()
    }

    #[inline(always)]
    pub(crate) fn lock(&self) {
        threads::lock(self.lock);
    }

    #[inline(always)]
    pub(crate) fn unlock(&self) {
        threads::unlock(self.lock);
    }

    #[inline(always)]
    pub(crate) fn has_lock(&self) -> bool {
        !self.lock.is_null()
    }

    #[inline(always)]
    pub(crate) fn guard(&self) -> Guard<'_> {
        self.lock();
        Guard(self)
    }

    #[inline]
    pub(crate) fn stop(&self, why: u8) {
        self.stops.set(self.stops.get() | why);
    }

    /// Whether active callbacks must not be called now.
    #[inline(always)]
    pub(crate) fn is_stopped(&self) -> bool {
        self.stops.get() & (BREAK | CONTINUE) != 0
    }

    /// Sets the number of priorities.
    pub(crate) fn set_levels(&self, levels: u8) {
        self.levels.set(levels);
        self.levels_max.set(levels.max(self.levels_max.get()));
        self.is_plain.set(self.levels_max.get() == 1 && !self.is_limited);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.stops.get() & BREAK != 0
    }

    /// Whether the current thread runs the loop.
    #[inline]
    pub(crate) fn is_own_thread(&self) -> bool {
        !threads::has_threads() || self.owner.get() == threads::this_thread()
    }

    /// Ends the sleep of the loop's thread after a change that evcore does not see.
    #[inline(always)]
    pub(crate) fn wake(&self) {
        if self.is_asleep.get() {
            let bell = self.bell;
            // The event exists as long as the base.
            let _ = self.core().activate(bell, evcore::Ready::empty());
        }
    }

    /// The evcore event of a C event.
    #[inline(always)]
    pub(crate) fn slot(core: &Core, event: Ev) -> Option<EventId> {
        let id = EventId::from_bits(event.id())?;
        // A program may have reused the memory, or evcore the slot.
        (core.get(id) == Some(&Some(event))).then_some(id)
    }

    /// Keeps an evcore event whose C event was deleted, because most programs add it again. The evcore event's data
    /// is `None`, but the C event still has its id. Only a few are kept.
    #[inline(always)]
    pub(crate) fn park(&self, core: &mut Core, id: EventId) {
        let place = usize::from(self.next_parked.get()) % PARKED;
        if self.parked[place].get() != id.to_bits() {
            self.park_in(core, id, (place + 1) % PARKED);
        }
    }

    #[inline(never)]
    fn park_in(&self, core: &mut Core, id: EventId, place: usize) {
        self.next_parked.set(u8::try_from(place).unwrap_or(0));
        let old = EventId::from_bits(self.parked[place].replace(id.to_bits()));
        // Unless it has been reused, or is in the list a second time.
        if let Some(old) = old.filter(|old| *old != id && core.get(*old) == Some(&None)) {
            core.remove(old);
        }
    }

    /// How many events are added, as libevent counts.
    pub(crate) fn added(&self) -> c_int {
        self.pending.get() + self.active.get()
    }

    #[inline(always)]
    pub(crate) fn note_added_max(&self) {
        let added = self.added();
        if added > self.added_max.get() {
            self.added_max.set(added);
        }
    }

    /// Counts what an event newly waits for: an fd or a signal, or a timeout.
    #[inline(always)]
    pub(crate) fn insert(&self, event: Ev, new: i16) {
        let flags = event.flags();
        let added = new & !flags;
        if added != 0 {
            event.set_flags(flags | new);
            self.pending.set(self.pending.get() + count(added));
            self.note_added_max();
        }
    }

    #[inline(always)]
    pub(crate) fn take_out(&self, event: Ev, old: i16) {
        let flags = event.flags();
        let removed = flags & old;
        if removed != 0 {
            event.set_flags(flags & !old);
            self.pending.set(self.pending.get() - count(removed));
        }
    }

    /// The current callback has ended: wakes the threads that wait for that.
    #[inline(always)]
    pub(crate) fn tell_waiters(&self) {
        if self.waiters.get() > 0 {
            self.waiters.set(0);
            threads::broadcast(self.cond);
        }
    }

    /// Waits until a callback that runs in another thread has ended.
    #[inline(always)]
    pub(crate) fn wait_for(&self, callback: Cb) {
        if self.current.get() == Some(callback) {
            self.wait_for_current(callback);
        }
    }

    #[inline(never)]
    fn wait_for_current(&self, callback: Cb) {
        while self.current.get() == Some(callback) && !self.is_own_thread() {
            self.waiters.set(self.waiters.get() + 1);
            if !threads::wait(self.cond, self.lock) {
                return;
            }
        }
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        threads::free_cond(self.cond);
        threads::free_lock(self.lock);
    }
}

/// How many of the two bits are set.
#[inline(always)]
fn count(bits: c_short) -> c_int {
    1 + c_int::from(bits == list::INSERTED | list::TIMEOUT)
}

/// The events that evcore still has when a base is freed.
pub(crate) fn attached(base: BaseRef) -> Vec<Ev> {
    base.core().iter().filter_map(|(_, event)| *event).collect()
}
