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
        assert_eq!(Found::of(&mut epoll, Sleep::Forever).ready, [(1, Ready::READ)]);
        assert_eq!(Found::of(&mut epoll, Sleep::Forever).ready, [(1, Ready::READ)]);
        assert_eq!(modify(&mut epoll, &file, 1, READ | WRITE), Ok(Modified::Kept));
        assert_eq!(Found::of(&mut epoll, Sleep::Forever).ready, [(1, Ready::READ | Ready::WRITE)]);
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
    assert!(sleeps(&mut epoll), "what was reported keeps the base awake");
}

#[test]
fn a_file_that_can_never_be_ready_does_not_keep_the_base_awake() {
    let file = &files()[0];
    let mut epoll = Epoll::new().unwrap();
    add(&mut epoll, file, 1, Interest::URGENT | Interest::CLOSED);
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
    // The core then uses another token, as reports for this one might be the socket's.
    assert_eq!(modify(&mut epoll, &number, 3, READ), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(3, Ready::READ)]);
}

#[test]
fn modify_to_what_a_file_never_is_and_back() {
    for (interest, times) in [(READ, 2), (READ | EDGE, 1)] {
        let file = &files()[1];
        let mut epoll = Epoll::new().unwrap();
        add(&mut epoll, file, 1, interest);
        for _ in 0..3 {
            let found: Vec<_> = (0..2).flat_map(|_| Found::now(&mut epoll)).collect();
            assert_eq!(found, [(1, Ready::READ); 2][..times]);
            assert_eq!(modify(&mut epoll, file, 1, Interest::CLOSED), Ok(Modified::Kept));
            assert!(sleeps(&mut epoll));
            assert_eq!(modify(&mut epoll, file, 1, interest), Ok(Modified::Kept));
        }
    }
}

#[test]
fn del_of_a_file_whose_number_is_a_sockets_ends_it() {
    let mut epoll = Epoll::new().unwrap();
    let other = File::open("/dev/null").unwrap();
    add(&mut epoll, &other, 9, READ | EDGE);
    assert_eq!(Found::now(&mut epoll), [(9, Ready::READ)]);
    for interest in [READ, READ | EDGE] {
        let number = File::open("/dev/null").unwrap();
        add(&mut epoll, &number, 1, interest);
        let (socket, mut peer) = pair();
        reopen(&number, socket);
        del(&mut epoll, &number);
        assert!(sleeps(&mut epoll), "the file is still due");
        add(&mut epoll, &number, 2, interest);
        assert!(sleeps(&mut epoll), "the socket is taken for a file");
        peer.write_all(b"x").unwrap();
        assert_eq!(Found::now(&mut epoll), [(2, Ready::READ)]);
        del(&mut epoll, &number);
    }
    assert_eq!(modify(&mut epoll, &other, 9, READ | EDGE), Ok(Modified::Kept));
    assert_eq!(Found::now(&mut epoll), [(9, Ready::READ)]);
}

#[test]
fn modify_of_a_file_that_was_closed_is_an_error() {
    let status = in_child(|| {
        let mut epoll = Epoll::new().unwrap();
        let file = File::open("/dev/null").unwrap();
        let closed = Fd::of(&file);
        add(&mut epoll, &file, 1, READ | EDGE);
        assert_eq!(Found::now(&mut epoll), [(1, Ready::READ)]);
        drop(file);
        let modified = epoll.modify(closed, token(1), READ, READ | EDGE, &mut NoInfos);
        assert_eq!(errno(modified), Some(libc::EBADF));
        assert!(sleeps(&mut epoll), "the refused change makes it due");
        epoll.del(closed, token(1), READ, &mut NoInfos);
        !epoll.files.contains(closed)
    });
    assert_eq!(status, 0);
}

/// A report whose registration has ended in the core removes the file.
#[test]
fn a_file_whose_registration_has_ended_is_dropped() {
    let mut epoll = Epoll::new().unwrap();
    let (first, second) = (File::open("/dev/null").unwrap(), File::open("/dev/null").unwrap());
    add(&mut epoll, &first, 1, READ);
    add(&mut epoll, &second, 2, READ);
    let mut found = Found { ended: vec![1], ..Found::default() };
    epoll.dispatch(Sleep::Forever, &mut found).unwrap();
    assert_eq!(found.ready, [(2, Ready::READ)]);
    assert_eq!(Found::of(&mut epoll, Sleep::Forever).ready, [(2, Ready::READ)]);
}

#[test]
fn two_thousand_files_cost_a_socket_and_a_turn_nothing() {
    const COUNT: u64 = 2_000;
    let status = in_child(|| {
        limit_descriptors(COUNT + 100);
        let mut epoll = Epoll::new().unwrap();
        let files: Vec<_> = (0..COUNT).map(|_| File::open("/dev/null").unwrap()).collect();
        for (bits, file) in (0..).zip(&files) {
            add(&mut epoll, file, bits, READ | EDGE);
        }
        assert_eq!(Found::now(&mut epoll).len(), files.len(), "one turn reports all that are due");
        let before = epoll.files.steps;
        let (socket, _peer) = readable();
        add(&mut epoll, &socket, COUNT, READ);
        assert_eq!(Found::now(&mut epoll), [(COUNT, Ready::READ)]);
        assert_eq!(modify(&mut epoll, &socket, COUNT, WRITE), Ok(Modified::Kept));
        del(&mut epoll, &socket);
        assert!(sleeps(&mut epoll));
        epoll.files.steps == before
    });
    assert_eq!(status, 0);
}

/// As in a sandbox, or if the size of a file does not fit into the structure.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_file_that_the_system_says_nothing_of_is_no_other_file() {
    let status = in_child(|| {
        let mut base: EventBase<&str> = EventBase::new(Epoll::new().unwrap());
        let null = File::open("/dev/null").unwrap();
        let other = File::open("/dev/null").unwrap();
        base.insert(Fd::of(&other), READ, "known before").unwrap();
        assert!(base.poll(crate::Wait::None).unwrap().is_running());
        refuse(&[libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx], libc::EOVERFLOW);
        base.insert(Fd::of(&null), READ, "unknown").unwrap();
        for _ in 0..600 {
            assert!(base.poll(crate::Wait::None).unwrap().is_running());
            while let Some(fired) = base.next_active() {
                assert!(!fired.ready.contains(Ready::ERROR), "{}", fired.data);
            }
        }
        true
    });
    assert_eq!(status, 0);
}
