//! Forks, and the backend's own descriptors.

use super::*;

#[test]
fn child_can_do_nothing_until_reinit() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let status = in_child(|| {
        let forked = Err(Error::Forked);
        assert_eq!(try_add(&mut epoll, &near, 2, READ), forked);
        assert_eq!(modify(&mut epoll, &near, 1, WRITE), Err(Error::Forked));
        assert_eq!(epoll.usable(), forked);
        assert_eq!(epoll.nest().map(|_| ()), forked);
        assert_eq!(epoll.waker().map(|_| ()), forked);
        assert_eq!(watch(&mut epoll, libc::SIGUSR1), forked);
        del(&mut epoll, &near);
        true
    });
    assert_eq!(status, 0);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)], "the child has removed what is the parent's");
}

#[test]
fn child_after_reinit_has_everything_to_itself() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let waker = epoll.waker().unwrap();
    let nest = Fd::of(&epoll.nest().unwrap());
    let status = in_child(|| {
        epoll.reinit().unwrap();
        assert_eq!(Found::now(&mut epoll), []);
        add(&mut epoll, &near, 2, READ);
        assert_eq!(Found::now(&mut epoll), [(2, Ready::READ)]);
        assert_eq!(Fd::of(&epoll.nest().unwrap()), nest);
        assert!(is_readable(&epoll.nest().unwrap(), 0));
        del(&mut epoll, &near);
        assert!(!is_readable(&epoll.nest().unwrap(), 0), "the nest is still the parent's");
        waker.wake();
        assert!(is_readable(&epoll.nest().unwrap(), 0));
        Found::of(&mut epoll, Sleep::Forever).ready.is_empty()
    });
    assert_eq!(status, 0);
    assert!(is_readable(&epoll.nest().unwrap(), 0));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    del(&mut epoll, &near);
    assert!(!is_readable(&epoll.nest().unwrap(), 0), "the child's wake has come to the parent");
}

#[test]
fn every_descriptor_is_closed_on_exec() {
    let status = in_child(|| {
        close_all();
        let before = open_descriptors();
        let mut epoll = Epoll::new().unwrap();
        let _waker = epoll.waker().unwrap();
        epoll.nest().unwrap();
        for _ in 0..2 {
            for number in open_descriptors().into_iter().filter(|number| !before.contains(number)) {
                let flags = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
                let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
                let flags = i32::from_str_radix(&flags, 8).unwrap();
                assert!(flags & libc::O_CLOEXEC != 0, "descriptor {number}: {flags:o}");
            }
            epoll.reinit().unwrap();
        }
        open_descriptors().len() == before.len() + 3
    });
    assert_eq!(status, 0);
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let waker = epoll.waker().unwrap();
        epoll.nest().unwrap();
        in_child(|| {
            epoll.reinit().unwrap();
            waker.wake();
            let doorbell = is_cloexec(epoll.bell.interrupts.doorbell().unwrap());
            doorbell && is_cloexec(&epoll.set) && is_cloexec(&epoll.nest().unwrap())
        }) == 0
    });
    assert_eq!(status, 0, "in a child");
}

#[test]
fn a_base_without_descriptors_left_is_an_error_that_leaves_nothing() {
    let status = in_child(|| {
        close_all();
        let before = open_descriptors();
        let lowest = (0..).find(|number| !before.contains(number)).unwrap();
        for spare in 0..6 {
            limit_descriptors(u64::try_from(lowest + spare).unwrap());
            let made = (|| {
                let mut epoll = Epoll::new()?;
                let _waker = epoll.waker()?;
                epoll.nest()?;
                watch(&mut epoll, libc::SIGUSR1)?;
                // A new set needs a descriptor while the old one is still open.
                epoll.reinit()
            })();
            let errno = made.err().and_then(|error| error.errno());
            assert_eq!(errno, (spare < 4).then_some(libc::EMFILE), "{spare} to spare");
            assert_eq!(open_descriptors(), before, "{spare} to spare");
        }
        true
    });
    assert_eq!(status, 0);
}

/// If a waker cannot be made, everything else still works.
#[test]
fn a_base_that_cannot_have_a_waker_works_without() {
    let status = in_child(|| {
        close_all();
        let mut epoll = Epoll::new().unwrap();
        let (near, _far) = readable();
        add(&mut epoll, &near, 1, READ);
        let limit = u64::try_from(open_descriptors().len()).unwrap();
        limit_descriptors(limit);
        for _ in 0..2 {
            assert_eq!(errno(epoll.waker().map(|_| ())), Some(libc::EMFILE));
            assert_eq!(errno(watch(&mut epoll, libc::SIGUSR1)), Some(libc::EMFILE));
            assert_eq!(errno(epoll.nest().map(|_| ())), Some(libc::EMFILE));
            assert_eq!(errno(epoll.reinit()), Some(libc::EMFILE));
            assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
        }
        limit_descriptors(limit + 3);
        epoll.waker().unwrap().wake();
        watch(&mut epoll, libc::SIGUSR1).unwrap();
        epoll.nest().unwrap();
        epoll.reinit().unwrap();
        Found::now(&mut epoll).is_empty()
    });
    assert_eq!(status, 0);
}

#[test]
fn a_thousand_bases_leave_no_descriptor_behind() {
    let status = in_child(|| {
        close_all();
        let before = open_descriptors();
        for _ in 0..1_000 {
            let mut epoll = Epoll::new().unwrap();
            let _waker = epoll.waker().unwrap();
            epoll.nest().unwrap();
            epoll.reinit().unwrap();
        }
        open_descriptors() == before
    });
    assert_eq!(status, 0);
}

#[test]
fn a_new_set_is_neither_damaged_nor_overdue() {
    let mut epoll = Epoll::new().unwrap();
    (epoll.is_damaged, epoll.is_overdue) = (true, true);
    epoll.reinit().unwrap();
    assert!(!epoll.is_damaged && !epoll.is_overdue);
}
