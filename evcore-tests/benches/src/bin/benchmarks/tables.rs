//! The results as tables in Markdown.

use std::fmt::Write;

use crate::peers::Peer;
use crate::results::{Key, Results, is_more_better, short};

/// The figures of a workload that are shown, in this order, and their units.
const FIGURES: [(&str, &str); 17] = [
    ("cpu", "processor time, ns"),
    ("instr", "instructions"),
    ("calls", "system calls"),
    ("insert", "insert, ns"),
    ("cancel", "cancel, ns"),
    ("add", "add again, ns"),
    ("rearm", "re-arm, ns"),
    ("expire", "expire, ns"),
    ("insert instr", "insert, instructions"),
    ("cancel instr", "cancel, instructions"),
    ("add instr", "add again, instructions"),
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

/// The keys of a workload that are shown, by figure.
fn shown(results: &Results, workload: &str) -> Vec<(&'static str, Vec<Key>)> {
    let of = |figure: &'static str| {
        results.keys().filter(move |key| key.workload == workload && key.figure == figure).cloned().collect::<Vec<_>>()
    };
    figures(workload)
        .into_iter()
        .map(|(figure, unit)| (unit, of(figure)))
        .filter(|(_, keys)| !keys.is_empty())
        .collect()
}

/// At which size something was measured.
pub(crate) fn size(key: &Key) -> String {
    let Key { workload, kind, n, active, .. } = key;
    match *workload {
        "w1" | "w2" => format!("N={n} A={active}"),
        "w3" | "w6" => format!("{kind} N={n}"),
        "w7" => (*kind).to_owned(),
        _ => format!("N={n}"),
    }
}

/// A ratio that tells how much more it costs: below 1, evcore costs less, or serves more.
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

/// Every peer at every size.
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
