//! What the echo example must do for its clients, on any backend.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::EXAMPLE;
use crate::process::{self, Echo, PATIENCE, number_after, until};

/// Expands to one test per case for one method, with the number of simultaneous connections it must support.
macro_rules! against {
    ($method:ident, $connections:expr) => {
        $crate::cases::against! { $method, one_byte_comes_back, a_mebibyte_comes_back, what_was_sent_before_a_half_close_comes_back,
            a_reset_ends_a_connection, a_client_that_does_not_read_is_not_read_from, short_connections_leave_nothing,
            an_idle_connection_is_closed_at_its_timeout_and_not_before, without_descriptors_it_waits_for_some,
            figures_come_every_second_unless_it_is_quiet, either_signal_ends_it, wrong_arguments_are_reported,
            address_in_use_is_reported;
            #[test]
            fn many_connections_at_once() {
                $crate::cases::many_connections_at_once(stringify!($method), $connections);
            }
        }
    };
    ($method:ident, $($case:ident),*; $($own:item)*) => {
        mod $method {
            $(
                #[test]
                fn $case() {
                    $crate::cases::$case(stringify!($method));
                }
            )*
            $($own)*
        }
    };
}
pub(crate) use against;

/// Locked exclusively by the case that needs nearly all descriptors of the process, shared by all others.
static DESCRIPTORS: RwLock<()> = RwLock::new(());

fn share() -> impl Drop {
    DESCRIPTORS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Test data that reveals missing, duplicated and misplaced bytes.
fn pattern(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|at| (at ^ at >> 8 ^ at >> 16) as u8).collect()
}

fn assert_echoes(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("it takes what is sent");
    let mut echo = vec![0; bytes.len()];
    stream.read_exact(&mut echo).expect("it sends it back");
    assert!(echo == bytes, "not what was sent");
}

/// Asserts that the server closes or resets this connection without sending another byte.
fn assert_closed(stream: &mut TcpStream) {
    match stream.read_exact(&mut [0]).map_err(|error| error.kind()) {
        Err(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {}
        other => panic!("not the end: {other:?}"),
    }
}

pub(crate) fn one_byte_comes_back(method: &str) {
    let _shared = share();
    let echo = Echo::start(method);
    assert_echoes(&mut echo.connect(), b"x");
    let summary = echo.end();
    assert_eq!((summary.connections, summary.bytes), (1, 1), "{summary:?}");
    assert_eq!((summary.refused, summary.pauses), (0, 0), "{summary:?}");
    // The connection, the byte, its end and the signal, each in one turn.
    assert_eq!(summary.events, 4, "{summary:?}");
    assert!(summary.turns <= 8, "{summary:?}");
}

pub(crate) fn a_mebibyte_comes_back(method: &str) {
    let _shared = share();
    let echo = Echo::start(method);
    let (mut stream, sent) = (echo.connect(), pattern(0, 1 << 20));
    let mut received = vec![0; sent.len()];
    thread::scope(|scope| {
        scope.spawn(|| (&stream).write_all(&sent).expect("it takes what is sent"));
        (&stream).read_exact(&mut received).expect("it sends it back");
    });
    assert!(received == sent, "not what was sent");
    assert_echoes(&mut stream, b"and goes on");
    drop(stream);
    assert_eq!(echo.end().bytes, (1 << 20) + 11);
}

pub(crate) fn what_was_sent_before_a_half_close_comes_back(method: &str) {
    let _shared = share();
    let echo = Echo::start(method);
    // With the largest, the server has a backlog when the end arrives.
    for len in [0, 1, 4 << 20] {
        let (stream, sent) = (echo.connect(), pattern(len, len));
        let mut received = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                (&stream).write_all(&sent).expect("it takes what is sent");
                stream.shutdown(Shutdown::Write).unwrap();
            });
            thread::sleep(Duration::from_millis(50));
            (&stream).read_to_end(&mut received).expect("it sends it back, and ends");
        });
        assert!(received == sent, "{} bytes came back of {len}", received.len());
        until("the server has closed it as well", || echo.connections() == 0);
    }
    echo.end();
}

