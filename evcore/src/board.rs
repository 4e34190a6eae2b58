//! A backend for a part without an operating system, between its interrupts and the loop.
//!
//! ```text
//!   interrupt                                 the loop
//!  ┌───────────────────────────┐             ┌─────────────────────────────────────┐
//!  │ RECEIVED.push(byte)       │    Ring     │ RECEIVED.pop()                      │
//!  │ FLAGS.set_readable(UART)  │────Flags───▶│ EventBase<Lines<Chip, 2>, …>        │
//!  └───────────────────────────┘             │   sleeps by `Chip: Board`           │
//!                                            └─────────────────────────────────────┘
//! ```
//!
//! A port is one type that implements [`Board`]: time, an alarm, the instruction that waits for an interrupt, and
//! interrupt masking. [`Lines`] is the backend. What is not called takes no flash, and a base in a `static` is all
//! zeros if that type has no fields.
//!
//! ```
//! use core::time::Duration;
//! use evcore::board::{Board, Flags, Line, Lines};
//! use evcore::{EventBase, Fixed, Instant, Interest, Wait};
//! # mod timer {
//! #     use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
//! #     static CLOCK: AtomicU32 = AtomicU32::new(0);
//! #     static ALARM: AtomicU32 = AtomicU32::new(0);
//! #     pub fn count() -> u32 { CLOCK.load(Relaxed) }
//! #     pub fn set_alarm(at: u32) { ALARM.store(at, Relaxed) }
//! #     pub fn wfi() { CLOCK.store(ALARM.load(Relaxed), Relaxed); }
//! #     pub fn masked<R>(work: impl FnOnce() -> R) -> R { work() }
//! # }
//!
//! const BUTTON: Line<1> = Line::new(0).unwrap();
//! static FLAGS: Flags<1> = Flags::new();
//!
//! /// A timer counts microseconds; `timer` stands for the registers of a part.
//! struct Chip;
//!
//! impl Board<1> for Chip {
//!     fn flags(&self) -> &'static Flags<1> {
//!         &FLAGS
//!     }
//!     fn now(&self) -> Instant {
//!         Instant::from_nanos(u64::from(timer::count()) * 1_000)
//!     }
//!     fn set_alarm(&self, at: Instant) {
//!         timer::set_alarm((at.as_nanos() / 1_000) as u32);
//!     }
//!     fn wait_for_interrupt(&self) {
//!         timer::wfi();
//!     }
//!     fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
//!         timer::masked(work)
//!     }
//! }
//!
//! let mut base: EventBase<Lines<Chip, 1>, Fixed<8>, &str> = EventBase::new(Lines::new(Chip));
//! base.insert(BUTTON, Interest::READ, "pressed").unwrap();
//! base.insert_timer(Duration::from_millis(20), "blink").unwrap();
//!
//! assert_eq!(*base.next_event(Wait::Forever).unwrap().unwrap().data, "blink");
//! assert_eq!(base.now().as_nanos(), 20_000_000);
//!
//! FLAGS.set_readable(BUTTON); // in the button's interrupt
//! assert_eq!(*base.next_event(Wait::Forever).unwrap().unwrap().data, "pressed");
//! assert!(FLAGS.take_readable(BUTTON)); // in its handler: else it comes again
//! ```

mod counter;
#[cfg(feature = "embassy-time-driver")]
mod embassy;
mod flags;
#[cfg(feature = "embedded-hal")]
mod hal;
#[cfg(feature = "embedded-io")]
mod io;
mod line;
mod lines;
mod port;
mod ring;
#[cfg(test)]
mod tests;
mod ticks;

pub use counter::Counter;
#[cfg(feature = "embassy-time-driver")]
pub use embassy::EmbassyTime;
pub use flags::Flags;
#[cfg(feature = "embedded-hal")]
pub use hal::{Delay, LinePin};
#[cfg(feature = "embedded-io")]
pub use io::{Reader, Writer};
pub use line::Line;
pub use lines::Lines;
pub use port::Board;
pub use ring::Ring;
pub use ticks::Ticks;
