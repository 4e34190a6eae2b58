//! The known differences with their reasons, between our backends, and between us and libevent. Anything else must be
//! the same. The numbers are those of the sentences of `docs/semantics.md` that allow for a difference, or that
//! libevent breaks.

use evcore::backend::Features;
use evcore::{Interest, Ready};

use crate::model::{Event, Model};
use crate::script::{Body, End, From, Kind, Profile, Start, Step, Timeout};

/// What an event that waits for `interest` gets if poll(2) reports `raw` for its descriptor (57, 58).
///
/// - Without ERRORS (select), a broken descriptor shows as READ and WRITE alone, because `select` has no set for
///   errors.
/// - With `select`, a hang-up alone makes nothing writable: a writer gets it only if it is an error as well. (A
///   hang-up alone means the read end of a pipe, which cannot be written to.)
/// - Without CLOSED (select) the peer's shutdown is reported as READ only.
pub(crate) fn matching(features: Features, interest: Interest, raw: i16) -> Ready {
    let has = |bits: i16| raw & bits != 0;
    let asked = |bit: Interest, found: bool| interest.contains(bit) && found;
    if interest.difference(Interest::EDGE).is_empty() {
        return Ready::empty();
    }
    let errors = features.contains(Features::ERRORS);
    let mut ready = Ready::empty();
    ready.set(Ready::READ, asked(Interest::READ, has(libc::POLLIN | libc::POLLHUP | libc::POLLERR)));
    let is_writable = has(libc::POLLOUT | libc::POLLERR) || (errors && has(libc::POLLHUP));
    ready.set(Ready::WRITE, asked(Interest::WRITE, is_writable));
    ready.set(Ready::URGENT, asked(Interest::URGENT, has(libc::POLLPRI)));
    let is_closed = features.contains(Features::CLOSED) && has(libc::POLLRDHUP);
    ready.set(Ready::CLOSED, asked(Interest::CLOSED, is_closed));
    ready.set(Ready::ERROR, errors && has(libc::POLLERR));
    ready.set(Ready::HANGUP, errors && has(libc::POLLHUP));
    ready
}

/// Whether a backend refuses this: edges, and CLOSED or URGENT alone, if it lacks them (58, 62).
pub(crate) fn refuses(features: Features, interest: Interest) -> bool {
    let alone = |bit, feature| interest.difference(Interest::EDGE) == bit && !features.contains(feature);
    (interest.contains(Interest::EDGE) && !features.contains(Features::EDGE))
        || alone(Interest::CLOSED, Features::CLOSED)
        || alone(Interest::URGENT, Features::URGENT)
}

/// How many times the events of a descriptor that was closed while registered may get ERROR. epoll forgets the
/// descriptor and reports nothing; poll and select report once that it is not open. All of them also report ERROR if
/// a change of the descriptor's interest is refused: one may be pending when it is closed, and each event that is
/// removed causes another one (66, 67).
///
/// If the number is reused before they have checked, poll and select report the new descriptor's readiness to the old
/// events.
pub(crate) const TIMES_TOLD_OF_A_CLOSED_ONE: u8 = 2;

/// Whether a descriptor's events are removed before it is closed. libevent does not define what happens to events
/// whose descriptor was closed. In its order, one priority per turn, events of other priorities wait for the one that
/// is handed out on some backends only (24).
pub(crate) fn closes_what_is_free(profile: Profile, strict: bool) -> bool {
    profile == Profile::Libevent || strict
}

/// Whether the event being added must be the only one on its end. In libevent, if a descriptor is already watched for
/// the same, a second edge-triggered event makes no system call and does not report what is ready (60).
pub(crate) fn starts_alone(profile: Profile, is_edge: bool) -> bool {
    profile == Profile::Libevent && is_edge
}

/// The step, restricted to what both libraries support:
///
/// - One priority, and no step left out by [`Profile::Libevent`]: libevent hands out one priority after each wait,
///   and waits again until none is left, so it has no turn with several priorities (23). It has neither URGENT nor
///   pauses, cannot move an event, and rebuilds its backend only after a fork; wakes need threads there.
/// - Whether an edge is reported again depends on the library's system calls; and for a broken descriptor libevent's
///   epoll omits CLOSED. So events that wait for either are persistent, never delete themselves and have no timeout;
///   otherwise they would be used up or restarted in one library and not in the other (58, 60).
/// - A persistent event does not add itself: its timer keeps its phase here, and restarts in libevent (3).
/// - No full sockets: if an event waits for CLOSED, libevent's epoll omits READ and WRITE from a hang-up, and nothing
///   else reports it if a socket that was shut down is full (57).
pub(crate) fn for_libevent(step: Step, kind: impl Fn(End) -> Kind, is_edge: impl Fn(End) -> bool) -> Step {
    let (event, start) = match step {
        Step::Start(event, start) => (event, start),
        Step::Fill(end) if kind(end) == Kind::Pair => return Step::Write(end, 300),
        other => return other,
    };
    let lasts = matches!(start.from, From::Io(end, interest) if is_edge(end) || interest.contains(Interest::CLOSED));
    let timeout = if lasts || !can_be_timed(start.from) { Timeout::None } else { start.timeout };
    let start = Start { persist: start.persist || lasts, once: start.once && !lasts, level: 0, timeout, ..start };
    let body = if lasts || (start.persist && start.body == Body::Add) { Body::Nothing } else { start.body };
    Step::Start(event, Start { body, ..start })
}

