//! A base on one of the backends, with its model.

use std::time::{Duration, Instant};

use evcore::options::Fairness;
use evcore::{Error, Event, EventBase, EventId, Wait};

use crate::backend::{Backend, Base, Make};
use crate::clock::{Clock, Timed};
use crate::model::{Due, Handed, Model};
use crate::script::{EVENTS, From, Script, Start, Step, Timeout};
use crate::world::{Raw, World};
use crate::{SIGNALS, sys};

/// Longer than any machine needs to return from a wait that is over.
const PATIENCE: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_secs(3_600);

/// A lane on any of the three backends.
pub(crate) trait Run {
    fn name(&self) -> &'static str;
    fn model(&self) -> &Model;
    fn model_mut(&mut self) -> &mut Model;
    /// Carries out a step that the model allows.
    fn step(&mut self, step: Step, world: &World) -> Result<(), String>;
    fn turn(&mut self, sleeps: bool, raw: &Raw, world: &World) -> Result<Told, String>;
}

/// The result of a turn.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) handed: Vec<Handed>,
    pub(crate) due: Vec<(u8, Due)>,
}

pub(crate) struct Lane<B: Backend> {
    base: Base<Timed<B>>,
    waker: B::Waker,
    model: Model,
    ids: [Option<EventId>; EVENTS as usize],
}

impl<B: Backend> Lane<B> {
    pub(crate) fn new(make: Make<B>, script: &Script, clock: &Clock) -> Self {
        let mut base = EventBase::new(Timed::new(make().unwrap(), clock.clone()));
        base.set_priorities(script.levels()).unwrap();
        base.set_fairness(if script.strict { Fairness::Strict } else { Fairness::Fair });
        let waker = base.waker().unwrap();
        let model = Model::new(base.features(), clock.clone(), script.strict, script.edges);
        Self { base, waker, model, ids: [None; EVENTS as usize] }
    }

    /// Carries out a step. The base must refuse it exactly if the model says so.
    fn carry_out(&mut self, step: Step, world: &World) -> Result<(), String> {
        let id = |event: u8| self.ids[usize::from(event)].ok_or("there is no such event");
        let delay = |timeout| match timeout {
            Timeout::None => None,
            Timeout::Soon => Some(crate::model::SOON),
            Timeout::Later => Some(LATER),
        };
        let outcome = match step {
            Step::Start(event, start) => return self.start(event, start, delay(start.timeout), world),
            Step::Add(event, timeout) => self.base.add(id(event)?, delay(timeout)),
            Step::Del(event) => self.base.del(id(event)?),
            Step::Remove(event) => {
                // If its descriptor was closed, it may have got ERROR and been removed.
                let (gone, id) = (self.base.remove(id(event)?).is_none(), self.ids[usize::from(event)].take());
                let is_lost = self.model.is_lost(event);
                return if gone && !is_lost { Err(format!("{id:?} is gone")) } else { Ok(()) };
            }
            Step::Modify(event, interest) => {
                let Some(From::Io(end, _)) = self.model.event(event).map(|event| event.start.from) else {
                    return Ok(());
                };
                self.base.modify(id(event)?, self.model.on_end(end, interest))
            }
            Step::ReplaceFd(event, end) => self.base.replace_fd(id(event)?, world.fd(end).ok_or("it is closed")?),
            Step::Activate(event, ready) => self.base.activate(id(event)?, ready),
            Step::RemoveTimer(event) => self.base.clear_timeout(id(event)?),
            Step::Pause(event) => self.base.pause_for(id(event)?, LATER),
            Step::SetPriority(event, level) => self.base.set_priority(id(event)?, level),
            Step::Reinit => self.base.reinit().map_err(Error::Backend),
            Step::Wake => {
                self.waker.wake();
                Ok(())
            }
            _ => Ok(()),
        };
        outcome.map_err(|error| text(&error))
    }

    fn start(&mut self, event: u8, start: Start, timeout: Option<Duration>, world: &World) -> Result<(), String> {
        let mut made = match start.from {
            From::Io(end, interest) => {
                Event::io(world.fd(end).ok_or("it is closed")?, self.model.on_end(end, interest))
            }
            From::Signal(signal) => Event::signal(SIGNALS[usize::from(signal)]),
            From::Timer => Event::timer(),
        };
        made = made.priority(start.level);
        if start.persist {
            made = made.persist();
        }
        if start.once {
            made = made.once();
        }
        // Not `start`: in libevent a timeout is an argument of `event_add`, not a property of the event.
        let id = self.base.create(made, event.into()).map_err(|rejected| text(&rejected.error))?;
        self.base.add(id, timeout).map_err(|error| {
            self.base.remove(id);
            text(&error)
        })?;
        self.ids[usize::from(event)] = Some(id);
        Ok(())
    }

    /// Waits. With `may_sleep` the wait has an end far away, but something must end it at once.
    fn wait(&mut self, may_sleep: bool) -> Result<(), String> {
        let began = Instant::now();
        let end = self.base.update_now().saturating_add(PATIENCE);
        match self.base.poll(if may_sleep { Wait::Until(end) } else { Wait::None }) {
            Ok(turn) if turn.is_running() => {}
            other => return Err(format!("the turn is {other:?}")),
        }
        if began.elapsed() < PATIENCE { Ok(()) } else { Err("it slept through what should have woken it".into()) }
    }

    fn check(&self) -> Result<(), String> {
        if self.base.check() { Ok(()) } else { Err("the columns do not agree".into()) }
    }

    fn next(&mut self) -> Option<Handed> {
        let fired = self.base.next_active()?;
        let event = u8::try_from(*fired.data).unwrap_or(u8::MAX);
        Some(Handed { event, ready: fired.ready, count: fired.count })
    }
}

const REFUSED: &str = "refused";

fn text<E: std::fmt::Display>(error: &Error<E>) -> String {
    if matches!(error, Error::Unsupported) { REFUSED.into() } else { error.to_string() }
}

impl<B: Backend<Waker = evplat_posix::Waker>> Run for Lane<B> {
    fn name(&self) -> &'static str {
        self.base.method()
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    fn step(&mut self, step: Step, world: &World) -> Result<(), String> {
        let outcome = self.carry_out(step, world);
        let is_refused = self.model.is_refused(step);
        match outcome {
            Ok(()) if !is_refused => self.model.apply(step),
            Err(why) if is_refused && why == REFUSED => {}
            other => return Err(format!("{step:?} answers {other:?}, refused: {is_refused}")),
        }
        self.check()
    }

    fn turn(&mut self, sleeps: bool, raw: &Raw, world: &World) -> Result<Told, String> {
        self.wait(sleeps && self.model.ends_a_wait(raw))?;
        let mut turn = self.model.begin_turn(raw);
        let mut handed: Vec<Handed> = Vec::new();
        while let Some(one) = self.next() {
            if handed.iter().any(|other| other.event == one.event) {
                return Err(one.differs("it is the second time in this turn"));
            }
            handed.push(one);
            if let Some(step) = self.model.hand_out(&mut turn, &one)? {
                self.step(step, world)?;
            }
            self.model.handled(&one);
        }
        self.model.end_turn(&turn)?;
        self.check()?;
        Ok(Told { handed, due: turn.found })
    }
}

/// Makes signals harmless in this process while no base watches them.
pub(crate) fn prepare() {
    for signum in SIGNALS {
        sys::handle_by_counting(signum);
    }
}
