//! Connects a C event to evcore: while it is pending it has an evcore event, which is kept to be reused.

use core::ffi::c_short;

use evcore::{Error, Event as Description, EventId, Fd, Interest};

use crate::abi::ev;
use crate::base::{Base, Core};
use crate::from_c::{self, Ev};
use crate::log;
use crate::to_c;

/// The interest for `EV_*`. What the backend cannot report is left out, as in libevent.
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

/// The evcore event for a C event. If its fd is not a descriptor, it waits only for its timeout, as in libevent.
fn describe(core: &Core, event: Ev) -> Description<Fd> {
    let events = event.events();
    let description = if events & ev::SIGNAL != 0 {
        Description::signal(event.fd())
    } else {
        let interest = interest(core, events);
        match from_c::fd(event.fd()) {
            // A one-shot event, too, stays registered until its callback begins.
            Some(fd) if !interest.is_empty() => return Description::io(fd, interest).persist(),
            _ => Description::timer(),
        }
    };
    if events & ev::PERSIST != 0 { description.persist() } else { description }
}

impl Base {
    /// Makes evcore wait for the event. Returns whether it does.
    #[inline(always)]
    pub(crate) fn attach(&self, event: Ev, timeout: Start) -> bool {
        let mut core = self.core();
        let Some(id) = own_slot(&mut core, event).or_else(|| create(&mut core, event)) else { return false };
        let outcome = start(&mut core, id, timeout);
        drop(core);
        if let Err(error) = outcome {
            return self.start_again(event, id, timeout, error);
        }
        event.set_handed_out(false);
        true
    }

    /// Tries again after evcore refused to wait for an event.
    #[cold]
    fn start_again(&self, event: Ev, id: EventId, timeout: Start, error: Error<evplat_linux::Error>) -> bool {
        let mut core = self.core();
        let mut outcome = Err(error);
        if let Err(Error::Backend(evplat_linux::Error::Forked)) = outcome {
            // libevent lets a child continue without `event_reinit`.
            outcome = core.reinit().map_err(Error::Backend).and_then(|()| start(&mut core, id, timeout));
        }
        let Err(error) = outcome else {
            event.set_handed_out(false);
            return true;
        };
        if core.pending(id).is_some_and(|pending| !pending.registered && pending.deadline.is_none()) {
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
        false
    }

    /// Detaches the event from evcore: its memory may be freed, and its descriptor closed.
    #[inline(always)]
    pub(crate) fn detach(&self, event: Ev) {
        let Some(id) = EventId::from_bits(event.id()) else { return };
        let mut core = self.core();
        match core.get_mut(id) {
            Some(owner) if *owner == Some(event) => *owner = None,
            _ => return,
        }
        // A timer keeps running until its event is added again or it expires: its hand-out then has no owner.
        if event.is_attached_for(ev::IO | ev::SIGNAL) {
            let _ = core.deregister(id);
        }
        self.park(&mut core, id);
    }
}

/// The evcore event that a C event still has, or that was parked when it was deleted, if it waits for the same.
#[inline(always)]
fn own_slot(core: &mut Core, event: Ev) -> Option<EventId> {
    let id = EventId::from_bits(event.id())?;
    let owner = core.get_mut(id)?;
    let is_own = owner.is_none_or(|owner| owner == event) && event.is_as_attached();
    if is_own {
        *owner = Some(event);
    }
    is_own.then_some(id)
}

/// Creates an evcore event for a C event.
#[inline(never)]
fn create(core: &mut Core, event: Ev) -> Option<EventId> {
    // A program may have changed `ev_fd` or `ev_events`: the old evcore event then waits for something else.
    if let Some(id) = Base::slot(core, event) {
        core.remove(id);
    }
    // A negative number is not a descriptor, and is legal; some other numbers are not descriptors either.
    if event.is_for(ev::IO) && event.fd() >= 0 && from_c::fd(event.fd()).is_none() {
        to_c::set_errno(libc::EBADF);
        return None;
    }
    let made = core.create(describe(core, event), Some(event));
    let id = made.inspect_err(|_| log::warn("event_add: no memory")).ok()?;
    event.set_attached(id.to_bits());
    Some(id)
}

/// The start and the duration of a timeout.
pub(crate) type Start = Option<(evcore::Instant, core::time::Duration)>;

#[inline(always)]
fn start(core: &mut Core, id: EventId, timeout: Start) -> Result<(), Error<evplat_linux::Error>> {
    match timeout {
        Some((now, delay)) => core.add_from(id, now, delay),
        None => core.add(id, None),
    }
}
