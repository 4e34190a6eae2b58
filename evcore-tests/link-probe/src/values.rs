//! The small types: time, bits, ids, descriptions, errors.

use core::fmt::{self, Debug, Display, Write};
use core::hint::black_box;
use core::time::Duration;

use evcore::backend::{Descriptor, Features, Token, WakeFlag};
use evcore::error::Rejected;
use evcore::options::Missed;
use evcore::{Error, Event, EventId, Instant, Interest, Mode, Ready};

use crate::hostile::Refused;

/// A sink for text.
struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        black_box(Ok(()))
    }
}

pub fn debug(value: impl Debug) {
    let value = black_box(value);
    let _ = black_box(write!(Nowhere, "{value:?} {value:#?}"));
}

pub fn display(value: impl Display) {
    let _ = black_box(write!(Nowhere, "{}", black_box(value)));
}

pub fn duration() -> Duration {
    black_box(Duration::MAX)
}

pub fn instant() -> Instant {
    Instant::from_nanos(black_box(1))
}

pub fn id() -> EventId {
    let some = EventId::from_bits(black_box(1 << 32));
    loop {
        if let Some(id) = black_box(some) {
            return id;
        }
    }
}

pub fn event() -> Event<u32> {
    let event = match black_box(0_u8) {
        0 => Event::io(black_box(3), black_box(Interest::READ)),
        1 => Event::signal(black_box(15)),
        2 => Event::timer(),
        3 => Event::user(),
        4 => Event::prepare(),
        _ => Event::check(),
    };
    let event = if black_box(true) { event.persist() } else { event };
    let event = if black_box(true) { event.once() } else { event };
    let event = if black_box(true) { event.background() } else { event };
    let event = if black_box(true) { event.priority(black_box(1)) } else { event };
    let event = if black_box(true) { event.timeout(duration()) } else { event };
    black_box(event.missed(black_box(Missed::Burst)))
}

pub fn every_call() {
    black_box(instant().saturating_add(duration()));
    let mut later = instant() + duration();
    later += duration();
    black_box(later.saturating_since(instant()));
    black_box(instant().as_nanos());
    black_box(Token::from_bits(black_box(1)).to_bits());
    black_box(id().to_bits());
    black_box((black_box(1_u8).number(), black_box(1_u16).number(), black_box(1_u32).number()));
    bits();
    flag();
    errors();
    text();
}

fn bits() {
    let (a, b) = (black_box(Ready::from_bits_retain(1)), black_box(Ready::from_bits_truncate(2)));
    black_box((a | b, a & b, a - b, a.contains(b), a.intersects(b), a.bits()));
    black_box((a.is_io(), a.is_readable(), a.is_writable(), a.is_urgent(), a.is_closed(), a.is_error(), a.is_hangup()));
    black_box((a.is_timeout(), a.is_signal(), a.is_again()));
    let (a, b) = (black_box(Interest::from_bits_retain(1)), black_box(Interest::from_bits_truncate(2)));
    black_box((a | b, a & b, a - b, a.contains(b), a.intersects(b), a.bits()));
    for (name, bit) in black_box(Features::all()).iter_names() {
        black_box((name, bit));
    }
    for bit in black_box(Mode::all()) {
        black_box(bit);
    }
}

fn flag() {
    let flag = WakeFlag::new();
    let flag = black_box(&flag);
    flag.wake();
    black_box((flag.is_set(), flag.take(), WakeFlag::default()));
}

fn errors() {
    let error: Error<Refused> = black_box(Error::NoSuchEvent);
    display(&error);
    black_box(core::error::Error::source(&error).is_some());
    black_box(error.map_backend(|_| black_box(1_u8)).map_backend(|_| Refused));
    let rejected: Rejected<u32, Refused> = black_box(Rejected { error: Error::Full, data: 1 });
    display(&rejected);
    black_box(core::error::Error::source(&rejected).is_some());
    black_box(Error::from(rejected));
}

/// Formatting written in this crate. What is derived, or contains a `Duration` or a `str`, is done by `core::fmt`,
/// whose own checks the optimiser cannot remove; no input of this crate triggers them.
fn text() {
    debug(instant());
    debug(id());
    debug((Ready::READ, Interest::READ, Features::EDGE, Mode::ONCE));
    display(evcore::backend::ManualError::Refused);
}
