//! The backend for boards, on a chip that returns arbitrary values.

use core::hint::black_box;
use core::time::Duration;

use evcore::backend::EventOp;
use evcore::board::{Board, Counter, Flags, Line, Lines, Ring, Ticks};
use evcore::storage::Storage;
use evcore::{EventBase, Instant, Interest, Wait};

use crate::values::instant;

static FLAGS: Flags<4> = Flags::new();
static RING: Ring<8> = Ring::new();

const LINE: Line<4> = Line::new(3).unwrap();

struct Chip;

impl Board<4> for Chip {
    fn flags(&self) -> &'static Flags<4> {
        black_box(&FLAGS)
    }

    fn now(&self) -> Instant {
        instant()
    }

    fn set_alarm(&self, at: Instant) {
        black_box(at);
    }

    fn wait_for_interrupt(&self) {
        FLAGS.set_readable(LINE);
    }

    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }
}

pub fn every_call<S: Storage>() {
    let mut base = EventBase::<Lines<Chip, 4>, S, u32>::new(Lines::new(Chip));
    let base = black_box(&mut base);
    let _ = black_box(base.insert(LINE, black_box(Interest::READ | Interest::WRITE), black_box(1)));
    let _ = black_box(black_box(&mut *base).next_event(Wait::Forever));
    let _ = black_box(black_box(&mut *base).reinit());
    let _ = black_box(black_box(&mut *base).waker());
    black_box(base.backend().board().now());
    base.backend().board().delay(Duration::ZERO);
    black_box(base.backend().name());
    if let Some(line) = Line::new(black_box(0)) {
        interrupts(line);
    }
    clocks();
}

fn clocks() {
    let clock = Counter::<24>::default();
    let clock = black_box(&clock);
    clock.on_overflow();
    let ticks = clock.read(|| black_box(1), || black_box(true));
    black_box((Ticks::<12_000_000>::instant(ticks), Ticks::<12_000_000>::between(instant(), instant())));
}

fn interrupts(line: Line<4>) {
    let (flags, ring) = (black_box(&FLAGS), black_box(&RING));
    flags.set_readable(line);
    flags.set_writable(line);
    flags.wake();
    black_box((flags.is_readable(line), flags.is_writable(line)));
    black_box((flags.take_readable(line), flags.take_writable(line)));
    black_box((flags.push(line, ring, black_box(1)), flags.pop(line, ring)));
    black_box((ring.push(black_box(1)), ring.pop(), ring.len(), ring.is_empty()));
    black_box((Flags::<1>::default(), Ring::<1>::default()));
}
