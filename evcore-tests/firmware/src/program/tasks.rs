//! What the program's events are for.

use evcore::board::Line;

use crate::lines::LINES;

/// The data of an event.
#[derive(Clone, Copy)]
pub enum Task {
    Blink,
    /// Feeds the watchdog.
    Heartbeat,
    /// The watchdog: it expires only if the program is stuck.
    Hung,
    /// One of the 50 timers, with its expected position.
    Timer(u8),
    Uart,
    Pressed(Line<LINES>),
}
