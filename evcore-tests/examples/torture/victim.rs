//! The program: uses each part of a base once.

use std::fs::File;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use evcore::{Event, EventBase, EventId, Fd, Interest, Ready, Wait};
use evplat_posix::Error;

use crate::bystander::{Bystander, Errand};
use crate::report::Report;
use crate::subject::{Base, Subject};
use crate::sys;

/// How long to wait for something that should happen at once, or within milliseconds.
const PATIENCE: Duration = Duration::from_millis(800);
const PERIOD: Duration = Duration::from_millis(10);

/// The numbers of the events.
const SOCKET: u32 = 1;
const FILE: u32 = 2;
const TICK: u32 = 3;
const SIGNAL: u32 = 4;
const STRANGER: u32 = 5;
/// A signal that the parent watches and only the child raises.
const INHERITED: u32 = 6;

const fn name(number: u32) -> &'static str {
    match number {
        SOCKET => "socket",
        FILE => "file",
        TICK => "timer",
        SIGNAL => "signal",
        STRANGER => "stranger",
        _ => "inherited signal",
    }
}

/// What the program has besides its base, all of it made before the faults begin.
struct World {
    near: UnixStream,
    far: UnixStream,
    /// A descriptor whose number is reused for other files.
    borrowed: OwnedFd,
    quiet: (UnixStream, UnixStream),
    file: File,
}

/// The base, and what the program knows about it.
struct Victim<'a, B: Subject> {
    base: Base<B>,
    world: &'a World,
    report: Report,
    bystander: Bystander,
    socket: Option<EventId>,
    /// An event may get ERROR now.
    expects_error: bool,
}

/// Runs everything on a backend that `make` makes. Returns whether all was well.
pub(crate) fn torture<B: Subject>(make: impl Fn() -> Result<B, Error>) -> bool {
    let Ok(world) = World::new() else { return false };
    let bystander = Bystander::new();
    let mut report = Report::new("parent");
    sys::mark();
    let Some(backend) = report.attempt("new", || make().map_err(evcore::Error::Backend)) else { return report.end() };
    let mut victim =
        Victim { base: EventBase::new(backend), world: &world, report, bystander, socket: None, expects_error: false };
    victim.live();
    victim.fork();
    victim.finish();
    let Victim { base, report, bystander, .. } = victim;
    drop(base);
    let is_good = report.end();
    bystander.end();
    is_good
}

impl World {
    fn new() -> std::io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        let borrowed = near.as_fd().try_clone_to_owned()?;
        Ok(Self { near, far, borrowed, quiet: UnixStream::pair()?, file: File::open(std::env::current_exe()?)? })
    }
}

