//! Reports whose token belongs to no registration.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use evcore::backend::Token;
use evcore::{Fd, Interest, Ready, Wait};

use crate::{set, sys, turn};

/// Tokens that differ from a registration's in its row, its generation or everything; by chance some may not differ.
fn forgeries(real: u64) -> Vec<u64> {
    const ROW: u64 = 1;
    const GENERATION: u64 = 1 << 32;
    let mut forgeries = vec![
        real.wrapping_add(ROW),
        real.wrapping_add(GENERATION),
        real.wrapping_sub(GENERATION),
        real ^ 1 << 63,
        real ^ 1 << 31,
        real.swap_bytes(),
        u64::MAX - 1,
        u64::from(u32::MAX),
        0x7fff_ffff_7fff_ffff,
    ];
    forgeries.sort_unstable();
    forgeries.dedup();
    forgeries.retain(|forged| *forged != real && *forged != Token::NONE.to_bits());
    forgeries
}

/// Each is counted and dropped; if they continue, a new set removes them; and registered events are still handed out.
#[test]
fn forged_token_is_stale_and_harmless() {
    sys::alone(|| {
        let (mut base, inner) = set::base();
        let (mut near, mut far) = crate::readable();
        base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
        let real = set::bits(inner, &near);
        for forged in forgeries(real) {
            let inner = set::numbers()[0];
            let (stale, rebuilds) = (base.stats().stale, base.stats().rebuilds);
            let intruder = sys::eventfd().unwrap();
            sys::enter(inner, &intruder, forged);
            assert_eq!(turn(&mut base, Wait::None).unwrap(), [(1, Ready::READ)], "token {forged:x}");
            assert!(base.stats().stale > stale, "token {forged:x} was not counted");
            near.read_exact(&mut [0]).unwrap();
            for _ in 0..1_000 {
                assert_eq!(turn(&mut base, Wait::None).unwrap(), [], "token {forged:x}");
            }
            assert!(base.stats().rebuilds > rebuilds, "token {forged:x} is borne for ever");
            // The new set no longer has it, so the base sleeps.
            let (stale, waits, begin) = (base.stats().stale, base.stats().waits, base.update_now());
            let end = begin.saturating_add(Duration::from_millis(20));
            assert_eq!(turn(&mut base, Wait::Until(end)).unwrap(), []);
            assert!(base.update_now() >= end && base.stats().waits - waits <= 2);
            assert_eq!(base.stats().stale, stale);
            far.write_all(b"x").unwrap();
            assert!(base.check());
        }
        assert_eq!(turn(&mut base, Wait::Forever).unwrap(), [(1, Ready::READ)]);
    });
}

/// The doorbell has the token `NONE`: it wakes, and belongs to no event.
#[test]
fn nobodys_token_is_dropped() {
    sys::alone(|| {
        let (mut base, inner) = set::base();
        let (near, _far) = crate::readable();
        let intruder = sys::eventfd().unwrap();
        base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
        sys::enter(inner, &intruder, Token::NONE.to_bits());
        for _ in 0..100 {
            assert_eq!(turn(&mut base, Wait::Forever).unwrap(), [(1, Ready::READ)]);
        }
        assert_eq!((base.stats().stale, base.stats().rebuilds), (0, 0));
    });
}

/// The descriptor for other loops is an outer set: what is put into that is not reported by this base.
#[test]
fn what_is_put_into_the_outer_set_reaches_nobody_inside() {
    sys::alone(|| {
        let (mut base, inner) = set::base();
        let (mut near, mut far) = crate::readable();
        base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
        let real = set::bits(inner, &near);
        let outer = base.backend_mut().nest().unwrap().as_raw_fd();
        let intruder = sys::eventfd().unwrap();
        sys::enter(outer, &intruder, real);
        assert_eq!(turn(&mut base, Wait::None).unwrap(), [(1, Ready::READ)]);
        near.read_exact(&mut [0]).unwrap();
        assert_eq!(turn(&mut base, Wait::None).unwrap(), []);
        far.write_all(b"x").unwrap();
        base.reinit().unwrap();
        assert_eq!(turn(&mut base, Wait::None).unwrap(), [(1, Ready::READ)]);
        assert_eq!(base.stats().stale, 0);
    });
}
