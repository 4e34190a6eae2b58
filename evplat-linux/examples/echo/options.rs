//! The command line.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    /// After how long without traffic a connection is closed.
    pub(crate) idle: Duration,
    pub(crate) quiet: bool,
}

/// Runs a server with the options of the command line, on one of these methods: the first, unless another is asked for.
pub(crate) fn run(methods: &[&str], serve: impl FnOnce(&str, &Options) -> io::Result<()>) -> ExitCode {
    let (method, options) = match Options::parse(std::env::args().skip(1), methods) {
        Ok(parsed) => parsed,
        Err(wrong) => {
            let methods = methods.join("|");
            eprintln!("{wrong}\nusage: echo [IP:PORT] [--idle 500ms|60s|5m] [--quiet] [--method {methods}]");
            return ExitCode::from(2);
        }
    };
    match serve(&method, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>, methods: &[&str]) -> Result<(String, Self), String> {
        let mut address = None;
        let (mut idle, mut quiet) = (Duration::from_secs(60), false);
        let mut method = methods.first().copied().unwrap_or_default().to_owned();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--quiet" => quiet = true,
                "--idle" => idle = duration(&value()?)?,
                "--method" => method = value()?,
                other if address.is_none() => {
                    address = Some(other.parse().map_err(|_| format!("neither an option nor an address: {other}"))?);
                }
                other => return Err(format!("one argument too many: {other}")),
            }
        }
        if !methods.contains(&method.as_str()) {
            return Err(format!("no such method: {method}"));
        }
        let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        Ok((method, Self { address, idle, quiet }))
    }
}

/// A time as people write it: `500ms`, `60s`, `5m`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let millis = match text.strip_prefix(digits) {
        Some("ms") => 1,
        Some("s") => 1_000,
        Some("m") => 60_000,
        _ => return Err(format!("not a time: {text}")),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)) {
        None | Some(0) => Err(format!("not a time to wait for: {text}")),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}
