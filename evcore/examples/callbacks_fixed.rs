//! libevent's shape: each event has a function and an argument, and all share one context. Needs no allocator.
//!
//! ```text
//! cargo run -p evcore --example callbacks_fixed
//! ```

mod cli;

use core::time::Duration;
use std::error::Error;
use std::process::ExitCode;

use evcore::backend::Manual;
use evcore::callback::Callback;
use evcore::{EventBase, Fired, Fixed, Interest, Mode, Ready};

type Base = EventBase<Manual, Fixed<8>, Callback<Manual, Fixed<8>, Line>>;

/// What the callbacks share: C programs keep it behind `void *`.
#[derive(Default)]
struct Line {
    received: [u32; 2],
    ticks: u32,
}

fn on_byte(base: &mut Base, line: &mut Line, event: Fired, channel: usize) {
    if let (Some(received), Some(fd)) = (line.received.get_mut(channel), base.fd(event.id)) {
        *received += 1;
        base.backend_mut().set_ready(fd, Ready::empty());
    }
}

fn on_tick(base: &mut Base, line: &mut Line, _event: Fired, fd: usize) {
    line.ticks += 1;
    // The world: a byte comes with each tick, on one channel and the other in turns.
    base.backend_mut().set_ready(fd as u32 + line.ticks % 2, Ready::READ);
    if line.ticks == 10 {
        base.loop_exit();
    }
}

const HELP: &str = "\
usage: callbacks_fixed

Calls functions on a base of fixed size and virtual time, and prints how often.";

fn main() -> ExitCode {
    cli::run(HELP, cli::nothing, |()| run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut base = Base::new(Manual::new());
    base.insert(4, Interest::READ, Callback::new(on_byte, 0))?;
    base.insert(5, Interest::READ, Callback::new(on_byte, 1))?;
    base.insert_interval(Duration::from_millis(10), Callback::new(on_tick, 4))?;

    let mut line = Line::default();
    let end = base.run_callbacks(Mode::empty(), &mut line)?;
    println!("{end:?} after {} ticks: {:?} bytes", line.ticks, line.received);
    assert_eq!(line.received, [4, 5]);
    Ok(())
}
