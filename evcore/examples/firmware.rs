//! The shape of a firmware: the base lies in a `static`, all of it zeros at first, and needs no allocator.
//!
//! Here it runs on [`Manual`], so the button is pressed by hand and an hour passes at once. On a board the backend sleeps
//! until an interrupt sets a flag, and `main` is the same.
//!
//! ```text
//! cargo run -p evcore --example firmware
//! ```

mod cli;

use core::time::Duration;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Mutex;

use evcore::backend::Manual;
use evcore::{Event, EventBase, Fixed, Interest, Ready, Wait};

const BUTTON: u32 = 3;

enum Task {
    /// Shows that the program lives.
    Blink { on: bool },
    /// Someone presses the button: for a while the light stays on.
    Button,
    /// That while is over.
    Released,
    /// If this is ever handed out, the program hangs.
    Watchdog,
}

// On a board `main` has the base for itself; here a lock stands for that.
static BASE: Mutex<EventBase<Manual, Fixed<8>, Task>> = Mutex::new(EventBase::new(Manual::new()));

const HELP: &str = "\
usage: firmware

Runs the program of a board for an hour of virtual time, and prints what it did.";

fn main() -> ExitCode {
    cli::run(HELP, cli::nothing, |()| run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut base = BASE.lock().map_err(|_| "the base is in use")?;
    let watchdog = base.start(Event::timer().timeout(Duration::from_secs(10)), Task::Watchdog)?;
    let blink = base.insert_interval(Duration::from_secs(1), Task::Blink { on: false })?;
    let release = base.create(Event::timer(), Task::Released)?;
    base.insert(BUTTON, Interest::READ, Task::Button)?;
    base.loop_exit_after(Duration::from_secs(3_600));

    let (mut blinks, mut presses) = (0, 0);
    while let Some(event) = base.next_event(Wait::Forever)? {
        match event.data {
            Task::Blink { on } => {
                *on = !*on;
                blinks += event.count;
                base.restart(watchdog)?;
                if blinks == 5 {
                    press(&mut base, Ready::READ);
                }
            }
            Task::Button => {
                presses += 1;
                press(&mut base, Ready::empty());
                base.del(blink)?;
                base.add(release, Some(Duration::from_secs(7)))?;
            }
            Task::Released => base.add(blink, Some(Duration::from_secs(1)))?,
            Task::Watchdog => return Err("the program hangs".into()),
        }
    }
    println!("{blinks} blinks, {presses} press, {} turns", base.stats().turns);
    assert_eq!((blinks, presses), (3_593, 1));
    Ok(())
}

/// What the world does, on a board.
fn press(base: &mut EventBase<Manual, Fixed<8>, Task>, state: Ready) {
    base.backend_mut().set_ready(BUTTON, state);
}
