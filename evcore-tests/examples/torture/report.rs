//! How it went.

use std::fmt::Write;

use evplat_posix::Error;

use crate::sys::{self, Numbers};

type Refusal = evcore::Error<Error>;

/// What was reported to the program, and what went wrong without a report. Its lists do not grow, so that it does not disturb the
/// count of the memory.
pub(crate) struct Report {
    who: &'static str,
    /// Which call was refused and why; without a reason, an event got ERROR.
    reported: Vec<(&'static str, Option<Refusal>)>,
    bad: Vec<(&'static str, &'static str)>,
    bytes: isize,
    descriptors: Numbers,
}

const ROOM: usize = 32;

impl Report {
    /// Begins: what is allocated and open from here on should not be at the end.
    pub(crate) fn new(who: &'static str) -> Self {
        let (reported, bad) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
        Self { who, reported, bad, bytes: sys::bytes_allocated(), descriptors: sys::open_descriptors() }
    }

    /// Makes a call until it answers no error. The fault is gone at the second time; some calls make several of the
    /// system's, and of those more may fail.
    pub(crate) fn attempt<T, E: Into<Refusal>>(
        &mut self,
        call: &'static str,
        mut act: impl FnMut() -> Result<T, E>,
    ) -> Option<T> {
        for _ in 0..4 {
            match act().map_err(Into::into) {
                Ok(done) => return Some(done),
                Err(refusal) => self.tell(call, Some(refusal)),
            }
        }
        self.bad("STUCK", call);
        None
    }

    pub(crate) fn tell(&mut self, call: &'static str, refusal: Option<Refusal>) {
        if self.reported.len() < ROOM {
            self.reported.push((call, refusal));
        }
    }

    /// Something is wrong: `LOST signal`.
    pub(crate) fn bad(&mut self, how: &'static str, what: &'static str) {
        if self.bad.len() < ROOM && !self.bad.contains(&(how, what)) {
            self.bad.push((how, what));
        }
    }

    /// Ends: prints the line, and says whether all was well. More memory and descriptors are for the driver to judge, which
    /// knows what a run without faults leaves, and whether it was close(2) that failed.
    pub(crate) fn end(self) -> bool {
        let bytes = sys::bytes_allocated() - self.bytes;
        let descriptors = i64::from(sys::open_descriptors().len()) - i64::from(self.descriptors.len());
        sys::mark();
        let mut line = format!("torture: {}: ", self.who);
        if !self.bad.is_empty() {
            line.push_str("BAD: ");
            for (how, what) in &self.bad {
                let _ = write!(line, "{how} {what}; ");
            }
        } else if self.reported.is_empty() {
            line.push_str("ok ");
        } else {
            line.push_str("clean error ");
        }
        for (call, refusal) in &self.reported {
            let _ = match refusal {
                Some(refusal) => write!(line, "({call}: {refusal}) "),
                None => write!(line, "({call} got ERROR) "),
            };
        }
        let _ = writeln!(line, "bytes={bytes} fds={descriptors}");
        sys::print(&line);
        self.bad.is_empty()
    }
}
