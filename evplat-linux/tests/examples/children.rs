//! Tests `children`, the supervisor.

use std::fs;
use std::process::{Command, Stdio};

use crate::program::{Program, path_of, until};

/// The child processes of a process, including zombies.
fn children_of(parent: u32) -> Vec<u32> {
    let names =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let parent_of = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    names.filter(|number| parent_of(number) == Some(parent)).collect()
}

/// The lines of one command, with process numbers removed.
fn lines_of(name: usize, lines: &[String]) -> Vec<String> {
    let prefix = format!("[{name}] ");
    let lines = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
    lines.map(|line| if line.starts_with("started as ") { "started" } else { line }.to_owned()).collect()
}

#[test]
fn what_fails_is_started_again_and_later_each_time() {
    let (code, out, err) =
        Program::start("children", &["--tries", "3", "echo hello; printf half >&2; exit 3", "exit 0"]).outcome();
    assert_eq!(lines_of(2, &out), ["started", "ended with exit status: 0"]);
    let mut first = lines_of(1, &out);
    // The order of lines from different pipes is not defined.
    first.retain(|line| line != "half");
    let round = ["started", "hello", "ended with exit status: 3"];
    let expected = [&round[..], &["restarts in 100ms"], &round, &["restarts in 200ms"], &round].concat();
    assert_eq!(first, expected);
    assert_eq!(out.iter().filter(|line| *line == "[1] half").count(), 3, "{out:?}");
    assert_eq!(code, Some(1));
    assert!(err.iter().any(|line| line.starts_with("children: given up: echo hello")), "{err:?}");
}

#[test]
fn all_of_a_long_output_arrives_before_the_exit_status() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done";
    let lines = Program::start("children", &[script]).rest();
    assert_eq!(lines.len(), 20_002);
    assert_eq!([&*lines[20_000], &*lines[20_001]], ["[1] line 19999", "[1] ended with exit status: 0"]);
}

#[test]
fn terminated_it_ends_all_and_kills_the_stubborn() {
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let program = Program::start("children", &["--grace", "200ms", stubborn, "echo ready; sleep 60 & wait"]);
    let mut ready = 0;
    while ready < 2 {
        ready += usize::from(program.line().ends_with("ready"));
    }
    let id = program.id();
    let groups = children_of(id);
    assert!(groups.len() == 2 && groups.iter().all(|group| is_group_alive(*group)));
    let lines = program.stop();
    let ended = lines.iter().filter(|line| line.contains(" ended with signal: ")).count();
    assert_eq!(ended, 2, "{lines:?}");
    assert!(lines.iter().any(|line| line == "[1] ended with signal: 9 (SIGKILL)"), "{lines:?}");
    // Checks the whole groups, which include processes that the shells started.
    until("nobody is left", || !groups.iter().any(|group| is_group_alive(*group)));
}

fn is_group_alive(group: u32) -> bool {
    let script = format!("kill -0 -{group}");
    Command::new("sh").arg("-c").arg(script).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn a_killed_child_leaves_no_zombie_and_costs_nothing() {
    let program = Program::start("children", &["read line; sleep 60"]);
    program.line();
    // `read` fails at once, because there is no input; then it sleeps.
    until("it has a child", || children_of(program.id()).len() == 1);
    let child = children_of(program.id())[0];
    let status = Command::new("sh").arg("-c").arg(format!("kill -KILL -{child}")).status().unwrap();
    assert!(status.success());
    assert_eq!(program.line(), "[1] ended with signal: 9 (SIGKILL)");
    assert_eq!(program.line(), "[1] restarts in 100ms");
    assert!(program.line().starts_with("[1] started as "));
    assert!(!children_of(program.id()).contains(&child), "a zombie is left");
    let cpu = program.cpu();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(program.cpu() - cpu <= std::time::Duration::from_millis(100), "it spins");
    program.stop();
}

#[test]
fn when_nobody_reads_it_ends_and_takes_all_with_it() {
    let mut command = Command::new(path_of("children"));
    let mut child = command.args(["while :; do echo noise; sleep 0.01; done"]).stdout(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    until("it has a child", || children_of(id).len() == 1);
    let group = children_of(id)[0];
    assert!(is_group_alive(group));
    drop(child.stdout.take());
    let mut status = None;
    until("it ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(1));
    until("nobody is left", || !is_group_alive(group));
}

#[test]
fn without_descriptors_a_command_fails_and_is_tried_again() {
    let (code, _, err) = Program::start_limited("children", 8, &["--tries", "2", "exit 0"]).outcome();
    assert_eq!(code, Some(1));
    assert!(err.iter().any(|line| line.contains("exit 0") && line.contains("os error 24")), "{err:?}");
}

#[test]
fn it_says_how_it_is_used() {
    for (arguments, code) in [(&["--help"][..], 0), (&[], 2), (&["--grace", "soon", "true"], 2), (&["--tries"], 2)] {
        let (found, out, err) = Program::start("children", arguments).outcome();
        assert_eq!(found, Some(code), "{arguments:?}");
        assert!(out.iter().chain(&err).any(|line| line.starts_with("usage: children ")), "{out:?} {err:?}");
    }
}
