//! Runs each target on its seeds, without a fuzzer: none fails, and each reaches what the page beside them says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Small, so that a fuzzer and a reader can work with them.
const LARGEST: usize = 200;

/// What each seed must reach: the words in backquotes in its row of the page.
fn promised(target: &str) -> BTreeMap<String, Vec<String>> {
    let page = include_str!("../seeds/README.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_prefix(target)?.strip_prefix('/'));
    rows.map(|row| {
        let (name, text) = row.split_once('`').expect("a name ends");
        (name.to_owned(), text.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    })
    .collect()
}

fn on_seeds(target: &str, run: impl Fn(&[u8]) -> BTreeSet<String>) {
    let mut promised = promised(target);
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    for seed in fs::read_dir(seeds).expect("the seeds") {
        let seed = seed.expect("a seed");
        let (name, bytes) = (seed.file_name().into_string().expect("a name"), fs::read(seed.path()).expect("a seed"));
        println!("{target}/{name}");
        assert!(bytes.len() < LARGEST, "{} bytes are too many", bytes.len());
        let reached = run(&bytes);
        println!("  {reached:?}");
        let words = promised.remove(&name).expect("it has a row");
        assert!(!words.is_empty(), "its row says nothing that can be looked for");
        for word in words {
            assert!(reached.contains(&word), "{name} does not reach {word:?}");
        }
    }
    assert!(promised.is_empty(), "there are no such seeds: {promised:?}");
}

fn owned(reached: evcore_fuzz::Reached) -> BTreeSet<String> {
    reached.into_iter().map(str::to_owned).collect()
}

#[test]
fn script() {
    on_seeds("script", |seed| {
        evcore_fuzz::script(seed);
        evcore_fuzz::calls(seed)
    });
}

#[test]
fn timers() {
    on_seeds("timers", |seed| owned(evcore_fuzz::timers(seed)));
}

#[test]
fn fds() {
    on_seeds("fds", |seed| owned(evcore_fuzz::fds(seed)));
}
