//! Handlers below ours and above ours.

use super::*;

#[test]
fn the_disposition_from_before_comes_back() {
    let _alone = alone();
    ignore(SIGHUP);
    let (mut a, mut b) = (signals(), signals());
    a.add(SIGHUP).unwrap();
    b.add(SIGHUP).unwrap();
    a.add(SIGHUP).unwrap();
    a.del(SIGHUP);
    assert_ne!(handler_of(SIGHUP), libc::SIG_IGN);
    b.del(SIGHUP);
    assert_eq!(handler_of(SIGHUP), libc::SIG_IGN);
    // Stopping a watch that never began changes nothing.
    b.del(SIGHUP);
    b.add(SIGHUP).unwrap();
    a.del(SIGHUP);
    raise(SIGHUP);
    assert_eq!(drained(&mut b), [(SIGHUP, 1)]);
    drop(b);
    assert_eq!(handler_of(SIGHUP), libc::SIG_IGN);
}

#[test]
fn a_handler_installed_over_ours_is_not_replaced() {
    let _alone = alone();
    let before = handler_of(SIGCONT);
    let mut signals = signals();
    signals.add(SIGCONT).unwrap();
    let ours = crate::sys::Disposition::of(SIGCONT).unwrap();
    ignore(SIGCONT);
    signals.del(SIGCONT);
    assert_eq!(handler_of(SIGCONT), libc::SIG_IGN);
    // The other owner ends and reinstalls ours, which it had found. Ours still leads to the original handler.
    ours.exchange(SIGCONT).unwrap();
    signals.add(SIGCONT).unwrap();
    signals.del(SIGCONT);
    assert_eq!(handler_of(SIGCONT), before);
}

#[test]
fn a_handler_put_back_after_the_last_watcher_does_what_was_done_before() {
    let _alone = alone();
    let status = in_child(|| {
        handle(SIGUSR1, count_handler());
        let mut signals = signals();
        for signum in [SIGUSR1, SIGTERM, SIGURG] {
            signals.add(signum).unwrap();
            let ours = crate::sys::Disposition::of(signum).unwrap();
            ignore(signum);
            signals.del(signum);
            ours.exchange(signum).unwrap();
        }
        drop(signals);
        let handled = counts_one(|| raise(SIGUSR1));
        raise(SIGURG);
        // Not called while a base watches.
        let mut again = super::signals();
        again.add(SIGUSR1).unwrap();
        raise(SIGUSR1);
        let handled = handled && drained(&mut again) == [(SIGUSR1, 1)];
        drop(again);
        if !handled || handler_of(SIGUSR1) != count_handler() || !counts_one(|| raise(SIGUSR1)) {
            return false;
        }
        raise(SIGTERM);
        false
    });
    assert_eq!(status, -SIGTERM);
}

/// The other handler, installed over ours, calls ours for its own reasons; the next watcher installs ours over it.
#[test]
fn a_handler_that_leads_to_ours_and_stands_below_it_is_no_circle() {
    let _alone = alone();
    extern "C" fn leads_on(signum: i32) {
        if LED.fetch_add(1, Ordering::SeqCst) < 10 {
            crate::sys::tests::call(LEADS_TO.load(Ordering::SeqCst), signum);
        }
    }
    static LED: AtomicU32 = AtomicU32::new(0);
    static LEADS_TO: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    let status = in_child(|| {
        handle(SIGUSR1, count_handler());
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        LEADS_TO.store(handler_of(SIGUSR1), Ordering::SeqCst);
        let theirs = leads_on as extern "C" fn(i32) as libc::sighandler_t;
        handle(SIGUSR1, theirs);
        signals.del(SIGUSR1);
        signals.add(SIGUSR1).unwrap();
        raise(SIGUSR1);
        let heard = drained(&mut signals) == [(SIGUSR1, 1)] && LED.load(Ordering::SeqCst) == 0;
        signals.del(SIGUSR1);
        heard && handler_of(SIGUSR1) == theirs && counts_one(|| raise(SIGUSR1)) && LED.load(Ordering::SeqCst) == 1
    });
    assert_eq!(status, 0);
}

