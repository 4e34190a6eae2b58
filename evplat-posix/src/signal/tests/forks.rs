//! Signals in forked children.

use super::*;

#[test]
fn children_inherit_no_mask() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    if !cfg!(target_os = "linux") {
        return;
    }
    let status = Command::new("cat").arg("/proc/self/status").output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    assert_eq!(u64::from_str_radix(blocked.trim(), 16), Ok(0));
}

#[test]
fn a_child_has_an_inbox_of_its_own() {
    let _alone = alone();
    let wake = wake();
    let mut signals = Signals::new(&wake).unwrap();
    signals.add(SIGUSR1).unwrap();
    raise(SIGUSR1);
    let status = in_child(|| {
        wake.state().reinit(&Doorbell::pipe().unwrap()).unwrap();
        signals.reinit().unwrap();
        let clean = drained(&mut signals).is_empty();
        raise(SIGUSR1);
        clean && drained(&mut signals) == [(SIGUSR1, 1)]
    });
    assert_eq!(status, 0);
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1)], "the child took the parent's");
}

/// A thread that was in a handler at the fork does not exist in the child, which must not wait for it.
#[test]
fn a_fork_during_a_handler_does_not_lock_up_the_child() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    let stage = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            signals.inbox.lent_to_a_test(|| {
                stage.store(1, Ordering::SeqCst);
                while stage.load(Ordering::SeqCst) == 1 {
                    thread::yield_now();
                }
            });
        });
        while stage.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        let renewed = in_child(|| {
            let mut copy =
                Signals { inbox: signals.inbox, wake: signals.wake.clone(), fork: ForkGuard::new().unwrap() };
            copy.fork = crate::fork::ForkGuard::before_the_last_fork();
            copy.reinit().unwrap();
            raise(SIGUSR1);
            let well = drained(&mut copy) == [(SIGUSR1, 1)];
            drop(copy);
            well && handler_of(SIGUSR1) == libc::SIG_DFL
        });
        let dropped = in_child(|| {
            let fork = ForkGuard::before_the_last_fork();
            drop(Signals { inbox: signals.inbox, wake: signals.wake.clone(), fork });
            true
        });
        stage.store(2, Ordering::SeqCst);
        assert_eq!((renewed, dropped), (0, 0));
    });
    raise(SIGUSR1);
    assert_eq!(drained(&mut signals), [(SIGUSR1, 1)]);
}

#[test]
fn child_that_blocks_a_signal_gets_it_after_reinit() {
    let _alone = alone();
    let wake = wake();
    let mut signals = Signals::new(&wake).unwrap();
    signals.add(SIGUSR1).unwrap();
    block(SIGUSR1);
    let status = in_child(|| {
        // This child has reset its signals, as daemons do.
        handle(SIGUSR1, libc::SIG_DFL);
        wake.state().reinit(&Doorbell::pipe().unwrap()).unwrap();
        signals.reinit().unwrap();
        raise(SIGUSR1);
        drained(&mut signals) == [(SIGUSR1, 1)]
    });
    crate::sys::unblock(SIGUSR1).unwrap();
    assert_eq!(status, 0);
}

#[test]
fn a_child_that_never_touches_its_base_gets_its_signals() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGTERM).unwrap();
    assert_eq!(
        in_child(|| {
            raise(SIGTERM);
            true
        }),
        -SIGTERM
    );
    assert!(!signals.is_pending());
    handle(SIGUSR1, count_handler());
    signals.add(SIGUSR1).unwrap();
    assert_eq!(in_child(|| counts_one(|| raise(SIGUSR1))), 0);
    signals.del(SIGUSR1);
    ignore(SIGUSR1);
    signals.add(SIGUSR1).unwrap();
    assert_eq!(
        in_child(|| {
            raise(SIGUSR1);
            true
        }),
        0
    );
    drop(signals);
    handle(SIGUSR1, libc::SIG_DFL);
}

/// The child makes one of two bases its own; the other one stays the parent's.
#[test]
fn child_that_reinits_one_base_gets_signals_there_only() {
    let _alone = alone();
    let wake = wake();
    let mut own = Signals::new(&wake).unwrap();
    let mut other = signals();
    own.add(SIGTERM).unwrap();
    other.add(SIGTERM).unwrap();
    let status = in_child(|| {
        wake.state().reinit(&Doorbell::pipe().unwrap()).unwrap();
        own.reinit().unwrap();
        raise(SIGTERM);
        let (got, pending) = (drained(&mut own), other.is_pending());
        assert_eq!((got.as_slice(), pending), ([(SIGTERM, 1)].as_slice(), false));
        drop(own);
        raise(SIGTERM);
        panic!("it lives");
    });
    assert_eq!(status, -SIGTERM);
}
