//! The command line.

use std::fmt;
use std::time::Duration;

pub(crate) const USAGE: &str = "usage: ring raw|evcore|outside [--pairs N] [--active A] [--writes W] [--rounds R] [--idle SECONDS] \
     [--call none|same|toggle|start|add]";

/// Which loop runs the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Raw,
    Evcore,
    /// No ring: only the calls of evcore's handlers, outside of hand-outs.
    Outside,
}

/// What each handler calls of the base.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    None,
    /// `modify` with the interest that the event has.
    Same,
    /// `modify` to READ and WRITE, and back.
    Toggle,
    /// Another event, a timer, is started and removed.
    Start,
    /// `add` with a timeout of a minute.
    Add,
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) peer: Peer,
    pub(crate) pairs: usize,
    pub(crate) active: usize,
    pub(crate) writes: usize,
    pub(crate) rounds: usize,
    pub(crate) idle: Option<Duration>,
    pub(crate) call: Call,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let peer = match args.next().as_deref() {
            Some("raw") => Peer::Raw,
            Some("evcore") => Peer::Evcore,
            Some("outside") => Peer::Outside,
            _ => return Err("the first argument names the loop".into()),
        };
        let mut options =
            Self { peer, pairs: 1000, active: 100, writes: 10_000, rounds: 25, idle: None, call: Call::None };
        while let Some(name) = args.next() {
            let value = args.next().unwrap_or_default();
            if name == "--call" {
                options.call = Call::named(&value).ok_or_else(|| format!("no such call: {value}"))?;
                continue;
            }
            let value: usize = value.parse().map_err(|_| format!("{name} wants a number"))?;
            match name.as_str() {
                "--pairs" => options.pairs = value,
                "--active" => options.active = value,
                "--writes" => options.writes = value,
                "--rounds" => options.rounds = value,
                "--idle" => options.idle = Some(Duration::from_secs(value as u64)).filter(|idle| !idle.is_zero()),
                _ => return Err(format!("no such option: {name}")),
            }
        }
        if options.active == 0 || options.active > options.pairs {
            return Err("1 <= active <= pairs".into());
        }
        Ok(options)
    }
}

impl Call {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "same" => Self::Same,
            "toggle" => Self::Toggle,
            "start" => Self::Start,
            "add" => Self::Add,
            _ => return None,
        })
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = match self.peer {
            Peer::Raw => "raw",
            Peer::Evcore => "evcore",
            Peer::Outside => "outside",
        };
        let idle = self.idle.map_or(0, |idle| idle.as_secs());
        write!(f, "{peer} pairs={} active={} idle={idle} call={:?}", self.pairs, self.active, self.call)
    }
}