/// The second watch finds the other handler over ours, which the first watch installed.
#[test]
fn a_handler_that_leads_to_ours_is_no_circle_under_a_second_watch() {
    let _alone = alone();
    extern "C" fn leads_on(signum: i32) {
        if LED.fetch_add(1, Ordering::SeqCst) < 10 {
            crate::sys::tests::call(LEADS_TO.load(Ordering::SeqCst), signum);
        }
    }
    static LED: AtomicU32 = AtomicU32::new(0);
    static LEADS_TO: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);
    let theirs = leads_on as extern "C" fn(i32) as libc::sighandler_t;
    let leads_once = || {
        LED.store(0, Ordering::SeqCst);
        counts_one(|| raise(SIGUSR1)) && LED.load(Ordering::SeqCst) <= 1
    };
    let status = in_child(|| {
        handle(SIGUSR1, count_handler());
        let (mut first, mut second) = (signals(), signals());
        first.add(SIGUSR1).unwrap();
        LEADS_TO.store(handler_of(SIGUSR1), Ordering::SeqCst);
        handle(SIGUSR1, theirs);
        second.add(SIGUSR1).unwrap();
        let in_a_child = in_child(leads_once) == 0;
        let in_a_child_of_its_own = in_child(|| {
            handle(SIGUSR1, theirs);
            first.reinit().unwrap();
            drop((first, second));
            handler_of(SIGUSR1) == theirs && leads_once()
        }) == 0;
        in_a_child && in_a_child_of_its_own
    });
    assert_eq!(status, 0);
    let status = in_child(|| {
        handle(SIGUSR1, count_handler());
        let (mut first, mut second) = (signals(), signals());
        first.add(SIGUSR1).unwrap();
        LEADS_TO.store(handler_of(SIGUSR1), Ordering::SeqCst);
        handle(SIGUSR1, theirs);
        second.add(SIGUSR1).unwrap();
        drop((first, second));
        handler_of(SIGUSR1) == theirs && leads_once()
    });
    assert_eq!(status, 0);
}

/// The other handler is below ours. A second watch finds ours on top and must not forget the other.
#[test]
fn a_handler_below_ours_comes_back_after_a_second_watch() {
    let _alone = alone();
    let status = in_child(|| {
        let (mut first, mut second, mut third) = (signals(), signals(), signals());
        for is_watched in [false, true] {
            handle(SIGUSR1, libc::SIG_DFL);
            first.add(SIGUSR1).unwrap();
            let ours = crate::sys::Disposition::of(SIGUSR1).unwrap();
            handle(SIGUSR1, count_handler());
            if !is_watched {
                first.del(SIGUSR1);
            }
            second.add(SIGUSR1).unwrap();
            third.add(SIGUSR1).unwrap();
            raise(SIGUSR1);
            assert_eq!((drained(&mut second), drained(&mut third)), (vec![(SIGUSR1, 1)], vec![(SIGUSR1, 1)]));
            [&mut first, &mut second, &mut third].into_iter().for_each(|signals| {
                signals.del(SIGUSR1);
            });
            assert_eq!(handler_of(SIGUSR1), count_handler());
            // When it goes and reinstalls ours, ours does what was there before both.
            ours.exchange(SIGUSR1).unwrap();
            first.add(SIGUSR1).unwrap();
            first.del(SIGUSR1);
            assert_eq!(handler_of(SIGUSR1), libc::SIG_DFL);
        }
        true
    });
    assert_eq!(status, 0);
}

#[test]
fn second_base_gets_signals_below_another_handler() {
    let _alone = alone();
    let status = in_child(|| {
        let (mut first, mut second) = (signals(), signals());
        first.add(SIGUSR1).unwrap();
        ignore(SIGUSR1);
        second.add(SIGUSR1).unwrap();
        raise(SIGUSR1);
        let heard = (drained(&mut first), drained(&mut second)) == (vec![(SIGUSR1, 1)], vec![(SIGUSR1, 1)]);
        drop((first, second));
        heard && handler_of(SIGUSR1) == libc::SIG_IGN
    });
    assert_eq!(status, 0);
}

