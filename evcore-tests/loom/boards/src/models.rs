//! A chip without an operating system: nothing that its interrupts report may be lost.

use evcore::backend::{EventOp, FdInfos, Sink, Sleep, Token};
use evcore::{Instant, Interest, Ready};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::board::{Board, Flags, Line, Lines, Ring};

/// Models share the shim's cells, so they run one at a time.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn check(model: impl Fn() + Sync + Send + 'static) {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut builder = loom::model::Builder::new();
    // A loop that sleeps for ever exceeds any limit.
    builder.max_branches = builder.max_branches.max(5_000);
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(move || {
        shim::begin();
        model();
    });
}

const LINE: Line<1> = Line::new(0).unwrap();

/// A core with interrupts. A raised interrupt is pending until it has been handled, which happens at once unless it
/// is masked.
struct Part {
    flags: &'static Flags<1>,
    /// Held while interrupts are masked, and while one is handled: the two never overlap.
    mask: Mutex<()>,
    pending: Mutex<u32>,
    changed: Condvar,
}

impl Part {
    fn new(flags: &'static Flags<1>) -> Arc<Self> {
        Arc::new(Self { flags, mask: Mutex::new(()), pending: Mutex::new(0), changed: Condvar::new() })
    }

    /// The device's side: raises an interrupt, which runs `work` when it is handled.
    fn interrupt(&self, work: impl FnOnce()) {
        *self.pending.lock().unwrap() += 1;
        self.changed.notify_all();
        let served = self.mask.lock().unwrap();
        work();
        *self.pending.lock().unwrap() -= 1;
        self.changed.notify_all();
        drop(served);
    }

    fn wait_until(&self, is_over: impl Fn(u32) -> bool) {
        let mut pending = self.pending.lock().unwrap();
        while !is_over(*pending) {
            pending = self.changed.wait(pending).unwrap();
        }
    }
}

impl Board<1> for Arc<Part> {
    fn flags(&self) -> &'static Flags<1> {
        self.flags
    }

    /// Time does not advance: an interrupt ends each sleep, or the model fails.
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn set_alarm(&self, _: Instant) {}

    fn wait_for_interrupt(&self) {
        self.wait_until(|pending| pending > 0);
    }

    fn masked<R>(&self, work: impl FnOnce() -> R) -> R {
        let masked = self.mask.lock().unwrap();
        let answer = work();
        drop(masked);
        // Pending interrupts are handled before the next instruction.
        self.wait_until(|pending| pending == 0);
        answer
    }
}

/// The backend's reports.
#[derive(Default)]
struct Reports {
    lines: u32,
    wakes: u32,
}

impl Sink<Line<1>> for Reports {
    fn ready(&mut self, _: Token, ready: Ready) -> bool {
        assert_eq!(ready, Ready::READ);
        self.lines += 1;
        true
    }

    fn ready_fd(&mut self, _: Line<1>, _: Ready) -> bool {
        false
    }

    fn failed(&mut self, _: Token) {}

    fn signal(&mut self, _: i32, _: u32) {}

    fn woken(&mut self) {
        self.wakes += 1;
    }

    fn rebuild(&mut self) {}
}

struct NoInfos;

impl FdInfos<()> for NoInfos {
    fn info(&mut self, _: Token) -> Option<&mut ()> {
        None
    }
}

fn lines(part: &Arc<Part>) -> Lines<Arc<Part>, 1> {
    let mut lines = Lines::new(Arc::clone(part));
    lines.add(LINE, Token::from_bits(0), Interest::READ, &mut NoInfos).unwrap();
    lines
}

/// Two interrupts in sequence, at any time. Each ends a sleep, and its line is reported.
pub fn no_interrupt_is_slept_over() {
    static FLAGS: Flags<1> = Flags::new();
    check(|| {
        let part = Part::new(&FLAGS);
        let mut lines = lines(&part);
        let device = thread::spawn(move || {
            for _ in 0..2 {
                part.interrupt(|| FLAGS.set_readable(LINE));
                // The second comes after the first was handled.
                while FLAGS.is_readable(LINE) {
                    thread::yield_now();
                }
            }
        });
        for _ in 0..2 {
            let mut reports = Reports::default();
            while reports.lines == 0 {
                lines.dispatch(Sleep::Forever, &mut reports).unwrap();
            }
            assert!(FLAGS.take_readable(LINE));
            assert_eq!(reports.wakes, 0, "nobody has woken it");
        }
        device.join().unwrap();
    });
}

/// A line and a wake, by two interrupts: neither hides the other.
pub fn no_wake_is_slept_over_for_a_line() {
    static FLAGS: Flags<1> = Flags::new();
    check(|| {
        let part = Part::new(&FLAGS);
        let mut lines = lines(&part);
        let devices = [false, true].map(|is_wake| {
            let part = Arc::clone(&part);
            thread::spawn(move || part.interrupt(|| if is_wake { FLAGS.wake() } else { FLAGS.set_readable(LINE) }))
        });
        let mut reports = Reports::default();
        let mut is_handled = false;
        while reports.wakes == 0 || !is_handled {
            lines.dispatch(Sleep::Forever, &mut reports).unwrap();
            is_handled |= FLAGS.take_readable(LINE);
        }
        assert_eq!(reports.wakes, 1);
        for device in devices {
            device.join().unwrap();
        }
    });
}

/// Two bytes arrive. The loop empties the ring whenever the line is readable, and sleeps in between: it gets both.
pub fn no_byte_is_left_in_a_ring() {
    static FLAGS: Flags<1> = Flags::new();
    static RING: Ring<2> = Ring::new();
    check(|| {
        let part = Part::new(&FLAGS);
        let mut lines = lines(&part);
        let device = thread::spawn(move || {
            for byte in 0..2 {
                part.interrupt(|| assert!(FLAGS.push(LINE, &RING, byte)));
            }
        });
        let mut expected = 0;
        while expected < 2 {
            lines.dispatch(Sleep::Forever, &mut Reports::default()).unwrap();
            while let Some(byte) = FLAGS.pop(LINE, &RING) {
                assert_eq!(byte, expected);
                expected += 1;
            }
        }
        device.join().unwrap();
    });
}
