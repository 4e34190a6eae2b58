//! How long a wait lasts.

use evcore::backend::Split;

use super::*;

/// A failed wait keeps the wake that came before it.
#[test]
fn a_wait_that_fails_takes_no_wake_away() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        epoll.waker().unwrap().wake();
        let set = epoll.set.try_clone().unwrap();
        sys::replace(&pipe().0, epoll.set.as_raw_fd()).unwrap();
        let failed = epoll.dispatch(Sleep::Forever, &mut Found::default()).is_err();
        sys::replace(&set, epoll.set.as_raw_fd()).unwrap();
        // If the wake were lost, this would sleep for ever.
        failed && epoll.dispatch(Sleep::Forever, &mut Found::default()).is_ok()
    });
    assert_eq!(status, 0);
}

#[test]
fn no_wait_is_early_and_none_is_repeated() {
    for timed_wait in [sys::epoll_pwait2 as TimedWait, sys::epoll_pwait] {
        for clock in [Clock::Monotonic, Clock::Boottime] {
            let mut epoll = Epoll::with_clock(clock).unwrap();
            epoll.timed_wait = timed_wait;
            for nanos in [1, 999, 100_000, 999_999, 1_000_001, 10_500_000] {
                // If the machine is suspended and resumed, one wait may be wrong, but not the next.
                let is_late = (0..3).any(|_| {
                    let deadline = epoll.now().saturating_add(Duration::from_nanos(nanos));
                    assert_eq!(Found::of(&mut epoll, Sleep::Until(deadline)).ready, []);
                    epoll.now() >= deadline
                });
                assert!(is_late, "{nanos} ns: early");
            }
        }
    }
}

#[test]
fn a_point_in_the_past_is_no_wait_and_the_farthest_is_no_error() {
    for timed_wait in [sys::epoll_pwait2 as TimedWait, sys::epoll_pwait] {
        let mut epoll = Epoll::new().unwrap();
        epoll.timed_wait = timed_wait;
        assert_eq!(Found::of(&mut epoll, Sleep::Until(Instant::ZERO)).ready, []);
        let (near, _far) = readable();
        add(&mut epoll, &near, 1, READ);
        let now = epoll.now().as_nanos();
        let days = |days: u64| now + days * 24 * 3_600 * 1_000_000_000;
        for point in [u64::MAX, u64::MAX - 1, i64::MAX as u64, days(25), days(50), days(100_000)] {
            assert_eq!(Found::of(&mut epoll, Sleep::Until(Instant::from_nanos(point))).ready, [(1, Ready::READ)]);
        }
    }
}

#[test]
fn a_wait_that_is_too_long_for_a_count_of_milliseconds_sleeps() {
    for timed_wait in [sys::epoll_pwait2 as TimedWait, sys::epoll_pwait] {
        let mut epoll = Epoll::new().unwrap();
        epoll.timed_wait = timed_wait;
        let waker = epoll.waker().unwrap();
        let begin = epoll.now();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            waker.wake();
        });
        Found::of(&mut epoll, Sleep::Until(begin.saturating_add(Duration::from_secs(50 * 24 * 3_600))));
        assert!(epoll.now().saturating_since(begin) >= Duration::from_millis(5));
        thread.join().unwrap();
    }
}

#[test]
fn a_refused_wait_is_made_in_another_way_and_that_is_remembered() {
    fn refused<const ERRNO: i32>(_: BorrowedFd<'_>, _: &mut Reports, _: u64) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(ERRNO))
    }
    for refusal in
        [refused::<{ libc::ENOSYS }> as TimedWait, refused::<{ libc::EPERM }>, refused::<{ libc::EOPNOTSUPP }>]
    {
        let mut epoll = Epoll::new().unwrap();
        epoll.timed_wait = refusal;
        let deadline = epoll.now().saturating_add(Duration::from_micros(1_500));
        assert_eq!(Found::of(&mut epoll, Sleep::Until(deadline)).ready, []);
        assert!(epoll.now() >= deadline, "the wait was not made again");
        assert!(std::ptr::fn_addr_eq(epoll.timed_wait, sys::epoll_pwait as TimedWait));
    }
    let mut epoll = Epoll::new().unwrap();
    epoll.timed_wait = refused::<{ libc::EBADF }>;
    let wait = after(&epoll, Duration::from_millis(1));
    assert_eq!(errno(epoll.dispatch(wait, &mut Found::default())), Some(libc::EBADF));
}

#[test]
fn a_sandbox_without_pwait2_and_eventfd_has_all_it_needs() {
    for reason in [libc::ENOSYS, libc::EPERM] {
        let status = in_child(|| {
            refuse(&[libc::SYS_epoll_pwait2, libc::SYS_eventfd2], reason);
            let mut epoll = Epoll::new().unwrap();
            let deadline = epoll.now().saturating_add(Duration::from_micros(1_500));
            Found::of(&mut epoll, Sleep::Until(deadline));
            let waited = epoll.now() >= deadline;
            let waker = epoll.waker().unwrap();
            let woken = (0..10).all(|_| {
                assert!(epoll.bell.interrupts.prepare(Sleep::Forever) == Sleep::Forever);
                waker.wake();
                let found = Found::of(&mut epoll, Sleep::Forever);
                // If it were never emptied, the pipe would be full one day, and a ring would cause no edge.
                found.ready.is_empty() && !is_readable(epoll.bell.interrupts.doorbell().unwrap(), 0)
            });
            // A late ring, when the base is already awake for other reasons.
            epoll.bell.interrupts.doorbell().unwrap().ring();
            Found::of(&mut epoll, Sleep::Forever);
            let quiet = !is_readable(epoll.bell.interrupts.doorbell().unwrap(), 0);
            waited && woken && quiet && sleeps(&mut epoll)
        });
        assert_eq!(status, 0, "errno {reason}");
    }
}

