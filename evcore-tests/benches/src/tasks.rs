//! W9: tasks.
//!
//! | kind | one operation |
//! |---|---|
//! | `echo` | a request of 64 bytes is echoed over TCP, by a task for each connection; the clients are those of W5 |
//! | `spawn` | a task that does nothing is spawned, and awaited |
//! | `sleep` | a sleep of a minute is polled once and dropped, while N others wait |
//! | `wake` | a thread wakes a task, which answers through an eventfd that the thread waits for |
//!
//! A peer only has to run the futures; counting and timing are done here.

use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::peer::no_such;
use crate::{Figures, Spent, Stopwatch, memory, sys};

/// The operations of a peer, each as many times as requested.
pub trait Tasks {
    /// Serves until [`Meter::until_over`] is done. The listener is non-blocking.
    fn echo(listener: TcpListener) -> io::Result<()>;
    fn spawn(ops: u64) -> io::Result<Spent>;
    /// While `waiting` others wait.
    fn sleep(waiting: usize, ops: u64) -> io::Result<Spent>;
    /// Runs this as a task until it is done.
    fn wake(answering: impl Future<Output = io::Result<()>> + Send + 'static) -> io::Result<()>;
}

pub fn measure<T: Tasks>(options: &Options) -> io::Result<Figures> {
    match options.kind.as_str() {
        "echo" => echo(options.n as u64, T::echo),
        "spawn" => Ok(Figures::of(options.events, T::spawn(options.events)?)),
        "sleep" => Ok(Figures::of(options.events, T::sleep(options.n, options.events)?)),
        "wake" => wake(options.events, |answering| T::wake(answering)),
        other => Err(no_such(other)),
    }
}

/// After how many operations a task that never has to wait yields, which some executors require.
pub const YIELD_EACH: u64 = 64;

/// The duration of an operation's sleep; different for each, so that it has its own place among the timers.
#[must_use]
pub fn delay(number: u64) -> Duration {
    Duration::from_secs(60) + Duration::from_micros(number * 7_919 % 1_000_000)
}

/// Polls a future once, and drops it.
pub async fn begin(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

/// The counters that all tasks of an echo server share. Without locks, because every peer pays for it.
pub static METER: Meter = Meter {
    accepted: AtomicU64::new(0),
    closed: AtomicU64::new(0),
    requests: AtomicU64::new(0),
    probe: AtomicU64::new(0),
    memory: AtomicU64::new(0),
    began: Mutex::new(None),
    over: Mutex::new(None),
};

pub struct Meter {
    accepted: AtomicU64,
    closed: AtomicU64,
    requests: AtomicU64,
    /// The request at which memory is measured.
    probe: AtomicU64,
    memory: AtomicU64,
    began: Mutex<Option<Stopwatch>>,
    over: Mutex<Option<Waker>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Increments without a read-modify-write, as only one thread does it.
fn add(count: &AtomicU64) -> u64 {
    let number = count.load(Ordering::Relaxed) + 1;
    count.store(number, Ordering::Relaxed);
    number
}

impl Meter {
    pub fn accepted(&self) {
        add(&self.accepted);
    }

    /// Counts an answered request.
    #[inline]
    pub fn answered(&self) {
        let number = add(&self.requests);
        if number == self.probe.load(Ordering::Relaxed) {
            self.memory.store(memory::anonymous().unwrap_or(0) as u64, Ordering::Relaxed);
            *lock(&self.began) = Some(Stopwatch::start());
        }
    }

    pub fn closed(&self) {
        add(&self.closed);
        if self.is_over() {
            if let Some(waker) = lock(&self.over).take() {
                waker.wake();
            }
        }
    }

    #[must_use]
    pub fn is_over(&self) -> bool {
        let accepted = self.accepted.load(Ordering::Relaxed);
        accepted > 0 && accepted == self.closed.load(Ordering::Relaxed)
    }

    /// Waits until the last connection is closed.
    pub async fn until_over(&self) {
        poll_fn(|context| {
            if self.is_over() {
                return Poll::Ready(());
            }
            *lock(&self.over) = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Listens, prints the address, and serves. Memory is the increase after each connection has had about four requests;
/// time is measured from then on.
pub fn echo(connections: u64, serve: impl FnOnce(TcpListener) -> io::Result<()>) -> io::Result<Figures> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let probe = 4 * connections;
    METER.probe.store(probe, Ordering::Relaxed);
    let before = memory::anonymous()? as u64;
    println!("port={}", listener.local_addr()?.port());
    serve(listener)?;
    let requests = METER.requests.load(Ordering::Relaxed);
    let spent = lock(&METER.began).take().map(Stopwatch::stop).unwrap_or_default();
    let bytes = METER.memory.load(Ordering::Relaxed).saturating_sub(before) as f64 / connections as f64;
    Ok(Figures::of(requests.saturating_sub(probe), spent).with("bytes", bytes).with("total", requests as f64))
}

/// How many times the thread has asked.
static ASKED: AtomicU64 = AtomicU64::new(0);
static WAITING: Mutex<Option<Waker>> = Mutex::new(None);

/// Called by the thread: the task can continue.
fn ask() {
    ASKED.fetch_add(1, Ordering::Release);
    let waker = lock(&WAITING).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Waits until the thread has asked more often than this.
async fn asked(before: u64) -> u64 {
    poll_fn(|context| {
        let mut waiting = lock(&WAITING);
        match ASKED.load(Ordering::Acquire) {
            now if now > before => Poll::Ready(now),
            _ => {
                match &mut *waiting {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    })
    .await
}

fn send(to: &OwnedFd) -> io::Result<()> {
    sys::write(to, &1u64.to_ne_bytes()).map(drop)
}

fn receive(from: &OwnedFd) -> io::Result<()> {
    sys::read(from, &mut [0; 8]).map(drop)
}

type Answering = std::pin::Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

fn wake(trips: u64, run: impl FnOnce(Answering) -> io::Result<()>) -> io::Result<Figures> {
    let answer = std::sync::Arc::new(sys::eventfd(0)?);
    let all = trips + trips / 10 + 1;
    let asker = std::thread::spawn({
        let answer = std::sync::Arc::clone(&answer);
        move || {
            let mut began = Instant::now();
            for trip in 0..all {
                if trip == all - trips {
                    began = Instant::now();
                }
                ask();
                receive(&answer)?;
            }
            io::Result::Ok(began.elapsed())
        }
    });
    run(Box::pin(async move {
        let mut answered = 0;
        while answered < all {
            answered = asked(answered).await;
            send(&answer)?;
        }
        Ok(())
    }))?;
    let took = asker.join().map_err(|_| io::Error::other("the asking thread panicked"))??;
    Ok(Figures::default().with("ops", trips as f64).with("wall", took.as_nanos() as f64 / trips as f64))
}
