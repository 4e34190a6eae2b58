//! W1 and W2 with handlers that call the base, and the same calls outside a hand-out. The difference is the cost of
//! an event whose handler makes the call.
//!
//! | kind | each handler calls |
//! |---|---|
//! | `same` | `modify` with the interest that the event has |
//! | `toggle` | `modify` to READ and WRITE, and back |
//! | `start` | `start` of a timer, and `remove` of it |
//! | `add` | `add` with a timeout of 60 s |
//!
//! `outside-KIND`: a hundred calls, then a turn that finds nothing, which passes the changes to the backend.
//! `outside`: such turns without calls.

use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use evcore::{Event, EventId, Fd, Interest, Ready, Wait};
use evcore_benchmarks::options::Options;
use evcore_benchmarks::ring::{self, Link, RingLoop, Round, Setup};
use evcore_benchmarks::{Figures, cliffs, sys};
use evplat_linux::Epoll;

/// The data of an event. Each call has its own type, and therefore its own base, as in a program with one loop: the
/// compiler inlines less of a base that several loops share.
struct Data<C>(Link, PhantomData<C>);

type Base<C> = crate::Base<Epoll, Data<C>>;

const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn measure(options: &Options, idle: Option<Duration>) -> io::Result<Figures> {
    match options.kind.as_str() {
        "same" => ring::measure::<Calling<Same>>(options, idle),
        "toggle" => ring::measure::<Calling<Toggle>>(options, idle),
        "start" => ring::measure::<Calling<Start>>(options, idle),
        "add" => ring::measure::<Calling<Add>>(options, idle),
        "outside" => outside::<Nothing>(options, idle),
        "outside-same" => outside::<Same>(options, idle),
        "outside-toggle" => outside::<Toggle>(options, idle),
        "outside-start" => outside::<Start>(options, idle),
        "outside-add" => outside::<Add>(options, idle),
        kind => Err(io::Error::other(format!("no such kind: {kind}"))),
    }
}

/// What a handler calls. `spare` is the data of an event that it starts and removes.
trait Call: Sized {
    fn call(base: &mut Base<Self>, id: EventId, spare: &mut Option<Data<Self>>) -> io::Result<()>;
}

struct Nothing;
struct Same;
struct Toggle;
struct Start;
struct Add;

impl Call for Nothing {
    fn call(_: &mut Base<Self>, _: EventId, _: &mut Option<Data<Self>>) -> io::Result<()> {
        Ok(())
    }
}

impl Call for Same {
    #[inline]
    fn call(base: &mut Base<Self>, id: EventId, _: &mut Option<Data<Self>>) -> io::Result<()> {
        Ok(base.modify(id, Interest::READ)?)
    }
}

impl Call for Toggle {
    #[inline]
    fn call(base: &mut Base<Self>, id: EventId, _: &mut Option<Data<Self>>) -> io::Result<()> {
        base.modify(id, Interest::READ | Interest::WRITE)?;
        Ok(base.modify(id, Interest::READ)?)
    }
}

impl Call for Start {
    #[inline]
    fn call(base: &mut Base<Self>, _: EventId, spare: &mut Option<Data<Self>>) -> io::Result<()> {
        if let Some(link) = spare.take() {
            let timer = base.start(Event::timer().timeout(TIMEOUT), link)?;
            *spare = base.remove(timer);
        }
        Ok(())
    }
}

impl Call for Add {
    #[inline]
    fn call(base: &mut Base<Self>, id: EventId, _: &mut Option<Data<Self>>) -> io::Result<()> {
        Ok(base.add(id, Some(TIMEOUT))?)
    }
}

struct Calling<C> {
    base: Base<C>,
    events: Vec<EventId>,
    spare: Option<Data<C>>,
}

impl<C: Call> RingLoop for Calling<C> {
    fn new(links: Vec<Link>, setup: Setup) -> io::Result<Self> {
        let mut base = Base::new(Epoll::new()?);
        let mut events = Vec::with_capacity(links.len());
        for link in links {
            let event = setup.with_idle(Event::io(Fd::of(&link.reader), Interest::READ).persist());
            events.push(base.start(event, Data(link, PhantomData))?);
        }
        let (reader, writer) = sys::pipe()?;
        Ok(Self { base, events, spare: Some(Data(Link::new(reader, writer), PhantomData)) })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        while !round.is_over() && self.base.poll(Wait::Forever)?.is_running() {
            while let Some(fired) = self.base.next_active() {
                if fired.ready.contains(Ready::TIMEOUT) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let id = fired.id;
                fired.data.0.pass_on(round)?;
                C::call(&mut self.base, id, &mut self.spare)?;
            }
        }
        Ok(())
    }
}

fn outside<C: Call>(options: &Options, idle: Option<Duration>) -> io::Result<Figures> {
    let (links, _starters) = ring::open(options)?;
    let mut calling = Calling::<C>::new(links, Setup::plain(idle))?;
    cliffs::measure(options, || {
        let Calling { base, events, spare, .. } = &mut calling;
        let mut calls = 0;
        for id in events.iter().take(100) {
            C::call(base, *id, spare)?;
            calls += 1;
        }
        if !base.poll(Wait::None)?.is_running() || base.next_active().is_some() {
            return Err(io::Error::other("a turn that should find nothing"));
        }
        Ok(calls)
    })
}
