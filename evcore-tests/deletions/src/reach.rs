//! Which tests reach which statements: a deletion runs only these tests, up to the first that fails.
//!
//! ```text
//!   each test alone, once     ──▶ the statements that it reaches
//!   a statement is deleted    ──▶ the tests that reach it: the most specific first, several in each process
//! ```

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::judges::{Judge, Verdict};
use crate::tree::{REACHED, VARIABLE};

/// How many tests run in one process.
const AT_ONCE: usize = 12;
/// A test may take this many times its usual duration, and this much in addition.
const PATIENCE: (u32, Duration) = (5, Duration::from_secs(10));

pub struct Test {
    judge: usize,
    name: String,
    takes: Duration,
    reaches: Vec<usize>,
}

/// The tests of all judges.
pub struct Reach {
    tests: Vec<Test>,
    /// By statement: its tests, in the order in which they run.
    of: Vec<Vec<usize>>,
}

impl Reach {
    /// Runs each test alone, unless `path` has the results for the same `tree`.
    pub fn record(judges: &[Judge], count: usize, jobs: usize, path: &Path, tree: u64) -> Result<Self, String> {
        if let Some(tests) = read(path, judges, tree) {
            return Ok(Self::new(tests, count));
        }
        let mut open = Vec::new();
        for (number, judge) in judges.iter().enumerate() {
            open.extend(names(judge)?.into_iter().map(|name| (number, name)));
        }
        println!("{} tests are run, each alone", open.len());
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = |worker: usize| {
            let marks = path.with_extension(format!("marks{worker}"));
            while let Some((judge, name)) = open.get(next.fetch_add(1, Relaxed)) {
                let test = record_one(judges, *judge, name, count, &marks)?;
                found.lock().unwrap_or_else(|error| error.into_inner()).extend(test);
            }
            let _ = fs::remove_file(marks);
            Ok::<(), String>(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|worker| scope.spawn(move || work(worker))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into())))
        })?;
        let tests = found.into_inner().unwrap_or_else(|error| error.into_inner());
        write(path, judges, tree, &tests)?;
        Ok(Self::new(tests, count))
    }

    fn new(tests: Vec<Test>, count: usize) -> Self {
        let mut of = vec![Vec::new(); count];
        for (number, test) in tests.iter().enumerate() {
            for &statement in &test.reaches {
                of[statement].push(number);
            }
        }
        for list in &mut of {
            // Tests of one program are adjacent, as they run in one process.
            list.sort_by_key(|&test: &usize| (tests[test].judge, tests[test].reaches.len(), tests[test].takes));
        }
        Self { tests, of }
    }

    /// How many tests reach a statement.
    pub fn count(&self, statement: usize) -> usize {
        self.of[statement].len()
    }

    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// The verdict of its tests when a statement is deleted, and which suite it is from.
    pub fn verdict(&self, judges: &[Judge], statement: usize) -> (Verdict, usize) {
        let mut rest = self.of[statement].as_slice();
        while let Some(&first) = rest.first() {
            let judge = self.tests[first].judge;
            let is_its = |test: &&usize| self.tests[**test].judge == judge;
            let (now, later) = rest.split_at(rest.iter().take_while(is_its).count().min(AT_ONCE));
            rest = later;
            let verdict = self.judge(&judges[judge], statement, now);
            if verdict != Verdict::Passed {
                return (verdict, judge);
            }
        }
        (Verdict::Passed, 0)
    }

    /// A failing test must fail again when run alone: it waits for a real system, which may be busy.
    fn judge(&self, judge: &Judge, statement: usize, tests: &[usize]) -> Verdict {
        let mut left: Vec<&Test> = tests.iter().map(|test| &self.tests[*test]).collect();
        let mut is_repeated = false;
        while !left.is_empty() {
            match run(judge, &left, (VARIABLE, &(statement + 1).to_string())) {
                Found::Failed(name) => {
                    let Some(at) = left.iter().position(|test| test.name == name) else { return Verdict::Failed };
                    let test = left.swap_remove(at);
                    match run(judge, &[test], (VARIABLE, &(statement + 1).to_string())) {
                        Found::Passed => {}
                        Found::DidNotEnd => return Verdict::DidNotEnd,
                        Found::Failed(_) | Found::Died => return Verdict::Failed,
                    }
                }
                Found::Died if !is_repeated => is_repeated = true,
                Found::Died => return Verdict::Failed,
                Found::DidNotEnd => return Verdict::DidNotEnd,
                Found::Passed => return Verdict::Passed,
            }
        }
        Verdict::Passed
    }
}

enum Found {
    Passed,
    /// The first test that failed.
    Failed(String),
    /// The process was terminated.
    Died,
    DidNotEnd,
}

