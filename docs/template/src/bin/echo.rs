//! Sends back what the UART receives, and a full stop after two seconds without anything.

#![no_std]
#![no_main]

use core::time::Duration;

use evcore::{Event, EventBase, Fixed, Interest, Wait};
use my_firmware::board::{self, Chip, Lines, UART};
use static_cell::ConstStaticCell;

static BASE: ConstStaticCell<EventBase<Lines, Fixed<8>, ()>> = ConstStaticCell::new(EventBase::new(Lines::new(Chip)));

#[my_firmware::entry]
fn main() -> ! {
    board::init();
    let base = BASE.take();
    let uart = Event::io(UART, Interest::READ).persist().timeout(Duration::from_secs(2));
    let _ = base.start(uart, ());
    loop {
        let Ok(Some(event)) = base.next_event(Wait::Forever) else { continue };
        if event.ready.is_timeout() {
            board::send(b'.');
        }
        while let Some(byte) = board::receive() {
            board::send(byte);
        }
    }
}
