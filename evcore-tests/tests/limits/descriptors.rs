//! Too few descriptors, and enough again.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};

use evcore::{EventBase, Fd, Interest, Ready, Wait};
use libc::{EINVAL, EMFILE, SIGUSR1};

use crate::{Backend, Base, Make, sys, turn};

on_each_backend! {
    each_step_of_a_server_is_made_or_refused_and_then_made
}

/// With this limit nothing is refused.
const ENOUGH: u64 = 64;

/// A server's limit of descriptors, and how many times it was refused something.
struct Limit {
    limit: u64,
    refusals: u32,
}

impl Limit {
    /// Carries out a step under the limit. A refusal must be due to lack of descriptors and leave none open; with
    /// more of them the same step must succeed.
    fn step<T>(&mut self, what: &str, mut act: impl FnMut() -> io::Result<T>) -> T {
        let before = sys::open_descriptors();
        sys::limit_descriptors(self.limit);
        let done = act();
        sys::limit_descriptors(ENOUGH);
        match done {
            Ok(done) => done,
            Err(error) => {
                // poll(2) returns EINVAL for more entries than the limit of descriptors.
                let is_clear = matches!(error.raw_os_error(), Some(EMFILE))
                    || error.raw_os_error() == Some(EINVAL) && what == "wait";
                assert!(is_clear, "{what} under {}: {error}", self.limit);
                assert_eq!(sys::open_descriptors(), before, "{what} under {}", self.limit);
                self.refusals += 1;
                act().unwrap_or_else(|error| panic!("{what} after {}: {error}", self.limit))
            }
        }
    }
}

fn each_step_of_a_server_is_made_or_refused_and_then_made<B: Backend>(make: Make<B>) {
    sys::close_all();
    let before = sys::open_descriptors();
    let refusals: Vec<u32> = (3..=16)
        .map(|limit| {
            let mut limit = Limit { limit, refusals: 0 };
            serve(&mut limit, make);
            assert_eq!(sys::open_descriptors(), before, "under {}", limit.limit);
            limit.refusals
        })
        .collect();
    // At first the listener, the client, the accepted connection and the doorbell are refused, and at the end nothing
    // is. In between the number of refusals need not decrease: below 3 a choice falls back to poll(2), which needs no
    // descriptor, and below 4 it makes epoll.
    assert!(refusals[0] >= 4 && refusals.last() == Some(&0), "{refusals:?}");
}

fn serve<B: Backend>(limit: &mut Limit, make: Make<B>) {
    let mut base: Base<B> = EventBase::new(limit.step("new", || Ok(make()?)));
    let waker = limit.step("waker", || Ok(base.waker()?));
    limit.step("signal", || Ok(base.insert_signal(SIGUSR1, 1)?));
    let listener = limit.step("listen", || TcpListener::bind("127.0.0.1:0"));
    listener.set_nonblocking(true).unwrap();
    limit.step("watch", || Ok(base.insert(Fd::of(&listener), Interest::READ, 2)?));
    let address = listener.local_addr().unwrap();
    let mut client = limit.step("connect", || TcpStream::connect(address));
    assert_eq!(limit.step("wait", || Ok(turn(&mut base, Wait::Forever)?)), [(2, Ready::READ)]);
    // Until the connection is accepted, the loop continues to report the listener.
    let (served, _) =
        limit.step("accept", || listener.accept().inspect_err(|_| assert!(base.check() && base.counts().active == 0)));
    limit.step("watch", || Ok(base.insert(Fd::of(&served), Interest::READ, 3)?));
    client.write_all(b"x").unwrap();
    assert_eq!(limit.step("wait", || Ok(turn(&mut base, Wait::Forever)?)), [(3, Ready::READ)]);
    sys::raise(SIGUSR1);
    waker.wake();
    assert_eq!(limit.step("wait", || Ok(turn(&mut base, Wait::Forever)?)), [(1, Ready::SIGNAL), (3, Ready::READ)]);
    limit.step("new start", || Ok(base.reinit()?));
    assert_eq!(limit.step("wait", || Ok(turn(&mut base, Wait::Forever)?)), [(3, Ready::READ)]);
    assert!(base.check());
}
