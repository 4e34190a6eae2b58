//! A base inside another loop.

use evcore::backend::Split;

use super::*;

#[test]
fn another_loop_sees_what_is_ready_inside_also_after_a_new_set() {
    let mut inner = Epoll::new().unwrap();
    let mut outer = Epoll::new().unwrap();
    let nest = inner.nest().unwrap();
    add(&mut outer, &nest, 9, READ);
    let (mut near, mut far) = pair();
    add(&mut inner, &near, 1, READ);
    for _ in 0..3 {
        assert_eq!(Found::now(&mut outer), []);
        far.write_all(b"x").unwrap();
        assert_eq!(Found::now(&mut outer), [(9, Ready::READ)]);
        assert_eq!(Found::now(&mut inner), [(1, Ready::READ)]);
        near.read_exact(&mut [0]).unwrap();
        inner.reinit().unwrap();
        add(&mut inner, &near, 1, READ);
    }
}

/// The child of a fork may hold it, for example.
#[test]
fn another_loop_does_not_see_an_old_set_that_someone_else_holds() {
    let mut inner = Epoll::new().unwrap();
    let (near, _far) = readable();
    add(&mut inner, &near, 1, READ);
    inner.nest().unwrap();
    let _held = inner.set.try_clone().unwrap();
    inner.reinit().unwrap();
    assert!(!is_readable(&inner.nest().unwrap(), 0));
}

#[test]
fn another_loop_sees_each_wake_and_signal() {
    let status = in_child(|| {
        let mut inner = Epoll::new().unwrap();
        let early = inner.waker().unwrap();
        early.wake();
        let nest = inner.nest().unwrap().try_clone_to_owned().unwrap();
        assert!(is_readable(&nest, 0), "a wake from before is not seen");
        Found::of(&mut inner, Sleep::None);
        watch(&mut inner, libc::SIGUSR1).unwrap();
        for _ in 0..3 {
            assert!(!is_readable(&nest, 0));
            early.wake();
            assert!(is_readable(&nest, 0), "a wake is not seen");
            Found::of(&mut inner, Sleep::Forever);
            assert!(!is_readable(&nest, 0));
            raise(libc::SIGUSR1);
            assert!(is_readable(&nest, 0), "a signal is not seen");
            assert_eq!(Found::of(&mut inner, Sleep::Forever).signals, [(libc::SIGUSR1, 1)]);
        }
        let mut late = Epoll::new().unwrap();
        let nest = late.nest().unwrap().try_clone_to_owned().unwrap();
        late.waker().unwrap().wake();
        is_readable(&nest, 0)
    });
    assert_eq!(status, 0);
}

/// A child may reinitialise nested bases in any order.
#[test]
fn bases_in_bases_may_be_reinitialised_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut bases = [(); 3].map(|()| Epoll::new().unwrap());
        let (near, mut far) = pair();
        let waker = bases[0].waker().unwrap();
        add(&mut bases[0], &near, 1, READ);
        let first = Fd::of(&bases[0].nest().unwrap());
        bases[1].add(first, token(2), READ, &mut NoInfos).unwrap();
        let second = Fd::of(&bases[1].nest().unwrap());
        bases[2].add(second, token(3), READ, &mut NoInfos).unwrap();
        let status = in_child(|| {
            // Like the core: first the set, then the registrations.
            for which in order {
                bases[which].reinit().unwrap();
                match which {
                    0 => add(&mut bases[0], &near, 1, READ),
                    1 => bases[1].add(first, token(2), READ, &mut NoInfos).unwrap(),
                    _ => bases[2].add(second, token(3), READ, &mut NoInfos).unwrap(),
                }
            }
            let quiet = Found::now(&mut bases[2]).is_empty();
            waker.wake();
            let woken = Found::now(&mut bases[2]) == [(3, Ready::READ)];
            Found::now(&mut bases[1]);
            Found::now(&mut bases[0]);
            let over = Found::now(&mut bases[2]).is_empty();
            far.write_all(b"x").unwrap();
            let heard = [2, 1].iter().all(|&at| Found::now(&mut bases[at]) == [(at as u64 + 1, Ready::READ)]);
            quiet && woken && over && heard && Found::now(&mut bases[0]) == [(1, Ready::READ)]
        });
        assert_eq!(status, 0, "{order:?}");
        assert_eq!(Found::now(&mut bases[2]), [(3, Ready::READ)], "the parent's, {order:?}");
    }
}

