//! W3: changes of interest on pipes that are watched for READ.
//!
//! | kind | a pass over all N pipes | one operation |
//! |---|---|---|
//! | `pair` | each is deleted and added again; one turn of the loop | a pair |
//! | `toggle` | WRITE is added to each one's interest and removed again; one turn | a pair |
//! | `bulk` | all are deleted; a turn; all are added; a turn | a pair |
//! | `oneshot` | each is readable; it is handed out, once, and added again by its handler | a hand-out |
//!
//! In `pair` and `toggle` the kernel's state need not change, in `bulk` it must, in `oneshot` that depends on the
//! loop.

use std::io;
use std::os::fd::OwnedFd;

use crate::options::Options;
use crate::{Figures, Stopwatch, sys};

/// A loop whose interests change.
pub trait Churn: Sized {
    /// Watches all for READ, until they are deleted.
    fn new(readers: Vec<OwnedFd>) -> io::Result<Self>;
    /// Watches all for READ, as one-shot events.
    fn once(readers: Vec<OwnedFd>) -> io::Result<Self>;
    /// As in the table above; each returns how many operations it has carried out.
    fn pair(&mut self) -> io::Result<u64>;
    fn toggle(&mut self) -> io::Result<u64>;
    fn bulk(&mut self) -> io::Result<u64>;
    fn oneshot(&mut self) -> io::Result<u64>;
}

/// Runs one pass that is not measured, then as many as all operations need.
pub fn measure<C: Churn>(options: &Options) -> io::Result<Figures> {
    let pipes = (0..options.n).map(|_| sys::pipe()).collect::<io::Result<Vec<_>>>()?;
    let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
    let (mut churn, pass): (C, fn(&mut C) -> io::Result<u64>) = match options.kind.as_str() {
        "pair" => (C::new(readers)?, C::pair),
        "toggle" => (C::new(readers)?, C::toggle),
        "bulk" => (C::new(readers)?, C::bulk),
        "oneshot" => (C::once(readers)?, C::oneshot),
        _ => return Err(io::Error::other("--kind pair|toggle|bulk|oneshot")),
    };
    if options.kind == "oneshot" {
        writers.iter().try_for_each(|writer| sys::write(writer, &[0]).map(drop))?;
    }
    pass(&mut churn)?;
    let (mut done, watch) = (0, Stopwatch::start());
    while done < options.events {
        done += pass(&mut churn)?;
    }
    Ok(Figures::of(done, watch.stop()))
}
