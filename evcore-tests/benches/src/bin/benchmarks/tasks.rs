//! The page of the comparison of tasks.

use std::fmt::Write;

use crate::peers::{OURS, SMOL, TASKS, TOKIO};
use crate::results::{Key, Results, is_more_better, short};
use crate::targets::{Target, verdicts};

/// The figures to show, in this order: kind, figure, unit.
const FIGURES: [(&str, &str, &str); 11] = [
    ("echo", "rate", "requests a second"),
    ("echo", "p50", "median latency, ns"),
    ("echo", "p99", "latency that 99 % do not exceed, ns"),
    ("echo", "cpu", "processor time a request, ns"),
    ("echo", "instr", "instructions a request"),
    ("echo", "bytes", "bytes a connection"),
    ("spawn", "cpu", "processor time, ns"),
    ("spawn", "instr", "instructions"),
    ("sleep", "cpu", "processor time, ns"),
    ("sleep", "instr", "instructions"),
    ("wake", "wall", "time, ns"),
];

/// The noise of a busy machine: equal times may differ by this factor in the median, as on the other page.
const NOISE: f64 = 1.05;

/// Fills in the template.
pub(crate) fn fill(template: &str, results: &Results) -> String {
    let mut page = template.replace("{{targets}}", &verdicts(&targets(results)));
    for kind in ["echo", "spawn", "sleep", "wake"] {
        page = page.replace(&format!("{{{{{kind}}}}}"), &table(results, kind));
    }
    page
}

fn key(kind: &'static str, figure: &str, n: usize) -> Key {
    Key { workload: "w9", kind, n, active: 1, figure: figure.to_owned() }
}

fn cell(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), short)
}

/// How many times the cost of a peer's tasks those on evcore have: below 1, they are better.
fn worse(results: &Results, key: &Key, peer: &str) -> Option<f64> {
    let (ours, other) = (results.median(key, TASKS)?, results.median(key, peer)?);
    let (above, below) = if is_more_better(&key.figure) { (other, ours) } else { (ours, other) };
    (below > 0.0).then(|| above / below)
}

fn table(results: &Results, kind: &'static str) -> String {
    let mut text = "| | | evcore, tasks | evcore, plain loop | tokio | smol | tasks : tokio | tasks : smol |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (_, figure, unit) in FIGURES.iter().filter(|(of, ..)| *of == kind) {
        for n in [1, 100, 1_000] {
            let key = key(kind, figure, n);
            let Some(ours) = results.median(&key, TASKS) else { continue };
            let size = if kind == "echo" { format!("N={n}") } else { String::new() };
            let others = [OURS, TOKIO, SMOL].map(|peer| cell(results.median(&key, peer))).join(" | ");
            let ratios = [TOKIO, SMOL].map(|peer| cell(worse(results, &key, peer))).join(" | ");
            let _ = writeln!(text, "| {unit} | {size} | {} | {others} | {ratios} |", short(ours));
        }
    }
    text.trim_end().to_owned()
}

fn targets(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, value, bound| targets.push(Target { what, value, bound });
    for n in [100, 1_000] {
        for (figure, what) in [("rate", "rate: peer's by ours"), ("p99", "99th percentile of latency: ours by peer's")]
        {
            for peer in [TOKIO, SMOL] {
                let value = worse(results, &key("echo", figure, n), peer);
                add(format!("echo N={n}, {what}, {peer}"), value, NOISE);
            }
        }
    }
    for n in [1, 100, 1_000] {
        let value = worse(results, &key("echo", "instr", n), TOKIO);
        add(format!("echo N={n}, instructions a request: ours by tokio's"), value, 0.5);
    }
    let value = worse(results, &key("echo", "bytes", 1_000), TOKIO);
    add("echo N=1000, bytes a connection: ours by tokio's".to_owned(), value, 1.0);
    targets
}
