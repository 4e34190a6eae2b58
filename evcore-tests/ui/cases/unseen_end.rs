// A loop that does not look for its end; a description that nobody is given.
#![deny(unused_must_use)]
use evcore::backend::Manual;
use evcore::{Event, EventBase, Fixed, Interest, Wait};

fn main() {
    let mut base: EventBase<Manual, Fixed<4>, u8> = EventBase::new(Manual::new());
    Event::io(3u32, Interest::READ);
    base.poll(Wait::None).unwrap();
}
