//! Runs the example `foreign`, a base inside another loop, as a process.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn select_base_lives_in_a_poll_loop() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    // A relative target directory is relative to the workspace.
    cargo.current_dir(manifest.parent().and_then(Path::parent).unwrap());
    cargo.args(["run", "--quiet", "--example", "foreign", "--manifest-path"]).arg(manifest);
    let mut child = cargo.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the example starts");
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout).lines();
    let mut line = || lines.next().expect("a line").unwrap();
    assert_eq!(line(), "ready");
    // There is no input: the outer loop wakes at the base's deadline.
    assert_eq!(line(), "first tick");
    for _ in 0..3 {
        stdin.write_all(b"hello").unwrap();
        assert_eq!(line(), "received 5");
    }
    drop(stdin);
    assert_eq!(line(), "received 15 bytes, ticked on");
    assert!(child.wait().unwrap().success());
}
