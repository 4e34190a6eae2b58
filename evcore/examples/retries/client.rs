//! What is to be tested: a client with time limits, retries, back-off and a circuit breaker. It knows neither the network nor the
//! clock: the one is a parameter, the other belongs to the executor.

use core::cell::Cell;
use core::future::Future;
use core::time::Duration;

use evcore::task::Handle;
use evcore::{Error, Instant};

/// How long an attempt may take, and how many there are.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);
pub(crate) const ATTEMPTS: u32 = 4;
/// The pause before the second attempt, which doubles each time; half of it is random.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// After this many failures in a row, nothing is sent for a while, and then one attempt is made.
pub(crate) const FAILURES: u32 = 6;
pub(crate) const REST: Duration = Duration::from_secs(30);

/// What the client talks to.
pub(crate) trait Network {
    fn call(&self, request: u32) -> impl Future<Output = Result<u32, Refused>>;
}

/// The server, or the way to it, said no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    /// The last attempt was refused, or took too long.
    Refused,
    TimedOut,
    /// The breaker is open: nothing was sent.
    Open,
}

pub(crate) struct Client<N, F, E> {
    network: N,
    handle: Handle<F, E>,
    random: Random,
    failures: Cell<u32>,
    open_until: Cell<Instant>,
}

impl<N: Network, F: 'static, E: 'static> Client<N, F, E> {
    pub(crate) fn new(network: N, handle: Handle<F, E>, seed: u64) -> Self {
        let random = Random(Cell::new(seed));
        Self { network, handle, random, failures: Cell::new(0), open_until: Cell::new(Instant::ZERO) }
    }

    /// Sends a request until it is answered. The outer error is the executor's.
    pub(crate) async fn request(&self, request: u32) -> Result<Result<u32, Failed>, Error<E>> {
        let (mut pause, mut failed) = (PAUSE, Failed::Open);
        for attempt in 0..ATTEMPTS {
            if self.handle.now()? < self.open_until.get() {
                return Ok(Err(Failed::Open));
            }
            if attempt > 0 {
                self.handle.sleep(pause / 2 + self.random.below(pause / 2)).await?;
                pause *= 2;
            }
            failed = match self.handle.timeout(LIMIT, self.network.call(request)).await {
                Ok(Ok(answer)) => {
                    self.failures.set(0);
                    return Ok(Ok(answer));
                }
                Ok(Err(Refused)) => Failed::Refused,
                Err(Error::TimedOut) => Failed::TimedOut,
                Err(error) => return Err(error),
            };
            self.note_failure()?;
        }
        Ok(Err(failed))
    }

    fn note_failure(&self) -> Result<(), Error<E>> {
        self.failures.set(self.failures.get() + 1);
        if self.failures.get() >= FAILURES {
            self.open_until.set(self.handle.now()? + REST);
        }
        Ok(())
    }
}

/// Numbers that a seed decides (splitmix64).
pub(crate) struct Random(pub(crate) Cell<u64>);

impl Random {
    pub(crate) fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut bits = self.0.get();
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ bits >> 31
    }

    pub(crate) fn below(&self, limit: Duration) -> Duration {
        Duration::from_micros(self.next() % (limit.as_micros() as u64).max(1))
    }
}
