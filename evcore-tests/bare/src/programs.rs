//! The programs on evcore.

use core::time::Duration;

use evcore::storage::Storage;
use evcore::{Event, EventBase, Interest, Wait};

#[cfg(feature = "latency")]
use crate::latency::Worst;
use crate::lines::{Line, Lines, press, release};
use crate::sys;

/// Blinks with one timer. Returns the exit status after ten changes of the light.
#[inline(always)]
pub fn blink<const N: usize, S: Storage>(base: &mut EventBase<Lines<N>, S, u8>) -> Option<i32> {
    base.insert_interval(Duration::from_millis(20), 10).ok()?;
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        *event.data = event.data.saturating_sub(1);
        sys::say(if *event.data % 2 == 0 { b'.' } else { b'*' });
        if *event.data == 0 {
            sys::say(b'\n');
            return Some(0);
        }
    }
    None
}

/// Two lines, and a timer that presses them alternately. Prints the name of each line that is pressed. Returns the
/// exit status after ten of them.
#[inline(always)]
pub fn buttons<S: Storage>(base: &mut EventBase<Lines<2>, S, u8>) -> Option<i32> {
    for number in 0..2 {
        base.insert(Line::new(number)?, Interest::READ, number).ok()?;
    }
    base.insert_interval(Duration::from_millis(20), 10 | TIMER).ok()?;
    let mut left = 10u8;
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        match *event.data {
            number @ ..TIMER => {
                release(number);
                sys::say(b'0' | number);
            }
            _ if left == 0 => break,
            _ => {
                left -= 1;
                press(left % 2);
            }
        }
    }
    sys::say(b'\n');
    Some(0)
}

/// Marks the data of a timer; the other bits are the number of a line.
const TIMER: u8 = 4;

/// `lines` lines and as many timers: each timer presses its line; a pressed line is printed and deregistered.
#[inline(always)]
pub fn press_all<const N: usize, S: Storage>(base: &mut EventBase<Lines<N>, S, u8>) -> Option<i32> {
    let lines = N as u8;
    for number in 0..lines {
        base.insert(Line::new(number)?, Interest::READ, number).ok()?;
        let delay = Duration::from_millis(20 * u64::from(lines - number));
        base.start(Event::timer().timeout(delay), number | TIMER).ok()?;
    }
    let mut named = 0u8;
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        let (id, number) = (event.id, *event.data);
        if number & TIMER != 0 {
            press(number ^ TIMER);
            continue;
        }
        sys::say(b'0' | number);
        base.remove(id);
        named += 1;
    }
    sys::say(b'\n');
    Some(if named == lines { 0 } else { 1 })
}

/// Runs a timer fifty times. Prints the latency after its interrupt.
#[cfg(feature = "latency")]
pub fn alarms<const N: usize, S: Storage>(base: &mut EventBase<Lines<N>, S, u8>) -> Option<i32> {
    let mut worst = Worst::default();
    base.insert_interval(Duration::from_millis(20), 50).ok()?;
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        worst.note();
        *event.data -= 1;
        if *event.data == 0 {
            worst.say();
            return Some(0);
        }
    }
    None
}

/// Presses a line fifty times while the base sleeps. Prints the latency after that.
#[cfg(feature = "latency")]
pub fn presses<const N: usize, S: Storage>(base: &mut EventBase<Lines<N>, S, u8>) -> Option<i32> {
    let mut worst = Worst::default();
    base.insert(Line::new(0)?, Interest::READ, 50).ok()?;
    crate::board::press_every(20);
    while let Some(event) = base.next_event(Wait::Forever).ok()? {
        worst.note();
        release(0);
        *event.data -= 1;
        if *event.data == 0 {
            worst.say();
            return Some(0);
        }
    }
    None
}
