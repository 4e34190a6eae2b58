//! The model: what each event must get, computed from what poll(2) reports for its descriptor alone.
//!
//! One for each backend, because some refuse what others accept. It has the rules for events in the simplest form,
//! and nothing of their implementation.

use std::time::Duration;

use evcore::backend::Features;
use evcore::{Interest, Ready};

use crate::clock::Clock;
use crate::differences::{self, refuses};
use crate::script::{Body, EVENTS, End, From, SOURCES, Start, Step, Timeout};
use crate::world::Raw;

mod turn;

pub(crate) use turn::Due;

/// The duration of a timeout that expires during a script.
pub(crate) const SOON: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lost {
    No,
    /// Its descriptor was closed.
    Closed,
    /// Its descriptor was closed, and the number reused.
    OpenAgain,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) start: Start,
    pub(crate) interest: Interest,
    pub(crate) pending: bool,
    paused: bool,
    /// The deadline of its timeout, if the script lasts that long.
    deadline: Option<Duration>,
    pub(crate) is_timed: bool,
    /// It was deleted while it had a timeout, and has not been given another one.
    pub(crate) had_timeout: bool,
    pub(crate) queued: Option<Ready>,
    signals: u32,
    lost: Lost,
    /// For an event whose descriptor was closed: how many times it may get ERROR.
    errors: u8,
    /// For an edge-triggered event: what was reported and still holds; and whether it was added or changed since.
    known: i16,
    is_anew: bool,
}

/// What was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handed {
    pub(crate) event: u8,
    pub(crate) ready: Ready,
    pub(crate) count: u32,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) features: Features,
    clock: Clock,
    strict: bool,
    edges: u8,
    pub(crate) events: [Option<Event>; EVENTS as usize],
    /// The arrivals of each signal since the last turn, if it was watched.
    arrived: [u32; 2],
    woken: bool,
    /// The sources that were changed since the last turn, or whose events were.
    touched: [bool; SOURCES as usize],
}

impl Model {
    pub(crate) fn new(features: Features, clock: Clock, strict: bool, edges: u8) -> Self {
        Self {
            features,
            clock,
            strict,
            edges,
            events: Default::default(),
            arrived: [0; 2],
            woken: false,
            touched: [false; SOURCES as usize],
        }
    }

    pub(crate) fn event(&self, event: u8) -> Option<&Event> {
        self.events[usize::from(event)].as_ref()
    }

    fn event_mut(&mut self, event: u8) -> Option<&mut Event> {
        self.events[usize::from(event)].as_mut()
    }

    pub(crate) fn is_lost(&self, event: u8) -> bool {
        self.event(event).is_some_and(|event| event.lost != Lost::No)
    }

    /// The interest of an event on this end, which decides whether it is edge-triggered.
    pub(crate) fn on_end(&self, end: End, interest: Interest) -> Interest {
        let is_edge = self.edges >> end & 1 == 1 && !interest.is_empty();
        if is_edge { interest | Interest::EDGE } else { interest }
    }

    /// Whether the step is possible in this state; `raw` shows which ends are open.
    pub(crate) fn allows(&self, step: Step, raw: &Raw) -> bool {
        let is_open = |end: End| raw[usize::from(end)].is_some();
        let is_edge = |end: End| self.edges >> end & 1;
        match step {
            Step::Start(event, start) => {
                self.event(event).is_none() && !matches!(start.from, From::Io(end, _) if !is_open(end))
            }
            Step::Remove(event) => self.event(event).is_some(),
            Step::Reinit => self.events.iter().flatten().all(|event| event.lost == Lost::No),
            Step::Add(event, _)
            | Step::Del(event)
            | Step::Modify(event, _)
            | Step::ReplaceFd(event, _)
            | Step::Activate(event, _)
            | Step::RemoveTimer(event)
            | Step::Pause(event)
            | Step::SetPriority(event, _) => {
                let Some(event) = self.event(event).filter(|event| event.lost == Lost::No) else { return false };
                match (step, event.start.from) {
                    (Step::Modify(..), from) => matches!(from, From::Io(..)),
                    (Step::ReplaceFd(_, to), From::Io(end, _)) => is_open(to) && is_edge(to) == is_edge(end),
                    (Step::Pause(_), From::Io(end, _)) => event.pending && !event.is_timed && is_edge(end) == 0,
                    (Step::ReplaceFd(..) | Step::Pause(_), _) => false,
                    (Step::Activate(..), from) => !matches!(from, From::Signal(_)),
                    _ => true,
                }
            }
            _ => true,
        }
    }

