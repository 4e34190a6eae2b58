//! The fixture for `Manual`.

use core::time::Duration;

use evcore::backend::{Manual, Signum, Wake, WakeFlag};
use evcore::{Instant, Ready};

use crate::fixture::Fixture;

/// The fixture for [`Manual`]: sources are numbers, time is virtual, and there are no other threads.
///
/// With the feature `std` it also catches panics.
///
/// `N` is the number of sources `Manual` has room for.
#[derive(Debug, Default)]
pub struct ByHand<const N: usize = 64> {
    sources: u32,
    /// For the first backend only: two backends with one flag would take each other's wakes.
    flag: Option<&'static WakeFlag>,
}

impl ByHand {
    /// Creates a fixture whose backends have no waker.
    #[must_use]
    pub const fn new() -> Self {
        Self { sources: 0, flag: None }
    }

    /// Like [`ByHand::new`], with a waker. No other fixture may use the flag.
    ///
    /// ```
    /// use evcore::backend::WakeFlag;
    /// use evcore_tests::{ByHand, conformance};
    ///
    /// conformance!(manual, {
    ///     static FLAG: WakeFlag = WakeFlag::new();
    ///     ByHand::with_flag(&FLAG)
    /// });
    /// # fn main() {}
    /// ```
    #[must_use]
    pub const fn with_flag(flag: &'static WakeFlag) -> Self {
        Self { sources: 0, flag: Some(flag) }
    }
}

impl<const N: usize> ByHand<N> {
    /// Like [`ByHand::with_flag`], with room for `N` sources, for cases that need many.
    #[must_use]
    pub const fn with_room(flag: &'static WakeFlag) -> Self {
        Self { sources: 0, flag: Some(flag) }
    }
}

/// Every second number is far from the previous one and has the same lower bits, to detect backends that confuse
/// them.
const fn number(source: u32) -> u32 {
    source.div_ceil(2) | if source % 2 == 0 { 1 << 24 } else { 0 }
}

fn change<const N: usize>(backend: &mut Manual<N>, source: u32, gone: Ready, come: Ready) -> bool {
    let state = backend.ready(source).difference(gone) | come;
    backend.set_ready(source, state)
}

impl<const N: usize> Fixture for ByHand<N> {
    type Backend = Manual<N>;
    type Source = u32;
    type Waker = &'static WakeFlag;
    const IS_VIRTUAL: bool = true;

    fn backend(&mut self) -> Manual<N> {
        match self.flag.take() {
            Some(flag) => Manual::with_room().with_flag(flag),
            None => Manual::with_room(),
        }
    }

    fn source(&mut self, backend: &mut Manual<N>) -> u32 {
        self.sources += 1;
        let source = number(self.sources);
        assert!(backend.set_ready(source, Ready::WRITE), "`Manual` has no room for another source");
        source
    }

    fn sources(&self) -> usize {
        N.saturating_sub(16)
    }

    fn fd(&self, source: &u32) -> u32 {
        *source
    }

    fn feed(&mut self, backend: &mut Manual<N>, source: &mut u32) {
        change(backend, *source, Ready::empty(), Ready::READ);
    }

    fn drain(&mut self, backend: &mut Manual<N>, source: &mut u32) {
        change(backend, *source, Ready::READ, Ready::empty());
    }

    fn pass(&mut self, backend: &mut Manual<N>, time: Duration) {
        backend.advance(time);
    }

    fn fill(&mut self, backend: &mut Manual<N>, source: &mut u32) -> bool {
        change(backend, *source, Ready::WRITE, Ready::empty())
    }

    fn make_room(&mut self, backend: &mut Manual<N>, source: &mut u32) -> bool {
        change(backend, *source, Ready::empty(), Ready::WRITE)
    }

    fn half_close(&mut self, backend: &mut Manual<N>, source: &mut u32) -> bool {
        change(backend, *source, Ready::empty(), Ready::READ | Ready::CLOSED)
    }

    fn hang_up(&mut self, backend: &mut Manual<N>, source: &mut u32) -> bool {
        change(backend, *source, Ready::empty(), Ready::READ | Ready::WRITE | Ready::HANGUP | Ready::CLOSED)
    }

    fn reset(&mut self, backend: &mut Manual<N>, source: &mut u32) -> bool {
        // Without CLOSED: a system need not report a reset as a shutdown of the peer's writing side.
        change(backend, *source, Ready::empty(), Ready::READ | Ready::WRITE | Ready::ERROR | Ready::HANGUP)
    }

    fn urgent(&mut self, backend: &mut Manual<N>) -> Option<u32> {
        let source = self.source(backend);
        change(backend, source, Ready::empty(), Ready::URGENT);
        Some(source)
    }

    fn listener(&mut self, backend: &mut Manual<N>) -> Option<u32> {
        let source = self.source(backend);
        change(backend, source, Ready::WRITE, Ready::empty());
        Some(source)
    }

    fn file(&mut self, backend: &mut Manual<N>, kind: usize) -> Option<u32> {
        let source = (kind == 0).then(|| self.source(backend))?;
        change(backend, source, Ready::empty(), Ready::READ | Ready::WRITE);
        Some(source)
    }

    fn refuse(&mut self, backend: &mut Manual<N>, count: u32) -> bool {
        backend.refuse(count);
        true
    }

    fn refuse_for_now(&mut self, backend: &mut Manual<N>, count: u32) -> bool {
        backend.refuse_for_now(count);
        true
    }

    fn set_batch(&mut self, backend: &mut Manual<N>, batch: usize) -> bool {
        backend.set_batch(batch);
        true
    }

    fn turn_back(&mut self, backend: &mut Manual<N>, time: Duration) -> bool {
        let now = evcore::backend::EventOp::now(backend).saturating_since(Instant::ZERO);
        backend.set_now(Instant::ZERO.saturating_add(now.saturating_sub(time)));
        true
    }

    fn waker(&mut self, backend: &mut Manual<N>) -> Option<&'static WakeFlag> {
        backend.waker().ok()
    }

    fn wake(waker: &&'static WakeFlag) {
        waker.wake();
    }

    fn signal(&self, which: usize) -> Option<Signum> {
        [10, 12, 15, 34, 64].get(which).copied()
    }

    fn raise(&mut self, backend: &mut Manual<N>, signum: Signum) {
        backend.raise(signum);
    }

    #[cfg(feature = "std")]
    fn catch(&mut self, panicking: &mut dyn FnMut()) -> Option<bool> {
        Some(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err())
    }
}