/// Daemons close all descriptors they find open. A descriptor that has the number afterwards is not a nest.
#[test]
fn a_number_that_a_child_has_given_to_another_file_is_left_alone() {
    let mut nested = Epoll::new().unwrap();
    let number = nested.nest().unwrap().as_raw_fd();
    let mut other = Epoll::new().unwrap();
    let (near, _far) = readable();
    let status = in_child(|| {
        sys::replace(&near.into(), number).unwrap();
        other.reinit().unwrap();
        !sys::is_set(number, other.set.as_fd())
    });
    assert_eq!(status, 0);
}

#[test]
fn places_in_the_list_of_nests_are_used_again() {
    let status = in_child(|| {
        let before = crate::nest::places();
        for _ in 0..100 {
            Epoll::new().unwrap().nest().unwrap();
        }
        crate::nest::places() <= before + 1
    });
    assert_eq!(status, 0);
}

/// The number was a stream's, and now belongs to a set that contains this one.
#[test]
fn a_number_that_is_an_outer_set_now_does_not_stand() {
    let (mut inner, mut outer) = (Epoll::new().unwrap(), Epoll::new().unwrap());
    let (near, _far) = pair();
    add(&mut inner, &near, 1, READ);
    add(&mut outer, &inner.nest().unwrap(), 9, READ);
    assert!(inner.stands_now(Fd::of(&near)));
    reopen(&near, outer.set.try_clone().unwrap());
    assert_eq!(sys::epoll_has(inner.set.as_fd(), Fd::of(&near)), Some(false));
    assert!(!inner.stands_now(Fd::of(&near)));
}

/// As if sets were nested too deep below a set after it was registered, which only some kernels allow.
#[test]
fn a_set_that_could_not_be_registered_again_stands() {
    for is_sandbox in [false, true] {
        let status = in_child(|| {
            let (mut inner, mut outer) = (Epoll::new().unwrap(), Epoll::new().unwrap());
            add(&mut outer, &inner.nest().unwrap(), 9, READ);
            let fd = Fd::of(&inner.nest().unwrap());
            refuse(&[libc::SYS_epoll_ctl], libc::ELOOP);
            if is_sandbox {
                refuse(&[libc::SYS_kcmp], libc::EPERM);
            }
            outer.stands_now(fd)
        });
        assert_eq!(status, 0);
    }
}

#[test]
fn a_sleep_after_a_new_set_waits_by_that() {
    let mut epoll = Epoll::new().unwrap();
    let mut number = || {
        let sleeper = epoll.begin_sleep(Sleep::None).unwrap();
        let number = sleeper.descriptors().next();
        epoll.end_sleep(sleeper).unwrap();
        (number, epoll.reinit())
    };
    // The old duplicate is still open when the new one is made.
    assert_ne!(number().0, number().0);
}

/// The parent had a nest before, so there is a free place in the list.
#[test]
fn a_nest_made_in_a_child_stays_when_another_base_is_reinitialised() {
    Epoll::new().unwrap().nest().unwrap();
    let mut parents = Epoll::new().unwrap();
    let status = in_child(|| {
        let mut own = Epoll::new().unwrap();
        let (near, _far) = readable();
        add(&mut own, &near, 1, READ);
        own.nest().unwrap();
        parents.reinit().unwrap();
        is_readable(&own.nest().unwrap(), 0)
    });
    assert_eq!(status, 0);
}