impl<B: Subject> Victim<'_, B> {
    fn live(&mut self) {
        self.read_socket();
        self.read_file();
        self.tick();
        self.catch_signals();
        self.wake();
        self.change_interest();
        self.nest();
        self.lose_number();
        self.find_number_taken();
        self.report_ended_registration();
        self.reinit_base("reinit");
        self.nest();
    }

    /// Checks that the base still works: several things at once, then each alone, in case one hides another.
    fn finish(&mut self) {
        let interval = self.report.attempt("insert_interval", || self.base.insert_interval(PERIOD, TICK));
        sys::send(&self.world.far);
        self.expect(SOCKET, Ready::READ);
        self.expect(TICK, Ready::TIMEOUT);
        self.remove(interval);
        self.read_socket();
        self.catch_signals();
        self.wake();
        if !self.base.check() {
            self.report.bad("WRONG", "tables");
        }
    }

    // Scenes.

    fn read_socket(&mut self) {
        if self.socket.is_none() {
            let fd = Fd::of(&self.world.near);
            self.socket = self.report.attempt("insert", || self.base.insert(fd, Interest::READ, SOCKET));
        }
        sys::send(&self.world.far);
        self.expect(SOCKET, Ready::READ);
        // A turn with nothing ready.
        self.turn(Wait::None, |_, _, _| {});
    }

    /// A file that epoll refuses is always ready.
    fn read_file(&mut self) {
        let fd = Fd::of(&self.world.file);
        let event = self.report.attempt("insert file", || self.base.insert(fd, Interest::READ, FILE));
        self.expect(FILE, Ready::READ);
        self.expect(FILE, Ready::READ);
        self.remove(event);
    }

    fn tick(&mut self) {
        let start = Instant::now();
        let event = self.report.attempt("insert_interval", || self.base.insert_interval(PERIOD, TICK));
        for count in 1..=2 {
            self.expect(TICK, Ready::TIMEOUT);
            if start.elapsed() < PERIOD * count {
                self.report.bad("EARLY", "timer");
            }
        }
        self.remove(event);
    }

    fn catch_signals(&mut self) {
        let event = self.report.attempt("insert_signal", || self.base.insert_signal(libc::SIGUSR1, SIGNAL));
        if event.is_none() {
            return;
        }
        sys::raise(libc::SIGUSR1);
        self.expect(SIGNAL, Ready::SIGNAL);
        self.bystander.send(Errand::Raise(libc::SIGUSR1));
        self.expect(SIGNAL, Ready::SIGNAL);
        self.bystander.rest();
        self.remove(event);
    }

    /// Once while the base is awake, once while it sleeps. After a failed turn the wake is still pending.
    fn wake(&mut self) {
        let waker = self.report.attempt("waker", || self.base.waker().map_err(evcore::Error::Backend));
        let Some(waker) = waker else { return };
        waker.wake();
        self.expect_turn("wake of a base awake");
        self.bystander.send(Errand::Wake(waker));
        self.expect_turn("wake of a base asleep");
        self.bystander.rest();
    }

    /// Coalesced changes: if one fails, its event gets ERROR.
    fn change_interest(&mut self) {
        let Some(id) = self.socket else { return };
        let both = Interest::READ | Interest::WRITE;
        self.report.attempt("modify", || self.base.modify(id, both));
        self.expect(SOCKET, Ready::WRITE);
        self.report.attempt("modify", || self.base.modify(id, Interest::WRITE));
        self.expect(SOCKET, Ready::WRITE);
        self.report.attempt("modify", || self.base.modify(id, Interest::READ));
        self.turn(Wait::None, |_, _, _| {});
        self.report.attempt("del", || self.base.del(id));
        self.turn(Wait::None, |_, _, _| {});
        self.report.attempt("add", || self.base.add(id, None));
        // For a second event of the same fd, the backend checks whether the first one's registration still stands.
        let fd = Fd::of(&self.world.near);
        let second = Event::io(fd, Interest::WRITE);
        let second = self.report.attempt("start", || self.base.start(second, STRANGER));
        self.expect(STRANGER, Ready::WRITE);
        self.remove(second);
        self.read_socket();
    }

    /// The number of a registered descriptor is reused for another file.
    fn lose_number(&mut self) {
        let (borrowed, quiet) = (&self.world.borrowed, &self.world.quiet);
        sys::usurp(&quiet.1, borrowed);
        let fd = Fd::of(borrowed);
        let event = self.report.attempt("insert", || self.base.insert(fd, Interest::READ, STRANGER));
        let Some(id) = event else { return };
        self.turn(Wait::None, |_, _, _| {});
        sys::usurp(&self.world.near, borrowed);
        self.report.attempt("modify", || self.base.modify(id, Interest::READ | Interest::WRITE));
        // Its old events get ERROR; after they are registered again, the number is the new file's.
        self.expects_error = true;
        self.turn(Wait::None, |_, _, _| {});
        self.expects_error = false;
        self.report.attempt("del", || self.base.del(id));
        self.report.attempt("add", || self.base.add(id, None));
        self.expect(STRANGER, Ready::WRITE);
        self.remove(event);
    }

    /// The number refers again to the file that it was registered for: the kernel already has an entry for it.
    fn find_number_taken(&mut self) {
        let (borrowed, quiet) = (&self.world.borrowed, &self.world.quiet);
        sys::usurp(&quiet.1, borrowed);
        let fd = Fd::of(borrowed);
        let event = self.report.attempt("insert", || self.base.insert(fd, Interest::READ, STRANGER));
        self.turn(Wait::None, |_, _, _| {});
        sys::usurp(&self.world.far, borrowed);
        self.remove(event);
        sys::usurp(&quiet.1, borrowed);
        let event = self.report.attempt("insert", || self.base.insert(fd, Interest::READ, STRANGER));
        sys::send(&quiet.0);
        self.expect(STRANGER, Ready::READ);
        sys::receive(&quiet.1);
        self.remove(event);
    }

    /// A descriptor is closed while registered, and another one of its file stays open: epoll continues to report it
    /// until the base rebuilds its backend.
    fn report_ended_registration(&mut self) {
        let (borrowed, quiet) = (&self.world.borrowed, &self.world.quiet);
        sys::usurp(&quiet.1, borrowed);
        let fd = Fd::of(borrowed);
        let event = self.report.attempt("insert", || self.base.insert(fd, Interest::READ, STRANGER));
        sys::usurp(&self.world.file, borrowed);
        self.remove(event);
        sys::send(&quiet.0);
        let rebuilds = self.base.stats().rebuilds;
        // The base must neither spin nor hand out anything: after some stale reports it sleeps.
        for _ in 0..40 {
            self.turn(Wait::None, |_, _, _| {});
        }
        let end = self.base.update_now().saturating_add(PERIOD);
        let before = self.base.stats().waits;
        while self.base.update_now() < end {
            self.turn(Wait::Until(end), |_, _, _| {});
        }
        if self.base.stats().waits.saturating_sub(before) > 8 {
            self.report
                .bad("SPIN", if rebuilds == self.base.stats().rebuilds { "without a rebuild" } else { "after it" });
        }
        sys::receive(&quiet.1);
    }

    /// The nest is readable while the base has something to do.
    fn nest(&mut self) {
        sys::send(&self.world.far);
        let is_readable = self
            .report
            .attempt("nest", || self.base.backend_mut().is_nest_readable().transpose().map_err(evcore::Error::Backend));
        if is_readable == Some(Some(false)) {
            self.report.bad("LOST", "nest");
        }
        self.expect(SOCKET, Ready::READ);
    }

    fn reinit_base(&mut self, call: &'static str) {
        self.report.attempt(call, || self.base.reinit().map_err(evcore::Error::Backend));
        self.read_socket();
    }

    /// A child uses its copy of the base, and does not affect the parent's.
    fn fork(&mut self) {
        let event = self.report.attempt("insert_signal", || self.base.insert_signal(libc::SIGUSR2, INHERITED));
        if !sys::in_child(|| self.live_as_child(event.is_some())) {
            self.report.bad("WRONG", "child");
        }
        self.remove(event);
        self.read_socket();
    }

    fn live_as_child(&mut self, has_inherited: bool) -> bool {
        // This process has no other thread yet, and a report of its own. The parent's are not dropped here.
        let of_parent = mem::replace(&mut self.bystander, Bystander::new());
        mem::forget((of_parent, mem::replace(&mut self.report, Report::new("child"))));
        sys::mark();
        if self.base.poll(Wait::None) != Err(Error::Forked) {
            self.report.bad("WRONG", "use before reinit");
        }
        self.reinit_base("reinit of the child");
        if has_inherited {
            sys::raise(libc::SIGUSR2);
            self.expect(INHERITED, Ready::SIGNAL);
        }
        self.tick();
        self.catch_signals();
        self.wake();
        self.nest();
        mem::replace(&mut self.report, Report::new("")).end()
    }

    // Turns.

    /// Runs one turn and checks each hand-out against its event.
    fn turn(&mut self, wait: Wait, mut seen: impl FnMut(u32, Ready, u32)) {
        let polled = self.report.attempt("poll", || self.base.poll(wait).map_err(evcore::Error::Backend));
        if polled.is_none() {
            return;
        }
        let mut failed = [None; 4];
        while let Some(fired) = self.base.next_active() {
            let (id, number, ready, count) = (fired.id, *fired.data, fired.ready, fired.count);
            if ready.contains(Ready::ERROR) {
                if !(self.expects_error && number == STRANGER) {
                    self.report.tell(name(number), None);
                }
                if let Some(place) = failed.iter_mut().find(|place| place.is_none()) {
                    *place = Some(id);
                }
                continue;
            }
            let is_wrong = match number {
                SOCKET => ready.contains(Ready::READ) && !sys::receive(&self.world.near),
                TICK => ready != Ready::TIMEOUT,
                SIGNAL | INHERITED => ready != Ready::SIGNAL || count == 0,
                _ => ready.intersects(Ready::TIMEOUT | Ready::SIGNAL),
            };
            if is_wrong {
                self.report.bad("WRONG", name(number));
            }
            seen(number, ready, count);
        }
        // An event that got ERROR is registered again.
        for id in failed.into_iter().flatten() {
            let _ = self.base.del(id);
            self.report.attempt("add after ERROR", || self.base.add(id, None));
        }
    }

    /// Runs turns until an event is handed out. A hand-out that came only after the timeout was missed.
    fn expect(&mut self, number: u32, wanted: Ready) {
        let end = self.base.update_now().saturating_add(PATIENCE);
        let mut found = false;
        while !found && self.base.update_now() < end {
            self.turn(Wait::Until(end), |seen, ready, _| found |= seen == number && ready.intersects(wanted));
        }
        if self.base.update_now() >= end {
            self.report.bad(if found { "LATE" } else { "LOST" }, name(number));
        }
    }

    /// Runs one turn, which must end early because of a wake.
    fn expect_turn(&mut self, what: &'static str) {
        let end = self.base.update_now().saturating_add(PATIENCE);
        self.turn(Wait::Until(end), |_, _, _| {});
        if self.base.update_now() >= end {
            self.report.bad("LOST", what);
        }
    }

    fn remove(&mut self, event: Option<EventId>) {
        if let Some(id) = event {
            self.base.remove(id);
        }
    }
}
