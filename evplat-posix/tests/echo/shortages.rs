//! The echo example while the kernel is out of memory or descriptors: it survives if every k-th system call of its
//! backend fails.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Echo, program, until};

/// The system calls of a backend's waits and registrations. `?` makes strace ignore a call that the system does not
/// have.
const CALLS: &str = "?poll,?ppoll,?select,?pselect6,?fstat,?newfstatat,?fcntl,?readlink,?readlinkat";
/// Calls of each kind before this one are not injected: those are the program's start, which may fail.
const FIRST: u32 = 20;
const CLIENTS: usize = 12;
const DESCRIPTORS: u32 = 12;

/// Starts a server with failing calls. `None` if there is no strace that is allowed to do that.
fn start(method: &str, inject: &str) -> Option<Echo> {
    let strace = |inject: &str| {
        let mut strace = Command::new("strace");
        // With `-D` strace is not the parent, so the process, its signals and its exit status are the program's.
        strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={CALLS}")).args(["-e", inject]);
        // With this variable the loader would search many places for libraries, with calls that are counted.
        strace.env_remove("LD_LIBRARY_PATH").stdin(Stdio::null()).stderr(Stdio::null());
        strace
    };
    let trial = strace("inject=?ppoll:error=ENOMEM:when=1").arg("true").status();
    if !trial.is_ok_and(|status| status.success()) {
        println!("not shown: strace may not trace here");
        return None;
    }
    let script = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" --method {method} --quiet");
    Some(Echo::spawn(strace(inject).args(["sh", "-c", &script]).arg(program())))
}

/// Whether a client that sends something is answered.
fn is_served(echo: &Echo) -> bool {
    let mut stream = echo.connect();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // If its connection could not be watched, the server closes it without an answer.
    stream.write_all(b"x").is_ok() && stream.read(&mut [0]).is_ok_and(|bytes| bytes == 1)
}

fn survives(method: &str) {
    for step in 1..=6 {
        // If each call fails, waits are excluded, or nothing could be served.
        let calls = if step == 1 { CALLS.rsplit_once("?pselect6,").unwrap().1 } else { CALLS };
        let Some(echo) = start(method, &format!("inject={calls}:error=ENOMEM:when={FIRST}+{step}")) else { return };
        let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| echo.connect()).collect();
        until("it has all descriptors that it may have", || echo.has_all_below(DESCRIPTORS));
        drop(clients);
        for client in 0..3 {
            until(&format!("{method}: each {step}th call fails: client {client}"), || is_served(&echo));
        }
        let cpu = echo.cpu();
        assert!(cpu < Duration::from_millis(500), "{method}: each {step}th call fails: {cpu:?} of a processor");
        echo.stop_by("TERM");
    }
}

#[test]
fn poll_survives() {
    survives("poll");
}

#[test]
fn select_survives() {
    survives("select");
}
