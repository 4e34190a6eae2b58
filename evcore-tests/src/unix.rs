//! The fixture for backends on Unix.

use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::fs::File;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::process::{Child, Command, Stdio};
use std::string::{String, ToString};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::vec::Vec;

use evcore::Fd;
use evcore::backend::{Signum, Wake};

use crate::fixture::Fixture;
use crate::world::PATIENCE;

mod source;

use source::End;
pub use source::UnixSource;

/// The fixture for a backend on Unix: socket pairs, files, threads, signals, real time. It needs the standard library
/// and the program `kill`; [`Powers`] adds what these cannot do.
///
/// ```no_run
/// # use evcore::backend::Wake;
/// # use evcore::Fd;
/// # fn suite<B: Wake<Fd = Fd>>(new: fn() -> Result<B, B::Error>, wake: fn(&B::Waker)) {
/// use evcore_tests::Unix;
///
/// // In a test file: conformance!(epoll, Unix::new(Epoll::new, Waker::wake));
/// let fixture = Unix::new(new, wake);
/// # let _ = fixture;
/// # }
/// ```
pub struct Unix<B: Wake<Fd = Fd>> {
    new: fn() -> Result<B, B::Error>,
    wake: fn(&B::Waker),
    powers: Powers,
    threads: Vec<JoinHandle<()>>,
    /// The helper processes that stop and continue this process.
    stops: Vec<Child>,
    turn: Option<Turn>,
    begin: Instant,
    refuse: Option<fn(&mut B, u32)>,
    patience: Duration,
}

/// Optional operations that the standard library cannot do.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Powers {
    /// Sends a byte of urgent data (`send` with `MSG_OOB`).
    pub urgent: Option<fn(&TcpStream) -> io::Result<()>>,
    /// Starts to connect to an address without a listener, and does not wait (`connect` of a non-blocking socket).
    pub refused: Option<fn() -> io::Result<TcpStream>>,
    /// Makes a pipe: the read end, non-blocking, and the write end.
    pub pipe: Option<MakePipe>,
    /// Raises a signal in the calling thread (`raise`); without this, the program `kill` is run.
    pub raise: Option<fn(Signum)>,
    /// Returns a function that any thread can call to raise a signal in the thread that called this (`pthread_kill`).
    pub raiser: Option<fn() -> Raiser>,
    /// Runs a function in a child process (`fork`), and returns its result.
    pub fork: Option<Fork>,
}

/// See [`Powers::pipe`].
pub type MakePipe = fn() -> io::Result<(OwnedFd, OwnedFd)>;

/// See [`Powers::fork`].
pub type Fork = fn(&mut dyn FnMut() -> bool) -> bool;

/// See [`Powers::raiser`].
pub type Raiser = Box<dyn FnOnce(Signum) + Send>;

/// Cases of a process hold this lock: shared, or exclusive for a case that must be alone.
enum Turn {
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

static PROCESS: RwLock<()> = RwLock::new(());

impl<B: Wake<Fd = Fd>> Unix<B> {
    /// Creates a fixture for the backends that `new` makes and `wake` wakes.
    pub fn new(new: fn() -> Result<B, B::Error>, wake: fn(&B::Waker)) -> Self {
        let shared = PROCESS.read().unwrap_or_else(PoisonError::into_inner);
        Self {
            new,
            wake,
            powers: Powers::default(),
            threads: Vec::new(),
            stops: Vec::new(),
            turn: Some(Turn::Shared(shared)),
            begin: Instant::now(),
            refuse: None,
            patience: PATIENCE,
        }
    }

    /// Sets a shorter time to wait for expected events, for a case that is expected to fail.
    #[must_use]
    pub fn impatient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Adds a way to make the backend refuse a number of registrations and changes.
    #[must_use]
    pub fn refusing(mut self, refuse: fn(&mut B, u32)) -> Self {
        self.refuse = Some(refuse);
        self
    }

