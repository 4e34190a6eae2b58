//! The cases, and their sizes.

use std::fmt;

use crate::machine::Machine;
use crate::peers::{LIMIT, LIMIT_COALESCED, LIMIT_HEAP, LIMIT_SWEEP, OURS, Peer};
use crate::process::Tool;
use crate::settings::Settings;

/// A workload at one size, measured with one tool.
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
    /// Whether the peer supports this case and finishes it in an acceptable time.
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
        match (self.workload, name) {
            (workload, LIMIT_COALESCED) => workload == "w3",
            (workload, LIMIT_HEAP | LIMIT_SWEEP) => workload == "w2" && self.kind.is_empty(),
            ("w2", LIMIT) => false,
            // Only evcore has several ways to hand out events, and handlers that call the base.
            ("w1" | "w2", _) if !self.kind.is_empty() => name == OURS,
            // It searches its timers for each change.
            ("w4", "calloop") => self.n <= 1_000,
            ("w6", "calloop") if self.kind == "timer" => self.n <= 20_000,
            ("w4" | "w6", _) => !is_backend,
            ("w5", _) => self.n + 20 < room,
            ("w8", _) => self.suits_cliff(name),
            // The plain loop has no tasks.
            ("w9", OURS) => matches!(self.kind, "echo" | "sleep"),
            ("w9", _) => true,
            _ => needed + 20 < room,
        }
    }

    /// The peers that have the same thing. libevent serves one priority per turn, so with many of them the bytes of
    /// W1 gather at the least urgent ones.
    fn suits_cliff(&self, name: &str) -> bool {
        match (name, self.kind) {
            (OURS, _) => true,
            ("libev", "levels") => self.n <= 5,
            ("libevent", "levels") => self.n <= 2,
            ("libev", "signal" | "fd-report" | "fd-insert" | "high-fd") => true,
            _ => false,
        }
    }

    /// The number of operations for a run of about a tenth of a second.
    pub(crate) fn events(&self, peer: &Peer) -> u64 {
        let scans = matches!(peer.name, "evcore/poll" | "evcore/select");
        let each = match self.workload {
            "w1" | "w2" if scans => 1_000 + 60 * self.n as u64 / self.active as u64,
            "w7" | "w9" if matches!(self.kind, "trip" | "wake") => 20_000,
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
        if settings.tasks {
            plan.tasks(quick, rounds);
            return plan;
        }
        // Two descriptors for each pipe, and one more for each pipe that is active at first.
        let most = (machine.descriptors - 200) * 10 / 21;
        plan.rings(quick, rounds, most.min(10_000));
        plan.churn(quick, rounds, most.min(10_000));
        plan.timers(quick, rounds);
        plan.echo(quick, if quick { 2 } else { 9 });
        plan.memory(machine);
        plan.wakes(rounds);
        plan.faces_and_calls();
        plan.cliffs(quick, machine);
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
            for (n, active) in &usual {
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
        let sizes = [20_000, 1_000, 100_000, 1_000_000];
        for kind in ["creation", "random"] {
            for n in if quick { &sizes[1..3] } else { &sizes[..] } {
                let rounds = if *n >= 1_000_000 { rounds.min(3) } else { rounds };
                let cycles = (10_000 / n).clamp(1, 40);
                self.cases.push(Case { cycles, ..Case::new("w4", kind, *n, Tool::Clock, rounds) });
            }
            if !quick {
                self.cases.push(Case::new("w4", kind, 1_000, Tool::Phases, 1));
            }
        }
    }

    fn echo(&mut self, quick: bool, rounds: usize) {
        let (sizes, millis) = if quick { (&[100][..], 250) } else { (&[1, 10, 100, 1_000][..], 750) };
        for n in sizes {
            self.cases.push(Case::new("w5", "", *n, Tool::Load { millis }, rounds));
        }
    }

    /// Powers of two and other sizes, because a table that doubles is full at the former, and half empty just above.
    fn memory(&mut self, machine: &Machine) {
        let most = machine.descriptors - 100;
        let fds = [most.min(19_000), 1 << 14].map(|n| ("fd", n));
        let timers = [20_000, 1 << 14, 1_000_000, 1 << 20].map(|n| ("timer", n));
        // Each needs two descriptors.
        let timed = [("fd-timeout", 1 << 13)];
        for (kind, n) in fds.into_iter().chain(timed).chain(timers) {
            let descriptors = match kind {
                "fd" => n,
                "fd-timeout" => 2 * n,
                _ => 0,
            };
            if descriptors <= most {
                self.cases.push(Case::new("w6", kind, n, Tool::Clock, if n < 100_000 { 3 } else { 1 }));
            }
        }
    }

    fn wakes(&mut self, rounds: usize) {
        self.cases.push(Case::new("w7", "trip", 1, Tool::Clock, rounds));
        self.cases.push(Case { is_crowded: true, ..Case::new("w7", "trip", 1, Tool::Clock, rounds) });
        self.cases.push(Case::new("w7", "awake", 1, Tool::Clock, rounds));
        // The number of system calls of a trip depends on which thread is awake when.
        self.cases.push(Case::new("w7", "awake", 1, Tool::Strace, 1));
    }

    /// The ways to hand out events, and handlers that call the base.
    fn faces_and_calls(&mut self) {
        let calls = CALLS.iter().flat_map(|call| [(call.workload, call.inside), (call.workload, call.outside)]);
        let idle = ["w1", "w2"].map(|workload| (workload, "outside"));
        for (workload, kind) in FACES.map(|kind| ("w1", kind)).into_iter().chain(idle).chain(calls) {
            let case = Case::new(workload, kind, 1_000, Tool::Callgrind, 1);
            self.cases.push(Case { active: 100, ..case });
        }
    }

    /// With the clients of W5, and alone.
    fn tasks(&mut self, quick: bool, rounds: usize) {
        let (millis, loads) = if quick { (250, 3) } else { (750, 9) };
        for n in [1, 100, 1_000] {
            self.cases.push(Case::new("w9", "echo", n, Tool::Load { millis }, loads));
            self.cases.push(Case::new("w9", "echo", n, Tool::CountedLoad, 1));
        }
        for kind in ["spawn", "sleep"] {
            self.cases.push(Case::new("w9", kind, 1_000, Tool::Clock, rounds));
            self.cases.push(Case::new("w9", kind, 1_000, Tool::Callgrind, 1));
        }
        self.cases.push(Case::new("w9", "wake", 1, Tool::Clock, rounds));
    }

    fn cliffs(&mut self, quick: bool, machine: &Machine) {
        for Cliff { kind, sizes, .. } in &CLIFFS {
            let sizes = sizes.iter().filter(|n| *kind != "high-fd" || **n + 100 < machine.descriptors);
            for n in sizes.take(if quick { 2 } else { usize::MAX }) {
                self.cases.push(Case::new("w8", kind, *n, Tool::Callgrind, 1));
            }
        }
    }
}

/// The ways to run W1, besides the pull loop.
pub(crate) const FACES: [&str; 3] = ["run", "callbacks", "closures"];

/// A call of the base: from each handler, and outside of a hand-out.
pub(crate) struct Call {
    pub(crate) workload: &'static str,
    pub(crate) inside: &'static str,
    pub(crate) outside: &'static str,
    pub(crate) what: &'static str,
}

const fn call(workload: &'static str, inside: &'static str, outside: &'static str, what: &'static str) -> Call {
    Call { workload, inside, outside, what }
}

pub(crate) const CALLS: [Call; 4] = [
    call("w1", "same", "outside-same", "W1: `modify` with the interest that the event has"),
    call("w1", "toggle", "outside-toggle", "W1: `modify` to READ and WRITE, and back"),
    call("w1", "start", "outside-start", "W1: `start` of a timer, and `remove`"),
    call("w2", "add", "outside-add", "W2: `add` with a timeout of 60 s"),
];

/// Operations whose cost may grow with N.
pub(crate) struct Cliff {
    pub(crate) kind: &'static str,
    pub(crate) what: &'static str,
    sizes: &'static [usize],
}

const fn cliff(kind: &'static str, what: &'static str, sizes: &'static [usize]) -> Cliff {
    Cliff { kind, what, sizes }
}

pub(crate) const CLIFFS: [Cliff; 8] = [
    cliff("levels", "a hand-out of W1 with N=1000 A=100, spread over N priorities", &[1, 2, 4, 16, 64, 255]),
    cliff("files-turn", "a turn in which one pipe is ready, and N files are watched", &[10, 100, 1_000, 10_000]),
    cliff("files-add", "insert and removal of a pipe, while N files are watched", &[10, 100, 1_000, 10_000]),
    cliff("signal", "a hand-out, with N events on the signal", &[1, 10, 100, 1_000]),
    cliff("fd-report", "a hand-out, with N events on the fd", &[1, 10, 100, 1_000]),
    cliff("fd-insert", "insert and removal of an event, N on the fd, in the same order", &[1, 10, 100, 1_000]),
    cliff("high-fd", "insert and removal of an event, on fd number N", &[100, 1_000, 19_000]),
    cliff(
        "fixed",
        "`create` and `remove` on a new fd, in `Fixed<N>` with one free place",
        &[16, 64, 256, 1_024, 4_096],
    ),
];

/// The hand-written loop for a workload: in W2 the one with a heap of timeouts, in W3 the one that coalesces changes.
pub(crate) fn limit_of(workload: &str) -> &'static str {
    match workload {
        "w2" => LIMIT_HEAP,
        "w3" => LIMIT_COALESCED,
        _ => LIMIT,
    }
}

/// Whether a peer is another project's.
pub(crate) fn is_rival(name: &str) -> bool {
    !Peer::is_limit(name) && !Peer::is_ours(name) && name != OURS
}
