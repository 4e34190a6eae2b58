//! Descriptors that were closed or whose numbers were reused, and rebuilt sets.

use evcore::Wait;
use evcore::backend::{Sleeper as _, Split};

use super::*;

#[test]
fn a_descriptor_that_is_registered_already_is_taken_over() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    // The number is reopened from a duplicate, so the kernel has kept its entry: EEXIST.
    reopen(&near, near.try_clone().unwrap());
    add(&mut epoll, &near, 2, READ | WRITE);
    assert_eq!(Found::now(&mut epoll), [(2, Ready::READ | Ready::WRITE)]);
}

#[test]
fn number_of_another_descriptor_is_registered_again() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    add(&mut epoll, &near, 1, READ);
    let (other, _peer) = readable();
    reopen(&near, other);
    assert_eq!(Found::now(&mut epoll), []);
    assert_eq!(modify(&mut epoll, &near, 1, READ), Ok(Modified::Replaced));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert_eq!(modify(&mut epoll, &near, 1, READ), Ok(Modified::Kept));
}

#[test]
fn a_closed_descriptor_is_an_error_and_leaves_nothing() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let (near, _far) = pair();
        let closed = Fd::of(&near);
        epoll.add(closed, token(1), READ, &mut NoInfos).unwrap();
        drop(near);
        let modified = epoll.modify(closed, token(1), READ, WRITE, &mut NoInfos);
        epoll.del(closed, token(1), READ, &mut NoInfos);
        let added = epoll.add(closed, token(2), READ, &mut NoInfos);
        let found = Found::of(&mut epoll, Sleep::None);
        assert!(found.ready.is_empty() && found.rebuilds == 0);
        errno(modified) == Some(libc::EBADF) && errno(added) == Some(libc::EBADF)
    });
    assert_eq!(status, 0);
}

#[test]
fn a_set_inside_itself_is_an_error() {
    let mut epoll = Epoll::new().unwrap();
    let set = epoll.set.try_clone().unwrap();
    assert_eq!(errno(try_add(&mut epoll, &set, 1, READ)), Some(libc::EINVAL));
    let nest = epoll.nest().unwrap().try_clone_to_owned().unwrap();
    assert_eq!(errno(try_add(&mut epoll, &nest, 1, READ)), Some(libc::ELOOP));
    assert_eq!(Found::now(&mut epoll), []);
}

/// An entry that cannot be removed: its number was closed before `del`, and a duplicate is open.
#[test]
fn an_entry_that_nobody_can_remove_leads_to_a_new_set() {
    let mut base: EventBase<&str> = EventBase::new(Epoll::new().unwrap());
    let (orphan, _far) = readable();
    let _duplicate = orphan.try_clone().unwrap();
    let (other, _other_far) = readable();
    let gone = base.insert(Fd::of(&orphan), READ, "orphan").unwrap();
    base.insert(Fd::of(&other), READ, "other").unwrap();
    reopen(&orphan, File::open("/dev/null").unwrap());
    base.remove(gone);

    let mut served = 0;
    for _ in 0..40 {
        assert!(base.poll(Wait::Forever).unwrap().is_running());
        while let Some(fired) = base.next_active() {
            assert_eq!(*fired.data, "other");
            served += 1;
        }
    }
    let stats = base.stats();
    assert_eq!((served, stats.rebuilds), (40, 1));
    assert!(stats.stale >= 16 && stats.stale <= 18, "{stats:?}");
}

#[test]
fn what_the_kernel_refuses_changes_nothing_and_a_refused_end_leads_to_a_new_set() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let (near, _far) = readable();
        let (other, _peer) = readable();
        add(&mut epoll, &near, 1, READ);
        refuse(&[libc::SYS_epoll_ctl], libc::ENOMEM);
        assert_eq!(errno(try_add(&mut epoll, &other, 2, READ)), Some(libc::ENOMEM));
        assert_eq!(errno(modify(&mut epoll, &near, 1, WRITE)), Some(libc::ENOMEM));
        assert_eq!(errno(epoll.waker().map(|_| ())), Some(libc::ENOMEM));
        assert!(epoll.bell.interrupts.doorbell().is_none());
        assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
        del(&mut epoll, &near);
        Found::of(&mut epoll, Sleep::Forever).rebuilds == 1
    });
    assert_eq!(status, 0);
}

#[test]
fn new_sets_do_not_make_the_buffer_longer() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    for bits in 0..200 {
        epoll.reinit().unwrap();
        add(&mut epoll, &near, bits, READ);
    }
    assert_eq!((epoll.registered, epoll.reports.room()), (1, REPORTS));
}

