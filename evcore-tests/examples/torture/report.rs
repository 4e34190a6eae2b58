//! The results.

use std::fmt::Write;

use evplat_posix::Error;

use crate::sys::{self, Numbers};

type Refusal = evcore::Error<Error>;

/// What was reported to the program, and what went wrong without a report. Its lists do not grow, so that it does not
/// affect the count of memory.
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
    /// Begins: what is allocated and opened from here on must be freed at the end.
    pub(crate) fn new(who: &'static str) -> Self {
        let (reported, bad) = (Vec::with_capacity(ROOM), Vec::with_capacity(ROOM));
        Self { who, reported, bad, bytes: sys::bytes_allocated(), descriptors: sys::open_descriptors() }
    }

    /// Repeats a call until it succeeds. The fault is gone the second time; but some calls make several system calls,
    /// and more of those may fail.
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

    /// Records a failure: `LOST signal`.
    pub(crate) fn bad(&mut self, how: &'static str, what: &'static str) {
        if self.bad.len() < ROOM && !self.bad.contains(&(how, what)) {
            self.bad.push((how, what));
        }
    }

    /// Prints the line, and returns whether all was well. The driver judges leaked memory and descriptors, as it
    /// knows what a run without faults leaves, and whether close(2) failed.
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
