// An event's data is lent by the base: while it is held, the base cannot be changed.
use evcore::backend::Manual;
use evcore::{EventBase, Fixed};

fn serve(base: &mut EventBase<Manual, Fixed<4>, String>) {
    while let Some(fired) = base.next_active() {
        base.remove(fired.id);
        fired.data.clear();
    }
}

fn main() {
    let _ = serve;
}
