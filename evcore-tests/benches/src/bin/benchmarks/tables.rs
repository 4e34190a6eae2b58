//! The results as tables in Markdown.

use std::fmt::Write;

use crate::peers::{LIMIT, LIMIT_HEAP, OURS, Peer};
use crate::plan::{CALLS, CLIFFS, FACES};
use crate::results::{Key, Results, is_more_better, short};

/// The figures of a workload that are shown, in this order, and their units.
const FIGURES: [(&str, &str); 19] = [
    ("cpu", "processor time, ns"),
    ("instr", "instructions"),
    ("calls", "system calls"),
    ("insert", "insert, ns"),
    ("cancel", "cancel, ns"),
    ("add", "add again, ns"),
    ("again", "cancel and arm again, ns"),
    ("rearm", "re-arm, ns"),
    ("expire", "expire, ns"),
    ("insert instr", "insert, instructions"),
    ("cancel instr", "cancel, instructions"),
    ("add instr", "add again, instructions"),
    ("again instr", "cancel and arm again, instructions"),
    ("rearm instr", "re-arm, instructions"),
    ("expire instr", "expire, instructions"),
    ("rate", "requests a second"),
    ("p50", "median latency, ns"),
    ("p99", "latency that 99 % do not exceed, ns"),
    ("bytes", "bytes"),
];

fn figures(workload: &str) -> Vec<(&'static str, &'static str)> {
    let mut figures = FIGURES.to_vec();
    if workload == "w7" {
        figures.insert(0, ("wall", "time, ns"));
    }
    figures
}

/// The keys of a workload that are shown, by figure. Faces and calls have tables of their own.
fn shown(results: &Results, workload: &str) -> Vec<(&'static str, Vec<Key>)> {
    let is_shown = |key: &&Key| key.workload == workload && (key.kind.is_empty() || !matches!(workload, "w1" | "w2"));
    let of = |figure: &'static str| {
        results.keys().filter(|key| is_shown(key) && key.figure == figure).cloned().collect::<Vec<_>>()
    };
    figures(workload)
        .into_iter()
        .map(|(figure, unit)| (unit, of(figure)))
        .filter(|(_, keys)| !keys.is_empty())
        .collect()
}

/// The size at which something was measured.
pub(crate) fn size(key: &Key) -> String {
    let Key { workload, kind, n, active, .. } = key;
    match *workload {
        "w1" | "w2" => format!("N={n} A={active}"),
        "w3" | "w4" | "w6" => format!("{kind} N={n}"),
        "w7" => (*kind).to_owned(),
        _ => format!("N={n}"),
    }
}

/// The ratio of the costs: below 1, evcore costs less, or serves more.
fn ratio(key: &Key, ours: f64, other: f64) -> String {
    let (above, below) = if is_more_better(&key.figure) { (other, ours) } else { (ours, other) };
    match (above, below) {
        _ if above == below => "1.00".to_owned(),
        (_, below) if below.abs() < 0.005 => "–".to_owned(),
        _ => format!("{:.2}", above / below),
    }
}

/// evcore against the hand-written loop and against the best of the others.
pub(crate) fn against(results: &Results, workload: &str) -> String {
    let mut text =
        "| figure | size | by hand | evcore | evcore : by hand | best peer | evcore : best peer |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for (unit, keys) in shown(results, workload) {
        for key in keys {
            let Some(ours) = results.ours(&key) else { continue };
            let limit = results.limit(&key);
            let rival = results.best_rival(&key);
            let _ = writeln!(
                text,
                "| {unit} | {} | {} | {} | {} | {} | {} |",
                size(&key),
                limit.map_or("–".to_owned(), short),
                short(ours),
                limit.map_or("–".to_owned(), |limit| ratio(&key, ours, limit)),
                rival.map_or("–".to_owned(), |(name, best)| format!("{} ({name})", short(best))),
                rival.map_or("–".to_owned(), |(_, best)| ratio(&key, ours, best)),
            );
        }
    }
    text
}

/// All peers at all sizes.
pub(crate) fn all(results: &Results, workload: &str, peers: &[Peer]) -> String {
    let mut text = String::new();
    for (unit, keys) in shown(results, workload) {
        let _ = write!(text, "**{}{}**\n\n| |", unit[..1].to_uppercase(), &unit[1..]);
        keys.iter().for_each(|key| {
            let _ = write!(text, " {} |", size(key));
        });
        let _ = writeln!(text, "\n|---|{}", "---|".repeat(keys.len()));
        for peer in peers.iter().filter(|peer| keys.iter().any(|key| results.median(key, peer.name).is_some())) {
            let cell = |key| match (results.median(key, peer.name), results.limit(key)) {
                (None, _) => "–".to_owned(),
                (Some(value), Some(limit)) => format!("{} ({})", short(value), ratio(key, value, limit)),
                (Some(value), None) => short(value),
            };
            let cells: Vec<_> = keys.iter().map(cell).collect();
            let _ = writeln!(text, "| {} | {} |", peer.name, cells.join(" | "));
        }
        text.push('\n');
    }
    text
}