    /// Whether the step must be refused.
    pub(crate) fn is_refused(&self, step: Step) -> bool {
        let refused = |interest| refuses(self.features, interest);
        match step {
            Step::Start(_, Start { from: From::Io(end, interest), .. }) => refused(self.on_end(end, interest)),
            Step::Add(event, _) => self.event(event).is_some_and(|event| {
                (!event.pending || event.paused) && matches!(event.start.from, From::Io(..)) && refused(event.interest)
            }),
            Step::Modify(event, interest) => self.event(event).is_some_and(|event| {
                let From::Io(end, _) = event.start.from else { return false };
                let interest = self.on_end(end, interest);
                event.pending && !event.paused && event.interest != interest && refused(interest)
            }),
            _ => false,
        }
    }

    /// Applies a step that was not refused.
    pub(crate) fn apply(&mut self, step: Step) {
        self.touch_of(step);
        match step {
            Step::Start(number, start) => {
                let interest = match start.from {
                    From::Io(end, interest) => self.on_end(end, interest),
                    _ => Interest::empty(),
                };
                self.events[usize::from(number)] = Some(Event::new(start, interest));
                self.add(number, start.timeout);
            }
            Step::Add(event, timeout) => self.add(event, timeout),
            Step::Remove(event) => {
                self.leave_lost(event);
                self.events[usize::from(event)] = None;
            }
            Step::Del(event) => self.change(event, Event::disarm_and_cancel),
            Step::Modify(event, interest) => self.modify(event, interest),
            Step::ReplaceFd(event, end) => self.change(event, |event| {
                event.start.from = From::Io(end, Interest::empty());
                event.is_anew = true;
                event.retract(Ready::IO);
            }),
            Step::Activate(event, ready) => self.change(event, |event| event.queue(ready)),
            Step::RemoveTimer(event) => self.change(event, |event| (event.deadline, event.is_timed) = (None, false)),
            Step::Pause(event) => self.change(event, |event| (event.paused, event.queued) = (true, None)),
            Step::SetPriority(event, level) => self.change(event, |event| event.start.level = level),
            Step::Reinit => self.events.iter_mut().flatten().for_each(|event| event.is_anew = true),
            Step::Raise(signal, times) if self.is_watched(signal) => {
                self.arrived[usize::from(signal)] += u32::from(times);
            }
            Step::Wake => self.woken = true,
            _ => {}
        }
        self.touch_of(step);
        for signal in 0..2 {
            if !self.is_watched(signal) {
                self.arrived[usize::from(signal)] = 0;
            }
        }
    }

    fn is_watched(&self, signal: u8) -> bool {
        self.events.iter().flatten().any(|event| event.pending && event.start.from == From::Signal(signal))
    }

    fn change(&mut self, event: u8, change: impl FnOnce(&mut Event)) {
        if let Some(event) = self.event_mut(event) {
            change(event);
        }
    }

    fn add(&mut self, event: u8, timeout: Timeout) {
        let deadline = self.clock.now() + SOON;
        self.change(event, |event| {
            if !event.pending || event.paused {
                (event.pending, event.paused, event.is_anew) = (true, false, true);
            }
            event.had_timeout &= timeout == Timeout::None;
            match timeout {
                Timeout::None => {}
                Timeout::Soon => (event.is_timed, event.deadline) = (true, Some(deadline)),
                Timeout::Later => (event.is_timed, event.deadline) = (false, None),
            }
        });
    }

    fn modify(&mut self, event: u8, interest: Interest) {
        let Some(From::Io(end, _)) = self.event(event).map(|event| event.start.from) else { return };
        let interest = self.on_end(end, interest);
        self.change(event, |event| {
            if event.interest == interest {
                return;
            }
            let dropped = Ready::from_bits_retain(event.interest.difference(interest).bits());
            event.retract(if interest.difference(Interest::EDGE).is_empty() { Ready::IO } else { dropped });
            (event.interest, event.is_anew) = (interest, true);
        });
    }

    /// An end was closed and, if `true`, its number reused.
    pub(crate) fn lose(&mut self, end: End, is_open_again: bool) {
        for event in self.events.iter_mut().flatten() {
            if matches!(event.start.from, From::Io(its, _) if its == end) {
                event.lost = match (event.lost, is_open_again) {
                    (_, true) => Lost::OpenAgain,
                    (Lost::No, false) => Lost::Closed,
                    (lost, false) => lost,
                };
            }
        }
    }

