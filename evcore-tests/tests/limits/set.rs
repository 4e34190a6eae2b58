//! Inspects a base's epoll set.

use std::fs;
use std::os::fd::{AsRawFd, RawFd};

use evcore::EventBase;
use evplat_linux::Epoll;

use crate::{Base, sys};

/// A base on epoll, and the number of its set, in a process that has no other.
pub(crate) fn base() -> (Base<Epoll>, RawFd) {
    let base = EventBase::new(Epoll::new().unwrap());
    let sets = numbers();
    assert_eq!(sets.len(), 1, "{sets:?}");
    (base, sets[0])
}

/// The epoll sets of this process.
pub(crate) fn numbers() -> Vec<RawFd> {
    let is_set = |number: &RawFd| {
        fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|what| what.to_string_lossy().contains("eventpoll"))
    };
    sys::open_descriptors().into_iter().filter(is_set).collect()
}

/// The 64 bits of user data that a set stores for a descriptor, as the kernel shows them: `tfd:        5 events:
/// 19 data:        100000000  pos:0 ino:2f sdev:8`.
pub(crate) fn bits(set: RawFd, fd: &impl AsRawFd) -> u64 {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{set}")).unwrap();
    let fd = fd.as_raw_fd().to_string();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let line = info.lines().map(words).find(|words| words.len() > 5 && words[0] == "tfd:" && words[1] == fd);
    let line = line.unwrap_or_else(|| panic!("{fd} is not in the set: {info}"));
    assert_eq!(line[4], "data:");
    u64::from_str_radix(&line[5], 16).unwrap()
}