    /// Adds optional operations.
    #[must_use]
    pub fn with(mut self, powers: Powers) -> Self {
        self.powers = powers;
        self
    }

    fn later(&mut self, delay: Duration, act: impl FnOnce() + Send + 'static) -> bool {
        self.threads.push(thread::spawn(move || {
            thread::sleep(delay);
            act();
        }));
        true
    }
}

impl<B: Wake<Fd = Fd>> fmt::Debug for Unix<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unix").field("powers", &self.powers).finish_non_exhaustive()
    }
}

impl<B: Wake<Fd = Fd>> Drop for Unix<B> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, and the first and the last real-time signal.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SIGNALS: [Signum; 6] = [10, 12, 14, 15, 34, 64];
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SIGNALS: [Signum; 2] = [30, 31];

/// Two numbers that are no signal's, `SIGKILL`, one that is too large, and signals of faults: `SIGILL`, `SIGTRAP`,
/// `SIGFPE`, `SIGSEGV`, `SIGBUS`.
const BAD_SIGNALS: [Signum; 9] = [0, -1, 9, Signum::MAX, 4, 5, 8, 11, BUS];
#[cfg(any(target_os = "linux", target_os = "android"))]
const BUS: Signum = 7;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BUS: Signum = 10;

fn kill(signum: Signum) {
    let (signal, process) = (std::format!("-{signum}"), std::process::id().to_string());
    let status = Command::new("kill").args([signal, process]).status().expect("the program `kill`");
    assert!(status.success(), "`kill` failed");
}

/// A line of `/proc/self/status`, as a mask of signals.
fn signal_mask(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).ok()
}

/// Whether this process is a child that a case has made.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Makes a child print its panic at once: what the test harness captures to print later is lost with the child.
fn show_panics_of_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IS_CHILD.load(Ordering::Relaxed) {
                let _ = writeln!(io::stderr(), "{info}");
            } else {
                hook(info);
            }
        }));
    });
}

/// How many descriptors this process may have open, if `/proc` says so.
fn descriptor_limit() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

impl<B: Wake<Fd = Fd>> Fixture for Unix<B> {
    type Backend = B;
    type Source = UnixSource;
    type Waker = (B::Waker, fn(&B::Waker));
    const IS_VIRTUAL: bool = false;

    fn backend(&mut self) -> B {
        match (self.new)() {
            Ok(backend) => backend,
            Err(error) => panic!("no backend: {error}"),
        }
    }

