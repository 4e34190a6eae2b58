// The parameters of `EventBase` in the wrong order.
use evcore::backend::Manual;
use evcore::{EventBase, Fixed};

fn run(_: EventBase<Fixed<4>, Manual, u8>) {}

fn main() {
    let _ = run;
}
