//! What went wrong once, as the model test found it.

use std::time::Duration;

use evcore::{Event, EventBase, Fixed, Interest, Manual, Ready, Wait};

type Base<const N: usize = 8> = EventBase<Manual, Fixed<N>, &'static str>;

fn base() -> Base {
    Base::new(Manual::new())
}

/// A turn: what is handed out in it.
fn turn(base: &mut Base) -> Vec<(&'static str, Ready)> {
    assert!(base.poll(Wait::Poll).unwrap().is_running());
    std::iter::from_fn(|| base.next_active().map(|fired| (*fired.data, fired.ready))).collect()
}

#[test]
fn at_most_so_many_were_active_is_not_added_up_over_turns() {
    let mut base = base();
    base.insert(3, Interest::READ, "reader").unwrap();
    base.backend_mut().set_ready(3, Ready::READ);
    for _ in 0..3 {
        assert_eq!(turn(&mut base).len(), 1);
    }
    assert_eq!(base.max_counts().active, 1);
}
