//! A sink for tests that stores the reports.

use evcore::backend::{EventOp, FdInfos, Signum, Sink, Sleep, Token};
use evcore::{Fd, Ready};

use crate::epoll::Epoll;

/// The reports of one or more dispatches.
#[derive(Default, Debug)]
pub(crate) struct Found {
    pub(crate) ready: Vec<(u64, Ready)>,
    pub(crate) failed: Vec<u64>,
    pub(crate) signals: Vec<(Signum, u32)>,
    pub(crate) rebuilds: u32,
    /// Tokens whose registrations have ended.
    pub(crate) ended: Vec<u64>,
}

impl Found {
    /// The reports of one dispatch.
    pub(crate) fn of(epoll: &mut Epoll, wait: Sleep) -> Self {
        let mut found = Self::default();
        epoll.dispatch(wait, &mut found).unwrap();
        found
    }

    /// What a dispatch without waiting reports as ready, sorted by token.
    pub(crate) fn now(epoll: &mut Epoll) -> Vec<(u64, Ready)> {
        let mut ready = Self::of(epoll, Sleep::None).ready;
        ready.sort_by_key(|(token, _)| *token);
        ready
    }
}

impl Sink<Fd> for Found {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        if token == Token::NONE {
            return false;
        }
        if self.ended.contains(&token.to_bits()) {
            return false;
        }
        self.ready.push((token.to_bits(), ready));
        true
    }

    fn ready_fd(&mut self, _: Fd, _: Ready) -> bool {
        unreachable!("epoll keeps tokens")
    }

    fn failed(&mut self, token: Token) {
        self.failed.push(token.to_bits());
    }

    fn signal(&mut self, signum: Signum, count: u32) {
        self.signals.push((signum, count));
    }

    fn woken(&mut self) {}

    fn rebuild(&mut self) {
        self.rebuilds += 1;
    }
}

/// For backends that store no data in the fd map.
pub(crate) struct NoInfos;

impl FdInfos<()> for NoInfos {
    fn info(&mut self, _: Token) -> Option<&mut ()> {
        None
    }
}

pub(crate) fn token(bits: u64) -> Token {
    Token::from_bits(bits)
}