pub(crate) fn a_reset_ends_a_connection(method: &str) {
    let _shared = share();
    let echo = Echo::start(method);
    let mut bystander = echo.connect();
    for round in 0..20 {
        // Closing a connection with unread bytes resets it. With little data the server is waiting to read, with much
        // to write.
        let mut stream = echo.connect();
        stream.write_all(b"never read").unwrap();
        until("it sends it back", || stream.peek(&mut [0]).is_ok_and(|len| len == 1));
        if round % 2 == 1 {
            fill(&mut stream);
        }
        drop(stream);
        assert_echoes(&mut bystander, &pattern(round, 100));
    }
    until("the server has closed them", || echo.connections() == 1);
    drop(bystander);
    assert_eq!(echo.end().connections, 21);
}

/// Sends until the socket has accepted nothing for a while, or the server has closed the connection. Returns how much
/// was sent.
fn fill(stream: &mut TcpStream) -> usize {
    let (mut sent, mut since) = (0, Instant::now());
    stream.set_nonblocking(true).unwrap();
    while since.elapsed() < Duration::from_millis(200) {
        match stream.write(&pattern(sent, 1 << 16)) {
            Ok(len) => (sent, since) = (sent + len, Instant::now()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Err(_) => break,
        }
        assert!(sent < 1 << 28, "it takes more than any system has buffers for");
    }
    stream.set_nonblocking(false).unwrap();
    sent
}

pub(crate) fn a_client_that_does_not_read_is_not_read_from(method: &str) {
    let _shared = share();
    let echo = Echo::start(method);
    let mut stream = echo.connect();
    let memory = echo.memory();
    let sent = fill(&mut stream);
    let grown = echo.memory().saturating_sub(memory);
    assert!(grown < 4 << 20, "it keeps {grown} bytes of {sent} itself");
    let cpu = echo.cpu();
    assert_echoes(&mut echo.connect(), b"others are served");
    thread::sleep(Duration::from_millis(500));
    let spent = echo.cpu() - cpu;
    assert!(spent <= Duration::from_millis(50), "{spent:?} of 500 ms spent on a client that does not read");
    let mut received = vec![0; sent];
    stream.read_exact(&mut received).expect("it sends back all that it took");
    assert!(received == pattern(0, sent), "not what was sent");
    drop(stream);
    assert_eq!(echo.end().bytes, sent as u64 + 17);
}

pub(crate) fn many_connections_at_once(method: &str, connections: usize) {
    let _alone = DESCRIPTORS.write().unwrap_or_else(PoisonError::into_inner);
    let echo = Echo::start(method);
    let mut streams: Vec<TcpStream> = (0..connections).map(|_| echo.connect()).collect();
    for _ in 0..2 {
        for (number, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&pattern(number, 32)).expect("it takes what is sent");
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut received = [0; 32];
            stream.read_exact(&mut received).expect("it sends it back");
            assert_eq!(received[..], pattern(number, 32), "on connection {number}");
        }
        assert_eq!(echo.connections(), connections);
    }
    drop(streams);
    let summary = echo.end();
    assert_eq!((summary.connections, summary.refused, summary.pauses), (connections as u64, 0, 0), "{summary:?}");
}

pub(crate) fn short_connections_leave_nothing(method: &str) {
    let _shared = share();
    let echo = Echo::start(method);
    // The client closes first, so that the TIME_WAIT state is on its side.
    for number in 0..10_000 {
        assert_echoes(&mut echo.connect(), &pattern(number, 4));
        assert!(echo.connections() <= 64, "connections pile up");
    }
    let summary = echo.end();
    assert_eq!((summary.connections, summary.bytes), (10_000, 40_000), "{summary:?}");
    assert_eq!((summary.refused, summary.pauses), (0, 0), "{summary:?}");
}

