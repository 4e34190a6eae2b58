//! The command line.

use std::fmt;
use std::time::Duration;

pub(crate) const USAGE: &str =
    "usage: ring raw|evcore [--pairs N] [--active A] [--writes W] [--rounds R] [--idle SECONDS]";

/// Which loop runs the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Raw,
    Evcore,
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
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let peer = match args.next().as_deref() {
            Some("raw") => Peer::Raw,
            Some("evcore") => Peer::Evcore,
            _ => return Err("the first argument names the loop".into()),
        };
        let mut options = Self { peer, pairs: 1000, active: 100, writes: 10_000, rounds: 25, idle: None };
        while let Some(name) = args.next() {
            let value: usize =
                args.next().and_then(|value| value.parse().ok()).ok_or_else(|| format!("{name} wants a number"))?;
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

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = match self.peer {
            Peer::Raw => "raw",
            Peer::Evcore => "evcore",
        };
        let idle = self.idle.map_or(0, |idle| idle.as_secs());
        write!(f, "{peer} pairs={} active={} idle={idle}", self.pairs, self.active)
    }
}
