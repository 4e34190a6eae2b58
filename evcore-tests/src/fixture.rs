//! What the suite needs to test a backend.

use core::time::Duration;

use evcore::backend::{EventOp, Signum};

/// The descriptor type of a fixture's backend.
pub type FdOf<F> = <<F as Fixture>::Backend as EventOp>::Fd;

/// The error type of a fixture's backend.
pub(crate) type ErrorOf<F> = <<F as Fixture>::Backend as EventOp>::Error;

/// A backend, sources that it can watch, and operations on them.
///
/// Each fixture must have the methods without a body. The others are optional: their default, `false` or `None`, says
/// that the fixture cannot do this. Each method gets the backend, in case it is needed.
///
/// The effect of a method must be visible to the backend's next wait when the method returns, or very soon after:
/// cases wait up to [`PATIENCE`](crate::PATIENCE) for expected events.
///
/// ```
/// use core::time::Duration;
/// use evcore::backend::Manual;
/// use evcore::Ready;
/// use evcore_tests::Fixture;
///
/// /// A fixture with as few methods as possible.
/// struct Plain {
///     sources: u32,
/// }
///
/// impl Fixture for Plain {
///     type Backend = Manual;
///     type Source = u32;
///     type Waker = ();
///     const IS_VIRTUAL: bool = true;
///
///     fn backend(&mut self) -> Manual {
///         Manual::new()
///     }
///     fn source(&mut self, backend: &mut Manual) -> u32 {
///         self.sources += 1;
///         backend.set_ready(self.sources, Ready::WRITE);
///         self.sources
///     }
///     fn fd(&self, source: &u32) -> u32 {
///         *source
///     }
///     fn feed(&mut self, backend: &mut Manual, source: &mut u32) {
///         backend.set_ready(*source, Ready::READ | Ready::WRITE);
///     }
///     fn drain(&mut self, backend: &mut Manual, source: &mut u32) {
///         backend.set_ready(*source, Ready::WRITE);
///     }
///     fn pass(&mut self, backend: &mut Manual, time: Duration) {
///         backend.advance(time);
///     }
/// }
///
/// let proof = evcore_tests::readiness::level_repeats::<_, evcore::Fixed<8>>(Plain { sources: 0 });
/// assert_eq!(proof, evcore_tests::Proof::Shown);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a fixture of the conformance suite",
    label = "this wants your backend, and the ways to make its sources ready",
    note = "on Unix take `evcore_tests::Unix::new(YourBackend::new, YourWaker::wake)`, else implement `evcore_tests::Fixture`"
)]
pub trait Fixture {
    /// The backend to test.
    type Backend: EventOp;
    /// Something the backend can watch: usually one end of a channel whose other end the fixture keeps.
    type Source;
    /// What wakes the backend; `()` if the fixture has no wakers.
    type Waker: Clone + Send + Sync + 'static;

    /// Whether time advances only in [`pass`](Fixture::pass) and in waits, and exactly as far as requested.
    const IS_VIRTUAL: bool;

    /// Creates a backend. A case may create several.
    fn backend(&mut self) -> Self::Backend;

    /// Creates a source for both directions: with nothing to read, and with room to write.
    fn source(&mut self, backend: &mut Self::Backend) -> Self::Source;

    /// The source's descriptor.
    fn fd(&self, source: &Self::Source) -> FdOf<Self>;

    /// Gives the source something to read, which is an edge.
    fn feed(&mut self, backend: &mut Self::Backend, source: &mut Self::Source);

    /// Reads everything from the source.
    fn drain(&mut self, backend: &mut Self::Backend, source: &mut Self::Source);

    /// Lets time pass.
    fn pass(&mut self, backend: &mut Self::Backend, time: Duration);

    /// How long a case waits for expected events. A test that expects a failure returns less than
    /// [`PATIENCE`](crate::PATIENCE).
    fn patience(&self) -> Duration {
        crate::PATIENCE
    }

    // Optional operations on sources.

    /// The maximum number of sources at one time. Cases that need more are skipped, and say so.
    fn sources(&self) -> usize {
        48
    }

