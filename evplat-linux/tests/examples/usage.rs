//! What every example of this package does with its command line.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{PATIENCE, examples, path_of};

/// The exit code, and what it prints on standard output and standard error. If it does not end it is killed, and has
/// no code.
pub(crate) fn outcome(example: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(path_of(example));
    let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, begin) = (command.spawn().expect("it starts"), Instant::now());
    while child.try_wait().unwrap().is_none() && begin.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_says_what_an_example_does() {
    assert!(!examples().is_empty());
    for example in examples() {
        let (code, out, err) = outcome(example, &["--help"]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{example}");
        let (usage, rest) = out.split_once('\n').expect("lines");
        let name = usage.strip_prefix("usage: ").and_then(|usage| usage.split(' ').next());
        assert_eq!(name, Some(example), "{out}");
        // At least a sentence, and a line for each argument.
        assert!(rest.trim().len() > 40, "{example}: {out}");
        for argument in usage.split(['[', ']', '…', ' ']).filter(|word| word.starts_with("--")) {
            assert!(rest.contains(&format!("\n  {argument} ")), "{example}: nothing about {argument}: {out}");
        }
        // The same if `--help` follows other arguments.
        assert_eq!(outcome(example, &["x", "--help"]).1, out);
    }
}

#[test]
fn wrong_argument_is_named_and_nothing_is_done() {
    for example in examples() {
        let (code, out, err) = outcome(example, &["--no-such-option"]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{example}: {err}");
        assert!(err.starts_with(&format!("{example}: ")) && err.contains("--no-such-option"), "{example}: {err}");
        assert!(err.lines().last().is_some_and(|line| line.starts_with(&format!("usage: {example}"))), "{err}");
    }
}