/// Whether it can have a timeout in libevent, too: libevent deletes a persistent signal event permanently when its
/// timeout expires (47, B6).
fn can_be_timed(from: From) -> bool {
    !matches!(from, From::Signal(_))
}

/// Whether libevent does the same for this step as this backend.
pub(crate) fn allows(profile: Profile, step: Step, model: &Model) -> bool {
    let is_said = |event, can: &dyn Fn(&Event) -> bool| model.event(event).is_some_and(can);
    match step {
        _ if profile == Profile::Ours => true,
        Step::Add(event, timeout) => is_said(event, &|event| can_be_added(event, timeout)),
        Step::Modify(event, interest) => is_said(event, &|event| can_be_modified(event, interest)),
        Step::Activate(event, _) => is_said(event, &can_be_activated),
        _ => true,
    }
}

/// Whether an event can be given this timeout: see [`for_libevent`]. In libevent a persistent event that is deleted keeps
/// its interval: added without a timeout, it gets one again after its next hand-out (47).
fn can_be_added(event: &Event, timeout: Timeout) -> bool {
    if timeout == Timeout::None {
        return !(event.start.persist && event.had_timeout);
    }
    let lasts = event.interest.intersects(Interest::EDGE | Interest::CLOSED);
    can_be_timed(event.start.from) && !lasts
}

/// Whether a change of interest can be made in libevent. It has no such call: the driver deletes the event, makes a
/// new one and adds it, which would lose its timeout and its queued hand-out (12). For CLOSED it must be as in
/// [`for_libevent`].
fn can_be_modified(event: &Event, interest: Interest) -> bool {
    let lasts = event.start.persist && event.start.body != Body::Del;
    !event.is_timed && event.queued.is_none() && (lasts || !interest.contains(Interest::CLOSED))
}

/// Whether activating it means the same in libevent, which adds a persistent event again if it is activated after it
/// was deleted and has ever had a timeout (17).
fn can_be_activated(event: &Event) -> bool {
    event.pending || !event.start.persist
}

/// Whether the next step must be a turn, so that libevent sees the same:
///
/// - In libevent, adding an active event registers nothing ("gotcha" of `event_add`), and a signal that arrived
///   before its last event was deleted is reported to the next one (3, 70).
pub(crate) fn is_followed_by_a_turn(profile: Profile, step: Step) -> bool {
    profile == Profile::Libevent && matches!(step, Step::Activate(..) | Step::Raise(..))
}

/// Whether a turn must come before time advances. If the next period of a persistent timer is over as well, libevent
/// restarts it at that moment; here it keeps its phase, and the hand-out counts the periods (45, 46).
pub(crate) fn looks_before_time_passes(profile: Profile) -> bool {
    profile == Profile::Libevent
}

/// The bits of a hand-out that are compared: libevent has no bits for ERROR and HANGUP, and reports READ and WRITE
/// instead; its epoll omits CLOSED if there is an error; and its backends without `EV_FEATURE_EARLY_CLOSE` accept an
/// event that waits for CLOSED, and never report it (57, 58).
pub(crate) fn common_to_libevent(ready: Ready, is_broken: bool, has_closed: bool) -> Ready {
    let mut common = ready & (Ready::READ | Ready::WRITE | Ready::CLOSED | Ready::TIMEOUT | Ready::SIGNAL);
    if is_broken || !has_closed {
        common.remove(Ready::CLOSED);
    }
    common
}

/// What libevent must report if `must` must be reported here: if an event's timeout expires in the turn in which its
/// descriptor is ready, libevent 2.1 reports only the timeout. (2.2 reports both.) (17)
pub(crate) fn libevent_must_tell(must: Ready) -> Ready {
    if must.contains(Ready::TIMEOUT) { Ready::TIMEOUT } else { must }
}
