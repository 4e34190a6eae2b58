//! The load: clients on their own base, in rounds.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use evcore::{Event, EventId, Interest, Wait};
use evplat_linux::{Epoll, EventBase};

use crate::client::{Client, Ending, Next};
use crate::disturber::{self, Shared};
use crate::options::Options;
use crate::process::Holdings;
use crate::random::Random;
use crate::report::Report;
use crate::server::Server;

/// After how long without traffic the server closes a connection.
const IDLE: Duration = Duration::from_secs(3);
/// A client without any progress for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
const ROUND: Duration = Duration::from_secs(5);
const BEAT: Duration = Duration::from_millis(10);
/// The maximum number of clients started at each beat, so that there are enough ports despite closed connections.
const STARTS: usize = 20;
/// The maximum number of heavy clients: with more, each is served so rarely on a busy machine that the server may
/// consider it silent.
const HEAVY: usize = 4;
const BUFFER: usize = 64 * 1024;

enum Task {
    Client(Client),
    /// Time to replace clients that have ended.
    Beat,
    Progress,
    Signal,
}

struct Load {
    base: EventBase<Task>,
    shared: Arc<Shared>,
    random: Random,
    buffer: Vec<u8>,
    address: SocketAddrV4,
    /// The current number of clients to run; zero between rounds.
    wanted: usize,
    clients: usize,
    heavy: usize,
    /// No silent client starts after this time, so that a round ends in time.
    last_idle: Instant,
    report: Report,
}

/// Runs the rounds, and returns the results.
pub(crate) fn soak(options: &Options) -> io::Result<Report> {
    let server = Server::start(&options.server, IDLE)?;
    let mut load = Load::new(&server, options)?;
    let disturber = load.disturb(&server, options.seed)?;
    let own = std::process::id();
    let mut first = None;
    let rounds = (options.seconds / ROUND.as_secs()).max(2);
    let time = Duration::from_secs(options.seconds) / u32::try_from(rounds).unwrap_or(u32::MAX);
    for round in 1..=rounds {
        load.round(options.clients, time)?;
        load.rest(&server)?;
        let now = (server.holdings()?, Holdings::of(own)?);
        println!(
            "soak: round {round} of {rounds}: {} connections, server {:?}, client {:?}",
            load.report.opened, now.0, now.1
        );
        let (of_server, of_client) = *first.get_or_insert(now);
        // After the first error, end: it would be repeated.
        let is_wrong = disturber.is_finished() || !load.report.wrong.is_empty();
        if round == rounds || is_wrong {
            load.report.compare("the server", of_server, now.0);
            load.report.compare("the client", of_client, now.1);
            break;
        }
    }
    load.finish(server, disturber)
}

impl Load {
    fn new(server: &Server, options: &Options) -> io::Result<Self> {
        let SocketAddr::V4(address) = server.address else { return Err(ErrorKind::Unsupported.into()) };
        let mut base = EventBase::new(Epoll::new()?);
        base.insert_interval(BEAT, Task::Beat)?;
        base.insert_interval(Duration::from_secs(1), Task::Progress)?;
        base.insert_signal(libc::SIGUSR1, Task::Signal)?;
        Ok(Self {
            base,
            shared: Arc::default(),
            random: Random::new(options.seed),
            buffer: vec![0; BUFFER],
            address,
            wanted: 0,
            clients: 0,
            heavy: 0,
            last_idle: Instant::now(),
            report: Report::default(),
        })
    }

    fn disturb(&mut self, server: &Server, seed: u64) -> io::Result<JoinHandle<io::Result<()>>> {
        let (waker, shared, id) = (self.base.waker()?, Arc::clone(&self.shared), server.id());
        let random = Random::new(seed.wrapping_add(1));
        Ok(thread::spawn(move || disturber::disturb(&shared, &waker, id, random)))
    }

    /// Runs the load for `time`, then until the last client has ended.
    fn round(&mut self, clients: usize, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        self.last_idle = end.checked_sub(IDLE).unwrap_or(end);
        self.wanted = clients;
        while Instant::now() < end {
            self.turn()?;
        }
        self.wanted = 0;
        while self.clients > 0 {
            self.turn()?;
        }
        Ok(())
    }

