// A method of a part that the storage leaves out.
use core::time::Duration;

use evcore::backend::Manual;
use evcore::storage::Lean;
use evcore::{EventBase, Fixed};

fn main() {
    let mut base: EventBase<Manual, Fixed<8, 2, 1, Lean>, u8> = EventBase::new(Manual::new());
    let _ = base.insert_timer(Duration::ZERO, 1);
    let _ = base.stats();
}
