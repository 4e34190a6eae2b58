//! W8: operations whose cost may grow with N.
//!
//! | kind | N | one operation |
//! |---|---|---|
//! | `levels` | priorities that the 1,000 pipes of W1 are spread over, 100 of them active | a hand-out |
//! | `files-turn` | regular files that are watched and not due | a turn in which one pipe is ready |
//! | `files-add` | the same | a pipe's event is inserted and removed |
//! | `signal` | events on one signal | a hand-out |
//! | `fd-report` | events on one fd | a hand-out |
//! | `fd-insert` | events on one fd | one of them is inserted, and removed in the same order once all have been |
//! | `high-fd` | the number of a descriptor, far above all others | its event is inserted and removed |
//! | `fixed` | capacity of a base in arrays with one free slot | an event on a new fd is created and removed |

use std::io;

use crate::options::Options;
use crate::{Figures, Stopwatch};

/// Runs one pass that is not measured, then as many as all operations need. `pass` returns how many it has carried
/// out.
pub fn measure(options: &Options, mut pass: impl FnMut() -> io::Result<u64>) -> io::Result<Figures> {
    pass()?;
    let (mut done, watch) = (0, Stopwatch::start());
    while done < options.events {
        done += pass()?;
    }
    Ok(Figures::of(done, watch.stop()))
}
