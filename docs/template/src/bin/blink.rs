//! A light that blinks, two times a second. QEMU's boards have none, so it is shown by the UART.

#![no_std]
#![no_main]

use core::time::Duration;

use evcore::{EventBase, Fixed, Wait};
use my_firmware::board::{self, Chip, Lines};
use static_cell::ConstStaticCell;

/// Room for 8 events, with the state of a light as the data of each.
static BASE: ConstStaticCell<EventBase<Lines, Fixed<8>, bool>> = ConstStaticCell::new(EventBase::new(Lines::new(Chip)));

#[my_firmware::entry]
fn main() -> ! {
    board::init();
    let base = BASE.take();
    // There is room, so it is not refused.
    let _ = base.insert_interval(Duration::from_millis(250), false);
    loop {
        if let Ok(Some(event)) = base.next_event(Wait::Forever) {
            *event.data = !*event.data;
            board::send(if *event.data { b'*' } else { b'.' });
        }
    }
}
