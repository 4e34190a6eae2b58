//! The clock and the alarm for embassy, which a chip's HAL would provide.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::board;

struct Clock {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock { queue: Mutex::new(RefCell::new(Queue::new())) });

impl Driver for Clock {
    fn now(&self) -> u64 {
        board::now()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|token| {
            let mut queue = self.queue.borrow(token).borrow_mut();
            if queue.schedule_wake(at, waker) {
                board::set_alarm(queue.next_expiration(board::now()));
            }
        });
    }
}

/// Called by the alarm's interrupt.
pub fn on_alarm() {
    critical_section::with(|token| {
        let next = CLOCK.queue.borrow(token).borrow_mut().next_expiration(board::now());
        board::set_alarm(next);
    });
}

/// Signalled by the lines' interrupt; tasks wait for it.
pub static PRESSED: [Signal<CriticalSectionRawMutex, ()>; 4] = [const { Signal::new() }; 4];
