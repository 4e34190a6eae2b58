//! Latency from an alarm's interrupt to the program, on embassy.

#![no_std]
#![no_main]

use bare::latency::Worst;
use bare::sys;
use embassy_executor::Spawner;
use embassy_time::{Duration, Ticker};

#[embassy_executor::main]
async fn main(_spawner: Spawner) -> ! {
    bare::board::init();
    let mut worst = Worst::default();
    let mut period = Ticker::every(Duration::from_millis(20));
    for _ in 0..50 {
        period.next().await;
        worst.note();
    }
    worst.say();
    sys::exit(0)
}
