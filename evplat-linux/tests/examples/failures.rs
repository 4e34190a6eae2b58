//! An example that fails prints which address or file is concerned, and exits with status 1.

use std::net::{TcpListener, UdpSocket};

use crate::usage::outcome;

#[track_caller]
fn fails(example: &str, arguments: &[&str], about: &str) {
    let (code, out, err) = outcome(example, arguments);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{example}: {err}");
    assert!(err.starts_with(&format!("{example}: ")) && err.contains(about), "{err}");
}

#[test]
fn address_in_use_is_named() {
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = tcp.local_addr().unwrap().to_string();
    for example in ["callbacks", "chat", "closures", "echo", "http", "multicore", "threads"] {
        fails(example, &[&address], &address);
    }
    let address = udp.local_addr().unwrap().to_string();
    fails("udp", &[&address], &address);
}

#[test]
fn file_is_named() {
    for example in ["signals", "tail"] {
        fails(example, &["/no/such/file"], "/no/such/file");
        let folder = env!("CARGO_TARGET_TMPDIR");
        fails(example, &[folder], folder);
    }
}

#[test]
fn no_backend_is_a_failure() {
    fails("method", &["--avoid", "epoll", "--avoid=poll", "--avoid", "select"], "select");
}

#[test]
fn options_have_values() {
    for (example, arguments) in [
        ("timers", &["0"][..]),
        ("timers", &["20", "10", "sometimes"]),
        ("timers", &["20", "10", "skip", "1", "1"]),
        ("shared", &["-1"]),
        ("multicore", &["127.0.0.1:0", "0"]),
        ("http", &["--timeout", "0"]),
        ("http", &["--keep-alive"]),
        ("udp", &["printer.test=192.0.2"]),
        ("method", &["--require", "NO_SUCH"]),
        ("signals", &[]),
        ("tail", &[]),
        ("chat", &["127.0.0.1"]),
    ] {
        let (code, out, err) = outcome(example, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{example}: {err}");
        assert!(err.contains(&format!("\nusage: {example} ")), "{err}");
    }
}
