//! The echo example while the kernel has no memory and the process no descriptors: it survives when every k-th call of its
//! backend fails.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Echo, program, until};

/// What a backend asks of the system to wait, and to register a descriptor. A system that has not got one of them passes
/// it by.
const CALLS: &str = "?poll,?ppoll,?select,?pselect6,?fstat,?newfstatat,?fcntl,?readlink,?readlinkat";
/// From this one of each call on: those before are the process's start, which may fail.
const FIRST: u32 = 20;
const CLIENTS: usize = 12;
const DESCRIPTORS: u32 = 12;

/// A server whose calls fail so. `None`: there is no strace that may do that.
fn start(method: &str, inject: &str) -> Option<Echo> {
    let strace = |inject: &str| {
        let mut strace = Command::new("strace");
        // The tracer is not the parent, so the process is the program, with its signals and its end.
        strace.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={CALLS}")).args(["-e", inject]);
        // By which the loader would look for libraries in many places, with calls that are counted.
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

/// Whether a client that says something is answered.
fn is_served(echo: &Echo) -> bool {
    let mut stream = echo.connect();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // One whose connection could not be watched is put out, which is no answer.
    stream.write_all(b"x").is_ok() && stream.read(&mut [0]).is_ok_and(|bytes| bytes == 1)
}

fn survives(method: &str) {
    for step in 1..=6 {
        // Where each call fails, only waits are left out, or nobody would be served.
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
