//! The system's information about a process.

use std::fs;
use std::io::{self, ErrorKind};

/// The resources of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holdings {
    pub(crate) descriptors: usize,
    /// Private memory in KiB, without the pages of its program, which are loaded on demand.
    pub(crate) memory: u64,
}

impl Holdings {
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count();
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let memory = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Ok(Self { descriptors, memory: memory.ok_or(ErrorKind::InvalidData)? })
    }
}
