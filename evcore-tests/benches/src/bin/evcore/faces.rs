//! W1 with the other ways to hand out events: `run` with one handler for all, or a callback or a closure for each
//! event. `ring` has the pull loop.

use std::io;

use evcore::{Event, Fd, Fired, Growable, Interest, Mode, Ready};
use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};
use evplat_linux::Epoll;

type Base<T> = crate::Base<Epoll, T>;

/// The context that all handlers share.
#[derive(Default)]
struct Context {
    links: Vec<Link>,
    round: Round,
    error: Option<io::Error>,
}

/// The handler's work.
#[inline]
fn serve(round: &mut Round, link: Option<&Link>, ready: Ready) -> io::Result<()> {
    match link {
        Some(link) if !ready.contains(Ready::TIMEOUT) => link.pass_on(round),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Ends the loop after a handler has failed.
#[cold]
fn fail<T>(base: &mut Base<T>, context: &mut Context, error: io::Error) {
    context.error = Some(error);
    base.loop_exit();
}

impl Context {
    /// Runs turns until the round is over.
    fn run(&mut self, round: &mut Round, mut turn: impl FnMut(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.round = *round;
        while !self.round.is_over() {
            turn(self)?;
            if let Some(error) = self.error.take() {
                return Err(error);
            }
        }
        *round = self.round;
        Ok(())
    }
}

fn watch<T>(links: Vec<Link>, setup: Setup, mut data: impl FnMut(Link) -> T) -> io::Result<Base<T>> {
    let mut base = Base::new(Epoll::new()?);
    for link in links {
        let event = setup.with_idle(Event::io(Fd::of(&link.reader), Interest::READ).persist());
        base.start(event, data(link))?;
    }
    Ok(base)
}

/// Another type than the pull loop's, and therefore another base: the compiler inlines less of a base that two loops
/// share.
struct Handled(Link);

pub(crate) struct Run {
    base: Base<Handled>,
    context: Context,
}

impl RingLoop for Run {
    fn new(links: Vec<Link>, setup: Setup) -> io::Result<Self> {
        Ok(Self { base: watch(links, setup, Handled)?, context: Context::default() })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        self.context.run(round, |context| {
            self.base.run(Mode::ONCE, |base, event| {
                let link = base.get(event.id).map(|Handled(link)| link);
                if let Err(error) = serve(&mut context.round, link, event.ready) {
                    fail(base, context, error);
                }
            })?;
            Ok(())
        })
    }
}

type Callback = evcore::callback::Callback<Epoll, Growable, Context>;

pub(crate) struct Callbacks {
    base: Base<Callback>,
    context: Context,
}

fn on_ready(base: &mut Base<Callback>, context: &mut Context, event: Fired, place: usize) {
    if let Err(error) = serve(&mut context.round, context.links.get(place), event.ready) {
        fail(base, context, error);
    }
}

impl RingLoop for Callbacks {
    fn new(links: Vec<Link>, setup: Setup) -> io::Result<Self> {
        let mut context = Context::default();
        let base = watch(links, setup, |link| {
            context.links.push(link);
            Callback::new(on_ready, context.links.len() - 1)
        })?;
        Ok(Self { base, context })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        self.context.run(round, |context| {
            self.base.run_callbacks(Mode::ONCE, context)?;
            Ok(())
        })
    }
}

type Closure = evcore::callback::Closure<Epoll, Growable, Context>;

pub(crate) struct Closures {
    base: Base<Closure>,
    context: Context,
}

impl RingLoop for Closures {
    fn new(links: Vec<Link>, setup: Setup) -> io::Result<Self> {
        let base = watch(links, setup, |link| {
            Closure::new(move |base: &mut Base<Closure>, context, event| {
                if let Err(error) = serve(&mut context.round, Some(&link), event.ready) {
                    fail(base, context, error);
                }
            })
        })?;
        Ok(Self { base, context: Context::default() })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        self.context.run(round, |context| {
            self.base.run_closures(Mode::ONCE, context)?;
            Ok(())
        })
    }
}
