//! The servers while the kernel is out of memory or descriptors: each survives if every k-th registration fails.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::{Program, connect, path_of, until};

/// Calls before this one are not injected: a server's first registrations must succeed, or it ends with an error.
const FIRST: u32 = 10;
const CLIENTS: usize = 8;

/// Starts a program with few descriptors, some of whose system calls fail: `calls` is what strace injects. `None` if
/// there is no strace that is allowed to.
fn start(example: &str, arguments: &[&str], descriptors: u32, calls: &str) -> Option<Program> {
    let strace = |calls: &str| {
        let mut strace = Command::new("strace");
        // With `-D` strace is not the parent, so the process, its signals and its exit status are the program's.
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

/// Whether a client that sends something is answered.
fn is_served(address: SocketAddr) -> bool {
    let mut stream = connect(address);
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // If its connection could not be watched, the server closes it without an answer.
    let _ = stream.write_all(b"15\n");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok_and(|bytes| bytes > 0)
}

/// Checks that a server with `descriptors`, fewer than there are clients, survives.
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
