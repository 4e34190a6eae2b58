//! Timers through the public interface, against a map of deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use evcore::backend::{EventOp, Manual};
use evcore::storage::Storage;
use evcore::{Event, EventBase, EventId, Fixed, Growable, Instant, Ready, Wait};

use crate::Reached;
use crate::bytes::Bytes;

/// The maximum number of timers.
const TIMERS: usize = 24;
/// The maximum number of bytes used: each check visits all timers.
const LENGTH: usize = 4_096;

/// The first byte chooses the storage, the others the operations on the timers.
pub fn timers(data: &[u8]) -> Reached {
    let mut bytes = Bytes::new(&data[..data.len().min(LENGTH)]);
    if bytes.bool() {
        Rig::<Growable>::new("growable").run(&mut bytes)
    } else {
        Rig::<Fixed<TIMERS>>::new("fixed").run(&mut bytes)
    }
}

/// A base, and the same timers in a map.
struct Rig<S: Storage> {
    base: EventBase<Manual, S, usize>,
    timers: [Option<Timer>; TIMERS],
    /// The armed timers, by deadline and order of arming.
    armed: BTreeMap<(u64, u64), usize>,
    armings: u64,
    /// A timer whose period restarts at the end of this turn's hand-outs.
    restarting: Option<usize>,
    reached: Reached,
}

#[derive(Clone, Copy)]
struct Timer {
    id: EventId,
    persist: bool,
    /// The last delay in nanoseconds; a persistent timer is re-armed with it, unless it is zero.
    interval: u64,
    /// Its key in `armed`.
    at: Option<(u64, u64)>,
    /// Has a timeout, armed or not.
    timed: bool,
}

impl<S: Storage> Rig<S> {
    fn new(storage: &'static str) -> Self {
        let base = EventBase::new(Manual::new());
        let reached = Reached::from([storage]);
        Self { base, timers: [None; TIMERS], armed: BTreeMap::new(), armings: 0, restarting: None, reached }
    }

    fn run(mut self, bytes: &mut Bytes<'_>) -> Reached {
        while let Some(kind) = bytes.next() {
            let which = bytes.below(TIMERS);
            match (kind % 12, self.timers[which]) {
                (0..=3, None) => self.create(which, bytes),
                (0..=3, Some(timer)) => {
                    let delay = delay(bytes);
                    assert_eq!(self.base.add(timer.id, Some(Duration::from_nanos(delay))), Ok(()));
                    self.arm(which, self.clock().saturating_add(delay), delay);
                }
                (4, Some(timer)) => self.add_at(which, timer, bytes),
                (5, Some(timer)) => {
                    self.reached.insert("clear_timeout");
                    assert_eq!(self.base.clear_timeout(timer.id), Ok(()));
                    self.disarm(which);
                }
                (6, Some(timer)) => {
                    self.reached.insert("del");
                    assert_eq!(self.base.del(timer.id), Ok(()));
                    self.disarm(which);
                }
                (7, Some(timer)) => {
                    self.reached.insert("remove");
                    assert_eq!(self.base.remove(timer.id), Some(which));
                    self.disarm(which);
                    self.timers[which] = None;
                    assert!(self.base.add(timer.id, None).is_err(), "an id outlives its timer");
                }
                (8, Some(timer)) => self.activate(which, timer),
                (9, _) => self.base.backend_mut().advance(Duration::from_nanos(delay(bytes).min(1 << 40))),
                (10, _) => self.turn(Wait::Forever),
                _ => self.turn(Wait::None),
            }
            self.check();
        }
        self.reached
    }

    fn clock(&self) -> u64 {
        self.base.backend().now().as_nanos()
    }

    fn create(&mut self, which: usize, bytes: &mut Bytes<'_>) {
        let (persist, delay) = (bytes.bool(), delay(bytes));
        let event = if persist { Event::timer().persist() } else { Event::timer() };
        let id =
            self.base.start(event.timeout(Duration::from_nanos(delay)), which).expect("there is room for all of them");
        self.timers[which] = Some(Timer { id, persist, interval: 0, at: None, timed: false });
        // An event's own timeout of 292 years or more means for ever.
        let delay = if delay < (1 << 63) - 1 { delay } else { u64::MAX };
        self.arm(which, self.clock().saturating_add(delay), delay);
    }

    fn add_at(&mut self, which: usize, timer: Timer, bytes: &mut Bytes<'_>) {
        let now = self.clock();
        let deadline = if bytes.bool() { now.saturating_add(delay(bytes)) } else { now.saturating_sub(delay(bytes)) };
        assert_eq!(self.base.add_at(timer.id, Instant::from_nanos(deadline)), Ok(()));
        self.arm(which, deadline, deadline.saturating_sub(now));
    }

    /// Activates a timer. A persistent timer's period restarts when the hand-outs end.
    fn activate(&mut self, which: usize, timer: Timer) {
        assert_eq!(self.base.activate(timer.id, Ready::READ), Ok(()));
        self.turn_with(Wait::None, Some(which));
    }

    fn turn(&mut self, wait: Wait) {
        self.turn_with(wait, None);
    }

