//! The examples without network clients: `timers`, `signals`, `tail`, `nested`, `shared`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::program::{Program, path_of};

/// An empty file of this name for one test.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    fs::write(&path, "").unwrap();
    path
}

/// For each hand-out: how many periods it covers, when it was due, and how late it was.
fn hand_outs(arguments: &[&str]) -> Vec<[u64; 3]> {
    let mut lines = Program::start("timers", arguments).rest();
    assert!(lines.pop().unwrap().contains(" periods in "));
    let number = |line: &str, at| line.split(' ').nth(at).unwrap().parse().unwrap();
    lines.iter().map(|line| [number(line, 1), number(line, 3), number(line, 5)]).collect()
}

#[test]
fn a_timer_does_not_drift_and_counts_what_it_missed() {
    let (mut passed, hand_outs) = (0, hand_outs(&["20", "10", "skip", "70"]));
    for [count, due, _late] in &hand_outs {
        // Each is due exactly when the period after the last one ends, to the microsecond.
        assert_eq!(*due, (passed + 1) * 20_000, "{hand_outs:?}");
        passed += count;
    }
    assert!(passed >= 10 && hand_outs.iter().any(|[count, ..]| *count >= 3), "{hand_outs:?}");
}

#[test]
fn a_burst_makes_up_for_each_and_a_delay_for_none() {
    let burst = hand_outs(&["20", "10", "burst", "70"]);
    assert_eq!(burst.iter().map(|each| each[0]).collect::<Vec<_>>(), [1; 10]);
    assert!(burst.iter().zip(1..).all(|([_, due, _], number)| *due == number * 20_000), "{burst:?}");
    let delay = hand_outs(&["20", "10", "delay", "70"]);
    // The fourth was due during the stall; the fifth is due one period after the fourth was handed out.
    assert!(delay[4][1] >= delay[3][1] + delay[3][2] + 20_000, "{delay:?}");
}

#[test]
fn signals_reload_begin_and_end() {
    let path = file("seconds");
    fs::write(&path, "0.2\n").unwrap();
    let program = Program::start("signals", &[path.to_str().unwrap()]);
    assert_eq!(program.line(), "ready, work takes 200ms");
    fs::write(&path, "nonsense").unwrap();
    program.signal("HUP");
    assert!(program.complaint().contains("nonsense"));
    fs::write(&path, "0.3").unwrap();
    program.signal("HUP");
    assert_eq!(program.line(), "reloaded, work takes 300ms");
    program.signal("USR1");
    assert_eq!(program.line(), "work 1 begins");
    assert_eq!(program.stop(), ["stopping, 1 at work", "work 1 is done", "stopped, 0 at work"]);
    fs::write(&path, "3600").unwrap();
    let program = Program::start("signals", &[path.to_str().unwrap()]);
    program.line();
    program.signal("USR1");
    program.line();
    program.signal("TERM");
    assert_eq!(program.line(), "stopping, 1 at work");
    assert_eq!(program.stop(), ["stopped, 1 at work"]);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_file_is_followed_and_costs_nothing_at_its_end() {
    let (path, other) = (file("followed"), file("other"));
    fs::write(&path, "first\n").unwrap();
    let program = Program::start("tail", &[path.to_str().unwrap(), other.to_str().unwrap()]);
    assert_eq!([program.line(), program.line()], [format!("==> {} <==", path.display()), "first".into()]);
    let cpu = program.cpu();
    let append = |path: &PathBuf, text: &str| write!(OpenOptions::new().append(true).open(path).unwrap(), "{text}");
    for number in 0..5 {
        append(&path, &format!("line {number}\n")).unwrap();
        assert_eq!(program.line(), format!("line {number}"));
    }
    append(&other, "other\n").unwrap();
    assert_eq!([program.line(), program.line()], [format!("==> {} <==", other.display()), "other".into()]);
    fs::write(&other, "new\n").unwrap();
    assert_eq!(program.line(), "new");
    assert!(program.cpu() - cpu <= std::time::Duration::from_millis(100), "it spins");
    assert!(program.stop().is_empty());
    fs::remove_file(path).unwrap();
    fs::remove_file(other).unwrap();
}

#[test]
fn a_pipe_is_followed_to_its_end() {
    let mut command = Command::new(path_of("tail"));
    let mut child = command.arg("/dev/stdin").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text: String = (0..50_000).map(|number| format!("{number}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // Dropping it closes the pipe.
        scope.spawn(move || stdin.write_all(text.as_bytes()).unwrap());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), 50_001);
    });
}

#[test]
fn the_inner_base_lives_in_the_outer_loop() {
    let script = "\"$0\" <\"$1\"";
    let fifo = file("fifo");
    fs::remove_file(&fifo).unwrap();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut command = Command::new("sh");
    let program = Program::spawn(command.arg("-c").arg(script).arg(path_of("nested")).arg(&fifo));
    let mut pipe = OpenOptions::new().write(true).open(&fifo).unwrap();
    assert_eq!(program.line(), "ready");
    // There is no input: the outer loop wakes at the base's deadline.
    assert_eq!(program.line(), "first tick");
    for _ in 0..3 {
        pipe.write_all(b"hello").unwrap();
        assert_eq!(program.line(), "received 5");
    }
    drop(pipe);
    assert_eq!(program.rest(), ["received 15 bytes, ticked on"]);
    fs::remove_file(fifo).unwrap();
}

#[test]
fn four_threads_use_a_base_that_sleeps() {
    let lines = Program::start("shared", &["500"]).rest();
    assert_eq!(lines, ["2000 timers came, 4 threads were served"]);
}
