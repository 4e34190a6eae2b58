use std::string::ToString;

use super::*;
use crate::backend::Wake;
use crate::{EventBase, Fixed, Wait};

#[test]
fn what_a_program_asks_of_it_is_what_was_set() {
    let mut manual = Manual::<2>::with_room();
    assert!(manual.set_ready(3, Ready::WRITE));
    assert_eq!((manual.ready(3), manual.ready(4)), (Ready::WRITE, Ready::empty()));
    assert!(manual.set_ready(4, Ready::READ));
    assert!(!manual.set_ready(5, Ready::READ), "there is room for two");
    assert_eq!(manual.name(), "manual");
    assert_eq!(std::format!("{manual:?}"), "Manual { now: Instant(0 ns), fds: 2, .. }");
    let mut base: EventBase<Manual, Fixed<2>, ()> = EventBase::new(Manual::new());
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(base.backend().waits(), 2);
}

#[test]
fn a_batch_bounds_what_a_wait_finds_and_the_next_one_goes_on_behind_it() {
    let mut base: EventBase<Manual, Fixed<4>, u32> = EventBase::new(Manual::new());
    for fd in 0..3 {
        base.insert(fd, Interest::READ, fd).unwrap();
        base.backend_mut().set_ready(fd, Ready::READ);
    }
    base.backend_mut().set_batch(2);
    let mut turn = || {
        assert!(base.poll(Wait::None).unwrap().is_running());
        std::iter::from_fn(|| base.next_active().map(|fired| *fired.data)).collect::<std::vec::Vec<_>>()
    };
    assert_eq!([turn(), turn(), turn()], [[0, 1], [2, 0], [1, 2]]);
}

/// Two reasons at once are no less than one.
#[test]
fn a_wait_that_finds_anything_takes_no_time() {
    static FLAG: WakeFlag = WakeFlag::new();
    for found in 1..8 {
        let mut base: EventBase<Manual, Fixed<4>, ()> = EventBase::new(Manual::new().with_flag(&FLAG));
        base.insert(3, Interest::READ, ()).unwrap();
        base.insert_signal(15, ()).unwrap();
        let manual = base.backend_mut();
        if found & 1 != 0 {
            manual.set_ready(3, Ready::READ);
        }
        if found & 2 != 0 {
            manual.raise(15);
        }
        if found & 4 != 0 {
            FLAG.wake();
        }
        assert!(base.poll(Wait::Until(Instant::from_nanos(9))).unwrap().is_running());
        assert_eq!(base.update_now(), Instant::ZERO, "{found}");
    }
}

#[test]
fn a_new_start_forgets_what_is_watched_and_not_what_is_ready() {
    let mut manual = Manual::new();
    assert!(manual.set_ready(3, Ready::READ));
    manual.watch(3, Token::from_bits(7), Interest::READ).unwrap();
    assert_eq!(manual.reinit(), Ok(()));
    assert_eq!((manual.watched(3), manual.ready(3)), (None, Ready::READ));
}

/// The one that goes is not always the last.
#[test]
fn the_signal_that_is_deleted_is_the_one_that_goes() {
    for gone in 0..3 {
        let mut manual = Manual::new();
        for signum in 0..3 {
            SignalOp::add(&mut manual, signum).unwrap();
        }
        SignalOp::del(&mut manual, gone);
        let mut left: std::vec::Vec<_> = manual.signals.iter().map(|signal| signal.signum).collect();
        left.sort_unstable();
        assert_eq!(left, (0..3).filter(|signum| *signum != gone).collect::<std::vec::Vec<_>>());
    }
}

#[test]
fn each_refusal_has_a_text_of_its_own() {
    let all = [ManualError::Refused, ManualError::Full, ManualError::NoFlag].map(|error| error.to_string());
    assert!(all.iter().all(|text| !text.is_empty()) && all[0] != all[1] && all[1] != all[2]);
    assert_eq!(Manual::default().waker().err(), Some(ManualError::NoFlag));
}
