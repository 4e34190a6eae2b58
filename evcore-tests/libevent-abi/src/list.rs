//! Queries of a base: its method, its counts, its events.

use core::ffi::{c_char, c_int, c_void};
use core::fmt::Write as _;

use evcore::backend::Features;

use crate::abi::{ev, list};
use crate::base::{Base, attached};
use crate::from_c::{BaseRef, Ev, export};
use crate::time;
use crate::to_c::{self, METHODS};

/// `EVENT_BASE_COUNT_*`.
const ACTIVE: u32 = 1;
const VIRTUAL: u32 = 2;
const ADDED: u32 = 4;
/// `EV_FEATURE_*`, with the numbers of evcore's.
const FEATURES: Features = Features::EDGE.union(Features::O1).union(Features::FILES).union(Features::CLOSED);

type EachFn = extern "C" fn(*const Base, Ev, *mut c_void) -> c_int;

/// The events of a base that are pending or active, each once.
fn events(base: BaseRef) -> Vec<Ev> {
    let mut events: Vec<_> =
        attached(base).into_iter().filter(|event| event.has(list::INSERTED | list::TIMEOUT)).collect();
    let queued = base.queued().into_iter().filter_map(crate::from_c::Cb::event);
    events.extend(queued.filter(|event| !event.has(list::INSERTED | list::TIMEOUT)));
    events
}

fn describe(event: Ev) -> String {
    let kind = if event.is_for(ev::SIGNAL) { "sig" } else { "fd " };
    format!("  {:p} [{kind} {}", event.memory(), event.fd())
}

fn names(bits: i16, names: &[(i16, &'static str)]) -> String {
    names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect()
}

/// The text of `event_base_dump_events`.
fn dump(base: BaseRef) -> String {
    let events = events(base);
    let mut text = String::from("Inserted events:\n");
    for event in events.iter().copied().filter(|event| event.has(list::INSERTED | list::TIMEOUT)) {
        text += &describe(event);
        text += "]";
        text += &names(
            event.events(),
            &[
                (ev::READ, " Read"),
                (ev::WRITE, " Write"),
                (ev::CLOSED, " EOF"),
                (ev::SIGNAL, " Signal"),
                (ev::PERSIST, " Persist"),
                (ev::ET, " ET"),
            ],
        );
        if event.has(list::TIMEOUT) {
            let at = time::of_nanos(time::wall() + base.remaining(event));
            let _ = write!(text, " Timeout={}.{:06}", at.tv_sec, at.tv_usec);
        }
        text += "\n";
    }
    text += "Active events:\n";
    for event in base.queued().into_iter().filter_map(crate::from_c::Cb::event) {
        text += &describe(event);
        let _ = write!(text, ", priority={}]", event.priority());
        text += &names(
            event.res(),
            &[
                (ev::READ, " Read"),
                (ev::WRITE, " Write"),
                (ev::CLOSED, " EOF"),
                (ev::SIGNAL, " Signal"),
                (ev::TIMEOUT, " Timeout"),
            ],
        );
        text += " active";
        text += &names(event.flags(), &[(list::LATER, " [NextTime]")]);
        text += "\n";
    }
    text
}

export! {
    fn event_base_get_method(base: Option<BaseRef>) -> *const c_char {
        let Some(base) = base else { return core::ptr::null() };
        let place = match base.core().method() {
            "epoll" => 0,
            "poll" => 1,
            _ => 2,
        };
        METHODS.0[place]
    }

    fn event_get_supported_methods() -> *const *const c_char {
        METHODS.0.as_ptr()
    }

    fn event_base_get_features(base: Option<BaseRef>) -> c_int {
        base.map_or(0, |base| c_int::from((base.core().features() & FEATURES).bits()))
    }

    fn event_base_get_num_events(base: Option<BaseRef>, kinds: u32) -> c_int {
        let Some(base) = base else { return 0 };
        let _guard = base.guard();
        let counts = [(ACTIVE, base.active.get()), (VIRTUAL, base.virtuals.get()), (ADDED, base.added())];
        counts.iter().filter(|(kind, _)| kinds & kind != 0).map(|(_, count)| count).sum()
    }

    fn event_base_get_max_events(base: Option<BaseRef>, kinds: u32, clears: c_int) -> c_int {
        let Some(base) = base else { return 0 };
        let _guard = base.guard();
        let mut sum = 0;
        for (_, tally) in [(ACTIVE, &base.active), (VIRTUAL, &base.virtuals)].iter().filter(|(kind, _)| kinds & kind != 0) {
            sum += tally.max();
            if clears != 0 {
                tally.clear_max();
            }
        }
        if kinds & ADDED != 0 {
            sum += base.added_max.get();
            if clears != 0 {
                base.added_max.set(0);
            }
        }
        sum
    }

    fn event_base_foreach_event(base: Option<BaseRef>, function: Option<EachFn>, arg: *mut c_void) -> c_int {
        let (Some(base), Some(function)) = (base, function) else { return -1 };
        let _guard = base.guard();
        event_base_foreach_event_nolock_(Some(base), Some(function), arg)
    }

    fn event_base_foreach_event_nolock_(base: Option<BaseRef>, function: Option<EachFn>, arg: *mut c_void) -> c_int {
        let (Some(base), Some(function)) = (base, function) else { return -1 };
        let all = events(base).into_iter().map(|event| function(base.as_ptr(), event, arg));
        { all }.find(|answer| *answer != 0).unwrap_or(0)
    }

    fn event_base_dump_events(base: Option<BaseRef>, stream: *mut libc::FILE) {
        let Some(base) = base else { return };
        let _guard = base.guard();
        to_c::write_to(stream, &dump(base));
    }
}
