//! Four lines and four timers on embassy, with a task for each.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use bare::driver::PRESSED;
use bare::lines::press;
use bare::sys;
use embassy_executor::Spawner;
use embassy_time::Timer;

static NAMED: AtomicU8 = AtomicU8::new(0);

#[embassy_executor::task(pool_size = 4)]
async fn line(number: u8) {
    let Some(pressed) = PRESSED.get(usize::from(number)) else { return };
    pressed.wait().await;
    sys::say(b'0' | number);
    let named = NAMED.load(Relaxed) + 1;
    NAMED.store(named, Relaxed);
    if named == 4 {
        sys::say(b'\n');
        sys::exit(0)
    }
}

#[embassy_executor::task(pool_size = 4)]
async fn timer(number: u8) {
    Timer::after_millis(20 * u64::from(4 - number)).await;
    press(number);
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    bare::board::init();
    for number in 0..4 {
        if spawner.spawn(line(number)).and(spawner.spawn(timer(number))).is_err() {
            sys::exit(1)
        }
    }
}
