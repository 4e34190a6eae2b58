//! The same on evcore, with handlers that call the base or do not.

use std::io;
use std::time::Duration;

use evcore::{Event, EventId, Fd, Interest, Wait};
use evplat_linux::{Epoll, EventBase};

use crate::options::Call;
use crate::work::{Link, Loop, Round};

const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Engine {
    base: EventBase<Link>,
    events: Vec<EventId>,
    call: Call,
    /// The data of an event that a handler starts and removes.
    spare: Option<Link>,
}

impl Engine {
    pub(crate) fn with(mut links: Vec<Link>, idle: Option<Duration>, call: Call) -> io::Result<Self> {
        let spare = links.pop();
        let mut base = EventBase::new(Epoll::new()?);
        let mut events = Vec::new();
        for link in links {
            events.push(base.start(Event::io(Fd::of(&link.reader), Interest::READ).persist(), idle, link)?);
        }
        Ok(Self { base, events, call, spare })
    }

    /// As many calls as there are writes in a round, outside of hand-outs: a hundred of them between two turns that find
    /// nothing, in which the backend is told what has changed. Answers how many.
    pub(crate) fn call_outside(&mut self, writes: usize) -> io::Result<usize> {
        let Self { base, events, call, spare } = self;
        match call {
            Call::None => outside(base, events, writes, |_, _| Ok(())),
            Call::Same => outside(base, events, writes, same),
            Call::Toggle => outside(base, events, writes, toggle),
            Call::Start => outside(base, events, writes, |base, _| start(base, spare)),
            Call::Add => outside(base, events, writes, add),
        }
    }
}

type Act = io::Result<()>;

#[inline]
fn same(base: &mut EventBase<Link>, id: EventId) -> Act {
    Ok(base.modify(id, Interest::READ)?)
}

#[inline]
fn toggle(base: &mut EventBase<Link>, id: EventId) -> Act {
    base.modify(id, Interest::READ | Interest::WRITE)?;
    Ok(base.modify(id, Interest::READ)?)
}

#[inline]
fn start(base: &mut EventBase<Link>, spare: &mut Option<Link>) -> Act {
    if let Some(link) = spare.take() {
        let other = base.start(Event::timer(), Some(TIMEOUT), link)?;
        *spare = base.remove(other);
    }
    Ok(())
}

#[inline]
fn add(base: &mut EventBase<Link>, id: EventId) -> Act {
    Ok(base.add(id, Some(TIMEOUT))?)
}

/// The ring, with a handler that calls the base after its work.
fn run(
    base: &mut EventBase<Link>,
    round: &mut Round,
    mut act: impl FnMut(&mut EventBase<Link>, EventId) -> Act,
) -> io::Result<()> {
    while !round.is_over() && base.poll(Wait::Forever)?.is_running() {
        while let Some(fired) = base.next_active() {
            let id = fired.id;
            fired.data.pass_on(round)?;
            act(base, id)?;
        }
    }
    Ok(())
}

fn outside(
    base: &mut EventBase<Link>,
    events: &[EventId],
    calls: usize,
    mut act: impl FnMut(&mut EventBase<Link>, EventId) -> Act,
) -> io::Result<usize> {
    for _ in 0..calls / 100 {
        for id in events.iter().take(100) {
            act(base, *id)?;
        }
        if !base.poll(Wait::Poll)?.is_running() || base.next_active().is_some() {
            return Err(io::ErrorKind::Other.into());
        }
    }
    Ok(calls / 100 * 100)
}

impl Loop for Engine {
    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        let Self { base, call, spare, .. } = self;
        match call {
            Call::None => run(base, round, |_, _| Ok(())),
            Call::Same => run(base, round, same),
            Call::Toggle => run(base, round, toggle),
            Call::Start => run(base, round, |base, _| start(base, spare)),
            Call::Add => run(base, round, add),
        }
    }
}
