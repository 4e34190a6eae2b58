//! What was done, and the results.

use crate::lane::Told;
use crate::script::Step;

/// On all backends.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) done: Vec<Step>,
    /// On epoll, poll and select.
    pub(crate) tracks: [Track; 3],
}

/// The results on one backend, for libevent to repeat.
#[derive(Debug, Default)]
pub(crate) struct Track {
    /// The steps, as the driver reads them.
    pub(crate) lines: Vec<String>,
    pub(crate) turns: Vec<Told>,
}

impl Trace {
    pub(crate) fn handed_out(&self) -> usize {
        self.tracks.iter().flat_map(|track| &track.turns).map(|turn| turn.handed.len()).sum()
    }

    /// Adds a step that affects the sources to all tracks.
    pub(crate) fn add(&mut self, line: &str) {
        self.tracks.iter_mut().for_each(|track| track.lines.push(line.to_owned()));
    }
}
