//! The command line of every peer program.

use std::time::Duration;

/// What a peer must run.
#[derive(Clone, Debug)]
pub struct Options {
    /// `w1` to `w9`.
    pub workload: String,
    /// The workload's kind.
    pub kind: String,
    /// The peer's variant: the backend of evcore, for example.
    pub variant: String,
    /// The number of pipes, descriptors or timers.
    pub n: usize,
    /// How many of them are active at one time.
    pub active: usize,
    /// The number of operations.
    pub events: u64,
    /// How many times everything is done.
    pub cycles: usize,
    /// The last phase to run.
    pub until: String,
    pub idle: Duration,
}

pub const USAGE: &str = "usage: PEER w1|w2|w3|w4|w5|w6|w7|w8|w9 [--variant NAME] [--kind NAME] [--n N] [--active A] \
                         [--events E] [--cycles C] [--until setup|insert|cancel|add|again|rearm|expire] [--idle SECONDS]";

impl Options {
    /// Reads the command line.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            workload: words.next().ok_or("which workload?")?,
            kind: String::new(),
            variant: String::new(),
            n: 1000,
            active: 100,
            events: 100_000,
            cycles: 1,
            until: "expire".to_owned(),
            idle: Duration::from_secs(60),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number"));
            match name.as_str() {
                "--kind" => options.kind = value,
                "--variant" => options.variant = value,
                "--until" => options.until = value,
                "--n" => options.n = number()? as usize,
                "--active" => options.active = number()? as usize,
                "--events" => options.events = number()?,
                "--cycles" => options.cycles = number()? as usize,
                "--idle" => options.idle = Duration::from_secs(number()?),
                _ => return Err(format!("no such option: {name}")),
            }
        }
        if options.n == 0 || options.active == 0 {
            return Err("neither n nor active may be 0".into());
        }
        options.active = options.active.min(options.n);
        Ok(options)
    }
}