    /// Removes a lost event: the others of its descriptor may get ERROR for the refused change.
    fn leave_lost(&mut self, event: u8) {
        let Some(Event { start: Start { from: left, .. }, lost: Lost::Closed, .. }) = self.event(event) else {
            return;
        };
        let left = *left;
        let is_on_it = |event: &&mut Event| matches!((event.start.from, left), (From::Io(its, _), From::Io(left, _)) if its == left);
        self.events
            .iter_mut()
            .flatten()
            .filter(is_on_it)
            .for_each(|event| event.errors = event.errors.saturating_add(1));
    }

    /// Records that a source was changed.
    pub(crate) fn touch(&mut self, source: u8) {
        self.touched[usize::from(source)] = true;
    }

    /// Records sources that the system may check again because of a step's change to an event.
    fn touch_of(&mut self, step: Step) {
        match step {
            Step::Start(event, _)
            | Step::Add(event, _)
            | Step::Del(event)
            | Step::Remove(event)
            | Step::Modify(event, _)
            | Step::ReplaceFd(event, _) => self.touch_with(event),
            Step::Reinit => self.touched = [true; SOURCES as usize],
            _ => {}
        }
    }

    fn touch_with(&mut self, event: u8) {
        if let Some(From::Io(end, _)) = self.event(event).map(|event| event.start.from) {
            self.touch(end / 2);
        }
    }

    /// Readiness that was reported to an edge-triggered event and has ended may be reported again.
    pub(crate) fn observe(&mut self, raw: &Raw) {
        for event in self.events.iter_mut().flatten() {
            if let From::Io(end, _) = event.start.from {
                event.known &= raw[usize::from(end)].unwrap_or(0);
            }
        }
    }

    /// The last deadline of the timers that expire during a script.
    pub(crate) fn lapse(&self) -> Option<Duration> {
        self.events.iter().flatten().filter_map(|event| event.deadline).max()
    }

    /// A handler's operation as a step.
    pub(crate) fn step_of(&self, me: u8, body: Body) -> Option<Step> {
        let level = self.event(me)?.start.level;
        let later = |other| self.event(other).filter(|other| other.start.level > level && other.lost == Lost::No);
        let is_io = |event: &Event| matches!(event.start.from, From::Io(..));
        match body {
            Body::Nothing => None,
            Body::Add => Some(Step::Add(me, Timeout::None)),
            Body::Del => Some(Step::Del(me)),
            Body::Remove => Some(Step::Remove(me)),
            Body::Modify(interest) => self.event(me).filter(|me| is_io(me)).map(|_| Step::Modify(me, interest)),
            Body::DelOther(other) => later(other).map(|_| Step::Del(other)),
            Body::RemoveOther(other) => later(other).map(|_| Step::Remove(other)),
            Body::ModifyOther(other, interest) => {
                later(other).filter(|other| is_io(other)).map(|_| Step::Modify(other, interest))
            }
            Body::ActivateOther(other) => {
                let is_signal = |event: &&Event| matches!(event.start.from, From::Signal(_));
                later(other).filter(|other| !is_signal(other)).map(|_| Step::Activate(other, Ready::READ))
            }
        }
    }
}

impl Event {
    fn new(start: Start, interest: Interest) -> Self {
        Self {
            start,
            interest,
            pending: false,
            paused: false,
            deadline: None,
            is_timed: false,
            had_timeout: false,
            queued: None,
            signals: 0,
            lost: Lost::No,
            errors: differences::TIMES_TOLD_OF_A_CLOSED_ONE,
            known: 0,
            is_anew: true,
        }
    }

    fn queue(&mut self, ready: Ready) {
        self.queued = Some(self.queued.unwrap_or(Ready::empty()) | ready);
    }

    fn retract(&mut self, ready: Ready) {
        self.queued = self.queued.map(|queued| queued.difference(ready)).filter(|queued| !queued.is_empty());
    }

    fn disarm(&mut self) {
        self.had_timeout |= self.is_timed;
        (self.pending, self.paused, self.is_timed, self.deadline) = (false, false, false, None);
    }

    fn disarm_and_cancel(&mut self) {
        self.disarm();
        (self.queued, self.signals) = (None, 0);
    }
}
