//! The servers while the kernel has no memory or no descriptors: each survives when every k-th registration fails.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{Program, connect, path_of, until};

/// From this call on: what the servers register before they serve is let through, for that is an error to them.
const FIRST: u32 = 10;
const CLIENTS: usize = 8;

/// A program with few descriptors some of whose system calls fail: `calls` is what strace injects. `None`: there is no strace
/// that may do so.
fn start(example: &str, arguments: &[&str], descriptors: u32, calls: &str) -> Option<Program> {
    let strace = |calls: &str| {
        let mut strace = Command::new("strace");
        // The tracer is not the parent, so the process is the program, with its signals and its end.
        strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=epoll_ctl,epoll_create1", "-e", calls]);
        strace.stdin(Stdio::null()).stderr(Stdio::null());
        strace
    };
    let trial = strace("inject=epoll_ctl:error=ENOMEM:when=1").arg("true").status();
    if !trial.is_ok_and(|status| status.success()) {
        println!("not shown: strace may not trace here");
        return None;
    }
    let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
    Some(Program::spawn(strace(calls).args(["sh", "-c", &script]).arg(path_of(example)).args(arguments)))
}

/// Whether a client that says something is answered.
fn is_served(address: SocketAddr) -> bool {
    let mut stream = connect(address);
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // One whose connection could not be watched is put out, which is no answer.
    let _ = stream.write_all(b"15\n");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok_and(|bytes| bytes > 0)
}

/// With `descriptors`, which are fewer than there are clients.
fn survives(example: &str, arguments: &[&str], descriptors: u32) {
    for error in ["ENOMEM", "EMFILE"] {
        for step in 2..=6 {
            let calls = format!("inject=epoll_ctl,epoll_create1:error={error}:when={FIRST}+{step}");
            let Some(program) = start(example, arguments, descriptors, &calls) else { return };
            let address = program.address();
            let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(address)).collect();
            until("it has all descriptors that it may have", || program.descriptors() >= 5);
            drop(clients);
            for client in 0..3 {
                until(&format!("{example}: {error} at each {step}th call: client {client}"), || is_served(address));
            }
            let _ = program.stop();
        }
    }
}

#[test]
fn echo_survives() {
    survives("echo", &["--quiet"], 12);
}

#[test]
fn chat_survives() {
    survives("chat", &[], 12);
}

#[test]
fn callbacks_survives() {
    survives("callbacks", &[], 12);
}

#[test]
fn closures_survives() {
    survives("closures", &[], 12);
}

#[test]
fn threads_survives() {
    survives("threads", &[], 12);
}

#[test]
fn multicore_survives() {
    survives("multicore", &["127.0.0.1:0", "2"], 16);
}

#[test]
fn http_survives() {
    survives("http", &[], 12);
}
