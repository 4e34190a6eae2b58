//! Tests the client programs `connect` and `resolve`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::program::{PATIENCE, Program, connect, path_of, until};

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// An address with no listener.
fn refusing() -> String {
    listener().1
}

/// An address that never answers: the listener's queue is full, and connections are not accepted.
fn silent() -> (Socket, Vec<TcpStream>, String) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queued = vec![connect(address)];
    while let Ok(stream) = TcpStream::connect_timeout(&address, std::time::Duration::from_millis(100)) {
        queued.push(stream);
    }
    (listener, queued, address.to_string())
}

fn start(arguments: &[&str]) -> Program {
    Program::spawn(Command::new(path_of("connect")).args(arguments).stdin(Stdio::piped()))
}

/// Serves one connection: echoes everything, then closes it.
fn echo_once(listener: &TcpListener) -> Vec<u8> {
    let mut stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = Vec::new();
    // Only half-closed: the answer comes after the client has shut down its side.
    stream.read_to_end(&mut received).unwrap();
    stream.write_all(&received).unwrap();
    received
}

#[test]
fn what_is_sent_comes_back_after_a_half_close() {
    let (listener, address) = listener();
    let mut program = start(&[&address]);
    let mut stdin = program.stdin();
    // Much more than the buffers between the two can hold, so that there is a backlog.
    let text: String = (0..400_000).map(|number| format!("{number}\n")).collect();
    let sent = text.clone();
    let writer = thread::spawn(move || stdin.write_all(sent.as_bytes()).unwrap());
    let received = echo_once(&listener);
    writer.join().unwrap();
    assert!(received == text.as_bytes(), "not what was sent");
    let lines = program.rest();
    assert!(lines.iter().enumerate().all(|(number, line)| *line == number.to_string()) && lines.len() == 400_000);
}

#[test]
fn the_first_that_answers_is_taken() {
    let (listener, address) = listener();
    let (_silent, _queued, silent) = silent();
    let mut program = start(&[&refusing(), &silent, &address, &silent]);
    // The silent address only delays the attempt at the next one.
    program.stdin().write_all(b"hello\n").unwrap();
    echo_once(&listener);
    assert_eq!(program.complaint(), format!("connected to {address}"));
    assert_eq!(program.rest(), ["hello"]);
}

#[test]
fn each_failure_is_named_with_its_address() {
    let (_silent, _queued, silent) = silent();
    let refused = refusing();
    let (code, out, err) = start(&["--timeout", "100ms", &silent, &refused]).outcome();
    assert_eq!((code, out), (Some(1), vec![]));
    let text = err.join("\n");
    assert!(text.contains(&format!("{silent}: timed out")), "{text}");
    assert!(text.contains(&format!("{refused}: Connection refused")), "{text}");
}

#[test]
fn a_server_that_resets_is_an_error_with_its_address() {
    let (listener, address) = listener();
    let mut program = start(&[&address]);
    let stream = listener.accept().unwrap().0;
    program.stdin().write_all(b"unread\n").unwrap();
    assert_eq!(program.complaint(), format!("connected to {address}"));
    until("the line has come", || stream.peek(&mut [0]).is_ok_and(|len| len == 1));
    drop(stream);
    let (code, _, err) = program.outcome();
    assert_eq!(code, Some(1));
    assert!(err.iter().any(|line| line.contains(&address) && line.contains("reset")), "{err:?}");
}

#[test]
fn names_are_found_in_threads() {
    let arguments = ["127.0.0.1:80", "[::1]:443", "::1", "localhost", "not a name"];
    let (code, mut out, err) = Program::start("resolve", &arguments).outcome();
    out.sort();
    assert_eq!(out[..3], ["127.0.0.1:80: 127.0.0.1:80", "::1: ::1", "[::1]:443: [::1]:443"]);
    assert!(out[3].starts_with("localhost: ") && out.len() == 4, "{out:?}");
    assert_eq!(code, Some(1));
    assert!(err[0].starts_with("not a name: "), "{err:?}");
    assert_eq!(err[1], "resolve: 1 of 5 names were not resolved");
}

#[test]
fn more_names_than_threads_are_all_found() {
    let names: Vec<String> = (1..=250).map(|number| format!("127.0.0.{number}")).collect();
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut lines = Program::start("resolve", &arguments).rest();
    lines.sort();
    let mut expected: Vec<String> = names.iter().map(|name| format!("{name}: {name}")).collect();
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn a_lookup_that_takes_too_long_is_given_up() {
    // Timeouts of zero: whatever the threads do, an answer may be too late, but none is lost or counted twice.
    let (code, out, err) = Program::start("resolve", &["--timeout", "0ms", "127.0.0.1", "127.0.0.2"]).outcome();
    let late = err.iter().filter(|line| line.contains("no answer within 0ns")).count();
    assert_eq!(out.len() + late, 2, "{out:?} {err:?}");
    assert_eq!(code, Some(i32::from(late > 0)));
}

#[test]
fn they_say_how_they_are_used() {
    let cases = [("connect", "127.0.0.1"), ("connect", "--timeout"), ("resolve", "--port"), ("resolve", "--timeout")];
    for (example, wrong) in cases {
        for arguments in [&[wrong][..], &[]] {
            let (code, _, err) = Program::start(example, arguments).outcome();
            assert!(code == Some(2) && err[1].starts_with("usage: "), "{err:?}");
        }
    }
}