    /// Writes until there is no more room.
    fn fill(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// Makes room again, by reading at the other end.
    fn make_room(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// The peer shuts down its writing side.
    fn half_close(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// The peer closes the connection.
    fn hang_up(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// The peer resets the connection, which is an error.
    fn reset(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// Creates a source with pending urgent data, and nothing else.
    fn urgent(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// Creates a listener: feeding it connects to it, draining it accepts.
    fn listener(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// Starts to connect, without waiting, to an address without a listener: the connection will be refused.
    fn refused(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// Whether the system reports that this connection was refused. Asking clears the error.
    fn is_refused(&self, source: &Self::Source) -> bool {
        let _ = source;
        false
    }

    /// Creates a source that can only be read, whose peer hangs up with nothing left to read: a pipe.
    fn pipe(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// Creates a source that never blocks, of one of several kinds, counted from 0.
    fn file(&mut self, backend: &mut Self::Backend, kind: usize) -> Option<Self::Source> {
        let _ = (backend, kind);
        None
    }

    // Optional operations on descriptors.

    /// Creates another descriptor of the same source.
    fn duplicate(&mut self, backend: &mut Self::Backend, source: &Self::Source) -> Option<Self::Source> {
        let _ = (backend, source);
        None
    }

    /// Closes the source's descriptor, whether or not it is registered. [`fd`](Fixture::fd) still returns its number.
    fn close(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// Closes the source's descriptor and makes it a new source whose descriptor has the same number.
    fn reuse(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// Whether the peer of a source with a closed descriptor reads the end of the data.
    fn is_over_for_peer(&mut self, source: &mut Self::Source) -> Option<bool> {
        let _ = source;
        None
    }

    // Optional operations on the backend.

    /// Makes the backend refuse the next `count` registrations and changes.
    fn refuse(&mut self, backend: &mut Self::Backend, count: u32) -> bool {
        let _ = (backend, count);
        false
    }

    /// Makes the backend refuse the next `count` registrations and changes with a temporary error, such as lack of
    /// memory.
    fn refuse_for_now(&mut self, backend: &mut Self::Backend, count: u32) -> bool {
        let _ = (backend, count);
        false
    }

    /// Makes each wait report at most `batch` descriptors.
    fn set_batch(&mut self, backend: &mut Self::Backend, batch: usize) -> bool {
        let _ = (backend, batch);
        false
    }

    /// Turns the backend's clock back, as faulty hardware does.
    fn turn_back(&mut self, backend: &mut Self::Backend, time: Duration) -> bool {
        let _ = (backend, time);
        false
    }

    /// The time since some starting point, by a clock other than the backend's.
    fn elapsed(&self) -> Option<Duration> {
        None
    }

    // Optional operations on other threads, signals and processes.

    /// Creates a waker of the backend.
    fn waker(&mut self, backend: &mut Self::Backend) -> Option<Self::Waker> {
        let _ = backend;
        None
    }

    /// Whether each backend has wakers of its own, which do not wake another backend.
    fn has_wakers_apart(&self) -> bool {
        false
    }

    /// Wakes the backend.
    fn wake(waker: &Self::Waker) {
        let _ = waker;
    }

    /// Wakes the backend after a delay, from another thread or an interrupt.
    fn wake_later(&mut self, waker: &Self::Waker, delay: Duration) -> bool {
        let _ = (waker, delay);
        false
    }

    /// Feeds a source after a delay, from another thread or an interrupt.
    fn feed_later(&mut self, source: &mut Self::Source, delay: Duration) -> bool {
        let _ = (source, delay);
        false
    }

    /// The signals that cases may use, counted from 0; at least two if any.
    fn signal(&self, which: usize) -> Option<Signum> {
        let _ = which;
        None
    }

    /// Numbers that are no signal's, or a signal's that cannot be watched, counted from 0.
    fn bad_signal(&self, which: usize) -> Option<Signum> {
        let _ = which;
        None
    }

    /// Raises a watched signal.
    fn raise(&mut self, backend: &mut Self::Backend, signum: Signum) {
        let _ = (backend, signum);
    }

    /// Raises a watched signal many times; fewer than `times` if it takes long.
    fn raise_many(&mut self, backend: &mut Self::Backend, signum: Signum, times: u32) {
        for _ in 0..times {
            self.raise(backend, signum);
        }
    }

    /// Raises a watched signal after a delay, from another thread or an interrupt, so that it interrupts this thread.
    fn raise_later(&mut self, signum: Signum, delay: Duration) -> bool {
        let _ = (signum, delay);
        false
    }

    /// Stops this process after a delay and continues it after a pause, as a shell does (`SIGSTOP`, `SIGCONT`).
    /// Another process does this; if that failed, [`finish`](Fixture::finish) panics.
    fn stop_later(&mut self, delay: Duration, pause: Duration) -> bool {
        let _ = (delay, pause);
        false
    }

    /// Waits until all delayed operations have happened.
    fn finish(&mut self) {}

    /// A number that identifies what a signal would do now; it differs if the signal would do something else.
    fn disposition(&self, signum: Signum) -> Option<usize> {
        let _ = signum;
        None
    }

    /// Runs `child` in a forked child process and returns its result.
    fn fork(&mut self, child: &mut dyn FnMut(&mut Self) -> bool) -> Option<bool> {
        let _ = child;
        None
    }

    /// The number of open descriptors of the process.
    fn open_descriptors(&self) -> Option<usize> {
        None
    }

    /// The number of descriptors that a program executed by this one would inherit, besides the standard ones.
    fn inherited_descriptors(&self) -> Option<usize> {
        None
    }

    /// Calls a function that panics, and catches the panic. `false` if it did not panic.
    fn catch(&mut self, panicking: &mut dyn FnMut()) -> Option<bool> {
        let _ = panicking;
        None
    }

    /// Ensures that nothing else runs in the process from here on: for cases about signals, and about descriptor
    /// numbers.
    fn alone(&mut self) {}
}
