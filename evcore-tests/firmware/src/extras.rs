//! The features of evcore that are off by default, on a board: critical sections, embassy's time driver, and the traits of drivers.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use core::time::Duration;

use critical_section::Mutex;
use embassy_time_driver::{Driver, time_driver_impl};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::InputPin;
use embedded_io::{Read, Write};
use evcore::backend::Sleep;
use evcore::board::{Board, Delay, EmbassyTime, Flags, Line, LinePin, Reader, Ring, Writer};
use evcore::{EventBase, Fixed, Instant, Interest, Ready, Wait};

use crate::lines::{FLAGS, LINES, RECEIVED, UART, press};
use crate::{board, report, sys};

/// What an embassy HAL would provide: a clock in ticks, and an alarm that wakes tasks. These boards have none.
struct Time;

impl Driver for Time {
    fn now(&self) -> u64 {
        board::now().as_nanos() / 1_000
    }

    fn schedule_wake(&self, at: u64, _: &Waker) {
        let at = Instant::from_nanos(at.saturating_mul(1_000));
        set_alarms(|alarms| alarms.of_loop = at);
    }
}

/// The alarms that the two bases below request: the chip may have only one.
#[derive(Clone, Copy)]
struct Alarms {
    of_loop: Instant,
    of_inner: Instant,
}

static ALARMS: Mutex<Cell<Alarms>> = Mutex::new(Cell::new(Alarms { of_loop: Instant::MAX, of_inner: Instant::MAX }));

/// Sets the chip's alarm for the earlier one.
fn set_alarms(change: impl FnOnce(&mut Alarms)) {
    critical_section::with(|cs| {
        let mut alarms = ALARMS.borrow(cs).get();
        change(&mut alarms);
        ALARMS.borrow(cs).set(alarms);
        let first = alarms.of_loop.min(alarms.of_inner);
        if first < Instant::MAX {
            board::set_alarm(first);
        }
    });
}

time_driver_impl!(static TIME: Time = Time);

/// The board through these features.
pub struct Chip;

/// A board for any chip with an embassy HAL.
impl Board<LINES> for Chip {
    fn flags(&self) -> &'static Flags<LINES> {
        &FLAGS
    }

    fn now(&self) -> Instant {
        EmbassyTime::now()
    }

    fn set_alarm(&self, at: Instant) {
        EmbassyTime::set_alarm(at);
    }

    fn wait_for_interrupt(&self) {
        sys::wait_for_interrupt();
    }
}

pub type Base = EventBase<evcore::board::Lines<Chip, LINES>, Fixed<8>, u8>;

const BUTTON: Line<LINES> = Line::new(1).unwrap();
/// How many words are read from the UART and sent back.
const WORDS: usize = 5;

/// Returns the number of failed checks.
pub fn run(base: &mut Base) -> u32 {
    let mut failed = 0;
    let mut check = |holds: bool, what: &str| {
        report::text(if holds { "ok: " } else { "FAILED: " });
        report::line(what);
        failed = u32::from(!holds).saturating_add(failed);
    };
    begin_inner();
    check(ticks(base) == Some(5), "5 ticks by embassy's time driver, in critical sections");
    check(is_handed_out(base), "a line is handed out");
    let [presses, periods] = inner_hand_outs();
    check(presses == 1, "a base of an interrupt's own has handed it out there");
    // Runs until the last of the five ticks of 10 ms.
    check((11..=13).contains(&periods), "and has handed out its timer every 4 ms");
    check(pauses(), "a driver's pause is as long as it should be");
    check(echoes() == Some(WORDS), "bytes are read and written");
    failed
}

/// Counts ticks of 10 ms in 50 ms, none of which may be early or much too late.
fn ticks(base: &mut Base) -> Option<u32> {
    let begin = base.now();
    let id = base.insert_interval(Duration::from_millis(10), 0).ok()?;
    let mut ticks = 0u32;
    while ticks < 5 {
        base.next_event(Wait::Forever).ok()??;
        ticks = ticks.saturating_add(1);
        let due = begin.saturating_add(Duration::from_millis(10).saturating_mul(ticks));
        let late = base.now().saturating_since(due);
        if base.now() < due || late > Duration::from_millis(1) {
            return None;
        }
    }
    base.remove(id);
    Some(ticks)
}

