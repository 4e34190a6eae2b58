//! W6: how much more memory the process needs for each watched fd, and for each timer. This includes what a user of
//! the peer has to store for it (a handle, a structure).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::churn::Churn;
use crate::options::Options;
use crate::ring::{Link, RingLoop, Setup};
use crate::timers::Timers;
use crate::{Figures, sys};

pub fn measure<C: Churn, T: Timers, L: RingLoop>(options: &Options) -> io::Result<Figures> {
    let count = options.n;
    let bytes = match options.kind.as_str() {
        "fd" => {
            let (reader, _writer) = sys::pipe()?;
            let readers = (0..count).map(|_| reader.try_clone()).collect::<io::Result<Vec<OwnedFd>>>()?;
            let before = anonymous()?;
            let churn = C::new(readers)?;
            let after = anonymous()?;
            drop(churn);
            after.saturating_sub(before)
        }
        // Two descriptors for each link, so that the ring's loops can be used unchanged.
        "fd-timeout" => {
            let (reader, writer) = sys::pipe()?;
            let link = |_| Ok(Link::new(reader.try_clone()?, writer.try_clone()?));
            let links = (0..count).map(link).collect::<io::Result<Vec<_>>>()?;
            let before = anonymous()?;
            let ring = L::new(links, Setup::plain(Some(options.idle)))?;
            let after = anonymous()?;
            drop(ring);
            after.saturating_sub(before)
        }
        "timer" => {
            let delays: Vec<_> = (0..count as u64).map(|place| Duration::from_secs(60 + place)).collect();
            let mut timers = T::new()?;
            timers.begin(&[])?;
            let (before, mut handles) = (anonymous()?, Vec::with_capacity(count));
            for delay in &delays {
                handles.push(timers.insert(*delay)?);
            }
            anonymous()?.saturating_sub(before)
        }
        _ => return Err(io::Error::other("--kind fd|fd-timeout|timer")),
    };
    Ok(Figures::default().with("ops", count as f64).with("bytes", bytes as f64 / count as f64))
}

/// This process's memory in bytes, without file pages, which are code: how much of that is resident depends on what has
/// run.
pub fn anonymous() -> io::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find(|line| line.starts_with("Anonymous:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse::<usize>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("nothing of it in smaps_rollup"))
}
