//! W7: one thread wakes the loop of another.
//!
//! | kind | one operation |
//! |---|---|
//! | `trip` | a thread wakes the sleeping loop, which answers through an eventfd that the thread waits for |
//! | `awake` | a thread wakes a loop that is awake, in a handler, and has been woken already |

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::{Figures, sys};

/// A loop that can be woken.
pub trait Wakeable: Sized {
    type Waker: Fn() -> io::Result<()> + Send + 'static;
    fn new() -> io::Result<Self>;
    fn waker(&mut self) -> io::Result<Self::Waker>;
    /// Waits until it is woken, or for another reason.
    fn turn(&mut self) -> io::Result<()>;
}

pub fn measure<W: Wakeable>(options: &Options) -> io::Result<Figures> {
    match options.kind.as_str() {
        "trip" => trip::<W>(options.events),
        "awake" => awake::<W>(options.events),
        _ => Err(io::Error::other("--kind trip|awake")),
    }
}

/// Writes to an eventfd that a thread waits for.
fn send(to: &OwnedFd) -> io::Result<()> {
    sys::write(to, &1u64.to_ne_bytes()).map(drop)
}

fn receive(from: &OwnedFd) -> io::Result<()> {
    sys::read(from, &mut [0; 8]).map(drop)
}

fn each(took: Duration, ops: u64) -> Figures {
    Figures::default().with("ops", ops as f64).with("wall", took.as_nanos() as f64 / ops.max(1) as f64)
}

fn trip<W: Wakeable>(trips: u64) -> io::Result<Figures> {
    let answer = Arc::new(sys::eventfd(0)?);
    let asked = Arc::new(AtomicU64::new(0));
    let mut engine = W::new()?;
    let wake = engine.waker()?;
    let warm_up = trips / 10 + 1;
    let asker = std::thread::spawn({
        let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
        move || {
            let mut began = Instant::now();
            for trip in 0..warm_up + trips {
                if trip == warm_up {
                    began = Instant::now();
                }
                asked.fetch_add(1, Ordering::Release);
                wake()?;
                receive(&answer)?;
            }
            io::Result::Ok(began.elapsed())
        }
    });
    let mut answered = 0;
    while answered < warm_up + trips {
        engine.turn()?;
        while answered < asked.load(Ordering::Acquire) {
            answered += 1;
            send(&answer)?;
        }
    }
    let took = asker.join().map_err(|_| io::Error::other("the asking thread panicked"))??;
    Ok(each(took, trips))
}

fn awake<W: Wakeable>(wakes: u64) -> io::Result<Figures> {
    let (is_awake, is_done) = (Arc::new(sys::eventfd(0)?), Arc::new(sys::eventfd(0)?));
    let mut engine = W::new()?;
    let wake = engine.waker()?;
    let asker = std::thread::spawn({
        let (is_awake, is_done) = (Arc::clone(&is_awake), Arc::clone(&is_done));
        move || {
            wake()?;
            receive(&is_awake)?;
            wake()?;
            let began = Instant::now();
            for _ in 0..wakes {
                wake()?;
            }
            let took = began.elapsed();
            send(&is_done)?;
            io::Result::Ok(took)
        }
    });
    engine.turn()?;
    send(&is_awake)?;
    receive(&is_done)?;
    let took = asker.join().map_err(|_| io::Error::other("the waking thread panicked"))??;
    Ok(each(took, wakes))
}
