//! The targets, and whether they are met.

use std::fmt::Write;

use crate::peers::LIMIT_HEAP;
use crate::plan::{CALLS, FACES};
use crate::results::{Key, Results, short};
use crate::tables;

/// An upper bound for one of evcore's figures.
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) value: Option<f64>,
    pub(crate) bound: f64,
}

/// The noise of a busy machine: equal times may differ by this factor in the median.
const NOISE: f64 = 1.05;

/// The targets as a table, and how many are missed.
pub(crate) fn table(results: &Results) -> String {
    verdicts(&all(results))
}

pub(crate) fn verdicts(all: &[Target]) -> String {
    let mut text = "| target | figure | bound | |\n|---|---|---|---|\n".to_owned();
    let mut missed = 0;
    for Target { what, value, bound } in all {
        let verdict = match value {
            None => "not measured",
            Some(value) if value <= bound => "met",
            Some(_) => {
                missed += 1;
                "**missed**"
            }
        };
        let figure = value.map_or("–".to_owned(), short);
        let _ = writeln!(text, "| {what} | {figure} | {} | {verdict} |", short(*bound));
    }
    let _ = write!(text, "\n{missed} of {} are missed.", all.len());
    text
}

fn key(workload: &'static str, kind: &'static str, n: usize, active: usize, figure: &str) -> Key {
    Key { workload, kind, n, active, figure: figure.to_owned() }
}

fn all(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    rings(results, &mut targets);
    churn(results, &mut targets);
    timers(results, &mut targets);
    echo(results, &mut targets);
    memory_and_wakes(results, &mut targets);
    targets
}

/// evcore's figure divided by another's.
fn to(results: &Results, key: &Key, peer: &str) -> Option<f64> {
    Some(results.ours(key)? / results.median(key, peer).filter(|other| *other > 0.0)?)
}

fn add(targets: &mut Vec<Target>, what: impl Into<String>, value: Option<f64>, bound: f64) {
    targets.push(Target { what: what.into(), value, bound });
}

fn rings(results: &Results, targets: &mut Vec<Target>) {
    let ours = |workload, n, active, figure| results.ours(&key(workload, "", n, active, figure));
    add(targets, "W1, N=1000 A=100, instructions", ours("w1", 1_000, 100, "instr"), 120.0);
    add(targets, "W1, N=100 A=1, instructions", ours("w1", 100, 1, "instr"), 290.0);
    add(targets, "W2, N=1000 A=100, instructions", ours("w2", 1_000, 100, "instr"), 140.0);
    add(targets, "W2, N=100 A=1, instructions", ours("w2", 100, 1, "instr"), 420.0);
    for call in CALLS.iter().filter(|call| call.workload == "w2") {
        let value = tables::beside_call(results, call).map(|(both, alone)| both - alone);
        add(targets, "W2, the handler calls `add`, instructions besides the call", value, 140.0);
    }
    add(
        targets,
        "W2, N=100 A=1, processor time : raw/heap",
        to(results, &key("w2", "", 100, 1, "cpu"), LIMIT_HEAP),
        NOISE,
    );
    let pull = tables::instructions(results, "w1", "");
    for face in &FACES[1..] {
        let value = tables::instructions(results, "w1", face).zip(pull).map(|(cost, pull)| cost - pull);
        add(targets, format!("W1, `run_{face}`, instructions more than the pull loop"), value, 20.0);
    }
    let level = |n| results.ours(&key("w8", "levels", n, 1, "instr"));
    for (n, bound) in [(2, 1.2), (255, 2.0)] {
        let value = level(n).zip(level(1)).map(|(many, one)| many / one);
        add(targets, format!("W1 over {n} priorities, instructions : one priority"), value, bound);
    }
}

fn churn(results: &Results, targets: &mut Vec<Target>) {
    for (kind, bound) in [("pair", 200.0), ("toggle", 140.0), ("oneshot", 300.0)] {
        let instr = results.ours(&key("w3", kind, 1_000, 1, "instr"));
        add(targets, format!("W3 {kind}, N=1000, instructions"), instr, bound);
    }
}

/// How much more time than libev's is allowed.
const PHASES: [(&str, &str, f64); 5] = [
    ("insert", "insert", 1.3),
    ("cancel", "cancel", 1.0),
    ("again", "cancel and arm again", 1.0),
    ("rearm", "re-arm", 1.0),
    ("expire", "expire", 1.0),
];

fn timers(results: &Results, targets: &mut Vec<Target>) {
    for n in [1_000, 20_000, 100_000, 1_000_000] {
        for (phase, name, bound) in PHASES {
            if phase == "expire" && n < 100_000 {
                continue;
            }
            let time = key("w4", "random", n, 1, phase);
            add(targets, format!("W4 {name}, random order, N={n}, time : libev"), to(results, &time, "libev"), bound);
        }
    }
}

fn echo(results: &Results, targets: &mut Vec<Target>) {
    for n in [1, 100, 1_000] {
        let rate = key("w5", "", n, 1, "rate");
        let value = results.ours(&rate).zip(results.best_rival(&rate)).map(|(ours, (_, best))| best / ours);
        add(targets, format!("W5, N={n}, best peer's rate : evcore's"), value, NOISE);
        let late = key("w5", "", n, 1, "p99");
        let value = results.ours(&late).zip(results.best_rival(&late)).map(|(ours, (_, best))| ours / best);
        add(targets, format!("W5, N={n}, 99th percentile of latency : best peer"), value, NOISE);
    }
}

fn memory_and_wakes(results: &Results, targets: &mut Vec<Target>) {
    let bytes = |kind, n| results.ours(&key("w6", kind, n, 1, "bytes"));
    add(
        targets,
        "W6, N=2^14, bytes an fd event, 4 of them the user's data, and 8 for its id",
        bytes("fd", 1 << 14),
        110.0,
    );
    for power in [14, 20] {
        add(
            targets,
            format!("W6, N=2^{power}, bytes a timer, 4 and 8 of them likewise"),
            bytes("timer", 1 << power),
            80.0,
        );
    }
    add(
        targets,
        "W7, system calls to wake a loop that is awake",
        results.ours(&key("w7", "awake", 1, 1, "calls")),
        0.01,
    );
    add(targets, "W7, ns to wake a loop that is awake", results.ours(&key("w7", "awake", 1, 1, "wall")), 6.0);
    for kind in ["trip", "trip on one processor"] {
        let time = key("w7", kind, 1, 1, "wall");
        let value = results.ours(&time).zip(results.best_rival(&time)).map(|(ours, (_, best))| ours / best);
        add(targets, format!("W7 {kind}, time : best peer"), value, NOISE);
    }
}
