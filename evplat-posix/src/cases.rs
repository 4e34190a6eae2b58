//! Tests that `Poll` and `Select` must both pass, with either storage. Each case runs in a process of its own, so it
//! can close descriptors that the backend still has registered without disturbing another test.

use core::time::Duration;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use evcore::backend::{FdInfos, Features, Modified, Sink, Sleep, Token, Wake};
use evcore::{Fd, Instant, Interest, Ready};
use libc::{SIGTERM, SIGUSR1};

use crate::doorbell::Doorbell;
use crate::error::Error;
use crate::sys::tests::{in_child, raise};
use crate::table::Place;

mod numbers;
mod ready;
mod starts;
mod waits;

pub(crate) use numbers::*;
pub(crate) use ready::*;
pub(crate) use starts::*;
pub(crate) use waits::*;

/// Stands in for the core.
#[derive(Default)]
pub(crate) struct Core {
    places: HashMap<u64, Place>,
    ready: Vec<(u64, Ready)>,
    failed: Vec<u64>,
    signals: Vec<(i32, u32)>,
}

impl FdInfos<Place> for Core {
    fn info(&mut self, token: Token) -> Option<&mut Place> {
        Some(self.places.entry(token.to_bits()).or_default())
    }
}

impl Sink<Fd> for Core {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        self.ready.push((token.to_bits(), ready));
        self.places.contains_key(&token.to_bits())
    }

    fn ready_fd(&mut self, _: Fd, _: Ready) -> bool {
        unreachable!("these backends keep tokens")
    }

    fn failed(&mut self, token: Token) {
        self.failed.push(token.to_bits());
    }

    fn signal(&mut self, signum: i32, count: u32) {
        self.signals.push((signum, count));
    }

    fn woken(&mut self) {}

    fn rebuild(&mut self) {
        unreachable!("these backends have nothing that could get out of step")
    }
}

/// A backend with its stand-in for the core. Each registration has a number.
pub(crate) struct Rig<B> {
    pub(crate) backend: B,
    pub(crate) core: Core,
}

pub(crate) trait Backend: Wake<Fd = Fd, FdInfo = Place, Error = Error, Waker = crate::Waker> {}
impl<B: Wake<Fd = Fd, FdInfo = Place, Error = Error, Waker = crate::Waker>> Backend for B {}

impl<B: Backend> Rig<B> {
    pub(crate) fn new(backend: Result<B, Error>) -> Self {
        Self { backend: backend.unwrap(), core: Core::default() }
    }

    pub(crate) fn try_add(&mut self, fd: Fd, name: u64, interest: Interest) -> Result<(), Error> {
        self.backend.add(fd, Token::from_bits(name), interest, &mut self.core)
    }

    pub(crate) fn add(&mut self, fd: &impl AsFd, name: u64, interest: Interest) {
        self.try_add(Fd::of(fd), name, interest).unwrap();
    }

    pub(crate) fn modify(&mut self, fd: Fd, name: u64, old: Interest, new: Interest) -> Result<Modified, Error> {
        self.backend.modify(fd, Token::from_bits(name), old, new, &mut self.core)
    }

    pub(crate) fn del(&mut self, fd: Fd, name: u64, old: Interest) {
        self.backend.del(fd, Token::from_bits(name), old, &mut self.core);
        self.core.places.remove(&name);
    }

    /// The reports of one wait, in order.
    pub(crate) fn wait(&mut self, wait: Sleep) -> Vec<(u64, Ready)> {
        self.backend.dispatch(wait, &mut self.core).unwrap();
        core::mem::take(&mut self.core.ready)
    }

    pub(crate) fn look(&mut self) -> Vec<(u64, Ready)> {
        self.wait(Sleep::None)
    }

    /// Waits for `milliseconds`. Returns the time the wait took and its reports.
    fn sleep(&mut self, milliseconds: u64) -> (Duration, Vec<(u64, Ready)>) {
        let start = self.backend.now();
        let found = self.wait(Sleep::Until(start.saturating_add(Duration::from_millis(milliseconds))));
        (self.backend.now().saturating_since(start), found)
    }

    /// Whether a wait reports nothing and lasts as long as it should.
    pub(crate) fn is_idle(&mut self) -> bool {
        let (time, found) = self.sleep(30);
        found.is_empty() && time >= Duration::from_millis(30)
    }

    fn has(&self, feature: Features) -> bool {
        self.backend.features().contains(feature)
    }
}

/// Runs a case in a process of its own.
pub(crate) fn alone(case: impl FnOnce()) {
    let status = in_child(|| {
        case();
        true
    });
    assert_eq!(status, 0, "the case failed in its process: run it with --nocapture to see why");
}

/// The read end and the write end of a pipe.
pub(crate) fn pipe() -> (File, File) {
    let (reader, writer) = crate::sys::pipe().unwrap();
    (reader.into(), writer.into())
}

fn full_pipe() -> (File, File) {
    let (reader, mut writer) = pipe();
    writer.write_all(b"x").unwrap();
    (reader, writer)
}

/// A duplicate of `fd` whose number is at least `least`.
pub(crate) fn high(fd: &impl AsFd, least: i32) -> OwnedFd {
    crate::sys::tests::duplicate(fd, least)
}

/// Expands to one test per case for one backend.
macro_rules! cases {
    ($make:expr; $($case:ident)*) => { $(
        #[test]
        fn $case() {
            $crate::cases::$case($make);
        }
    )* };
    ($make:expr) => {
        $crate::cases::cases! { $make;
            files_are_always_ready
            the_end_of_a_pipe_wakes_both_sides
            half_close_is_closed_where_supported
            urgent_data_is_priority_and_not_read
            a_reset_wakes_every_interest
            a_closed_descriptor_fails_alone_and_once
            a_closed_descriptor_hides_no_ready_one
            a_number_that_is_another_files_now_is_noticed
            another_file_under_a_number_is_reported_once
            another_silent_file_is_reported_beside_a_busy_one
            another_ready_file_is_found_after_251_reports
            a_registration_that_ended_does_not_end_the_next_of_its_number
            the_doorbells_number_is_refused
            what_is_refused_leaves_nothing
            interest_can_change
            the_table_stays_in_order
            each_ready_one_comes_to_be_the_first
            reinit_forgets_everything
            waits_are_precise_and_never_early
            a_long_wait_is_one_wait
            a_broken_doorbell_is_an_error_and_loses_no_wake
            a_wake_ends_one_wait_and_leaves_the_loop_idle
            a_wake_and_a_ready_descriptor_are_both_seen
            signals_end_a_wait_and_are_counted
            child_has_its_own_base_after_reinit
            nothing_is_left_after_a_thousand
        }
    };
}
pub(crate) use cases;
