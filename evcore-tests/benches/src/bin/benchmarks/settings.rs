//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: benchmarks [--tasks] [--quick] [--only w1,w4] [--peers raw,evcore,libev] [--out DIRECTORY]\n\
    A whole run is written to docs/benchmarks; one that is quick, or in parts, to target/benchmarks.";

pub(crate) struct Settings {
    /// The other comparison: tasks on evcore with other async runtimes.
    pub(crate) tasks: bool,
    pub(crate) quick: bool,
    only: Vec<String>,
    peers: Vec<String>,
    pub(crate) out: PathBuf,
    /// A page whose table is updated by a complete run.
    pub(crate) readme: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut tasks = false;
        let (mut quick, mut only, mut peers, mut out) = (false, Vec::new(), Vec::new(), None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let list = |text: String| text.split(',').map(str::to_owned).collect::<Vec<_>>();
            match word.as_str() {
                "--tasks" => tasks = true,
                "--quick" => quick = true,
                "--only" => only = list(value()?),
                "--peers" => peers = list(value()?),
                "--out" => out = Some(PathBuf::from(value()?)),
                _ => return Err(format!("no such option: {word}")),
            }
        }
        let known = ["w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9"];
        if let Some(wrong) = only.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("no such workload: {wrong}"));
        }
        let names: Vec<_> = crate::peers::names().collect();
        if let Some(wrong) = peers.iter().find(|wanted| !names.iter().any(|name| matches(name, wanted))) {
            return Err(format!("no such peer: {wrong}; there are {}", names.join(", ")));
        }
        let is_whole = !quick && only.is_empty() && peers.is_empty();
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let usual = if is_whole { root.join("docs/benchmarks") } else { root.join("target/benchmarks") };
        let readme = (is_whole && !tasks && out.is_none()).then(|| root.join("README.md"));
        Ok(Self { tasks, quick, only, peers, out: out.unwrap_or(usual), readme })
    }

    pub(crate) fn wants_workload(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }

    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| matches(name, wanted))
    }

    /// The command line of these settings.
    pub(crate) fn command(&self) -> String {
        let mut command = ".ci/benchmarks".to_owned();
        if self.tasks {
            command += " --tasks";
        }
        if self.quick {
            command += " --quick";
        }
        for (name, list) in [("--only", &self.only), ("--peers", &self.peers)] {
            if !list.is_empty() {
                command += &format!(" {name} {}", list.join(","));
            }
        }
        command
    }
}

/// `evcore` matches `evcore/epoll` and its other variants.
fn matches(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
}
