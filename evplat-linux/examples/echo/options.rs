//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use lexopt::{Arg, Error, Parser, ValueExt};

use crate::cli;

pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    /// A connection without traffic for this long is closed.
    pub(crate) idle: Duration,
    pub(crate) quiet: bool,
}

/// Returns the method to run on, the first of `methods` unless another is requested, and the options.
pub(crate) fn parse(words: &mut Parser, methods: &'static [&'static str]) -> Result<(&'static str, Options), Error> {
    let (mut address, mut idle, mut quiet) = (None, Duration::from_secs(60), false);
    let mut method = methods.first().copied().unwrap_or_default();
    let known = |name: &str| methods.iter().copied().find(|method| *method == name).ok_or("there is no such method");
    while let Some(word) = words.next()? {
        match word {
            Arg::Long("quiet") => quiet = true,
            Arg::Long("idle") => idle = words.value()?.parse_with(cli::span)?,
            Arg::Long("method") => method = words.value()?.parse_with(known)?,
            Arg::Value(word) if address.is_none() => address = Some(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok((method, Options { address: address.unwrap_or(cli::any_port()), idle, quiet }))
}