pub(crate) fn an_idle_connection_is_closed_at_its_timeout_and_not_before(method: &str) {
    let _shared = share();
    let idle = Duration::from_secs(1);
    let echo = Echo::start_with(method, &["--quiet", "--idle", "1000ms"]);
    let ends_after = |mut stream: TcpStream, since: Instant| {
        assert_closed(&mut stream);
        let after = since.elapsed();
        assert!(after >= idle, "closed after {after:?}");
    };
    let connecting = Instant::now();
    let (silent, mut busy, mut stuck) = (echo.connect(), echo.connect(), echo.connect());
    thread::scope(|scope| {
        scope.spawn(|| ends_after(silent, connecting));
        scope.spawn(|| {
            let mut last = connecting;
            for number in 0..4 {
                thread::sleep(idle / 3);
                last = Instant::now();
                assert_echoes(&mut busy, &pattern(number, 10));
            }
            ends_after(busy, last);
        });
        scope.spawn(|| fill(&mut stuck));
    });
    until("a client that does not read is closed as well", || echo.connections() == 0);
    echo.end();
}

pub(crate) fn without_descriptors_it_waits_for_some(method: &str) {
    let _shared = share();
    let echo = Echo::start_limited(method, 20);
    let mut streams: Vec<TcpStream> = (0..40).map(|_| echo.connect()).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(b"x").unwrap());
    until("it has no descriptor left", || echo.has_all_below(20));
    let cpu = echo.cpu();
    thread::sleep(Duration::from_secs(1));
    let spent = echo.cpu() - cpu;
    assert!(spent <= Duration::from_millis(100), "{spent:?} of a second spent on connections that cannot be accepted");
    // Served clients close their connections, so that the others are accepted one by one.
    for stream in &mut streams {
        stream.read_exact(&mut [0]).expect("it is served in its turn");
        stream.shutdown(Shutdown::Both).unwrap();
    }
    drop(streams);
    let summary = echo.end();
    assert_eq!((summary.connections, summary.bytes, summary.refused), (40, 40, 0), "{summary:?}");
    assert!((8..200).contains(&summary.pauses), "{summary:?}");
}

pub(crate) fn figures_come_every_second_unless_it_is_quiet(method: &str) {
    let _shared = share();
    let (echo, quiet) = (Echo::start_with(method, &[]), Echo::start(method));
    let begin = Instant::now();
    let mut stream = echo.connect();
    assert_echoes(&mut stream, b"12345");
    let first = echo.stderr.recv_timeout(PATIENCE).expect("figures");
    for part in ["1 connections, 5 bytes, ", " events/s, ", " turns, largest lateness "] {
        assert!(first.contains(part), "{first}");
    }
    assert!(number_after(&first, "bytes,").is_some(), "{first}");
    echo.stderr.recv_timeout(PATIENCE).expect("figures again");
    assert!(begin.elapsed() > Duration::from_millis(1500), "figures come too often");
    assert!(quiet.stderr.try_recv().is_err(), "it is not quiet");
    drop(stream);
    echo.end();
    quiet.end();
}

pub(crate) fn either_signal_ends_it(method: &str) {
    let _shared = share();
    for signal in ["INT", "TERM"] {
        let echo = Echo::start(method);
        let mut stream = echo.connect();
        assert_echoes(&mut stream, b"still connected");
        let summary = echo.stop_by(signal);
        assert_eq!((summary.connections, summary.bytes), (1, 15), "{summary:?}");
        assert_closed(&mut stream);
    }
}

pub(crate) fn wrong_arguments_are_reported(method: &str) {
    let _shared = share();
    let wrong: [&[&str]; 12] = [
        &["--idle"],
        &["--idle", "60"],
        &["--idle", "s"],
        &["--idle", "0s"],
        &["--idle", "-1s"],
        &["--idle", "60h"],
        &["--idle", "99999999999999999999s"],
        &["--method", "no-such-method"],
        &["--no-such-option"],
        &["not-an-address"],
        &["127.0.0.1"],
        &["127.0.0.1:0", "127.0.0.1:0"],
    ];
    for arguments in wrong {
        let output = process::run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.lines().last().unwrap().starts_with(&format!("usage: {EXAMPLE} ")), "{arguments:?}: {message}");
        assert!(message.contains(method), "{message}");
    }
}

pub(crate) fn address_in_use_is_reported(method: &str) {
    let _shared = share();
    let echo = Echo::start_with(method, &["127.0.0.1:0", "--quiet"]);
    assert!(echo.address.ip().is_loopback() && echo.address.port() != 0);
    let address = echo.address.to_string();
    let output = process::run(&["--method", method, &address]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    assert!(String::from_utf8(output.stderr).unwrap().contains(&address));
    echo.end();
}
