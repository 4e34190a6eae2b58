//! The life of an event: `event_assign`, `event_add`, `event_del`, `event_active`, and what can be asked of it.

use core::ffi::{c_int, c_short, c_void};
use core::ptr::null_mut;

use evcore::{Error, Event as Description, EventId, Fd, Interest};

use crate::abi::{Callback, Calls, Event, EventFn, Period, closure, ev, list, timeval};
use crate::base::{Base, Core};
use crate::compat;
use crate::debug;
use crate::from_c::{self, BaseRef, Ev, Lent, Out, export};
use crate::log;
use crate::memory;
use crate::signals;
use crate::time;
use crate::to_c;

/// Whether `event_del` waits for a callback that another thread runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocking {
    No,
    Yes,
    /// Unless the event has EV_FINALIZE.
    Usual,
    /// Not, and an event that is being finalized is deleted, too.
    EvenIfFinalizing,
}

/// What evcore watches an fd for, for `EV_*`. What a backend cannot tell is left out, as libevent does.
fn interest(core: &Core, events: c_short) -> Interest {
    use evcore::backend::Features;
    let mut interest = Interest::empty();
    interest.set(Interest::READ, events & ev::READ != 0);
    interest.set(Interest::WRITE, events & ev::WRITE != 0);
    interest.set(Interest::CLOSED, events & ev::CLOSED != 0 && core.features().contains(Features::CLOSED));
    if !interest.is_empty() && events & ev::ET != 0 && core.features().contains(Features::EDGE) {
        interest |= Interest::EDGE;
    }
    interest
}

/// The evcore event that can stand for a C event. One whose fd is no descriptor's waits for nothing but time, as in libevent.
fn describe(core: &Core, event: Ev) -> Description<Fd> {
    let events = event.events();
    let description = if events & ev::SIGNAL != 0 {
        Description::signal(event.fd())
    } else {
        let interest = interest(core, events);
        match from_c::fd(event.fd()) {
            Some(fd) if !interest.is_empty() => Description::io(fd, interest),
            _ => Description::timer(),
        }
    };
    if events & ev::PERSIST != 0 { description.persist() } else { description }
}

impl Base {
    /// `event_add`. The lock is held.
    pub(crate) fn add(&self, event: Ev, timeout: Option<timeval>) -> c_int {
        self.add_inlined(event, timeout)
    }

    #[inline(always)]
    fn add_inlined(&self, event: Ev, timeout: Option<timeval>) -> c_int {
        let is_rare = event.has(list::FINALIZING | list::QUEUED) || event.is_for(ev::SIGNAL) || debug::is_on();
        if is_rare && !self.may_add(event, timeout.is_some()) {
            return -1;
        }
        let flags = event.flags();
        let registers = flags & list::INSERTED == 0 && event.is_for(ev::IO | ev::SIGNAL);
        if !registers && timeout.is_none() {
            debug::note_added(event, true);
            return 0;
        }
        let start = timeout.map(|timeout| (self.now(), time::duration(timeout)));
        if !self.attach(event, start) {
            return -1;
        }
        let inserted = if registers { list::INSERTED } else { 0 };
        let timed = if timeout.is_some() { list::TIMEOUT } else { 0 };
        self.insert(event, inserted | timed);
        if let Some(timeout) = timeout.filter(|_| event.closure() == closure::PERSIST) {
            event.set_period(timeout);
        }
        if registers && event.is_for(ev::SIGNAL) {
            self.signals.set(self.signals.get() + 1);
            signals::own(self);
        }
        debug::note_added(event, true);
        0
    }

    /// What `event_add` has to look at for signals, active events and in debug mode. Answers whether it may go on.
    #[inline(never)]
    fn may_add(&self, event: Ev, is_timed: bool) -> bool {
        debug::assert_setup(event, "event_add");
        if event.has(list::FINALIZING) {
            return false;
        }
        if event.is_for(ev::SIGNAL) {
            self.wait_for(event.cb());
            if !signals::is_valid(event.fd()) {
                to_c::set_errno(libc::EINVAL);
                return false;
            }
        }
        if is_timed && event.has(list::ACTIVE) && event.res() & ev::TIMEOUT != 0 {
            if event.is_for(ev::SIGNAL) {
                event.end_calls();
            }
            self.dequeue(event.cb());
        }
        !(debug::is_on() && event.is_for(ev::IO) && !event.has(list::INSERTED) && self.mixes_edge(event))
    }