fn is_handed_out(base: &mut Base) -> bool {
    let Ok(button) = base.insert(BUTTON, Interest::READ, 7) else { return false };
    let mut pin = LinePin::new(&FLAGS, BUTTON);
    let was_low = pin.is_low() == Ok(true);
    press(BUTTON);
    let is_high = pin.is_high() == Ok(true);
    let data = base.next_event(Wait::Forever).ok().flatten().map(|event| *event.data);
    FLAGS.take_readable(BUTTON);
    base.remove(button);
    was_low && is_high && data == Some(7)
}

/// A base that is used only in interrupts, beside that of the loop; they share only the alarm.
static INNER: Mutex<RefCell<Inner>> = Mutex::new(RefCell::new(EventBase::new(evcore::board::Lines::new(InnerChip))));
type Inner = EventBase<evcore::board::Lines<InnerChip, 1>, Fixed<2>, u32>;
static INNER_FLAGS: Flags<1> = Flags::new();
const INNER_LINE: Line<1> = Line::new(0).unwrap();

/// Called by the line's interrupt.
pub fn on_press() {
    INNER_FLAGS.set_readable(INNER_LINE);
    serve_inner();
}

/// Called by the alarm's interrupt.
pub fn on_alarm() {
    let now = board::now();
    set_alarms(|alarms| {
        // The interrupt has already ended the loop's sleep.
        if alarms.of_loop <= now {
            alarms.of_loop = Instant::MAX;
        }
    });
    serve_inner();
}

/// Hands out the active events. The base does not sleep: its next deadline is set as an alarm.
fn serve_inner() {
    // In one critical section: otherwise an interrupt in between could set its alarm, and this an older one after it.
    critical_section::with(|cs| {
        let inner = &mut *INNER.borrow_ref_mut(cs);
        while let Ok(Some(event)) = inner.next_event(Wait::None) {
            *event.data = event.data.saturating_add(1);
            if event.ready.contains(Ready::READ) {
                INNER_FLAGS.take_readable(INNER_LINE);
            }
        }
        let sleep = inner.next_sleep(Wait::Forever);
        let at = if let Sleep::Until(at) = sleep { at } else { Instant::MAX };
        set_alarms(|alarms| alarms.of_inner = at);
    });
}

/// Called by the loop, before interrupts use it.
fn begin_inner() {
    critical_section::with(|cs| {
        let inner = &mut *INNER.borrow_ref_mut(cs);
        // There is room for both.
        let _ = inner.insert(INNER_LINE, Interest::READ, 0);
        let _ = inner.insert_interval(Duration::from_millis(4), 0);
    });
    serve_inner();
}

struct InnerChip;

impl Board<1> for InnerChip {
    fn flags(&self) -> &'static Flags<1> {
        &INNER_FLAGS
    }

    fn now(&self) -> Instant {
        EmbassyTime::now()
    }

    fn set_alarm(&self, _: Instant) {}

    fn wait_for_interrupt(&self) {}
}

/// How many times the inner base has handed out each event: the line's, and the timer's.
fn inner_hand_outs() -> [u32; 2] {
    critical_section::with(|cs| {
        let inner = INNER.borrow_ref(cs);
        let mut counts = inner.iter().map(|(_, count)| *count);
        [(); 2].map(|()| counts.next().unwrap_or(0))
    })
}

fn pauses() -> bool {
    let begin = Chip.now();
    Delay::new(&Chip).delay_ms(5);
    let paused = Chip.now().saturating_since(begin);
    paused >= Duration::from_millis(5) && paused < Duration::from_millis(6)
}

fn echoes() -> Option<usize> {
    let mut words = [0; WORDS];
    Reader::new(&Chip, UART, &RECEIVED).read_exact(&mut words).ok()?;
    let mut writer = Writer::new(&Chip, UART, &SENT, start);
    writer.write_all(&words).ok()?;
    writer.flush().ok()?;
    Some(words.len())
}

/// The bytes to send: smaller than one write.
static SENT: Ring<2> = Ring::new();
static IS_SENDING: AtomicBool = AtomicBool::new(false);

/// Sends the first byte, unless one is being sent: the interrupt sends the others.
fn start() {
    critical_section::with(|_| {
        if !IS_SENDING.load(Ordering::Relaxed) {
            send_next();
        }
    });
}

/// Called by the UART's interrupt.
pub fn on_sent() {
    send_next();
}

fn send_next() {
    let byte = SENT.pop();
    IS_SENDING.store(byte.is_some(), Ordering::Relaxed);
    if let Some(byte) = byte {
        board::transmit(byte);
        FLAGS.set_writable(UART);
    }
}
