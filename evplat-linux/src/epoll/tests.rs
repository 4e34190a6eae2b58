use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use evcore::Ready;
use evcore::backend::Wake;

use super::*;
use crate::EventBase;
use crate::sink::{Found, NoInfos, token};
use crate::sys::tests::{
    alarm_every, close_all, in_child, is_cloexec, is_readable, limit_descriptors, open_descriptors, pipe, raise, refuse,
};

mod descriptors;
mod files;
mod nest;
mod numbers;
mod ready;
mod waits;
mod wakeups;

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;
const EDGE: Interest = Interest::EDGE;

fn add(epoll: &mut Epoll, source: &impl AsFd, bits: u64, interest: Interest) {
    try_add(epoll, source, bits, interest).unwrap();
}

fn try_add(epoll: &mut Epoll, source: &impl AsFd, bits: u64, interest: Interest) -> Result<(), Error> {
    epoll.add(Fd::of(source), token(bits), interest, &mut NoInfos)
}

fn modify(epoll: &mut Epoll, source: &impl AsFd, bits: u64, new: Interest) -> Result<Modified, Error> {
    epoll.modify(Fd::of(source), token(bits), READ, new, &mut NoInfos)
}

fn del(epoll: &mut Epoll, source: &impl AsFd) {
    epoll.del(Fd::of(source), token(0), READ, &mut NoInfos);
}

fn watch(epoll: &mut Epoll, signum: i32) -> Result<(), Error> {
    epoll.signals().unwrap().add(signum)
}

fn unwatch(epoll: &mut Epoll, signum: i32) {
    epoll.signals().unwrap().del(signum);
}

/// Closes `old` and gives its number to `new`, like `close` followed by `open`.
fn reopen(old: &impl AsFd, new: impl Into<OwnedFd>) {
    sys::replace(&new.into(), old.as_fd().as_raw_fd()).unwrap();
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

/// A stream with one byte to read.
fn readable() -> (UnixStream, UnixStream) {
    let (mut near, far) = pair();
    near.write_all(b"x").unwrap();
    (far, near)
}

fn after(epoll: &Epoll, delay: Duration) -> Sleep {
    Sleep::Until(epoll.now().saturating_add(delay))
}

/// Whether a wait finds nothing and lasts as long as requested.
fn sleeps(epoll: &mut Epoll) -> bool {
    let deadline = epoll.now().saturating_add(Duration::from_millis(5));
    Found::of(epoll, Sleep::Until(deadline)).ready.is_empty() && epoll.now() >= deadline
}

fn errno<T: fmt::Debug>(answer: Result<T, Error>) -> Option<i32> {
    answer.unwrap_err().errno()
}
