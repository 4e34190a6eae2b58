//! A turn: what it finds, and whether the hand-outs match.

use std::time::Duration;

use evcore::{Interest, Ready};

use super::{Event, Handed, Lost, Model, SOON};
use crate::differences::matching;
use crate::script::{EVENTS, End, From, LEVELS, SOURCES, Step};
use crate::world::Raw;

/// What an event must get in a turn, and what it may get; the same if it is level-triggered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Due {
    pub(crate) must: Ready,
    pub(crate) may: Ready,
    /// Its readiness, even if it was reported before.
    pub(crate) all: Ready,
}

impl Due {
    fn with(self, ready: Ready) -> Self {
        Self { must: self.must | ready, may: self.may | ready, all: self.all | ready }
    }
}

/// The state of a turn.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) found: Vec<(u8, Due)>,
    /// The priority being handed out, and the last one of this turn.
    level: u8,
    last: u8,
}

impl Model {
    /// Whether a wait would return at once.
    pub(crate) fn ends_a_wait(&self, raw: &Raw) -> bool {
        let is_due = |event: &Event| event.queued.is_some() || !self.due(event, raw).must.is_empty();
        self.woken || self.events.iter().flatten().any(|event| event.lost == Lost::No && is_due(event))
    }

    /// What a turn must find for an event now.
    fn due(&self, event: &Event, raw: &Raw) -> Due {
        let mut due = Due { must: Ready::empty(), may: Ready::empty(), all: Ready::empty() };
        match event.start.from {
            From::Io(end, _) if event.pending && !event.paused => {
                let raw = raw[usize::from(end)].unwrap_or(0);
                let bits = matching(self.features, event.interest, raw);
                due = Due { must: bits, may: bits, all: bits };
                if event.interest.contains(Interest::EDGE) {
                    due = self.edges_due(event, end, raw);
                }
            }
            From::Signal(signal) if event.pending && self.arrived[usize::from(signal)] > 0 => {
                due = due.with(Ready::SIGNAL);
            }
            _ => {}
        }
        if event.deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
            due = due.with(Ready::TIMEOUT);
        }
        due
    }

    /// For an edge-triggered event: it must get what is new, and if anything changed it may get everything. Otherwise
    /// nothing.
    fn edges_due(&self, event: &Event, end: End, raw: i16) -> Due {
        let is_quiet = !self.touched[usize::from(end / 2)];
        let of = |raw| matching(self.features, event.interest, raw);
        let must = of(if event.is_anew { raw } else { raw & !event.known });
        Due { must, may: if is_quiet { must } else { of(raw) }, all: of(raw) }
    }

    /// Begins a turn: queues what must be reported.
    pub(crate) fn begin_turn(&mut self, raw: &Raw) -> Turn {
        let existing = (0..EVENTS).filter_map(|number| Some((number, self.event(number)?)));
        let existing = existing.filter(|(_, event)| event.lost == Lost::No);
        let mut found: Vec<_> = existing.map(|(number, event)| (number, self.due(event, raw))).collect();
        for (number, due) in &mut found {
            self.find(*number, due, raw);
        }
        (self.arrived, self.woken, self.touched) = ([0; 2], false, [false; SOURCES as usize]);
        let queued = self.events.iter().flatten().filter(|event| event.queued.is_some() && event.lost == Lost::No);
        let first = queued.map(|event| event.start.level).min();
        Turn { found, level: 0, last: first.filter(|_| self.strict).unwrap_or(LEVELS) }
    }

    /// Queues what an event must get, in addition to what is already queued.
    fn find(&mut self, number: u8, due: &mut Due, raw: &Raw) {
        let arrived = self.arrived;
        self.change(number, |event| {
            match event.start.from {
                From::Signal(signal) if due.must.contains(Ready::SIGNAL) => {
                    event.signals += arrived[usize::from(signal)]
                }
                From::Io(end, _) => {
                    event.known = raw[usize::from(end)].unwrap_or(0);
                    event.is_anew &= !event.pending || event.interest.is_empty();
                }
                _ => {}
            }
            *due = due.with(event.queued.unwrap_or(Ready::empty()));
            if !due.must.is_empty() {
                event.queue(due.must);
            }
        });
    }

    /// Checks that this may be handed out now; returns what its handler does.
    pub(crate) fn hand_out(&mut self, turn: &mut Turn, one: &Handed) -> Result<Option<Step>, String> {
        if self.is_lost(one.event) {
            return self.hand_out_lost(one).map(|()| None);
        }
        let Some(event) = self.event(one.event) else { return Err(one.differs("it does not exist")) };
        let start = event.start;
        if start.level < turn.level || start.level > turn.last {
            return Err(one.differs("it is out of its turn"));
        }
        turn.level = start.level;
        if !start.persist {
            self.touch_with(one.event);
        }
        let now = self.clock.now();
        let Some(event) = self.event_mut(one.event) else { return Ok(None) };
        let must = event.queued.take().unwrap_or(Ready::empty());
        let due = turn.found.iter().find(|(event, due)| *event == one.event && is_loose(due)).map(|(_, due)| due.may);
        let may = must | due.unwrap_or(Ready::empty());
        if !one.ready.contains(must) || !may.contains(one.ready) || one.ready.is_empty() {
            return Err(one.differs(&format!("it must get {must:?}, and may get {may:?}")));
        }
        let count = event.settle(one.ready, now);
        if one.count != count {
            return Err(one.differs(&format!("it stands for {count}")));
        }
        Ok(self.step_of(one.event, start.body))
    }

    /// Called after the handler: removes a once event.
    pub(crate) fn handled(&mut self, one: &Handed) {
        if self.event(one.event).is_some_and(|event| event.start.once && event.lost == Lost::No) {
            self.events[usize::from(one.event)] = None;
        }
    }

    /// Checks that nothing more had to be handed out.
    pub(crate) fn end_turn(&self, turn: &Turn) -> Result<(), String> {
        for (event, number) in self.events.iter().zip(0u8..) {
            let Some(event) = event.as_ref().filter(|event| event.lost == Lost::No) else { continue };
            if let (Some(ready), true) = (event.queued, event.start.level <= turn.last) {
                return Err(format!("event {number} did not get {ready:?}"));
            }
        }
        Ok(())
    }

    fn hand_out_lost(&mut self, one: &Handed) -> Result<(), String> {
        if self.event(one.event).is_some_and(|event| !event.start.persist) {
            self.leave_lost(one.event);
        }
        let Some(event) = self.event_mut(one.event) else { return Ok(()) };
        let again = event.lost == Lost::OpenAgain;
        // Its timeout, and what it was activated for, belong to it.
        let own = event.queued.take().unwrap_or(Ready::empty()) | Ready::TIMEOUT;
        if !event.start.persist {
            event.disarm();
        }
        if own.contains(one.ready) {
            return Ok(());
        }
        if !again && (event.errors == 0 || !one.ready.contains(Ready::ERROR)) {
            return Err(one.differs("its descriptor is closed"));
        }
        event.errors = event.errors.saturating_sub(1);
        Ok(())
    }
}

/// Whether more may be reported than must be.
fn is_loose(due: &Due) -> bool {
    due.must != due.may
}

impl Event {
    /// Updates an event that was handed out. Returns how many occurrences the hand-out covers.
    fn settle(&mut self, ready: Ready, now: Duration) -> u32 {
        let signals = std::mem::take(&mut self.signals);
        let mut periods = 1;
        if !self.start.persist {
            self.disarm();
        } else if self.is_timed {
            match self.deadline.filter(|_| ready.contains(Ready::TIMEOUT)) {
                Some(deadline) => {
                    periods = (now.saturating_sub(deadline).as_millis() / SOON.as_millis()) as u32 + 1;
                    self.deadline = Some(deadline + SOON * periods);
                }
                None => self.deadline = Some(now + SOON),
            }
        }
        if ready.contains(Ready::SIGNAL) { signals } else { periods }
    }
}

impl Handed {
    pub(crate) fn differs(&self, why: &str) -> String {
        format!("event {} got {:?}, for {}: {why}", self.event, self.ready, self.count)
    }
}