    /// Whether the event and others of its fd differ in EV_ET. Where the backend knows that, evcore refuses it; on the others
    /// libevent refuses it in debug mode.
    #[cold]
    fn mixes_edge(&self, event: Ev) -> bool {
        let core = self.core();
        core.iter().filter_map(|(_, other)| *other).any(|other| {
            let is_same = other.fd() == event.fd() && other.has(list::INSERTED) && !other.is_for(ev::SIGNAL);
            is_same && (other.events() ^ event.events()) & ev::ET != 0
        })
    }

    /// Has evcore wait for what the event waits for. Answers whether it does.
    #[inline(always)]
    fn attach(&self, event: Ev, timeout: Start) -> bool {
        let mut core = self.core();
        let known = EventId::from_bits(event.id()).and_then(|id| Some((id, core.get_mut(id)?)));
        let (id, is_new) = match known {
            // Its own still, or parked since it was deleted, and for the same.
            Some((id, owner)) if owner.is_none_or(|owner| owner == event) && event.is_as_attached() => {
                *owner = Some(event);
                (id, false)
            }
            _ => match create(&mut core, event) {
                Some(id) => (id, true),
                None => return false,
            },
        };
        if let Err(error) = start(&mut core, id, timeout) {
            drop(core);
            if !self.start_again(event, id, timeout, is_new, error) {
                return false;
            }
        }
        if is_new {
            event.set_attached(id.to_bits());
        } else if self.resting.get() == event.id() {
            self.resting.set(0);
        }
        event.set_handed_out(false);
        true
    }

    /// evcore has refused to have an event wait.
    #[cold]
    fn start_again(
        &self,
        event: Ev,
        id: EventId,
        timeout: Start,
        is_new: bool,
        error: Error<evplat_linux::Error>,
    ) -> bool {
        let mut core = self.core();
        let mut outcome = Err(error);
        if let Err(Error::Backend(evplat_linux::Error::Forked)) = outcome {
            // libevent lets a child go on without `event_reinit`.
            outcome = core.reinit().map_err(Error::Backend).and_then(|()| start(&mut core, id, timeout));
        }
        if let Err(error) = outcome {
            if is_new {
                core.remove(id);
            } else if core.pending(id).is_some_and(|pending| !pending.registered && pending.deadline.is_none()) {
                if let Some(owner) = core.get_mut(id) {
                    *owner = None;
                }
                self.park(&mut core, id);
            }
            drop(core);
            if let Error::Backend(error) = error {
                to_c::set_errno(error.errno().unwrap_or(libc::EINVAL));
            }
            log::warn(&format!("event_add: fd {}: {error}", event.fd()));
            return false;
        }
        true
    }

    /// `event_del`. The lock is held.
    pub(crate) fn del(&self, event: Ev, blocking: Blocking) -> c_int {
        self.del_inlined(event, blocking)
    }

    #[inline(always)]
    fn del_inlined(&self, event: Ev, blocking: Blocking) -> c_int {
        let flags = event.flags();
        if flags & list::FINALIZING != 0 && blocking != Blocking::EvenIfFinalizing {
            return 0;
        }
        if event.is_for(ev::SIGNAL) {
            self.note_no_signal(event);
        }
        if flags & list::QUEUED != 0 {
            self.dequeue(event.cb());
        }
        if flags & (list::INSERTED | list::TIMEOUT) != 0 {
            self.take_out(event, list::INSERTED | list::TIMEOUT);
        }
        self.detach(event);
        debug::note_added(event, false);
        let waits = match blocking {
            Blocking::Yes => true,
            Blocking::Usual => !event.is_for(ev::FINALIZE),
            Blocking::No | Blocking::EvenIfFinalizing => false,
        };
        if waits {
            self.wait_for(event.cb());
        }
        0
    }

    /// The event's signal is no longer its, and its callback not called again if it is being called now.
    #[inline(never)]
    fn note_no_signal(&self, event: Ev) {
        event.end_calls();
        if event.has(list::INSERTED) {
            self.signals.set(self.signals.get() - 1);
        }
    }

