// A base is one thread's at a time; other threads have its wakers.
use evcore::backend::Manual;
use evcore::{EventBase, Fixed, Wait};

fn main() {
    let mut base: EventBase<Manual, Fixed<4>, u8> = EventBase::new(Manual::new());
    std::thread::scope(|scope| {
        let shared = &base;
        scope.spawn(move || shared.stats());
    });
    let _ = base.poll(Wait::None);
}
