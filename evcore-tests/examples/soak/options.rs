//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: soak --server PROGRAM [--seconds N] [--seed S] [--clients N]";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Options {
    /// The echo example.
    pub(crate) server: PathBuf,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// How many there are at a time.
    pub(crate) clients: usize,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { server: PathBuf::new(), seconds: 20, seed: 1, clients: 200 };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} wants a number"));
            match name.as_str() {
                "--server" => options.server = value.into(),
                "--seconds" => options.seconds = number()?,
                "--seed" => options.seed = number()?,
                "--clients" => options.clients = usize::try_from(number()?).map_err(|_| format!("{name}: too many"))?,
                _ => return Err(format!("no such option: {name}")),
            }
        }
        match options.server.as_os_str().is_empty() || options.clients == 0 {
            true => Err("a server and a client are needed".into()),
            false => Ok(options),
        }
    }
}
