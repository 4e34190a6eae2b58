//! of many ready descriptors each is handed out in turn, however few are handed out per turn.

use std::fs::File;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

use evcore::options::Limits;
use evcore::{Event, Fd, Interest, Wait};

use crate::backend::{Backend, Make, base, readable, turn};
use crate::sys;

on_each_backend! {
    r40_every_ready_socket_has_its_turn
    r40_every_file_has_its_turn
    r40_a_late_comer_has_its_turn
}

const BATCH: u32 = 64;

/// As many as select supports.
fn count<B: Backend>(base: &crate::backend::Base<B>) -> u32 {
    if base.method() == "select" { 900 } else { 1_000 }
}

/// With at most m hand-outs per turn, each of n ready events is handed out within ⌈n/m⌉ + 1 turns, repeatedly.
fn serve_all<B: Backend>(make: Make<B>, copy: impl Fn() -> OwnedFd) {
    sys::limit_descriptors(1_200);
    let mut base = base(make);
    base.set_limits(Limits { hand_outs: NonZeroU32::new(BATCH), ..Limits::DEFAULT });
    let count = count(&base);
    let copies: Vec<_> = (0..count).map(|_| copy()).collect();
    for (number, copy) in (0..).zip(&copies) {
        base.start(Event::io(Fd::of(copy), Interest::READ).persist(), number).unwrap();
    }
    for _ in 0..3 {
        let mut served = vec![0; copies.len()];
        for _ in 0..count.div_ceil(BATCH) + 1 {
            let found = turn(&mut base, Wait::Forever);
            assert!(found.len() <= BATCH as usize && !found.is_empty());
            found.iter().for_each(|(number, _)| served[*number as usize] += 1);
        }
        assert!(served.iter().all(|&times| (1..=3).contains(&times)), "{served:?}");
    }
}

fn r40_every_ready_socket_has_its_turn<B: Backend>(make: Make<B>) {
    let (near, _far) = readable();
    serve_all(make, || near.try_clone().unwrap().into());
}

fn r40_every_file_has_its_turn<B: Backend>(make: Make<B>) {
    let null = File::open("/dev/null").unwrap();
    serve_all(make, || null.try_clone().unwrap().into());
}

/// One descriptor becomes ready while the others keep the loop busy.
fn r40_a_late_comer_has_its_turn<B: Backend>(make: Make<B>) {
    use std::io::Write;
    sys::limit_descriptors(1_200);
    let mut base = base(make);
    base.set_limits(Limits { hand_outs: NonZeroU32::new(8), ..Limits::DEFAULT });
    let (near, _far) = readable();
    let copies: Vec<_> = (0..200).map(|_| near.try_clone().unwrap()).collect();
    for copy in &copies {
        base.start(Event::io(Fd::of(copy), Interest::READ).persist(), 0).unwrap();
    }
    let (late, mut late_far) = std::os::unix::net::UnixStream::pair().unwrap();
    base.start(Event::io(Fd::of(&late), Interest::READ).persist(), 1).unwrap();
    (0..10).for_each(|_| assert_eq!(turn(&mut base, Wait::Forever).len(), 8));
    late_far.write_all(b"x").unwrap();
    let turns = (0..).take(100).find(|_| turn(&mut base, Wait::Forever).iter().any(|(number, _)| *number == 1));
    // At most all others that were reported before it, and then those reported with it.
    assert!(turns.is_some_and(|turns| turns <= 2 * 201usize.div_ceil(8) + 1), "{turns:?}");
}