    fn turn_with(&mut self, wait: Wait, activated: Option<usize>) {
        if wait == Wait::Forever && self.armed.is_empty() {
            return;
        }
        let (began, first) = (self.clock(), self.first());
        assert!(self.base.poll(wait).is_ok_and(evcore::Turn::is_running));
        let now = self.clock();
        assert_eq!(self.base.now().as_nanos(), now, "the turn's clock");
        // It may wake too early, for a timer that was moved later.
        assert!(now <= first.max(began), "slept beyond the first deadline: {now}, {first}");
        if wait == Wait::Forever && now < first && now > began {
            self.reached.insert("woken too early");
        }
        for (which, ready) in self.expected(now, activated) {
            let Some(fired) = self.base.next_active() else { panic!("timer {which} did not come at {now}") };
            assert_eq!((*fired.data, fired.ready), (which, ready), "at {now}");
            let (id, count) = (fired.id, fired.count);
            assert_eq!(self.timers[which].map(|timer| timer.id), Some(id));
            self.handed_out(which, ready, now, count);
        }
        assert!(self.base.next_active().is_none(), "something came that was not due at {now}");
        if let Some(which) = self.restarting.take() {
            let interval = self.timers[which].map_or(0, |timer| timer.interval);
            self.arm(which, now.saturating_add(interval), interval);
        }
    }

    /// Activated timers come first, with all their bits, then due ones in order.
    fn expected(&self, now: u64, activated: Option<usize>) -> Vec<(usize, Ready)> {
        let due = self.armed.range(..=(now, u64::MAX)).filter(|(key, _)| key.0 < u64::MAX).map(|(_, which)| *which);
        let (first, others): (Vec<usize>, Vec<usize>) = due.partition(|which| Some(*which) == activated);
        let also = if first.is_empty() { Ready::empty() } else { Ready::TIMEOUT };
        let by_hand = activated.map(|which| (which, Ready::READ | also));
        by_hand.into_iter().chain(others.into_iter().map(|which| (which, Ready::TIMEOUT))).collect()
    }

    fn first(&self) -> u64 {
        self.armed.first_key_value().map_or(u64::MAX, |((deadline, _), _)| *deadline)
    }

    fn handed_out(&mut self, which: usize, ready: Ready, now: u64, count: u32) {
        let Some(timer) = self.timers[which] else { return };
        let at = timer.at;
        self.reached.insert(match (ready.contains(Ready::TIMEOUT), ready.contains(Ready::READ)) {
            (true, true) => "activated and due",
            (true, false) if timer.persist => "period",
            (true, false) => "due",
            (false, _) => "activated",
        });
        if !timer.persist {
            assert_eq!(count, 1);
            return self.disarm(which);
        }
        if !timer.timed {
            return;
        }
        let (deadline, interval) = (at.map_or(0, |(deadline, _)| deadline), timer.interval);
        if !ready.contains(Ready::TIMEOUT) {
            assert_eq!(count, 1);
            self.restarting = Some(which);
            return;
        }
        if interval == 0 {
            self.reached.insert("no period");
            assert_eq!(count, 1);
            return self.disarm(which);
        }
        // In phase, after the missed periods.
        let missed = (now - deadline) / interval;
        if missed > 0 {
            self.reached.insert("missed periods");
        }
        assert_eq!(u64::from(count), (missed + 1).min(u32::MAX.into()));
        let next = u128::from(deadline) + (u128::from(missed) + 1) * u128::from(interval);
        self.arm(which, u64::try_from(next).unwrap_or(u64::MAX), interval);
    }

    fn arm(&mut self, which: usize, deadline: u64, interval: u64) {
        self.mark_arming(which, deadline);
        self.disarm(which);
        self.armings += 1;
        let at = (deadline, self.armings);
        self.armed.insert(at, which);
        if let Some(timer) = &mut self.timers[which] {
            (timer.at, timer.interval, timer.timed) = (Some(at), interval, true);
        }
    }

    fn mark_arming(&mut self, which: usize, deadline: u64) {
        let before = self.timers[which].and_then(|timer| timer.at);
        self.reached.insert(match before {
            Some((before, _)) if before < deadline => "moved later",
            Some((before, _)) if before == deadline => "moved nowhere",
            Some(_) => "moved earlier",
            None => "armed",
        });
        let equals = self.armed.range((deadline, 0)..=(deadline, u64::MAX));
        let marks = [
            (equals.count() >= 4, "equal deadlines"),
            (deadline == u64::MAX, "never"),
            (deadline < self.clock(), "in the past"),
            // A root with four children, sixteen of theirs, and more.
            (self.armed.len() > 21, "four levels"),
        ];
        self.reached.extend(marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark));
    }

    fn disarm(&mut self, which: usize) {
        if let Some(timer) = &mut self.timers[which] {
            timer.timed = false;
            if let Some(at) = timer.at.take() {
                self.armed.remove(&at);
            }
        }
    }

    fn check(&mut self) {
        assert!(self.base.check(), "the tables do not agree");
        let next = self.base.next_deadline().map_or(u64::MAX, Instant::as_nanos);
        assert!(next <= self.first(), "the next deadline is later than the first one");
        for timer in self.timers.into_iter().flatten() {
            let pending = self.base.pending(timer.id).expect("it exists");
            assert_eq!(pending.deadline.map(Instant::as_nanos), timer.at.map(|(deadline, _)| deadline));
            assert!(!timer.persist || timer.timed == timer.at.is_some());
        }
    }
}

/// Few different values, so that some deadlines are equal, and some from the ends of the range.
fn delay(bytes: &mut Bytes<'_>) -> u64 {
    match bytes.byte() {
        drawn @ 0..=127 => u64::from(drawn % 8),
        drawn @ 128..=239 => u64::from(drawn) * u64::from(bytes.byte()),
        drawn @ 240..=249 => 1 << ((drawn - 240) * 7),
        drawn => u64::MAX - u64::from(drawn - 250),
    }
}
