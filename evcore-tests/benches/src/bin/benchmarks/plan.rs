//! What is run, and at which sizes.

use std::fmt;

use crate::machine::Machine;
use crate::peers::{LIMIT_COALESCED, OURS, Peer};
use crate::process::Tool;
use crate::settings::Settings;

/// A workload at one size, looked at with one tool.
pub(crate) struct Case {
    pub(crate) workload: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) n: usize,
    pub(crate) active: usize,
    pub(crate) tool: Tool,
    pub(crate) rounds: usize,
    pub(crate) cycles: usize,
    /// Whether two threads have to share a processor.
    pub(crate) is_crowded: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, kind, n, active, tool, is_crowded, .. } = self;
        let separator = if kind.is_empty() { "" } else { " " };
        write!(f, "{workload}{separator}{kind} n={n}")?;
        if matches!(*workload, "w1" | "w2") {
            write!(f, " active={active}")?;
        }
        let crowded = if *is_crowded { ", one processor" } else { "" };
        write!(f, "{crowded}, {}", tool.name())
    }
}

impl Case {
    /// Whether the peer can do this at this size in a time that one can wait.
    pub(crate) fn suits(&self, peer: &Peer, machine: &Machine) -> bool {
        let name = peer.name;
        let is_backend = matches!(name, "evcore/poll" | "evcore/select");
        // A set of select(2) ends at 1,024.
        let room = if name == "evcore/select" { 1_024 } else { machine.descriptors };
        let needed = match self.workload {
            "w1" | "w2" => 2 * self.n + self.active,
            "w3" => 2 * self.n,
            _ => self.n.min(machine.descriptors - 50),
        };
        match self.workload {
            "w3" if name == LIMIT_COALESCED => true,
            _ if name == LIMIT_COALESCED => false,
            // Its timers are looked through for each change.
            "w4" if name == "calloop" => self.n <= 1_000,
            "w6" if name == "calloop" && self.kind == "timer" => self.n <= 20_000,
            "w4" | "w6" => !is_backend,
            "w5" => self.n + 20 < room,
            _ => needed + 20 < room,
        }
    }

    /// How many operations make a run of a tenth of a second, or a little more.
    pub(crate) fn events(&self, peer: &Peer) -> u64 {
        let scans = matches!(peer.name, "evcore/poll" | "evcore/select");
        let each = match self.workload {
            "w1" | "w2" if scans => 1_000 + 60 * self.n as u64 / self.active as u64,
            "w7" if self.kind == "trip" => 20_000,
            _ => 1_000,
        };
        (150_000_000 / each).max(500)
    }

    fn new(workload: &'static str, kind: &'static str, n: usize, tool: Tool, rounds: usize) -> Self {
        Self { workload, kind, n, active: 1, tool, rounds, cycles: 1, is_crowded: false }
    }
}

pub(crate) struct Plan {
    pub(crate) cases: Vec<Case>,
}

impl Plan {
    pub(crate) fn new(settings: &Settings, machine: &Machine) -> Self {
        let (quick, rounds) = (settings.quick, if settings.quick { 3 } else { 7 });
        let mut plan = Self { cases: Vec::new() };
        // Two descriptors a pipe, and one for each that begins active.
        let most = (machine.descriptors - 200) * 10 / 21;
        plan.rings(quick, rounds, most.min(10_000));
        plan.churn(quick, rounds, most.min(10_000));
        plan.timers(quick, rounds);
        plan.echo(quick, if quick { 2 } else { 9 });
        plan.memory(machine);
        plan.wakes(rounds);
        plan.cases.retain(|case| settings.wants_workload(case.workload));
        plan
    }

    fn rings(&mut self, quick: bool, rounds: usize, most: usize) {
        let sizes = [(10, 1), (100, 1), (1_000, 1), (most, 1), (100, 10), (1_000, 100), (most, most / 10)];
        let usual = [(100, 1), (1_000, 100)];
        for workload in ["w1", "w2"] {
            let chosen = if quick { &usual[..] } else { &sizes[..] };
            for (n, active) in chosen {
                let case = Case::new(workload, "", *n, Tool::Clock, rounds);
                self.cases.push(Case { active: *active, ..case });
            }
            for (n, active) in if quick { &usual[1..] } else { &usual[..] } {
                for tool in [Tool::Callgrind, Tool::Strace] {
                    let case = Case::new(workload, "", *n, tool, 1);
                    self.cases.push(Case { active: *active, ..case });
                }
            }
        }
    }

    fn churn(&mut self, quick: bool, rounds: usize, most: usize) {
        for kind in ["pair", "toggle", "bulk", "oneshot"] {
            let sizes = [10, 100, most, 1_000];
            for n in if quick { &sizes[3..] } else { &sizes[..] } {
                self.cases.push(Case::new("w3", kind, *n, Tool::Clock, rounds));
            }
            for tool in [Tool::Callgrind, Tool::Strace] {
                self.cases.push(Case::new("w3", kind, 1_000, tool, 1));
            }
        }
    }

    fn timers(&mut self, quick: bool, rounds: usize) {
        let sizes = [10, 100, 20_000, 1_000, 100_000, 1_000_000];
        for n in if quick { &sizes[3..] } else { &sizes[..] } {
            let rounds = if *n >= 1_000_000 { rounds.min(if quick { 1 } else { 5 }) } else { rounds };
            let cycles = (10_000 / n).clamp(1, 40);
            self.cases.push(Case { cycles, ..Case::new("w4", "", *n, Tool::Clock, rounds) });
        }
        if !quick {
            self.cases.push(Case::new("w4", "", 1_000, Tool::Phases, 1));
            self.cases.push(Case::new("w4", "", 20_000, Tool::Phases, 1));
        }
    }

    fn echo(&mut self, quick: bool, rounds: usize) {
        let (sizes, millis) = if quick { (&[100][..], 250) } else { (&[1, 10, 100, 1_000][..], 750) };
        for n in sizes {
            self.cases.push(Case::new("w5", "", *n, Tool::Load { millis }, rounds));
        }
    }

    fn memory(&mut self, machine: &Machine) {
        self.cases.push(Case::new("w6", "fd", (machine.descriptors - 100).min(19_000), Tool::Clock, 3));
        self.cases.push(Case::new("w6", "timer", 20_000, Tool::Clock, 3));
        self.cases.push(Case::new("w6", "timer", 1_000_000, Tool::Clock, 1));
    }

    fn wakes(&mut self, rounds: usize) {
        self.cases.push(Case::new("w7", "trip", 1, Tool::Clock, rounds));
        self.cases.push(Case { is_crowded: true, ..Case::new("w7", "trip", 1, Tool::Clock, rounds) });
        self.cases.push(Case::new("w7", "awake", 1, Tool::Clock, rounds));
        // How many a trip takes depends on who is awake when.
        self.cases.push(Case::new("w7", "awake", 1, Tool::Strace, 1));
    }
}

/// The loop that is the limit of a workload: in W3 the one that merges changes.
pub(crate) fn limit_of(workload: &str) -> &'static str {
    if workload == "w3" { LIMIT_COALESCED } else { crate::peers::LIMIT }
}

/// Whether a peer is somebody else's.
pub(crate) fn is_rival(name: &str) -> bool {
    !Peer::is_limit(name) && !Peer::is_ours(name) && name != OURS
}