#[test]
fn a_new_set_is_asked_for_once() {
    let mut epoll = Epoll::new().unwrap();
    epoll.note_damage();
    assert_eq!(Found::of(&mut epoll, Sleep::Forever).rebuilds, 1);
    // From here on the core retries, and the base sleeps in between.
    assert_eq!(Found::of(&mut epoll, Sleep::None).rebuilds, 0);
    epoll.reinit().unwrap();
    assert_eq!(Found::of(&mut epoll, Sleep::None).rebuilds, 0);
}

/// A new set cannot be made, and `wait` finds only what a rebuild would remove: it must not return at once.
fn is_slow(mut wait: impl FnMut(&mut EventBase<&str>)) -> bool {
    let mut base: EventBase<&str> = EventBase::new(Epoll::new().unwrap());
    let (orphan, _far) = readable();
    let _duplicate = orphan.try_clone().unwrap();
    let (other, _other_far) = pair();
    let gone = base.insert(Fd::of(&orphan), READ, "orphan").unwrap();
    base.insert(Fd::of(&other), READ, "other").unwrap();
    wait(&mut base);
    reopen(&orphan, File::open("/dev/null").unwrap());
    base.remove(gone);
    limit_descriptors(3);
    while base.stats().refused == 0 {
        assert!(base.poll(crate::Wait::None).unwrap().is_running());
    }
    let begin = base.backend().now();
    (0..20).for_each(|_| wait(&mut base));
    base.backend().now().saturating_since(begin) >= OVERDUE * 20
}

#[test]
fn sleeps_during_an_overdue_rebuild_take_their_time() {
    let status = in_child(|| {
        is_slow(|base| {
            let mut asleep = base.begin_sleep(crate::Wait::For(Duration::from_secs(1))).unwrap();
            asleep.sleep();
            assert!(base.end_sleep(asleep).unwrap().is_running());
        })
    });
    assert_eq!(status, 0);
}

#[test]
fn a_nest_during_an_overdue_rebuild_does_not_keep_the_other_loop_busy() {
    let status = in_child(|| {
        is_slow(|base| {
            assert!(is_readable(&base.backend_mut().nest().unwrap(), 1_000));
            assert!(base.poll(crate::Wait::None).unwrap().is_running());
            while base.next_active().is_some() {}
        })
    });
    assert_eq!(status, 0);
}

/// A timer or a wake ended the full-length sleep. Files may be replaced during the next one, so it is shortened
/// again.
#[test]
fn a_sleep_after_the_rest_of_one_is_not_without_an_end() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    add(&mut epoll, &near, 1, READ);
    let mut sleep = || {
        let sleeper = epoll.begin_sleep(Sleep::Forever).unwrap();
        let until = sleeper.until();
        epoll.idle = IDLE;
        epoll.end_sleep(sleeper).unwrap();
        assert_eq!(Found::now(&mut epoll), []);
        until
    };
    for _ in 0..3 {
        assert_ne!(sleep(), Sleep::Forever, "numbers are to be verified");
        assert_eq!(sleep(), Sleep::Forever, "the rest");
    }
}

/// The check adds the file for a moment. As the other file has hung up, an entry left behind would be reported for
/// ever.
#[test]
fn a_look_for_a_number_leaves_no_entry() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    add(&mut epoll, &near, 1, READ);
    assert!(epoll.stands_now(Fd::of(&near)));
    reopen(&near, pair().0);
    assert!(!epoll.stands_now(Fd::of(&near)));
    assert!(sleeps(&mut epoll));
}

#[test]
fn what_has_ended_is_not_counted() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    add(&mut epoll, &near, 1, READ);
    del(&mut epoll, &near);
    assert_eq!(epoll.registered, 0);
}

/// The replaced file is still open under another number, and is reported in every other turn.
#[test]
fn a_replaced_file_that_comes_every_other_turn_is_not_reported_for_long() {
    let mut base: EventBase<&str> = EventBase::new(Epoll::new().unwrap());
    let (near, mut far) = pair();
    let mut living = near.try_clone().unwrap();
    base.insert(Fd::of(&near), READ, "replaced").unwrap();
    reopen(&near, File::open("/dev/null").unwrap());
    let mut turn = || {
        assert!(base.poll(Wait::None).unwrap().is_running());
        let found = base.next_active().map(|fired| fired.ready);
        assert!(base.next_active().is_none());
        found
    };
    for _ in 0..VERIFIED_EVERY {
        far.write_all(b"x").unwrap();
        let found = turn();
        living.read_exact(&mut [0]).unwrap();
        if found.is_some_and(Ready::is_error) {
            return;
        }
        assert_eq!(found, Some(Ready::READ));
        assert_eq!(turn(), None);
    }
    panic!("it was reported {VERIFIED_EVERY} times");
}
