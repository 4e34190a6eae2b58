//! The results.

use std::time::Duration;

use crate::process::Holdings;

/// How much more memory, in KiB, is not considered a leak, because of the allocator's fragmentation. The smallest
/// leak to be detected, 64 bytes a connection, is more than that in the default 20 s.
const MEMORY_NOISE: u64 = 512;

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) half_closed: u64,
    pub(crate) reset: u64,
    pub(crate) idle: u64,
    pub(crate) sent: u64,
    /// Bytes on connections that the client reset.
    pub(crate) broken_off: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) signals: u64,
    pub(crate) wakes: u64,
    pub(crate) stops: u64,
    pub(crate) lateness: Duration,
    /// The server's own summary.
    pub(crate) server: String,
    pub(crate) wrong: Vec<String>,
}

impl Report {
    /// Compares the resources of a process after the first round and after the last.
    pub(crate) fn compare(&mut self, whose: &str, first: Holdings, last: Holdings) {
        println!(
            "soak: {whose}: {} descriptors and {} KiB after the first round, {} and {} KiB after the last",
            first.descriptors, first.memory, last.descriptors, last.memory
        );
        if first.descriptors != last.descriptors {
            self.wrong.push(format!("{whose} has {} descriptors, and had {}", last.descriptors, first.descriptors));
        }
        if last.memory > first.memory + MEMORY_NOISE {
            self.wrong.push(format!("{whose} has {} KiB, and had {}", last.memory, first.memory));
        }
    }

    /// Prints everything. Returns whether all is well.
    pub(crate) fn print(&self) -> bool {
        println!("soak: server: {}", self.server);
        println!(
            "soak: {} connections: {} closed, {} half-closed, {} reset, {} idle; {} signals, {} wakes, {} stops of the server",
            self.opened, self.closed, self.half_closed, self.reset, self.idle, self.signals, self.wakes, self.stops
        );
        println!(
            "soak: bytes: {} sent, {} received, {} lost; and {} sent on what was reset",
            self.sent, self.received, self.lost, self.broken_off
        );
        println!("soak: largest timer lateness {:?} (the server's is in its line)", self.lateness);
        for wrong in self.wrong.iter().take(20) {
            println!("soak: WRONG: {wrong}");
        }
        if self.wrong.len() > 20 {
            println!("soak: WRONG: and {} more", self.wrong.len() - 20);
        }
        let is_well = self.wrong.is_empty() && self.lost == 0;
        println!("soak: {}", if is_well { "all is well" } else { "FAILED" });
        is_well
    }
}
