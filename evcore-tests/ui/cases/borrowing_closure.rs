// A boxed closure lives as long as its event, so it owns what it uses.
use evcore::backend::Manual;
use evcore::callback::Closure;
use evcore::{EventBase, Growable};

fn main() {
    let mut base: EventBase<Manual, Growable, Closure<Manual, Growable, ()>> = EventBase::new(Manual::new());
    {
        let mut ticks = 0;
        let _ = base.insert_timer(std::time::Duration::ZERO, Closure::new(|_, _, _| ticks += 1));
    }
    let _ = base.poll(evcore::Wait::None);
}