fn cell(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), short)
}

/// The ring in short, for the top of the page and for README.md. `evcore-tests/documents` compares both with results.csv.
pub(crate) fn summary(results: &Results) -> String {
    let mut text = "| an event of the ring | | by hand | evcore | evcore : by hand | libev | libevent |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for (workload, limit, timeouts) in [("w1", LIMIT, ""), ("w2", LIMIT_HEAP, ", an idle timeout on each")] {
        for (n, active, size) in [(1_000, 100, "1,000 pipes, 100 active"), (100, 1, "100 pipes, 1 active")] {
            for (figure, unit) in [("instr", "instructions"), ("cpu", "processor time, ns")] {
                let key = Key { workload, kind: "", n, active, figure: figure.to_owned() };
                let median = |peer| results.median(&key, peer);
                let (by_hand, ours) = (median(limit), median(OURS));
                let ratio = by_hand.zip(ours).map_or("–".to_owned(), |(limit, ours)| ratio(&key, ours, limit));
                let (libev, libevent) = (cell(median("libev")), cell(median("libevent")));
                let (by_hand, ours) = (cell(by_hand), cell(ours));
                let _ = writeln!(
                    text,
                    "| {size}{timeouts} | {unit} | {by_hand} | {ours} | {ratio} | {libev} | {libevent} |"
                );
            }
        }
    }
    text
}

/// evcore's instructions for an event of W1 or W2 with 1,000 pipes, 100 of them active.
pub(crate) fn instructions(results: &Results, workload: &'static str, kind: &'static str) -> Option<f64> {
    results.ours(&Key { workload, kind, n: 1_000, active: 100, figure: "instr".to_owned() })
}

/// The ways to hand out events.
pub(crate) fn faces(results: &Results) -> String {
    let pull = instructions(results, "w1", "");
    let mut text = "| handed out by | instructions | more than `next_active` |\n|---|---|---|\n".to_owned();
    let _ = writeln!(text, "| `next_active` | {} | |", cell(pull));
    for face in FACES {
        let cost = instructions(results, "w1", face);
        let name = if face == "run" { face.to_owned() } else { format!("run_{face}") };
        let more = cell(cost.zip(pull).map(|(cost, pull)| cost - pull));
        let _ = writeln!(text, "| `{name}` | {} | {more} |", cell(cost));
    }
    text
}

/// The cost of an event whose handler calls the base, less that of the same call outside a hand-out.
pub(crate) fn beside_call(results: &Results, call: &crate::plan::Call) -> Option<(f64, f64)> {
    let of = |kind| instructions(results, call.workload, kind);
    let call_alone = of(call.outside)? - of("outside")?;
    Some((of(call.inside)?, call_alone))
}

pub(crate) fn calls(results: &Results) -> String {
    let mut text =
        "| each handler calls | event and call | call outside of a hand-out | difference | event without a call |\n\
                    |---|---|---|---|---|\n"
            .to_owned();
    for call in &CALLS {
        let figures = beside_call(results, call);
        let (both, alone) = figures.unzip();
        let rest = cell(figures.map(|(both, alone)| both - alone));
        let plain = cell(instructions(results, call.workload, ""));
        let _ = writeln!(text, "| {} | {} | {} | {rest} | {plain} |", call.what, cell(both), cell(alone));
    }
    text
}

/// W8: instructions as a function of N.
pub(crate) fn curves(results: &Results, peers: &[Peer]) -> String {
    let mut text = String::new();
    for cliff in &CLIFFS {
        let is_of = |key: &&Key| key.workload == "w8" && key.kind == cliff.kind && key.figure == "instr";
        let keys: Vec<_> = results.keys().filter(is_of).collect();
        if keys.is_empty() {
            continue;
        }
        let numbers: Vec<_> = keys.iter().map(|key| format!("N={}", key.n)).collect();
        let _ = writeln!(text, "**{}**: {}\n\n| | {} |", cliff.kind, cliff.what, numbers.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(keys.len()));
        for peer in peers.iter().filter(|peer| keys.iter().any(|key| results.median(key, peer.name).is_some())) {
            let cells: Vec<_> = keys.iter().map(|key| cell(results.median(key, peer.name))).collect();
            let _ = writeln!(text, "| {} | {} |", peer.name, cells.join(" | "));
        }
        text.push('\n');
    }
    text
}
