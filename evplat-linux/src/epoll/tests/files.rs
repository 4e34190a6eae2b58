//! Descriptors that epoll refuses: always ready.

use std::fs::OpenOptions;

use super::*;

fn files() -> Vec<File> {
    let open = |path| OpenOptions::new().read(true).write(true).open(path).unwrap();
    let regular =
        std::env::temp_dir().join(format!("evplat-linux-{}-{:?}", std::process::id(), thread::current().id()));
    let file = File::create_new(&regular).unwrap();
    std::fs::remove_file(&regular).unwrap();
    vec![file, open("/dev/null"), open("/dev/urandom")]
}

#[test]
fn a_file_is_always_ready_for_what_is_asked() {
    for file in files() {
        let mut epoll = Epoll::new().unwrap();
        add(&mut epoll, &file, 1, READ | Interest::CLOSED);
        assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, [(1, Ready::READ)]);
        assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, [(1, Ready::READ)]);
        assert_eq!(modify(&mut epoll, &file, 1, READ | WRITE), Ok(Modified::Kept));
        assert_eq!(Found::of(&mut epoll, Wait::Forever).ready, [(1, Ready::READ | Ready::WRITE)]);
        del(&mut epoll, &file);
        assert_eq!(Found::now(&mut epoll), []);
    }
}

#[test]
fn an_edge_of_a_file_is_its_registration_and_each_change() {
    let file = &files()[0];
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, READ | EDGE);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert_eq!(Found::now(&mut epoll), []);
    assert_eq!(modify(&mut epoll, file, 1, READ | EDGE), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    assert!(sleeps(&mut epoll), "what was told keeps the base awake");
}

#[test]
fn a_file_that_can_never_be_ready_does_not_keep_the_base_awake() {
    let file = &files()[0];
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, Interest::PRIORITY | Interest::CLOSED);
    assert!(sleeps(&mut epoll));
}

#[test]
fn a_file_that_is_registered_again_has_no_past() {
    let mut epoll = Epoll::new().unwrap();
    let number = File::open("/dev/null").unwrap();
    add(&mut epoll, &number, 1, READ);
    add(&mut epoll, &number, 2, READ);
    assert_eq!(Found::now(&mut epoll), [(2, Ready::READ)]);
    let (socket, _peer) = pair();
    reopen(&number, socket);
    add(&mut epoll, &number, 3, READ);
    assert_eq!(Found::now(&mut epoll), []);
    reopen(&number, File::open("/dev/null").unwrap());
    add(&mut epoll, &number, 4, READ);
    epoll.reinit().unwrap();
    assert!(sleeps(&mut epoll), "a file is left from before");
}

#[test]
fn sockets_are_served_beside_a_file() {
    let (file, (socket, _peer)) = (&files()[1], readable());
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, READ);
    add(&mut epoll, &socket, 2, READ);
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ), (2, Ready::READ)]);
}

#[test]
fn a_number_that_is_no_file_any_more_is_noticed() {
    let mut epoll = Epoll::new().unwrap();
    let number = File::open("/dev/null").unwrap();
    add(&mut epoll, &number, 1, READ);
    let (socket, mut peer) = pair();
    reopen(&number, socket);
    assert_eq!(modify(&mut epoll, &number, 1, READ), Ok(Modified::Replaced));
    assert_eq!(Found::now(&mut epoll), []);
    peer.write_all(b"x").unwrap();
    assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
    reopen(&number, File::open("/dev/null").unwrap());
    assert_eq!(modify(&mut epoll, &number, 2, READ), Ok(Modified::Replaced));
    // The core follows up under another token, as reports for this one might be the socket's.
    assert_eq!(modify(&mut epoll, &number, 3, READ), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(3, Ready::READ)]);
}