    /// Waits until the server has closed the remaining connections, which must take no longer than the idle timeout
    /// and some tolerance.
    fn rest(&mut self, server: &Server) -> io::Result<()> {
        let end = Instant::now() + PATIENCE;
        while server.holdings()?.descriptors != server.at_start.descriptors {
            if Instant::now() > end {
                let left = server.holdings()?.descriptors.saturating_sub(server.at_start.descriptors);
                self.report.wrong.push(format!("{left} descriptors of the server are left open"));
                break;
            }
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        if !self.base.poll(Wait::Forever)?.is_running() {
            return Err(io::Error::other("the loop has ended"));
        }
        // A number published before this wait has woken it, or will wake the next.
        self.shared.seen.store(self.shared.wakes.load(Ordering::Acquire), Ordering::Release);
        while let Some(fired) = self.base.next_active() {
            let (id, ready, count) = (fired.id, fired.ready, fired.count);
            match fired.data {
                Task::Client(client) => match client.step(ready, &mut self.buffer, IDLE) {
                    Ok(Next::Wait(interest)) => self.base.modify(id, interest)?,
                    Ok(Next::Done) => self.end(id, None),
                    Err(wrong) => self.end(id, Some(wrong)),
                },
                Task::Beat => self.begin()?,
                Task::Progress => self.progress(),
                Task::Signal => self.report.signals += u64::from(count),
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        for _ in 0..STARTS.min(self.wanted.saturating_sub(self.clients)) {
            let ending = match self.random.below(16) {
                0..=5 => Ending::Close,
                6..=10 => Ending::HalfClose,
                11 if Instant::now() < self.last_idle => Ending::Idle,
                11 => Ending::Close,
                _ => Ending::Reset,
            };
            let is_heavy = self.random.below(16) == 0 && self.heavy < HEAVY && ending != Ending::Idle;
            let client = Client::new(self.address, ending, is_heavy, &mut self.random)?;
            let event = Event::io(client.fd(), Interest::WRITE).persist();
            self.base.start(event.timeout(PATIENCE), Task::Client(client))?;
            self.clients += 1;
            self.heavy += usize::from(is_heavy);
            self.report.opened += 1;
        }
        Ok(())
    }

    fn end(&mut self, id: EventId, wrong: Option<String>) {
        let Some(Task::Client(client)) = self.base.remove(id) else { return };
        self.clients -= 1;
        self.heavy -= usize::from(client.is_heavy);
        *match client.ending {
            Ending::Reset => &mut self.report.broken_off,
            _ => &mut self.report.sent,
        } += client.sent as u64;
        self.report.received += client.received as u64;
        self.report.lost += client.lost() as u64;
        *match client.ending {
            Ending::Close => &mut self.report.closed,
            Ending::HalfClose => &mut self.report.half_closed,
            Ending::Reset => &mut self.report.reset,
            Ending::Idle => &mut self.report.idle,
        } += 1;
        if let Some(wrong) = wrong {
            let (ending, sent, received) = (client.ending, client.sent, client.received);
            self.report.wrong.push(format!("{ending:?}: {wrong} ({sent} bytes sent, {received} received)"));
        }
        if let Err(error) = client.end() {
            self.report.wrong.push(format!("a connection could not be broken off: {error}"));
        }
    }

    fn progress(&self) {
        let Report { opened, received, lost, signals, .. } = &self.report;
        let wakes = self.shared.wakes.load(Ordering::Relaxed);
        eprintln!(
            "soak: {opened} connections, {} now, {received} bytes, {lost} lost, {signals} signals, {wakes} wakes",
            self.clients
        );
    }

    fn finish(mut self, server: Server, disturber: JoinHandle<io::Result<()>>) -> io::Result<Report> {
        self.shared.is_over.store(true, Ordering::Release);
        // A base that runs no turns would not see a wake.
        while !disturber.is_finished() {
            self.turn()?;
        }
        match disturber.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.report.wrong.push(error.to_string()),
            Err(_) => self.report.wrong.push("the disturber panicked".into()),
        }
        // A turn that begins now finds the last one.
        self.turn()?;
        let sent = self.shared.signals.load(Ordering::Acquire);
        let report = &mut self.report;
        if report.signals != sent {
            report.wrong.push(format!("{} signals of {sent} were handed out", report.signals));
        }
        report.wakes = self.shared.wakes.load(Ordering::Relaxed);
        report.stops = self.shared.stops.load(Ordering::Relaxed);
        report.lateness = self.base.stats().lateness_max;
        let summary = server.stop()?;
        if (summary.connections, summary.refused) != (report.opened, 0) {
            report.wrong.push(format!("{} connections were opened", report.opened));
        }
        report.server = summary.line;
        Ok(self.report)
    }
}
