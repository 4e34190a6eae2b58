//! Wakes and signals from another thread, and stops of the server.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use evplat_linux::Waker;

use crate::random::Random;
use crate::sys;

/// A wake that is not noticed for this long is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// State that the disturber and the loop share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) is_over: AtomicBool,
    /// The number published by the last wake, and the last one that the loop has seen.
    pub(crate) wakes: AtomicU64,
    pub(crate) seen: AtomicU64,
    pub(crate) signals: AtomicU64,
    pub(crate) stops: AtomicU64,
}

/// Disturbs until the end. A lost wake is an error.
pub(crate) fn disturb(shared: &Shared, waker: &Waker, server: u32, mut random: Random) -> io::Result<()> {
    while !shared.is_over.load(Ordering::Acquire) {
        for _ in 0..random.below(20) {
            sys::raise(libc::SIGUSR1)?;
            shared.signals.fetch_add(1, Ordering::Release);
        }
        for _ in 0..random.below(20) {
            shared.wakes.fetch_add(1, Ordering::Release);
            waker.wake();
        }
        wait_until_seen(shared)?;
        if random.below(200) == 0 {
            stop(server, Duration::from_millis(random.below(20)))?;
            shared.stops.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_micros(200 + random.below(3_000)));
    }
    Ok(())
}

fn wait_until_seen(shared: &Shared) -> io::Result<()> {
    let begin = Instant::now();
    let last = shared.wakes.load(Ordering::Relaxed);
    while shared.seen.load(Ordering::Acquire) < last {
        if begin.elapsed() > PATIENCE {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "a wake was lost"));
        }
        thread::sleep(Duration::from_micros(50));
    }
    Ok(())
}

/// Stops the server for a while, like a shell's ^Z and `fg`, which interrupts its waits.
fn stop(server: u32, pause: Duration) -> io::Result<()> {
    sys::kill(server, libc::SIGSTOP)?;
    thread::sleep(pause);
    sys::kill(server, libc::SIGCONT)
}