/// The names of a suite's tests.
fn names(judge: &Judge) -> Result<Vec<String>, String> {
    let mut command = Command::new(&judge.program);
    command.args(judge.suite.arguments).args(["--list", "--format", "terse"]).current_dir(&judge.folder);
    let output = command.output().map_err(|error| format!("{}: {error}", judge.program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// `None` if it fails without a deletion, and is therefore not used.
fn record_one(judges: &[Judge], judge: usize, name: &str, count: usize, marks: &Path) -> Result<Option<Test>, String> {
    for _ in 0..2 {
        fs::write(marks, vec![0; count + 1]).map_err(|error| format!("{}: {error}", marks.display()))?;
        let mut test = Test { judge, name: name.to_owned(), takes: Duration::from_secs(20), reaches: Vec::new() };
        let begun = Instant::now();
        let found = run(&judges[judge], &[&test], (REACHED, &marks.display().to_string()));
        if matches!(found, Found::Passed) {
            test.takes = begun.elapsed();
            let marks = fs::read(marks).map_err(|error| format!("{}: {error}", marks.display()))?;
            test.reaches = (0..count).filter(|number| marks[number + 1] != 0).collect();
            return Ok((!test.reaches.is_empty()).then_some(test));
        }
    }
    println!("fails with nothing deleted, and is left out: {}: {name}", judges[judge].suite.name);
    Ok(None)
}

/// Runs some tests of one program, up to the first that fails.
fn run(judge: &Judge, tests: &[&Test], variable: (&str, &str)) -> Found {
    // Without a memory limit a test could use up the machine's.
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -v 8000000; exec \"$@\"", "bash"]).arg(&judge.program);
    command.arg("--exact").args(tests.iter().map(|test| &test.name)).env("RUST_BACKTRACE", "0");
    command.envs(judge.environment.iter().map(|(name, value)| (name, value)));
    command.env(variable.0, variable.1).current_dir(&judge.folder).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Found::Died };
    let Some(output) = child.stdout.take() else { return Found::Died };
    let (sender, lines) = mpsc::channel();
    // The output ends with the last process that has it open.
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let longest = tests.iter().map(|test| test.takes).max().unwrap_or_default();
    let found = watch(&lines, longest * PATIENCE.0 + PATIENCE.1);
    end(&mut child, found)
}

/// Reads what the test program prints, with a time limit for each line.
fn watch(lines: &mpsc::Receiver<String>, limit: Duration) -> Found {
    loop {
        match lines.recv_timeout(limit) {
            Ok(line) if line.starts_with("test result: ok") => return Found::Passed,
            Ok(line) => {
                let failed = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED"));
                if let Some(name) = failed {
                    // As in `name - should panic`.
                    return Found::Failed(name.split(" - ").next().unwrap_or(name).to_owned());
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Found::Died,
            Err(mpsc::RecvTimeoutError::Timeout) => return Found::DidNotEnd,
        }
    }
}

/// Ends the program and its children. If all tests passed, its exit status must be zero, too.
fn end(child: &mut Child, found: Found) -> Found {
    let mut status = None;
    if matches!(found, Found::Passed) {
        let begun = Instant::now();
        while status.is_none() && begun.elapsed() < PATIENCE.1 {
            status = child.try_wait().ok().flatten();
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let _ = child.wait();
    match (found, status) {
        (Found::Passed, Some(status)) if status.success() => Found::Passed,
        (Found::Passed, _) => Found::Died,
        (found, _) => found,
    }
}

fn write(path: &Path, judges: &[Judge], tree: u64, tests: &[Test]) -> Result<(), String> {
    let mut text = format!("{tree:016x}\n");
    for test in tests {
        let reaches: Vec<String> = test.reaches.iter().map(ToString::to_string).collect();
        let (judge, millis) = (judges[test.judge].suite.name, test.takes.as_millis());
        text += &format!("{judge}\t{}\t{millis}\t{}\n", test.name, reaches.join(" "));
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path, judges: &[Judge], tree: u64) -> Option<Vec<Test>> {
    let text = fs::read_to_string(path).ok()?;
    let (first, rest) = text.split_once('\n')?;
    if first != format!("{tree:016x}") {
        return None;
    }
    let numbers: HashMap<&str, usize> =
        judges.iter().enumerate().map(|(number, judge)| (judge.suite.name, number)).collect();
    let test = |line: &str| {
        let mut parts = line.split('\t');
        let (judge, name) = (*numbers.get(parts.next()?)?, parts.next()?.to_owned());
        let takes = Duration::from_millis(parts.next()?.parse().ok()?);
        let reaches = parts.next()?.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some(Test { judge, name, takes, reaches })
    };
    rest.lines().map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(lines: &[&str]) -> Found {
        let (sender, receiver) = mpsc::channel();
        lines.iter().for_each(|line| sender.send((*line).to_owned()).unwrap());
        drop(sender);
        watch(&receiver, Duration::from_secs(60))
    }

    #[test]
    fn the_first_test_that_fails_is_found() {
        let found = watched(&["running 3 tests", "test a::b ... ok", "test a::c - should panic ... FAILED"]);
        assert!(matches!(found, Found::Failed(name) if name == "a::c"));
        assert!(matches!(watched(&["test a ... ok", "test result: ok. 1 passed"]), Found::Passed));
        assert!(matches!(watched(&["running 3 tests", "test a ... ok"]), Found::Died));
    }

    #[test]
    fn tests_of_few_statements_come_first() {
        let test = |judge, reaches: &[usize]| Test {
            judge,
            name: String::new(),
            takes: Duration::ZERO,
            reaches: reaches.to_vec(),
        };
        let reach = Reach::new(vec![test(1, &[0]), test(0, &[0, 1, 2]), test(0, &[0, 2]), test(0, &[1])], 4);
        assert_eq!(reach.of, [vec![2, 1, 0], vec![3, 1], vec![2, 1], vec![]]);
    }
}
