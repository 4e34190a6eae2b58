//! W1, W2: when an idle timeout expires, it checks when its connection was last active and re-arms itself. Moving it
//! at each event would cost calloop a hundred times as much.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, LoopHandle, Mode, PostAction};
use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};

pub(crate) struct Ring {
    events: EventLoop<'static, State>,
    state: State,
}

#[derive(Default)]
struct State {
    round: Round,
    timed_out: bool,
}

impl RingLoop for Ring {
    fn new(links: Vec<Link>, Setup { idle, .. }: Setup) -> io::Result<Self> {
        let events = EventLoop::try_new().map_err(io::Error::other)?;
        for link in links {
            match idle {
                None => watch(&events.handle(), link)?,
                Some(idle) => watch_timed(&events.handle(), link, idle)?,
            }
        }
        Ok(Self { events, state: State::default() })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        self.state.round = *round;
        while !self.state.round.is_over() {
            self.events.dispatch(None, &mut self.state).map_err(io::Error::other)?;
            if self.state.timed_out {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        *round = self.state.round;
        Ok(())
    }
}

fn watch(handle: &LoopHandle<'static, State>, link: Link) -> io::Result<()> {
    let source = Generic::new(link, Interest::READ, Mode::Level);
    let serve = |_, link: &mut calloop::generic::NoIoDrop<Link>, state: &mut State| {
        link.pass_on(&mut state.round)?;
        Ok(PostAction::Continue)
    };
    handle.insert_source(source, serve).map(drop).map_err(|error| io::Error::other(error.error))
}

fn watch_timed(handle: &LoopHandle<'static, State>, link: Link, idle: Duration) -> io::Result<()> {
    let last = Rc::new(Cell::new(Instant::now()));
    let source = Generic::new(link, Interest::READ, Mode::Level);
    let touched = Rc::clone(&last);
    let serve = move |_, link: &mut calloop::generic::NoIoDrop<Link>, state: &mut State| {
        touched.set(Instant::now());
        link.pass_on(&mut state.round)?;
        Ok(PostAction::Continue)
    };
    handle.insert_source(source, serve).map_err(|error| io::Error::other(error.error))?;
    let look = move |now: Instant, _: &mut (), state: &mut State| {
        let end = last.get() + idle;
        state.timed_out |= end <= now;
        TimeoutAction::ToInstant(end)
    };
    let timer = Timer::from_duration(idle);
    handle.insert_source(timer, look).map(drop).map_err(|error| io::Error::other(error.error))
}
