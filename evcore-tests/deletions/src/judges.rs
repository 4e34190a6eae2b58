//! The test suites that judge a deletion, the cheapest first.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::compile::{Compile, Program};
use crate::tree::VARIABLE;

/// A test program, and a selection of its tests.
pub struct Suite {
    pub name: &'static str,
    package: &'static str,
    /// The name of the test, or of the crate for its unit tests.
    target: &'static str,
    pub arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    /// Whether it waits for a real system, which may be busy: a failure must then be repeated.
    is_real: bool,
}

const fn model(name: &'static str, variables: &'static [(&'static str, &'static str)]) -> Suite {
    Suite { name, package: "evcore-tests", target: "model", arguments: &[], variables, is_real: false }
}

const fn unit_tests(name: &'static str, package: &'static str, target: &'static str, is_real: bool) -> Suite {
    Suite { name, package, target, arguments: &[], variables: &[], is_real }
}

const fn test(name: &'static str, target: &'static str, arguments: &'static [&'static str]) -> Suite {
    Suite { name, package: "evcore-tests", target, arguments, variables: &[], is_real: true }
}

const SHORT_MODEL: Suite = model("short model", &[("EVCORE_MODEL_OPS", "2000"), ("EVCORE_MODEL_SHRINK", "0")]);
const UNIT_TESTS: Suite = unit_tests("unit tests", "evcore", "evcore", false);
const LONGER_MODEL: Suite =
    model("longer model", &[("EVCORE_MODEL_OPS", "10000"), ("EVCORE_MODEL_SEED", "2"), ("EVCORE_MODEL_SHRINK", "0")]);

pub const CORE: &[Suite] = &[
    SHORT_MODEL,
    UNIT_TESTS,
    test("conformance: manual", "conformance", &["manual::", "manual_asleep::"]),
    test("parity", "parity", &[]),
    test("regressions", "regressions", &[]),
    LONGER_MODEL,
    test("conformance: epoll", "conformance", &["epoll::", "epoll_asleep::", "--skip", "chosen_"]),
    test("conformance: poll", "conformance", &["poll::", "poll_asleep::", "--skip", "chosen_", "--skip", "epoll"]),
    test("broken backends", "broken", &[]),
];

/// Each of their tests is run alone, so that a statement runs only the tests that reach it.
pub const BACKENDS: &[Suite] = &[
    unit_tests("unit tests: posix", "evplat-posix", "evplat_posix", true),
    unit_tests("unit tests: linux", "evplat-linux", "evplat_linux", true),
    unit_tests("base: posix", "evplat-posix", "base", true),
    unit_tests("allocation: posix", "evplat-posix", "allocation", true),
    unit_tests("backend: linux", "evplat-linux", "backend", true),
    unit_tests("children: linux", "evplat-linux", "children", true),
    test("backends", "backends", &[]),
    test("forks", "fork_handlers", &[]),
    test("memory: linux", "no_alloc", &["epoll_"]),
    test("parity: unix", "parity_unix", &[]),
    // The chosen backends are the same three again.
    test("conformance", "conformance", &["--skip", "manual", "--skip", "chosen_"]),
    test("limits", "limits", &[]),
];

/// A suite whose program is built.
pub struct Judge {
    pub suite: &'static Suite,
    pub program: PathBuf,
    pub folder: PathBuf,
    /// For tests that run a build.
    pub environment: Vec<(&'static str, OsString)>,
    /// How long it takes without a deletion.
    pub takes: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    DidNotEnd,
}

/// Builds the test programs.
pub fn build_all(suites: &'static [Suite], compile: &mut Compile, tree: &Path) -> Result<Vec<Judge>, String> {
    let mut programs: Vec<Program> = Vec::new();
    // If a later build excludes a statement, earlier programs change: repeat all builds until nothing changes.
    loop {
        let before = compile.count();
        programs.clear();
        for command in commands(suites) {
            programs.extend(compile.build(&command)?);
        }
        if compile.count() == before {
            break;
        }
    }
    let mut judges = Vec::new();
    for suite in suites {
        let is_its = |program: &&Program| program.package == suite.package && program.target == suite.target;
        let program = programs.iter().find(is_its).ok_or_else(|| format!("there is no program for {}", suite.name))?;
        let folder = tree.join(suite.package);
        let mut environment: Vec<_> = compile.environment().map(|(name, value)| (name, value.into())).into();
        environment.push(("CARGO_TARGET_DIR", compile.target().into()));
        judges.push(Judge { suite, program: program.path.clone(), folder, environment, takes: Duration::ZERO });
    }
    Ok(judges)
}

/// Runs each of the suites without a deletion.
pub fn time_all(judges: &mut [Judge]) -> Result<(), String> {
    for judge in judges {
        let begun = Instant::now();
        if run(judge, 0, Duration::from_secs(300)) != Verdict::Passed {
            return Err(format!(
                "{} does not pass with nothing deleted: {}",
                judge.suite.name,
                judge.program.display()
            ));
        }
        judge.takes = begun.elapsed();
        println!("  {:24} {:5.1} s", judge.suite.name, judge.takes.as_secs_f64());
    }
    Ok(())
}

/// The commands that build the programs.
fn commands(suites: &[Suite]) -> Vec<Vec<String>> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut commands = Vec::new();
    let mut tests = words("test --no-run -p evcore-tests");
    for suite in suites {
        if suite.package == "evcore-tests" {
            if !tests.iter().any(|word| word == suite.target) {
                tests.extend(["--test".to_owned(), suite.target.to_owned()]);
            }
        } else {
            let features = if suite.package == "evcore" { "--features std,check" } else { "" };
            let is_library = suite.target == suite.package.replace('-', "_");
            let target = if is_library { "--lib".to_owned() } else { format!("--test {}", suite.target) };
            commands.push(words(&format!("test --no-run -p {} {target} {features}", suite.package)));
        }
    }
    commands.push(tests);
    commands
}

/// The verdict of the suites in order, and which suite gave it.
pub fn verdict_of_all(judges: &[Judge], number: usize) -> (Verdict, usize) {
    let verdicts = judges.iter().enumerate().map(|(at, judge)| (verdict(judge, number), at));
    verdicts.into_iter().find(|(verdict, _)| *verdict != Verdict::Passed).unwrap_or((Verdict::Passed, 0))
}

/// The verdict of one suite when the statement with this number is deleted.
fn verdict(judge: &Judge, number: usize) -> Verdict {
    let limit = if judge.suite.is_real {
        judge.takes * 4 + Duration::from_secs(10)
    } else {
        judge.takes * 6 + Duration::from_secs(3)
    };
    match run(judge, number, limit) {
        Verdict::Failed if judge.suite.is_real => run(judge, number, limit),
        verdict => verdict,
    }
}

fn run(judge: &Judge, number: usize, limit: Duration) -> Verdict {
    // Without a memory limit a test could use up the machine's. `timeout` also ends processes that the test has
    // started.
    let script = "ulimit -v 8000000; exec timeout -s KILL \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", &format!("{:.1}", limit.as_secs_f64())]).arg(&judge.program);
    command.args(judge.suite.arguments).envs(judge.suite.variables.iter().copied()).env("RUST_BACKTRACE", "0");
    command.env(VARIABLE, number.to_string()).current_dir(&judge.folder);
    command.envs(judge.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    match command.status() {
        Ok(status) if status.success() => Verdict::Passed,
        _ if begun.elapsed() >= limit => Verdict::DidNotEnd,
        _ => Verdict::Failed,
    }
}
