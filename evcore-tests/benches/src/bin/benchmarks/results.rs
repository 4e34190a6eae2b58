//! The results.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::peers::{OURS, Peer, names};
use crate::plan::{Case, is_rival, limit_of};
use crate::process::Figures;

/// What was measured: a figure of a workload at one size.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) workload: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) n: usize,
    pub(crate) active: usize,
    pub(crate) figure: String,
}

#[derive(Default)]
pub(crate) struct Results {
    samples: BTreeMap<Key, BTreeMap<&'static str, Vec<f64>>>,
}

/// Keys of a run's output line that are not results.
const NO_RESULTS: [&str; 6] = ["workload", "n", "active", "ops", "total", "version"];

impl Results {
    /// Rounds a sample to the precision of results.csv, so that every table can be reproduced from that to the last
    /// digit.
    pub(crate) fn add(&mut self, case: &Case, peer: &'static str, figures: Figures) {
        for (name, value) in figures.into_iter().filter(|(name, _)| !NO_RESULTS.contains(&name.as_str())) {
            self.samples.entry(key(case, name)).or_default().entry(peer).or_default().push((value * 1e3).round() / 1e3);
        }
    }

    /// Everything that was measured, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.samples.keys()
    }

    pub(crate) fn median(&self, key: &Key, peer: &str) -> Option<f64> {
        let mut samples = self.samples.get(key)?.get(peer)?.clone();
        samples.sort_unstable_by(f64::total_cmp);
        let middle = samples.len() / 2;
        Some(if samples.len() % 2 == 1 { samples[middle] } else { (samples[middle - 1] + samples[middle]) / 2.0 })
    }

    pub(crate) fn limit(&self, key: &Key) -> Option<f64> {
        self.median(key, limit_of(key.workload))
    }

    /// The best of the other projects' peers.
    pub(crate) fn best_rival(&self, key: &Key) -> Option<(&'static str, f64)> {
        let rivals = names().filter(|name| is_rival(name));
        let medians = rivals.filter_map(|name| Some((name, self.median(key, name)?)));
        let by = |a: &(&str, f64), b: &(&str, f64)| a.1.total_cmp(&b.1);
        if is_more_better(&key.figure) { medians.max_by(by) } else { medians.min_by(by) }
    }

    /// The medians of a case, printed during the run.
    pub(crate) fn line(&self, case: &Case) -> String {
        let of_case = |found: &&Key| **found == key(case, found.figure.clone()) && case.tool.finds(&found.figure);
        let mut line = String::new();
        for found in
            self.keys().filter(of_case).filter(|found| found.figure != "wall" || matches!(case.workload, "w7" | "w9"))
        {
            let _ = write!(line, "{}{}:", if line.is_empty() { "" } else { " | " }, found.figure);
            for name in names() {
                if let Some(median) = self.median(found, name) {
                    let _ = write!(line, " {name} {}", short(median));
                }
            }
        }
        line
    }

    /// All samples as comma-separated values.
    pub(crate) fn csv(&self, peers: &[Peer]) -> String {
        let mut text =
            "workload,kind,n,active,figure,peer,version,median,least,most,samples,to_limit,to_best_rival\n".to_owned();
        for (key, by_peer) in &self.samples {
            for peer in peers {
                let (Some(samples), Some(median)) = (by_peer.get(peer.name), self.median(key, peer.name)) else {
                    continue;
                };
                let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
                let most = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let ratio = |to: Option<f64>| {
                    to.filter(|to| *to > 0.0).map_or(String::new(), |to| format!("{:.3}", median / to))
                };
                let (to_limit, to_rival) = (ratio(self.limit(key)), ratio(self.best_rival(key).map(|(_, best)| best)));
                let Key { workload, kind, n, active, figure } = key;
                let (name, version, count) = (peer.name, &peer.version, samples.len());
                let _ = writeln!(
                    text,
                    "{workload},{kind},{n},{active},{figure},{name},{version},{median:.3},{least:.3},{most:.3},{count},{to_limit},{to_rival}"
                );
            }
        }
        text
    }

    /// evcore's figure; the following are the hand-written loop's and the best of the others.
    pub(crate) fn ours(&self, key: &Key) -> Option<f64> {
        self.median(key, OURS)
    }
}

fn key(case: &Case, figure: String) -> Key {
    let kind = if case.is_crowded { "trip on one processor" } else { case.kind };
    Key { workload: case.workload, kind, n: case.n, active: case.active, figure }
}

pub(crate) fn is_more_better(figure: &str) -> bool {
    figure == "rate"
}

/// Three significant digits.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        // Nor is a value negative.
        _ if size < 0.005 => "0.00".to_owned(),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
