//! The command line of an example: `--help`, errors that name their cause, and the exit status.
//!
//! The status is 0 if the program has done its work, 1 if it failed, and 2 if its arguments are wrong; for 1 and 2 it
//! prints the reason. `main` of each example is one call of [`run`]; the program to copy is the function that it
//! calls.

#![allow(dead_code, reason = "no example uses all of it")]

use std::error;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{ExitCode, Termination};
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Error, Parser, ValueExt};

/// Parses the arguments and runs the program with them. `help` begins with a line `usage: NAME …`.
pub(crate) fn run<O, T: Termination, E: Display>(
    help: &str,
    parse: impl FnOnce(&mut Parser) -> Result<O, Error>,
    program: impl FnOnce(O) -> Result<T, E>,
) -> ExitCode {
    let usage = help.lines().next().unwrap_or_default();
    let name = usage.split(' ').nth(1).unwrap_or_default();
    if std::env::args_os().any(|word| word == "--help") {
        // If standard output is closed, nobody reads the help.
        let _ = writeln!(io::stdout(), "{help}");
        return ExitCode::SUCCESS;
    }
    let options = match parse(&mut Parser::from_env()) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{name}: {error}\n{usage}");
            return ExitCode::from(2);
        }
    };
    match program(options) {
        Ok(outcome) => outcome.report(),
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// No arguments.
pub(crate) fn nothing(words: &mut Parser) -> Result<(), Error> {
    words.next()?.map_or(Ok(()), |word| Err(word.unexpected()))
}

/// One argument, or none.
pub(crate) fn optional<T>(words: &mut Parser) -> Result<Option<T>, Error>
where
    T: FromStr<Err: Into<Box<dyn error::Error + Send + Sync>>>,
{
    let mut found = None;
    while let Some(word) = words.next()? {
        match word {
            Arg::Value(word) if found.is_none() => found = Some(word.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(found)
}

/// `[IP:PORT]`.
pub(crate) fn address(words: &mut Parser) -> Result<SocketAddr, Error> {
    Ok(optional(words)?.unwrap_or(any_port()))
}

/// A free port of the loopback, which the system chooses.
pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A time with its unit: `500ms`, `60s`, `5m`.
pub(crate) fn time(text: &str) -> Result<Duration, &'static str> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let millis = match text.strip_prefix(digits) {
        Some("ms") => 1,
        Some("s") => 1_000,
        Some("m") => 60_000,
        _ => return Err("a time has a unit, as in 500ms, 60s or 5m"),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
    number.map(Duration::from_millis).ok_or("not a time")
}

/// A time greater than zero.
pub(crate) fn span(text: &str) -> Result<Duration, &'static str> {
    time(text).and_then(|time| if time.is_zero() { Err("not a time to wait for") } else { Ok(time) })
}

/// Seconds greater than zero, such as `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero()).ok_or("not a time to wait for")
}

/// Adds to an error the address or file that it concerns.
pub(crate) fn about(what: impl Display, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