    fn source(&mut self, _: &mut B) -> UnixSource {
        UnixSource::pair()
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn sources(&self) -> usize {
        // Each needs two descriptors; some are left for other uses.
        descriptor_limit().map_or(48, |limit| (limit.saturating_sub(128) / 2).clamp(48, 1_000))
    }

    fn fd(&self, source: &UnixSource) -> Fd {
        source.fd
    }

    fn feed(&mut self, _: &mut B, source: &mut UnixSource) {
        match (&source.near, &source.far) {
            (Some(End::Listener(listener)), _) => {
                let address = listener.local_addr().expect("an address");
                source.far = Some(End::Tcp(TcpStream::connect(address).expect("a connection")));
            }
            (_, Some(far)) => assert_eq!(far.write(b"x").expect("room for a byte"), 1),
            (_, None) => panic!("this source has no peer to feed it"),
        }
    }

    fn drain(&mut self, _: &mut B, source: &mut UnixSource) {
        if let Some(near) = &source.near {
            near.read_all();
        }
    }

    fn pass(&mut self, _: &mut B, time: Duration) {
        thread::sleep(time);
    }

    fn fill(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        let Some(near) = &source.near else { return false };
        while near.write(&[0; 4096]).is_ok() {}
        true
    }

    fn make_room(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        let Some(far) = &source.far else { return false };
        far.read_all();
        true
    }

    fn half_close(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        match &source.far {
            Some(End::Pair(far)) => far.shutdown(std::net::Shutdown::Write).is_ok(),
            Some(End::Tcp(far)) => far.shutdown(std::net::Shutdown::Write).is_ok(),
            _ => false,
        }
    }

    fn hang_up(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        if let Some(far) = &source.far {
            // With nothing left unread, so that closing is not a reset.
            if !matches!(far, End::File(_)) {
                far.read_all();
            }
        }
        source.far.take().is_some()
    }

    fn reset(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        // Closing a socket with unread data resets the connection.
        let Some(near) = &source.near else { return false };
        near.write(b"unread").is_ok() && source.far.take().is_some()
    }

    fn urgent(&mut self, _: &mut B) -> Option<UnixSource> {
        let send = self.powers.urgent?;
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        let far = TcpStream::connect(listener.local_addr().ok()?).ok()?;
        let (near, _) = listener.accept().ok()?;
        near.set_nonblocking(true).ok()?;
        send(&far).ok()?;
        Some(UnixSource::new(End::Tcp(near), Some(End::Tcp(far))))
    }

    fn listener(&mut self, _: &mut B) -> Option<UnixSource> {
        let listener = TcpListener::bind("127.0.0.1:0").ok()?;
        listener.set_nonblocking(true).ok()?;
        Some(UnixSource::new(End::Listener(listener), None))
    }

    fn refused(&mut self, _: &mut B) -> Option<UnixSource> {
        let stream = (self.powers.refused?)().expect("a connection that has begun");
        Some(UnixSource::new(End::Tcp(stream), None))
    }

    fn is_refused(&self, source: &UnixSource) -> bool {
        let Some(End::Tcp(stream)) = &source.near else { return false };
        matches!(stream.take_error(), Ok(Some(error)) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    fn pipe(&mut self, _: &mut B) -> Option<UnixSource> {
        let (reader, writer) = (self.powers.pipe?)().ok()?;
        Some(UnixSource::new(End::File(reader.into()), Some(End::File(writer.into()))))
    }

    fn file(&mut self, _: &mut B, kind: usize) -> Option<UnixSource> {
        let path = ["/dev/null", "/dev/zero"].get(kind);
        let file = match path {
            Some(path) => File::options().read(true).write(true).open(path).ok()?,
            None if kind == 2 => File::open(std::env::current_exe().ok()?).ok()?,
            None => return None,
        };
        Some(UnixSource::new(End::File(file), None))
    }

    fn duplicate(&mut self, _: &mut B, source: &UnixSource) -> Option<UnixSource> {
        let near = source.near.as_ref()?.try_clone().ok()?;
        Some(UnixSource::new(near, None))
    }

    fn close(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        source.near.take().is_some()
    }

    fn reuse(&mut self, _: &mut B, source: &mut UnixSource) -> bool {
        (source.near, source.far) = (None, None);
        // The system gives out the lowest free number, so it comes up soon.
        let mut others = Vec::new();
        for _ in 0..64 {
            let mut fresh = UnixSource::pair();
            if fresh.far.as_ref().map(Fd::of) == Some(source.fd) {
                core::mem::swap(&mut fresh.near, &mut fresh.far);
            }
            if fresh.near.as_ref().map(Fd::of) == Some(source.fd) {
                fresh.fd = source.fd;
                *source = fresh;
                return true;
            }
            others.push(fresh);
        }
        false
    }

    fn is_over_for_peer(&mut self, source: &mut UnixSource) -> Option<bool> {
        match (&source.near, &source.far) {
            (None, Some(far)) => Some(far.reads_end()),
            _ => None,
        }
    }

    fn refuse(&mut self, backend: &mut B, count: u32) -> bool {
        self.refuse.map(|refuse| refuse(backend, count)).is_some()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(self.begin.elapsed())
    }

    fn waker(&mut self, backend: &mut B) -> Option<Self::Waker> {
        backend.waker().ok().map(|waker| (waker, self.wake))
    }

    fn has_wakers_apart(&self) -> bool {
        true
    }

    fn wake((waker, wake): &Self::Waker) {
        wake(waker);
    }

    fn wake_later(&mut self, waker: &Self::Waker, delay: Duration) -> bool {
        let waker = waker.clone();
        self.later(delay, move || Self::wake(&waker))
    }

    fn feed_later(&mut self, source: &mut UnixSource, delay: Duration) -> bool {
        let Some(Ok(far)) = source.far.as_ref().map(End::try_clone) else { return false };
        self.later(delay, move || {
            let _ = far.write(b"x");
        })
    }

    fn signal(&self, which: usize) -> Option<Signum> {
        SIGNALS.get(which).copied()
    }

    fn bad_signal(&self, which: usize) -> Option<Signum> {
        BAD_SIGNALS.get(which).copied()
    }

    fn raise(&mut self, _: &mut B, signum: Signum) {
        self.powers.raise.unwrap_or(kill)(signum);
    }

    fn raise_many(&mut self, backend: &mut B, signum: Signum, times: u32) {
        let times = if self.powers.raise.is_some() { times } else { times.min(50) };
        for _ in 0..times {
            self.raise(backend, signum);
        }
    }

    fn raise_later(&mut self, signum: Signum, delay: Duration) -> bool {
        match self.powers.raiser {
            Some(raiser) => {
                let raise = raiser();
                self.later(delay, move || raise(signum))
            }
            None => self.later(delay, move || kill(signum)),
        }
    }

    fn stop_later(&mut self, delay: Duration, pause: Duration) -> bool {
        // A stopped process cannot continue itself.
        let script = "sleep $1 && kill -STOP $0 && sleep $2 && kill -CONT $0";
        let seconds = |time: Duration| std::format!("{}.{:03}", time.as_secs(), time.subsec_millis());
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(std::process::id().to_string()).arg(seconds(delay)).arg(seconds(pause));
        shell.stdin(Stdio::null()).spawn().map(|stop| self.stops.push(stop)).is_ok()
    }

    fn finish(&mut self) {
        for mut stop in self.stops.drain(..) {
            let is_done = stop.wait().is_ok_and(|status| status.success());
            assert!(is_done || thread::panicking(), "this process could not be stopped by `sh`");
        }
        for thread in self.threads.drain(..) {
            // The result does not matter: if the thread failed, the case notices what is missing.
            let _ = thread.join();
        }
    }

    fn disposition(&self, signum: Signum) -> Option<usize> {
        let bit = 1u64.checked_shl(u32::try_from(signum.checked_sub(1)?).ok()?)?;
        let (ignored, caught) = (signal_mask("SigIgn")? & bit, signal_mask("SigCgt")? & bit);
        Some(usize::from(ignored != 0) + 2 * usize::from(caught != 0))
    }

    fn fork(&mut self, child: &mut dyn FnMut(&mut Self) -> bool) -> Option<bool> {
        let fork = self.powers.fork?;
        show_panics_of_children();
        let (this, parent) = (&mut *self, std::process::id());
        Some(fork(&mut || {
            IS_CHILD.store(std::process::id() != parent, Ordering::Relaxed);
            std::panic::catch_unwind(AssertUnwindSafe(|| child(this))).unwrap_or(false)
        }))
    }

    fn open_descriptors(&self) -> Option<usize> {
        std::fs::read_dir("/dev/fd").ok().map(Iterator::count)
    }

    fn inherited_descriptors(&self) -> Option<usize> {
        let list = Command::new("ls").arg("/dev/fd/").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let list = String::from_utf8(list.stdout).ok()?;
        Some(list.lines().count()).filter(|count| *count > 0)
    }

    fn catch(&mut self, panicking: &mut dyn FnMut()) -> Option<bool> {
        Some(std::panic::catch_unwind(AssertUnwindSafe(panicking)).is_err())
    }

    fn alone(&mut self) {
        // A thread must release its own shared lock before it can have the exclusive one.
        self.turn = None;
        self.turn = Some(Turn::Alone(PROCESS.write().unwrap_or_else(PoisonError::into_inner)));
    }
}
