//! Carries out a script on all backends at once.

use std::time::Duration;

use evplat_linux::Epoll;
use evplat_posix::{Poll, Select};

use crate::clock::Clock;
use crate::differences;
use crate::lane::{Lane, Run};
use crate::model::Model;
use crate::script::{EVENTS, End, From, Kind, Profile, SOURCES, Script, Start, Step};
use crate::trace::Trace;
use crate::world::World;
use crate::{SIGNALS, libevent, sys};

/// Why a script cannot continue.
enum Fault {
    /// Something changed during the check.
    Blurred,
    Differs(String),
}

/// The result of a script.
pub(crate) enum Outcome {
    Same(Trace),
    /// Which lane differs, and how, after the steps up to that point.
    Differs(String),
    /// Something was still changing: it proves nothing.
    Blurred,
}

struct Runner {
    profile: Profile,
    world: World,
    clock: Clock,
    lanes: [Box<dyn Run>; 3],
    trace: Trace,
}

pub(crate) fn run(script: &Script, profile: Profile) -> Outcome {
    let world = World::new(script);
    let clock = Clock::new();
    let lanes: [Box<dyn Run>; 3] = [
        Box::new(Lane::new(Epoll::new, script, &clock)),
        Box::new(Lane::new(Poll::new, script, &clock)),
        Box::new(Lane::new(Select::new, script, &clock)),
    ];
    let mut trace = Trace::default();
    (0..).zip(script.kinds).for_each(|(source, kind)| trace.add(&libevent::open(source, kind)));
    let mut runner = Runner { profile, world, clock, lanes, trace };
    // With one turn at the end in any case.
    let steps = script.steps.iter().copied().chain([Step::Turn(false)]);
    for step in steps {
        for step in runner.expand(step, script) {
            match runner.step(step) {
                Ok(()) => {}
                Err((_, Fault::Blurred)) => return Outcome::Blurred,
                Err((who, Fault::Differs(why))) => {
                    let done: String = runner.trace.done.iter().map(|step| format!("  {step:?}\n")).collect();
                    return Outcome::Differs(format!("{done}{who}, at {step:?}: {why}"));
                }
            }
        }
    }
    Outcome::Same(runner.trace)
}

impl Runner {
    /// A step in the form in which all lanes can carry it out, after steps that remove what is in its way.
    fn expand(&self, step: Step, script: &Script) -> Vec<Step> {
        let step = match self.profile {
            Profile::Ours => step,
            Profile::Libevent => differences::for_libevent(step, |end| self.world.kind(end), |end| script.is_edge(end)),
        };
        let step = script.fit(step);
        let mut steps = match step {
            Step::Start(event, Start { from: From::Io(end, _), .. })
                if differences::starts_alone(self.profile, script.is_edge(end)) =>
            {
                [self.watchers(end), vec![Step::Remove(event)]].concat()
            }
            Step::Start(event, _) => vec![Step::Remove(event)],
            Step::Close(end) | Step::Reset(end) if differences::closes_what_is_free(self.profile, script.strict) => {
                self.watchers(end)
            }
            Step::Close(end) | Step::Reset(end) => {
                self.watchers(end).into_iter().filter(|step| self.is_of_lost(*step)).collect()
            }
            Step::Reopen(source, _) if differences::closes_what_is_free(self.profile, script.strict) => {
                [self.watchers(2 * source), self.watchers(2 * source + 1)].concat()
            }
            Step::Pass(_) | Step::Lapse if differences::looks_before_time_passes(self.profile) => {
                vec![Step::Turn(false)]
            }
            _ => Vec::new(),
        };
        steps.push(step);
        if differences::is_followed_by_a_turn(self.profile, step) {
            steps.push(Step::Turn(true));
        }
        steps
    }

    /// Steps that remove each event that watches an end.
    fn watchers(&self, end: End) -> Vec<Step> {
        let on_end = |event: &u8| {
            let is_on_end = |model: &Model| {
                model.event(*event).is_some_and(|event| matches!(event.start.from, From::Io(its, _) if its == end))
            };
            self.lanes.iter().any(|lane| is_on_end(lane.model()))
        };
        (0..EVENTS).filter(on_end).map(Step::Remove).collect()
    }

    /// Whether it removes an event whose descriptor was closed earlier: if there are several such numbers, the
    /// reports cannot be predicted.
    fn is_of_lost(&self, step: Step) -> bool {
        matches!(step, Step::Remove(event) if self.lanes.iter().any(|lane| lane.model().is_lost(event)))
    }

