//! A base inside another loop.

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

/// As the child of a fork may hold it.
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