    /// evcore has nothing to do with the event any more: its memory may be freed, its descriptor closed.
    #[inline(always)]
    fn detach(&self, event: Ev) {
        let mut core = self.core();
        let Some(id) = EventId::from_bits(event.id()) else { return };
        match core.get_mut(id) {
            Some(owner) if *owner == Some(event) => *owner = None,
            _ => return,
        }
        // A timer runs on, until its event is added again or it has had its time: its hand-out has no owner then.
        if event.is_attached_for(ev::IO | ev::SIGNAL) {
            let _ = core.deregister(id);
        }
        self.park(&mut core, id);
        if self.resting.get() == event.id() {
            self.resting.set(0);
        }
    }

    /// A one-shot event whose callback is about to run waits for nothing. What evcore has for it stays as long as the callback
    /// runs, which may add it again.
    #[inline(always)]
    pub(crate) fn rest(&self, event: Ev) {
        if event.is_for(ev::SIGNAL) && event.has(list::INSERTED) {
            self.signals.set(self.signals.get() - 1);
        }
        self.take_out(event, list::INSERTED | list::TIMEOUT);
        debug::note_added(event, false);
        let mut core = self.core();
        if let Some(id) = Self::slot(&core, event) {
            // evcore has made it idle when it handed it out, unless it was activated by hand.
            if !event.is_handed_out() {
                let _ = core.del(id);
            }
            self.resting.set(event.id());
        }
    }

    /// The callback of a one-shot event is over. If it has not been added again, evcore forgets it.
    #[inline(always)]
    pub(crate) fn end_rest(&self) {
        if let Some(id) = EventId::from_bits(self.resting.replace(0)) {
            let mut core = self.core();
            let _ = core.deregister(id);
            if let Some(owner) = core.get_mut(id) {
                *owner = None;
            }
            self.park(&mut core, id);
        }
    }
}

/// A new evcore event for a C event.
#[inline(never)]
fn create(core: &mut Core, event: Ev) -> Option<EventId> {
    // Programs may have changed `ev_fd` or `ev_events`: then what it had is for something else.
    if let Some(id) = Base::slot(core, event) {
        core.remove(id);
    }
    // A negative number is no descriptor, and legal; some others are not.
    if event.is_for(ev::IO) && event.fd() >= 0 && from_c::fd(event.fd()).is_none() {
        to_c::set_errno(libc::EBADF);
        return None;
    }
    let made = core.create(describe(core, event), Some(event));
    made.inspect_err(|_| log::warn("event_add: no memory")).ok()
}

/// When a timeout starts, and how long it is.
type Start = Option<(evcore::Instant, core::time::Duration)>;

#[inline(always)]
fn start(core: &mut Core, id: EventId, timeout: Start) -> Result<(), Error<evplat_linux::Error>> {
    match timeout {
        Some((now, delay)) => core.add_from(id, now, delay),
        None => core.add(id, None),
    }
}

fn assign(event: Ev, base: *mut Base, fd: c_int, events: c_short, function: *const c_void, arg: *mut c_void) -> c_int {
    let arg = if arg == event_self_cbarg() { event.memory() } else { arg };
    if events & ev::SIGNAL == 0 {
        debug::assert_nonblocking(fd);
    }
    debug::assert_not_added(event, "event_assign");
    let (closure, period) = if events & ev::SIGNAL != 0 {
        if events & ev::IO != 0 {
            log::warn("event_assign: EV_SIGNAL is not compatible with EV_READ, EV_WRITE or EV_CLOSED");
            return -1;
        }
        (closure::SIGNAL, Period { calls: Calls { left: 0, counter: null_mut() } })
    } else {
        let closure = if events & ev::PERSIST != 0 { closure::PERSIST } else { closure::EVENT };
        (closure, Period { time: time::ZERO })
    };
    let priority = BaseRef::of_ptr(base).map_or(0, |base| base.middle());
    event.reset(Event {
        callback: Callback { next: None, previous: None, flags: list::INIT, priority, closure, function, arg },
        id: 0,
        spare: 0,
        fd,
        base,
        attached_for: 0,
        unused: 0,
        period,
        events,
        res: 0,
        deadline: time::ZERO,
    });
    debug::note_setup(event);
    0
}

impl Base {
    fn middle(&self) -> u8 {
        self.levels.get() / 2
    }
}

