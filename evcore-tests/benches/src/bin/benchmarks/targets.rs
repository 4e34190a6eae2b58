//! What was aimed at, and what came out.

use std::fmt::Write;

use crate::peers::{LIMIT, OURS};
use crate::results::{Key, Results, short};

/// A figure of evcore's must not be above a bound.
struct Target {
    what: String,
    value: Option<f64>,
    bound: f64,
}

/// How far apart two medians of times may be that are the same, on a machine that is not quiet.
const NOISE: f64 = 1.05;

/// The targets as a table, and how many are missed.
pub(crate) fn table(results: &Results) -> String {
    let mut text = "| target | figure | bound | |\n|---|---|---|---|\n".to_owned();
    let mut missed = 0;
    let all = all(results);
    for Target { what, value, bound } in &all {
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

/// evcore's figure by another's.
fn to(results: &Results, key: &Key, peer: &str) -> Option<f64> {
    Some(results.ours(key)? / results.median(key, peer).filter(|other| *other > 0.0)?)
}

fn add(targets: &mut Vec<Target>, what: impl Into<String>, value: Option<f64>, bound: f64) {
    targets.push(Target { what: what.into(), value, bound });
}

fn rings(results: &Results, targets: &mut Vec<Target>) {
    let instr = |workload| key(workload, "", 1_000, 100, "instr");
    add(targets, "W1, instructions : by hand", to(results, &instr("w1"), LIMIT), 1.5);
    let least =
        ["libevent", "libev", "libuv", "calloop"].into_iter().filter_map(|peer| to(results, &instr("w1"), peer));
    add(targets, "W1, instructions : best peer with timers", least.reduce(f64::max), 1.0);
    add(targets, "W1, processor time : by hand", to(results, &key("w1", "", 1_000, 100, "cpu"), LIMIT), NOISE);
    add(targets, "W2, instructions : by hand", to(results, &instr("w2"), LIMIT), 1.65);
    add(targets, "W2, instructions : libev", to(results, &instr("w2"), "libev"), 0.667);
    add(targets, "W2, instructions : libevent", to(results, &instr("w2"), "libevent"), 0.334);
    let calls = |workload| results.ours(&key(workload, "", 1_000, 100, "calls"));
    let more = calls("w2").zip(calls("w1")).map(|(timed, plain)| (timed - plain).max(0.0));
    add(targets, "W2, system calls more than in W1, each event", more, 0.01);
}

fn churn(results: &Results, targets: &mut Vec<Target>) {
    // A turn's own wait is one call for all of its changes.
    for (kind, bound) in [("pair", 0.01), ("toggle", 0.01), ("bulk", 2.01), ("oneshot", 1.01)] {
        let calls = results.ours(&key("w3", kind, 1_000, 1, "calls"));
        add(targets, format!("W3 {kind}, system calls each"), calls, bound);
    }
    for kind in ["pair", "toggle"] {
        let instr = key("w3", kind, 1_000, 1, "instr");
        let value = results.ours(&instr).zip(results.limit(&instr)).map(|(ours, limit)| ours / limit);
        add(targets, format!("W3 {kind}, instructions : by hand, merged"), value, 2.0);
    }
}

fn timers(results: &Results, targets: &mut Vec<Target>) {
    for n in [1_000, 100_000, 1_000_000] {
        for phase in ["insert", "cancel", "add", "rearm", "expire"] {
            let time = key("w4", "", n, 1, phase);
            add(targets, format!("W4 {phase}, N={n}, time : libev"), to(results, &time, "libev"), 1.0);
        }
    }
    for (n, bound) in [(20_000, 5.0), (1_000_000, 20.0)] {
        add(targets, format!("W4 re-arm, N={n}, ns"), results.ours(&key("w4", "", n, 1, "rearm")), bound);
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
    let fd =
        results.keys().find(|key| key.workload == "w6" && key.kind == "fd").and_then(|key| results.median(key, OURS));
    add(targets, "W6, bytes an fd event, 4 of them the user's data, and 8 for its id", fd, 76.0);
    let timer = results.ours(&key("w6", "timer", 1_000_000, 1, "bytes"));
    add(targets, "W6, bytes a timer, 4 and 8 of them likewise", timer, 92.0);
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
