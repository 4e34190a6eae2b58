//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use lexopt::{Arg, Error, Parser, ValueExt};

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Options {
    /// The echo example.
    pub(crate) server: PathBuf,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// How many clients there are at one time.
    pub(crate) clients: usize,
}

impl Options {
    pub(crate) fn parse(words: &mut Parser) -> Result<Self, Error> {
        let mut options = Self { server: PathBuf::new(), seconds: 20, seed: 1, clients: 200 };
        while let Some(word) = words.next()? {
            match word {
                Arg::Long("server") => options.server = words.value()?.into(),
                Arg::Long("seconds") => options.seconds = words.value()?.parse()?,
                Arg::Long("seed") => options.seed = words.value()?.parse()?,
                Arg::Long("clients") => options.clients = words.value()?.parse::<NonZeroUsize>()?.get(),
                other => return Err(other.unexpected()),
            }
        }
        if options.server.as_os_str().is_empty() { Err("a --server is missing".into()) } else { Ok(options) }
    }
}
