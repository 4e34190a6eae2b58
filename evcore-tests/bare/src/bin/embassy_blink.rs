//! Blinks with one timer, on embassy.

#![no_std]
#![no_main]

use bare::sys;
use embassy_executor::Spawner;
use embassy_time::{Duration, Ticker};

#[embassy_executor::main]
async fn main(_spawner: Spawner) -> ! {
    bare::board::init();
    let mut period = Ticker::every(Duration::from_millis(20));
    for left in (0..10).rev() {
        period.next().await;
        sys::say(if left % 2 == 0 { b'.' } else { b'*' });
    }
    sys::say(b'\n');
    sys::exit(0)
}
