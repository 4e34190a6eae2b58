//! The programs that are compared.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::settings::Settings;

/// A peer in the list; its program may not exist.
pub(crate) struct Entry {
    /// `PROGRAM`, or `PROGRAM/VARIANT`.
    pub(crate) name: &'static str,
    /// For a peer in C: its header, the package that contains it, and the linker's arguments.
    library: Option<(&'static str, &'static str, &'static [&'static str])>,
}

const fn rust(name: &'static str) -> Entry {
    Entry { name, library: None }
}

pub(crate) const LIMIT: &str = "raw";
pub(crate) const LIMIT_COALESCED: &str = "raw/coalesced";
pub(crate) const LIMIT_HEAP: &str = "raw/heap";
pub(crate) const LIMIT_SWEEP: &str = "raw/sweep";
pub(crate) const OURS: &str = "evcore/epoll";

pub(crate) const LIST: [Entry; 13] = [
    rust(LIMIT),
    rust(LIMIT_COALESCED),
    rust(LIMIT_HEAP),
    rust(LIMIT_SWEEP),
    rust(OURS),
    rust("evcore/poll"),
    rust("evcore/select"),
    Entry {
        name: "libevent",
        library: Some(("event2/event.h", "libevent-dev", &["-levent_core", "-levent_pthreads"])),
    },
    Entry { name: "libev", library: Some(("ev.h", "libev-dev", &["-lev"])) },
    Entry { name: "libuv", library: Some(("uv.h", "libuv1-dev", &["-luv"])) },
    rust("mio"),
    rust("polling"),
    rust("calloop"),
];

/// Tasks on evcore, and the plain loop to compare with.
pub(crate) const TASKS: &str = "evcore/tasks";
pub(crate) const TOKIO: &str = "tokio";
pub(crate) const SMOL: &str = "smol";

pub(crate) const LIST_OF_TASKS: [Entry; 4] = [rust(TASKS), rust(OURS), rust(TOKIO), rust(SMOL)];

/// The names of all peers, of both comparisons.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let others = LIST_OF_TASKS.iter().map(|entry| entry.name).filter(|name| *name != OURS);
    LIST.iter().map(|entry| entry.name).chain(others)
}

/// A peer that can run.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) version: String,
}

impl Peer {
    pub(crate) fn variant(&self) -> &'static str {
        self.name.split_once('/').map_or("", |(_, variant)| variant)
    }

    /// Whether it is a hand-written loop.
    pub(crate) fn is_limit(name: &str) -> bool {
        name.starts_with(LIMIT)
    }

    /// Whether it is evcore.
    pub(crate) fn is_ours(name: &str) -> bool {
        name.starts_with("evcore")
    }
}

/// Finds the requested peers. Prints a line for each that cannot run.
pub(crate) fn find(settings: &Settings) -> io::Result<Vec<Peer>> {
    let directory = std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default();
    let mut peers = Vec::new();
    // A short run prints the version.
    let probe = match settings.tasks {
        true => ["w9", "--kind", "sleep", "--n", "2", "--events", "2"],
        false => ["w1", "--n", "2", "--active", "1", "--events", "2"],
    };
    let list = if settings.tasks { &LIST_OF_TASKS[..] } else { &LIST };
    for entry in list.iter().filter(|entry| settings.wants_peer(entry.name)) {
        let name = entry.name.split('/').next().unwrap_or_default();
        let program = match entry.library {
            None => Ok(directory.join(name)),
            Some((header, package, flags)) => compile(name, header, package, flags, &directory.join("c"))?,
        };
        let found = program.and_then(|program| match version(&program, &probe) {
            Some(version) => Ok(Peer { name: entry.name, program, version }),
            None => Err("its program does not run; build all of them with `cargo build --release`".to_owned()),
        });
        match found {
            Ok(peer) => {
                println!("{} {}", peer.name, peer.version);
                peers.push(peer);
            }
            Err(why) => println!("{}: not run, {why}", entry.name),
        }
    }
    if peers.is_empty() { Err(io::Error::other("there is no peer")) } else { Ok(peers) }
}

/// Compiles a peer in C. `Err` says why that is not possible.
fn compile(
    name: &str,
    header: &str,
    package: &str,
    flags: &[&str],
    directory: &Path,
) -> io::Result<Result<PathBuf, String>> {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/c"));
    let mut probe = Command::new("cc");
    probe.args(["-fsyntax-only", "-x", "c", "-include", header, "/dev/null"]).stderr(Stdio::null());
    match probe.status() {
        Err(_) => return Ok(Err("there is no C compiler".to_owned())),
        Ok(status) if !status.success() => return Ok(Err(format!("{header} is missing: install {package}"))),
        Ok(_) => {}
    }
    std::fs::create_dir_all(directory)?;
    let program = directory.join(name);
    let status = Command::new("cc")
        .args(["-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .args(["bench", "timers", "wake", name].map(|file| source.join(file).with_extension("c")))
        .args(flags)
        .arg("-lpthread")
        .status()?;
    if status.success() { Ok(Ok(program)) } else { Err(io::Error::other(format!("{name}.c does not compile"))) }
}

/// The version that the program prints in a short run.
fn version(program: &Path, probe: &[&str]) -> Option<String> {
    let run = Command::new(program).args(probe).output().ok()?;
    let line = String::from_utf8(run.stdout).ok()?;
    line.split_whitespace().find_map(|word| word.strip_prefix("version=")).map(str::to_owned)
}
