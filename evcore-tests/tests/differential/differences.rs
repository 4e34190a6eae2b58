//! The known differences, each with its reason: between our backends, and between us and libevent. What is not here must be
//! the same. The numbers are those of the sentences of `docs/semantics.md` that allow for a difference, or that libevent breaks.

use evcore::backend::Features;
use evcore::{Interest, Ready};

use crate::model::{Event, Model};
use crate::script::{Body, End, From, Kind, Profile, Start, Step, Timeout};

/// What an event that waits for `interest` gets when poll(2) says `raw` of its descriptor (57, 58).
///
/// - Without ERRORS (select), a broken descriptor shows as READ and WRITE alone, for `select` has no set for errors.
/// - A hang-up alone makes nothing writable for `select`: a writer gets it where it is an error as well. (That is the
///   reading end of a pipe, which nobody can write to.)
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

/// Whether a backend refuses to wait for this: for edges, and for CLOSED or URGENT alone, where it has them not (58, 62).
pub(crate) fn refuses(features: Features, interest: Interest) -> bool {
    let alone = |bit, feature| interest.difference(Interest::EDGE) == bit && !features.contains(feature);
    (interest.contains(Interest::EDGE) && !features.contains(Features::EDGE))
        || alone(Interest::CLOSED, Features::CLOSED)
        || alone(Interest::URGENT, Features::URGENT)
}

/// How often the events of a descriptor that was closed behind its back may get ERROR. epoll forgets the descriptor, and
/// reports nothing; poll and select find that it is not open, and say so once. All say so when a change of what the descriptor is
/// watched for is refused: one may be under way when it is closed, and each event that leaves it is another one (66, 67).
///
/// When the number is another descriptor's before they have looked, the old events get that one's readiness on poll and select.
pub(crate) const TIMES_TOLD_OF_A_CLOSED_ONE: u8 = 2;

/// Whether a descriptor's events are removed before it is closed. libevent does not say what comes of events whose descriptor
/// was closed. In its order, one level a turn, those of other levels wait here for the one that gets it on some backends
/// (24).
pub(crate) fn closes_what_is_free(profile: Profile, strict: bool) -> bool {
    profile == Profile::Libevent || strict
}

/// Whether an event that starts has its end to itself. In libevent a second edge-triggered event on a descriptor that is
/// watched for the same already makes no system call, and does not report what is ready (60).
pub(crate) fn starts_alone(profile: Profile, is_edge: bool) -> bool {
    profile == Profile::Libevent && is_edge
}

/// The step as both of us can do it:
///
/// - One priority, and none of what is left out by [`Profile::Libevent`]: libevent serves one level after each look, and looks
///   again until none is left, so that there is no such thing as a turn with several levels (23). It has neither URGENT nor a
///   pause, nor a way to move an event or to rebuild its backend but after a fork; a wake needs threads there.
/// - When an edge is reported once more is up to the system calls that a library makes; and on a broken descriptor libevent's epoll
///   leaves CLOSED out. So events that wait for either last: they are persistent, never delete themselves and have no
///   timeout, or they would be used up or restart in one library, and not in the other (58, 60).
/// - A persistent event does not add itself: its timer keeps its phase here, and restarts there (3).
/// - No full sockets: where somebody waits for CLOSED, libevent's epoll leaves READ and WRITE out of a hang-up, which is reported
///   by nothing else when a socket that has been shut down is full (57).
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

/// Whether it can have a timeout there, too: libevent drops a persistent signal event for good when that is due (47, B6).
fn can_be_timed(from: From) -> bool {
    !matches!(from, From::Signal(_))
}

/// Whether a step means the same to libevent as to this backend.
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

/// Whether an event can be given this timeout: see [`for_libevent`].
fn can_be_added(event: &Event, timeout: Timeout) -> bool {
    let lasts = event.interest.intersects(Interest::EDGE | Interest::CLOSED);
    timeout == Timeout::None || (can_be_timed(event.start.from) && !lasts)
}

/// Whether a change of interest can be said to libevent. It has none: the driver deletes the event, makes a new one and adds it
/// again, which would take its timeout and its queued hand-out along (12). For CLOSED it must be as in [`for_libevent`].
fn can_be_modified(event: &Event, interest: Interest) -> bool {
    let lasts = event.start.persist && event.start.body != Body::Del;
    !event.is_timed && event.queued.is_none() && (lasts || !interest.contains(Interest::CLOSED))
}

/// Whether activating it by hand means the same to libevent, which adds a persistent event again that is activated after it was
/// deleted, if it has ever had a timeout (17).
fn can_be_activated(event: &Event) -> bool {
    event.pending || !event.start.persist
}

/// Whether what is done next must be a turn, for libevent to see the same:
///
/// - Adding an active event registers nothing there ("gotcha" of `event_add`), and a signal that came before the last event
///   on it was deleted is reported to the next one (3, 70).
pub(crate) fn is_followed_by_a_turn(profile: Profile, step: Step) -> bool {
    profile == Profile::Libevent && matches!(step, Step::Activate(..) | Step::Raise(..))
}

/// Whether there is a turn before time passes. Of a persistent timer whose next period is over as well, libevent begins
/// again at that moment; here its phase stays, and the hand-out counts the periods (45, 46).
pub(crate) fn looks_before_time_passes(profile: Profile) -> bool {
    profile == Profile::Libevent
}

/// What is compared of a hand-out: libevent has no bits for ERROR and HANGUP, which are READ and WRITE there; its epoll leaves
/// CLOSED out where there is an error; and backends without `EV_FEATURE_EARLY_CLOSE` take an event that waits for CLOSED,
/// and never tell it (57, 58).
pub(crate) fn common_to_libevent(ready: Ready, is_broken: bool, has_closed: bool) -> Ready {
    let mut common = ready & (Ready::READ | Ready::WRITE | Ready::CLOSED | Ready::TIMEOUT | Ready::SIGNAL);
    if is_broken || !has_closed {
        common.remove(Ready::CLOSED);
    }
    common
}

/// What libevent must report of what must be reported here: when an event's timeout is due in the turn in which its descriptor is
/// ready, libevent 2.1 tells of the timeout alone. (2.2 tells both.) (17)
pub(crate) fn libevent_must_tell(must: Ready) -> Ready {
    if must.contains(Ready::TIMEOUT) { Ready::TIMEOUT } else { must }
}
