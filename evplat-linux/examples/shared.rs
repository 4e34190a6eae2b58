//! A base that several threads use: it is behind a mutex, which nobody holds while the loop sleeps.
//!
//! ```text
//! cargo run --release -p evplat-linux --example shared -- 1000
//! ```
//!
//! Four threads add, delete and activate events, as many times as the argument says, while the loop runs in a fifth.
//! None of them needs a waker: a change ends the sleep.
//!
//! This is for programs whose threads must change events. If threads only send results to the loop and wake it, as in
//! the example `threads`, that is simpler and costs less.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use evplat_linux::{Epoll, Event, EventBase, Ready, Wait};

const THREADS: usize = 4;
const DELAY: Duration = Duration::from_millis(1);

#[derive(Clone, Copy)]
enum Task {
    /// A thread has activated its event, at least once.
    Activated(usize),
    /// A timer that a thread has added.
    Due,
    /// A timer that a thread has deleted.
    Never,
    /// Keeps the loop running while the threads work.
    Working,
}

type Shared = Arc<Mutex<EventBase<Task>>>;

const HELP: &str = "\
usage: shared [ROUNDS]

Four threads change a base while it runs in a fifth.

  ROUNDS  the number of changes of each kind that each thread makes (default: 100)";

fn main() -> ExitCode {
    cli::run(HELP, cli::optional, |rounds| run(rounds.unwrap_or(100)))
}

fn lock(base: &Shared) -> MutexGuard<'_, EventBase<Task>> {
    base.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(rounds: u32) -> io::Result<()> {
    let base: Shared = Arc::new(Mutex::new(EventBase::new(Epoll::new()?)));
    let working = lock(&base).start(Event::timer().timeout(Duration::MAX), Task::Working)?;
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let base = Arc::clone(&base);
            thread::Builder::new().spawn(move || work(&base, number, rounds))
        })
        .collect::<Result<_, _>>()?;
    // When all threads are done, the loop ends, because no event keeps it running.
    let last = {
        let base = Arc::clone(&base);
        thread::Builder::new().spawn(move || {
            let outcomes: Vec<_> = threads.into_iter().map(thread::JoinHandle::join).collect();
            lock(&base).remove(working);
            outcomes.into_iter().all(|outcome| matches!(outcome, Ok(Ok(()))))
        })?
    };

    let (mut due, mut activated, mut sleeps) = (0, [false; THREADS], 0_u64);
    loop {
        // The lock is held during each half of the turn, and not between them.
        let mut asleep = lock(&base).begin_sleep(Wait::Forever)?;
        asleep.sleep();
        sleeps += 1;
        if !lock(&base).end_sleep(asleep)?.is_running() {
            break;
        }
        // Nor is it held while an event is handled.
        while let Some(task) = next(&base) {
            match task {
                Task::Activated(thread) => activated[thread] = true,
                Task::Due => due += 1,
                Task::Never | Task::Working => return Err(io::Error::other("a deleted event came")),
            }
        }
    }
    if !last.join().unwrap_or(false) {
        return Err(io::Error::other("a thread has failed"));
    }
    let served = activated.iter().filter(|activated| **activated).count();
    eprintln!("{sleeps} sleeps");
    writeln!(io::stdout(), "{due} timers came, {served} threads were served")
}

/// The next event of this turn, copied out of the base so that the lock can be released.
fn next(base: &Shared) -> Option<Task> {
    lock(base).next_active().map(|fired| *fired.data)
}

/// The work of a thread. It takes the lock for each call; most calls happen while the loop sleeps.
fn work(base: &Shared, number: usize, rounds: u32) -> io::Result<()> {
    let mine = lock(base).create(Event::user(), Task::Activated(number))?;
    for _ in 0..rounds {
        lock(base).insert_timer(DELAY, Task::Due)?;
        let never = lock(base).start(Event::timer().timeout(DELAY * 1000), Task::Never)?;
        lock(base).activate(mine, Ready::empty())?;
        lock(base).remove(never);
        // Lets the loop fall asleep now and then.
        thread::yield_now();
    }
    Ok(())
}
