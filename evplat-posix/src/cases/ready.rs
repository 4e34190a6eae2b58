//! What is reported, and in which order.

use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use super::*;
use crate::sys::tests::{send_urgent, wait_readable};

pub(crate) fn files_are_always_ready<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let path = std::env::temp_dir().join(format!("evplat-posix-{}", std::process::id()));
        let file = File::create_new(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let files = [file, File::open("/dev/null").unwrap(), File::open("/dev/urandom").unwrap()];
        for (name, file) in (0..).zip(&files) {
            rig.add(file, name, Interest::READ);
        }
        for _ in 0..2 {
            let mut found = rig.wait(Sleep::Forever);
            found.sort_by_key(|(name, _)| *name);
            assert_eq!(found, [(0, Ready::READ), (1, Ready::READ), (2, Ready::READ)]);
        }
    });
}

pub(crate) fn the_end_of_a_pipe_wakes_both_sides<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (reader, writer) = pipe();
        rig.add(&reader, 1, Interest::READ);
        assert!(rig.is_idle());
        drop(writer);
        // The core adds READ to HANGUP.
        let expected = if rig.has(Features::ERRORS) { Ready::HANGUP } else { Ready::READ };
        assert_eq!(rig.wait(Sleep::Forever), [(1, expected)]);
        rig.del(Fd::of(&reader), 1, Interest::READ);
        assert!(rig.is_idle(), "a hang-up that nobody asks for");

        let (reader, writer) = pipe();
        rig.add(&writer, 2, Interest::WRITE);
        drop(reader);
        let error = if rig.has(Features::ERRORS) { Ready::ERROR } else { Ready::empty() };
        assert_eq!(rig.wait(Sleep::Forever), [(2, Ready::WRITE | error)]);
    });
}

pub(crate) fn half_close_is_closed_where_supported<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (near, far) = UnixStream::pair().unwrap();
        rig.add(&near, 1, Interest::READ | Interest::CLOSED);
        far.shutdown(Shutdown::Write).unwrap();
        let closed = if rig.has(Features::CLOSED) { Ready::CLOSED } else { Ready::empty() };
        assert_eq!(rig.wait(Sleep::Forever), [(1, Ready::READ | closed)]);
        rig.del(Fd::of(&near), 1, Interest::READ);

        let alone = rig.try_add(Fd::of(&near), 2, Interest::CLOSED);
        if rig.has(Features::CLOSED) {
            assert_eq!(rig.wait(Sleep::Forever), [(2, Ready::CLOSED)]);
        } else {
            assert_eq!(alone, Err(Error::Unsupported));
            assert!(rig.is_idle(), "what was refused was registered");
        }
    });
}

pub(crate) fn urgent_data_is_priority_and_not_read<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        rig.add(&near, 1, Interest::READ | Interest::URGENT);
        send_urgent(&far);
        assert_eq!(rig.wait(Sleep::Forever), [(1, Ready::URGENT)]);
        assert_eq!(rig.modify(Fd::of(&near), 1, Interest::READ | Interest::URGENT, Interest::READ), Ok(Modified::Kept));
        assert!(rig.is_idle());
    });
}

pub(crate) fn a_reset_wakes_every_interest<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        rig.add(&far, 1, Interest::READ);
        // Closing a socket with unread data resets the connection.
        far.write_all(b"x").unwrap();
        assert!(wait_readable(&near, 5_000));
        drop(near);
        let found = rig.wait(Sleep::Forever);
        let error = Ready::ERROR | Ready::HANGUP;
        assert!(matches!(found[..], [(1, ready)] if ready.contains(Ready::READ)
            && (ready.contains(error) || !rig.has(Features::ERRORS))));
    });
}

pub(crate) fn interest_can_change<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let fd = Fd::of(&near);
        let (read, write) = (Interest::READ, Interest::WRITE);
        rig.add(&near, 1, read);
        assert!(rig.is_idle());
        assert_eq!(rig.modify(fd, 1, read, write), Ok(Modified::Kept));
        assert_eq!(rig.look(), [(1, Ready::WRITE)]);
        far.write_all(b"x").unwrap();
        assert_eq!(rig.modify(fd, 1, write, read | write), Ok(Modified::Kept));
        // Level-triggered: reported for as long as it is ready.
        assert_eq!(rig.look(), [(1, Ready::READ | Ready::WRITE)]);
        assert_eq!(rig.look(), [(1, Ready::READ | Ready::WRITE)]);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(rig.modify(fd, 1, read | write, read), Ok(Modified::Kept));
        assert!(rig.is_idle());
        // A second `add`, as after a change that the core believes lost, replaces the registration.
        rig.add(&near, 1, write);
        assert_eq!(rig.look(), [(1, Ready::WRITE)]);
        rig.del(fd, 1, write);
        assert!(rig.is_idle());
    });
}

pub(crate) fn each_ready_one_comes_to_be_the_first<B: Backend>(make: fn() -> Result<B, Error>) {
    alone(|| {
        let mut rig = Rig::new(make());
        let pipes: Vec<_> = (0..8).map(|_| full_pipe()).collect();
        for (name, (reader, _)) in (0..).zip(&pipes) {
            rig.add(reader, name, Interest::READ);
        }
        for turn in 0..16 {
            let found: Vec<_> = rig.look().into_iter().map(|(name, _)| name).collect();
            let expected: Vec<_> = (0..8).map(|n| (turn + n) % 8).collect();
            assert_eq!(found, expected);
        }
    });
}