#[cold]
fn without_base(caller: &str) -> c_int {
    log::warn(&format!("{caller}: event has no event_base set."));
    -1
}

fn del(event: Option<Ev>, blocking: Blocking) -> c_int {
    let Some(event) = event else { return -1 };
    let Some(base) = event.base() else { return without_base("event_del") };
    let _guard = base.guard();
    base.del(event, blocking)
}

/// The sentinel of `event_self_cbarg`.
static SELF: u8 = 0;

export! {
    fn event_self_cbarg() -> *mut c_void {
        (&raw const SELF).cast_mut().cast()
    }

    fn event_assign(
        event: Option<Ev>,
        base: *mut Base,
        fd: c_int,
        events: c_short,
        function: *const c_void,
        arg: *mut c_void,
    ) -> c_int {
        let Some(event) = event else { return -1 };
        let base = if base.is_null() { compat::current().map_or(null_mut(), BaseRef::as_ptr) } else { base };
        assign(event, base, fd, events, function, arg)
    }

    fn event_new(
        base: *mut Base,
        fd: c_int,
        events: c_short,
        function: *const c_void,
        arg: *mut c_void,
    ) -> *mut c_void {
        let Some(memory) = memory::allocate(size_of::<Event>()) else { return null_mut() };
        let event = Ev::of_memory(memory);
        if event_assign(Some(event), base, fd, events, function, arg) < 0 {
            to_c::free_event(event);
            return null_mut();
        }
        memory.as_ptr()
    }

    fn event_free(event: Option<Ev>) {
        let Some(event) = event else { return };
        event_del(Some(event));
        debug::note_teardown(event);
        to_c::free_event(event);
    }

    fn event_base_set(base: Option<BaseRef>, event: Option<Ev>) -> c_int {
        let (Some(base), Some(event)) = (base, event) else { return -1 };
        if event.flags() != list::INIT {
            return -1;
        }
        debug::assert_setup(event, "event_base_set");
        event.set_raw_base(base.as_ptr());
        // What the other base has parked for it is not this one's.
        event.set_id(0);
        event.set_priority(base.middle());
        0
    }

    fn event_add(event: Option<Ev>, timeout: Option<Lent<timeval>>) -> c_int {
        let Some(event) = event else { return -1 };
        let Some(base) = event.base() else { return without_base("event_add") };
        let _guard = base.guard();
        base.add_inlined(event, timeout.map(Lent::get))
    }

    fn event_del(event: Option<Ev>) -> c_int {
        let Some(event) = event else { return -1 };
        let Some(base) = event.base() else { return without_base("event_del") };
        let _guard = base.guard();
        base.del_inlined(event, Blocking::Usual)
    }

    fn event_del_block(event: Option<Ev>) -> c_int {
        del(event, Blocking::Yes)
    }

    fn event_del_noblock(event: Option<Ev>) -> c_int {
        del(event, Blocking::No)
    }

    fn event_remove_timer(event: Option<Ev>) -> c_int {
        let Some(event) = event else { return -1 };
        let Some(base) = event.base() else { return without_base("event_remove_timer") };
        let _guard = base.guard();
        base.remove_timer(event)
    }

    fn event_active(event: Option<Ev>, res: c_int, calls: c_short) {
        let Some(event) = event else { return };
        let Some(base) = event.base() else {
            without_base("event_active");
            return;
        };
        let _guard = base.guard();
        debug::assert_setup(event, "event_active");
        base.activate(event, res as c_short, calls);
    }

    fn event_pending(event: Option<Ev>, events: c_short, out: Option<Out<timeval>>) -> c_int {
        let Some(event) = event else { return 0 };
        let Some(base) = event.base() else {
            without_base("event_pending");
            return 0;
        };
        let _guard = base.guard();
        debug::assert_setup(event, "event_pending");
        let asked = events & (ev::TIMEOUT | ev::IO | ev::SIGNAL);
        let is_timed = event.has(list::TIMEOUT);
        if let Some(out) = out.filter(|_| is_timed && asked & ev::TIMEOUT != 0) {
            out.set(time::of_nanos(time::wall() + base.remaining(event)));
        }
        let mut found = 0;
        if event.has(list::INSERTED) {
            found |= event.events() & (ev::IO | ev::SIGNAL);
        }
        if event.has(list::QUEUED) {
            found |= event.res();
        }
        if is_timed {
            found |= ev::TIMEOUT;
        }
        c_int::from(found & asked)
    }

    fn event_initialized(event: Option<Ev>) -> c_int {
        c_int::from(event.is_some_and(|event| event.has(list::INIT)))
    }

    fn event_priority_set(event: Option<Ev>, priority: c_int) -> c_int {
        let Some(event) = event else { return -1 };
        debug::assert_setup(event, "event_priority_set");
        let levels = event.base().map_or(0, |base| base.levels.get());
        match u8::try_from(priority) {
            Ok(level) if level < levels && !event.has(list::ACTIVE) => {
                event.set_priority(level);
                0
            }
            _ => -1,
        }
    }

    fn event_get_fd(event: Option<Ev>) -> c_int {
        let Some(event) = event else { return -1 };
        debug::assert_setup(event, "event_get_fd");
        event.fd()
    }

    fn event_get_base(event: Option<Ev>) -> *mut Base {
        event.map_or(null_mut(), Ev::raw_base)
    }

    fn event_get_events(event: Option<Ev>) -> c_short {
        event.map_or(0, Ev::events)
    }

    fn event_get_callback(event: Option<Ev>) -> Option<EventFn> {
        event.and_then(Ev::function)
    }

    fn event_get_callback_arg(event: Option<Ev>) -> *mut c_void {
        event.map_or(null_mut(), Ev::arg)
    }

    fn event_get_priority(event: Option<Ev>) -> c_int {
        event.map_or(-1, |event| c_int::from(event.priority()))
    }

    fn event_get_assignment(
        event: Option<Ev>,
        base: Option<Out<*mut Base>>,
        fd: Option<Out<c_int>>,
        events: Option<Out<c_short>>,
        function: Option<Out<Option<EventFn>>>,
        arg: Option<Out<*mut c_void>>,
    ) {
        let Some(event) = event else { return };
        debug::assert_setup(event, "event_get_assignment");
        if let Some(out) = base {
            out.set(event.raw_base());
        }
        if let Some(out) = fd {
            out.set(event.fd());
        }
        if let Some(out) = events {
            out.set(event.events());
        }
        if let Some(out) = function {
            out.set(event.function());
        }
        if let Some(out) = arg {
            out.set(event.arg());
        }
    }

    fn event_get_struct_event_size() -> usize {
        size_of::<Event>()
    }

    fn event_base_active_by_fd(base: Option<BaseRef>, fd: c_int, events: c_short) {
        let Some(base) = base else { return };
        let _guard = base.guard();
        for event in crate::base::attached(base) {
            if event.fd() != fd || event.is_for(ev::SIGNAL) {
                continue;
            }
            if events & ev::TIMEOUT != 0 {
                if event.has(list::TIMEOUT) {
                    base.activate(event, ev::TIMEOUT, 1);
                }
            } else if event.has(list::INSERTED) && event.events() & events & ev::IO != 0 {
                base.activate(event, event.events() & events & ev::IO, 1);
            }
        }
    }

    fn event_base_active_by_signal(base: Option<BaseRef>, signum: c_int) {
        let Some(base) = base else { return };
        let _guard = base.guard();
        for event in crate::base::attached(base) {
            if event.fd() == signum && event.is_for(ev::SIGNAL) && event.has(list::INSERTED) {
                base.activate(event, ev::SIGNAL, 1);
            }
        }
    }
}

impl Base {
    /// The event keeps what it waits for, but has no timeout, and no period.
    pub(crate) fn remove_timer(&self, event: Ev) -> c_int {
        debug::assert_setup(event, "event_remove_timer");
        if event.has(list::TIMEOUT) {
            self.take_out(event, list::TIMEOUT);
            if !event.is_for(ev::SIGNAL) {
                event.set_period(time::ZERO);
            }
            let mut core = self.core();
            if let Some(id) = Self::slot(&core, event) {
                let _ = core.clear_timeout(id);
            }
        }
        0
    }

    /// How long until the event's timeout, in nanoseconds.
    pub(crate) fn remaining(&self, event: Ev) -> i128 {
        let core = self.core();
        let pending = Self::slot(&core, event).and_then(|id| core.pending(id));
        let remaining = pending.and_then(|pending| pending.remaining).unwrap_or_default();
        remaining.as_nanos().cast_signed()
    }
}
