//! What the program's events are for.

use evcore::board::Line;

use crate::lines::LINES;

/// The data of an event.
#[derive(Clone, Copy)]
pub enum Task {
    Blink,
    /// Feeds the watchdog.
    Heartbeat,
    /// The watchdog: if this comes, the program hangs.
    Hung,
    /// One of the 50 timers; which one it should be.
    Timer(u8),
    Uart,
    Pressed(Line<LINES>),
}