#[test]
fn an_interrupted_wait_is_no_error() {
    let status = in_child(|| {
        let mut other = Epoll::new().unwrap();
        watch(&mut other, libc::SIGALRM).unwrap();
        let mut epoll = Epoll::new().unwrap();
        alarm_every(1_000);
        let deadline = epoll.now().saturating_add(Duration::from_secs(15));
        let nothing = (0..5).all(|_| Found::of(&mut epoll, Sleep::Until(deadline)).ready.is_empty());
        alarm_every(0);
        nothing && epoll.now() < deadline
    });
    assert_eq!(status, 0);
}

/// `look` polls the set only while the last wait has found something.
#[test]
fn a_look_is_made_while_the_set_is_busy() {
    let mut epoll = Epoll::new().unwrap();
    let (mut near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let mut found = Found::default();
    assert!(!epoll.look(&mut found), "no wait has been made");
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert!(epoll.look(&mut found));
    assert_eq!(found.ready, [(1, Ready::READ)]);
    near.read_exact(&mut [0]).unwrap();
    assert!(!epoll.look(&mut found), "nothing is ready");
    assert!(!epoll.look(&mut found));
    assert_eq!(found.ready.len(), 1);
}

/// A wake while the loop does not sleep does not ring the doorbell; `look` must leave it to the wait.
#[test]
fn a_look_that_finds_nothing_leaves_a_wake_to_the_wait() {
    let mut epoll = Epoll::new().unwrap();
    let (mut near, _far) = readable();
    add(&mut epoll, &near, 1, READ);
    let waker = epoll.waker().unwrap();
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    near.read_exact(&mut [0]).unwrap();
    waker.wake();
    assert!(!epoll.look(&mut Found::default()));
    assert!(Found::of(&mut epoll, Sleep::Forever).ready.is_empty(), "it does not sleep");
}

/// A `look` that found nothing counts for the next wait only, or a later wait would mistake it for its own.
#[test]
fn a_look_is_forgotten_by_the_next_wait() {
    for wait in [Sleep::Forever, Sleep::None] {
        let mut epoll = Epoll::new().unwrap();
        let (mut near, mut far) = readable();
        add(&mut epoll, &near, 1, READ);
        assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
        near.read_exact(&mut [0]).unwrap();
        assert!(!epoll.look(&mut Found::default()));
        far.write_all(b"y").unwrap();
        let found = Found::of(&mut epoll, wait).ready;
        if wait == Sleep::None {
            assert_eq!(found, [], "it was looked twice in one turn");
        } else {
            assert_eq!(found, [(1, Ready::READ)]);
            near.read_exact(&mut [0]).unwrap();
            assert!(Found::of(&mut epoll, Sleep::Until(Instant::ZERO)).ready.is_empty());
            far.write_all(b"z").unwrap();
        }
        assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)], "{wait:?}");
    }
}

/// A `look` before a wait that a wake kept from sleeping counts for that wait only.
#[test]
fn a_look_is_not_counted_for_a_later_wait() {
    let mut base: EventBase<&str> = EventBase::new(Epoll::new().unwrap());
    let waker = base.waker().unwrap();
    let (near, mut far) = readable();
    base.insert(Fd::of(&near), READ, "socket").unwrap();
    base.insert_timer(Duration::from_secs(1_000), "timer").unwrap();
    assert!(base.poll(crate::Wait::Forever).unwrap().is_running());
    assert!(base.next_active().is_some());
    (&near).read_exact(&mut [0; 1]).unwrap();
    waker.wake();
    assert!(base.poll(crate::Wait::Forever).unwrap().is_running());
    assert!(base.next_active().is_none());
    far.write_all(b"x").unwrap();
    assert!(base.poll(crate::Wait::For(Duration::ZERO)).unwrap().is_running());
    assert_eq!(base.next_active().map(|fired| *fired.data), Some("socket"));
}

/// The time of many short waits adds up, and numbers are verified after it.
#[test]
fn a_short_wait_that_finds_nothing_is_counted() {
    let mut epoll = Epoll::new().unwrap();
    let (near, _far) = pair();
    add(&mut epoll, &near, 1, READ);
    let until = after(&epoll, Duration::from_millis(5));
    assert_eq!(Found::of(&mut epoll, until).ready, []);
    assert!(epoll.idle > 0);
}

#[test]
fn a_second_sleep_is_refused_and_the_first_ones_number_is_known() {
    let mut epoll = Epoll::new().unwrap();
    let sleeper = epoll.begin_sleep(Sleep::None).unwrap();
    assert_eq!(epoll.begin_sleep(Sleep::None).unwrap_err(), Error::Asleep);
    assert_eq!(sleeper.descriptors().next().map(|(number, _)| number), Some(epoll.duplicate));
    epoll.end_sleep(sleeper).unwrap();
}