/// The other owner installs its handler between our check and our exchange.
#[test]
fn a_handler_installed_while_the_old_one_is_put_back_stands() {
    let _alone = alone();
    let status = in_child(|| {
        handle(SIGUSR1, count_handler());
        !crate::sys::Disposition::DEFAULT.put_over(SIGUSR1, &crate::handler::ours())
            && handler_of(SIGUSR1) == count_handler()
    });
    assert_eq!(status, 0);
}

#[test]
fn the_handler_runs_on_an_alternate_stack() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    assert_ne!(flags_of(SIGUSR1) & libc::SA_ONSTACK, 0);
}

#[test]
fn the_handler_runs_with_every_signal_blocked() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGUSR1).unwrap();
    assert!([SIGUSR1, SIGUSR2, SIGTERM, SIGHUP, SIGCONT].into_iter().all(|other| blocks(SIGUSR1, other)));
}

/// In the child of a fork: it is stopped, as by a terminal, or continues at once if its process group is orphaned.
#[test]
fn a_process_that_was_stopped_by_default_has_our_handler_again() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(libc::SIGTSTP).unwrap();
    let ours = handler_of(libc::SIGTSTP);
    let status = in_child(|| {
        let continuing = "while kill -CONT $PPID 2>&-; do sleep 0.01; done";
        let mut shell = Command::new("sh").args(["-c", continuing]).spawn().unwrap();
        raise(libc::SIGTSTP);
        shell.kill().unwrap();
        shell.wait().unwrap();
        handler_of(libc::SIGTSTP) == ours
    });
    assert_eq!(status, 0);
}

/// A child of a fork that never touches its base shows which disposition was recorded as the original.
fn is_counted_in_a_child() -> bool {
    in_child(|| counts_one(|| raise(SIGUSR1))) == 0
}

#[test]
fn del_of_a_signal_that_is_not_watched_keeps_what_is_there_the_origin() {
    let _alone = alone();
    let status = in_child(|| {
        handle(SIGUSR1, count_handler());
        let mut signals = signals();
        signals.del(SIGUSR1);
        signals.add(SIGUSR1).unwrap();
        is_counted_in_a_child()
    });
    assert_eq!(status, 0);
}

#[test]
fn a_handler_installed_between_two_watches_is_the_new_origin() {
    let _alone = alone();
    let status = in_child(|| {
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        signals.del(SIGUSR1);
        handle(SIGUSR1, count_handler());
        signals.add(SIGUSR1).unwrap();
        is_counted_in_a_child()
    });
    assert_eq!(status, 0);
}

#[test]
fn a_handler_installed_after_another_owner_has_put_ours_back_is_the_new_origin() {
    let _alone = alone();
    let status = in_child(|| {
        let mut signals = signals();
        signals.add(SIGUSR1).unwrap();
        let ours = crate::sys::Disposition::of(SIGUSR1).unwrap();
        ignore(SIGUSR1);
        signals.del(SIGUSR1);
        ours.exchange(SIGUSR1).unwrap();
        signals.add(SIGUSR1).unwrap();
        signals.del(SIGUSR1);
        handle(SIGUSR1, count_handler());
        signals.add(SIGUSR1).unwrap();
        is_counted_in_a_child()
    });
    assert_eq!(status, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_the_system_does_not_unblock_is_refused_and_leaves_nothing() {
    let _alone = alone();
    let status = in_child(|| {
        let before = handler_of(SIGUSR1);
        block(SIGUSR1);
        crate::sys::tests::refuse_to_unblock();
        let mut signals = signals();
        let refused = signals.add(SIGUSR1).map_err(|error| error.errno());
        refused == Err(Some(libc::EPERM)) && handler_of(SIGUSR1) == before
    });
    assert_eq!(status, 0);
}

/// When our handler returns, the signal is unblocked, and its disposition must then be the default.
#[cfg(target_os = "linux")]
#[test]
fn a_child_that_may_not_unblock_is_ended_by_its_signal_all_the_same() {
    let _alone = alone();
    let mut signals = signals();
    signals.add(SIGTERM).unwrap();
    let status = in_child(|| {
        crate::sys::tests::refuse_to_unblock();
        raise(SIGTERM);
        false
    });
    assert_eq!(status, -SIGTERM);
}