    fn step(&mut self, step: Step) -> Result<(), (&'static str, Fault)> {
        match step {
            Step::Turn(sleeps) => return self.turn(sleeps),
            Step::Lapse | Step::Pass(_) => self.pass(step),
            Step::Raise(signal, times) => {
                (0..times).for_each(|_| sys::raise(SIGNALS[usize::from(signal)]));
                self.on_lanes(step)?;
            }
            Step::Write(..)
            | Step::Fill(_)
            | Step::Read(..)
            | Step::Drain(_)
            | Step::Shut(..)
            | Step::Close(_)
            | Step::Reset(_)
            | Step::Urgent(_)
            | Step::Reopen(..) => self.act(step),
            _ => return self.on_lanes(step),
        }
        Ok(())
    }

    /// Called before the step, because the driver's line depends on the state. If a backend refuses a step, it is not
    /// sent to libevent's.
    fn note(&mut self, step: Step, allowed: [bool; 3]) {
        self.trace.done.push(step);
        for ((lane, track), allowed) in self.lanes.iter().zip(&mut self.trace.tracks).zip(allowed) {
            if allowed && !lane.model().is_refused(step) {
                track.lines.extend(libevent::line(step, lane.model()));
            }
        }
    }

    fn act(&mut self, step: Step) {
        if !self.world.act(step) {
            return;
        }
        self.note(step, [true; 3]);
        for lane in &mut self.lanes {
            lane.model_mut().touch(source_of(step));
            match step {
                Step::Close(end) | Step::Reset(end) => lane.model_mut().lose(end, false),
                Step::Reopen(source, _) => {
                    lane.model_mut().lose(2 * source, true);
                    lane.model_mut().lose(2 * source + 1, true);
                }
                _ => {}
            }
        }
        let raw = self.world.settle();
        self.trace.add(&libevent::await_line(&raw));
        self.lanes.iter_mut().for_each(|lane| lane.model_mut().observe(&raw));
    }

    fn on_lanes(&mut self, step: Step) -> Result<(), (&'static str, Fault)> {
        let raw = self.world.raw();
        let allows =
            |lane: &dyn Run| lane.model().allows(step, &raw) && differences::allows(self.profile, step, lane.model());
        let allowed = self.lanes.each_ref().map(|lane| allows(lane.as_ref()));
        if allowed.contains(&true) {
            self.note(step, allowed);
        }
        for (lane, _) in self.lanes.iter_mut().zip(allowed).filter(|(_, allowed)| *allowed) {
            lane.step(step, &self.world).map_err(|why| (lane.name(), Fault::Differs(why)))?;
        }
        Ok(())
    }

    fn pass(&mut self, step: Step) {
        let last = self.lanes.iter().filter_map(|lane| lane.model().lapse()).max();
        let time = match step {
            Step::Pass(milliseconds) => Duration::from_millis(milliseconds.into()),
            _ => last.unwrap_or_default().saturating_sub(self.clock.now()),
        };
        self.clock.pass(time);
        self.trace.done.push(step);
        self.trace.add(&format!("pass {}", time.as_millis()));
    }

    fn turn(&mut self, sleeps: bool) -> Result<(), (&'static str, Fault)> {
        let raw = self.world.settle();
        self.trace.add(&libevent::await_line(&raw));
        self.note(Step::Turn(sleeps), [true; 3]);
        for (lane, track) in self.lanes.iter_mut().zip(&mut self.trace.tracks) {
            // A late acknowledgement is an edge, too.
            let connections = (0..SOURCES).filter(|source| self.world.kind(2 * source) == Kind::Tcp);
            connections.for_each(|source| lane.model_mut().touch(source));
            match lane.turn(sleeps, &raw, &self.world) {
                Ok(turn) => track.turns.push(turn),
                // The readiness may have changed meanwhile.
                Err(_) if self.world.raw() != raw => return Err((lane.name(), Fault::Blurred)),
                Err(why) => return Err((lane.name(), Fault::Differs(why))),
            }
        }
        if self.world.raw() != raw {
            return Err(("the world", Fault::Blurred));
        }
        Ok(())
    }
}

/// The source that a step affects.
fn source_of(step: Step) -> u8 {
    match step {
        Step::Reopen(source, _) => source,
        Step::Write(end, _) | Step::Read(end, _) | Step::Shut(end, _) => end / 2,
        Step::Fill(end) | Step::Drain(end) | Step::Close(end) | Step::Reset(end) | Step::Urgent(end) => end / 2,
        _ => 0,
    }
}
