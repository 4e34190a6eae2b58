//! What the suite needs of a backend's world.

use core::time::Duration;

use evcore::backend::{EventOp, Signum};

/// The descriptor type of a fixture's backend.
pub type FdOf<F> = <<F as Fixture>::Backend as EventOp>::Fd;

/// The error type of a fixture's backend.
pub(crate) type ErrorOf<F> = <<F as Fixture>::Backend as EventOp>::Error;

/// A backend, sources that it can watch, and what can be done to them.
///
/// The methods without a body are what each fixture must have. The others are powers: `false` or `None`, which is what they
/// answer where they are not written, means that the fixture has not got it. Each one gets the backend, in case it is the
/// backend that needs it.
///
/// What a method does must be visible to the backend's next wait when it returns, or very soon after: the cases wait up to
/// [`PATIENCE`](crate::PATIENCE) for what must come.
///
/// ```
/// use core::time::Duration;
/// use evcore::backend::Manual;
/// use evcore::Ready;
/// use evcore_tests::Fixture;
///
/// /// As little as possible.
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
    /// What is tested.
    type Backend: EventOp;
    /// Something to be watched: as a rule, one end of a channel whose other end the fixture keeps.
    type Source;
    /// What wakes the backend; `()` without that power.
    type Waker: Clone + Send + Sync + 'static;

    /// Whether time passes only in [`pass`](Fixture::pass) and in waits, and exactly as far as asked.
    const IS_VIRTUAL: bool;

    /// A new backend. A case may ask for several.
    fn backend(&mut self) -> Self::Backend;

    /// A new source, of both directions: nothing to read yet, room to write.
    fn source(&mut self, backend: &mut Self::Backend) -> Self::Source;

    /// Its descriptor.
    fn fd(&self, source: &Self::Source) -> FdOf<Self>;

    /// Gives it something to read, which is an edge.
    fn feed(&mut self, backend: &mut Self::Backend, source: &mut Self::Source);

    /// Reads all there is to read.
    fn drain(&mut self, backend: &mut Self::Backend, source: &mut Self::Source);

    /// Lets time pass.
    fn pass(&mut self, backend: &mut Self::Backend, time: Duration);

    /// How long a case waits for what must come. Shorter than [`PATIENCE`](crate::PATIENCE) is for a test that expects a failure.
    fn patience(&self) -> Duration {
        crate::PATIENCE
    }

    // Powers over sources.

    /// How many sources there may be at a time. Cases with more are not shown.
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

    /// The peer goes away.
    fn hang_up(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// The peer breaks the connection off: an error.
    fn reset(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// A source at which urgent data waits, and nothing else.
    fn urgent(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// A listener: feeding it connects to it, draining it accepts.
    fn listener(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// A connection that has begun, without waiting, to where nobody listens: it will be refused.
    fn refused(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// Whether the system says of such a connection that it was refused. Asking takes the answer.
    fn is_refused(&self, source: &Self::Source) -> bool {
        let _ = source;
        false
    }

    /// A source that can only be read, whose peer hangs up without leaving anything to read: a pipe.
    fn pipe(&mut self, backend: &mut Self::Backend) -> Option<Self::Source> {
        let _ = backend;
        None
    }

    /// A source that never blocks; several kinds, counted from 0.
    fn file(&mut self, backend: &mut Self::Backend, kind: usize) -> Option<Self::Source> {
        let _ = (backend, kind);
        None
    }

    // Powers over descriptors.

    /// Another descriptor of the same source.
    fn duplicate(&mut self, backend: &mut Self::Backend, source: &Self::Source) -> Option<Self::Source> {
        let _ = (backend, source);
        None
    }

    /// Closes the source's descriptor, whether it is registered or not. Its [`fd`](Fixture::fd) is that number still.
    fn close(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// Closes the source's descriptor and makes it a new source, whose descriptor has the same number.
    fn reuse(&mut self, backend: &mut Self::Backend, source: &mut Self::Source) -> bool {
        let _ = (backend, source);
        false
    }

    /// Whether the peer of a source whose descriptor was closed reads the end.
    fn is_over_for_peer(&mut self, source: &mut Self::Source) -> Option<bool> {
        let _ = source;
        None
    }

    // Powers over the backend.

    /// Has the backend refuse `count` registrations and changes.
    fn refuse(&mut self, backend: &mut Self::Backend, count: u32) -> bool {
        let _ = (backend, count);
        false
    }

    /// Has the backend refuse `count` registrations and changes for the time being, as for lack of memory.
    fn refuse_for_now(&mut self, backend: &mut Self::Backend, count: u32) -> bool {
        let _ = (backend, count);
        false
    }

    /// Has each wait report at most `count` descriptors.
    fn set_batch(&mut self, backend: &mut Self::Backend, batch: usize) -> bool {
        let _ = (backend, batch);
        false
    }

    /// Turns the backend's clock back, as faulty hardware does.
    fn turn_back(&mut self, backend: &mut Self::Backend, time: Duration) -> bool {
        let _ = (backend, time);
        false
    }

    /// The time since some beginning, by another clock than the backend's.
    fn elapsed(&self) -> Option<Duration> {
        None
    }

    // Powers from elsewhere.

    /// A waker of the backend.
    fn waker(&mut self, backend: &mut Self::Backend) -> Option<Self::Waker> {
        let _ = backend;
        None
    }

    /// Whether each backend has wakers of its own, which wake no other one.
    fn has_wakers_apart(&self) -> bool {
        false
    }

    /// Uses it.
    fn wake(waker: &Self::Waker) {
        let _ = waker;
    }

    /// Uses it after a while, from another thread or an interrupt.
    fn wake_later(&mut self, waker: &Self::Waker, delay: Duration) -> bool {
        let _ = (waker, delay);
        false
    }

    /// Feeds a source after a while, from another thread or an interrupt.
    fn feed_later(&mut self, source: &mut Self::Source, delay: Duration) -> bool {
        let _ = (source, delay);
        false
    }

    /// Signals that nobody else uses, counted from 0; at least two if any.
    fn signal(&self, which: usize) -> Option<Signum> {
        let _ = which;
        None
    }

    /// Numbers that no signal has, or one that cannot be watched, counted from 0.
    fn bad_signal(&self, which: usize) -> Option<Signum> {
        let _ = which;
        None
    }

    /// Raises a signal that is watched.
    fn raise(&mut self, backend: &mut Self::Backend, signum: Signum) {
        let _ = (backend, signum);
    }

    /// The same, many times; or some, where that takes long.
    fn raise_many(&mut self, backend: &mut Self::Backend, signum: Signum, times: u32) {
        for _ in 0..times {
            self.raise(backend, signum);
        }
    }

    /// Raises a signal that is watched after a while, from another thread or an interrupt, so that it interrupts this one.
    fn raise_later(&mut self, signum: Signum, delay: Duration) -> bool {
        let _ = (signum, delay);
        false
    }

    /// Stops this process after a while and has it go on after another, as a shell does (`SIGSTOP`, `SIGCONT`). It is done
    /// from outside, and has failed when [`finish`](Fixture::finish) panics.
    fn stop_later(&mut self, delay: Duration, pause: Duration) -> bool {
        let _ = (delay, pause);
        false
    }

    /// Waits until all that was to happen later has happened.
    fn finish(&mut self) {}

    /// What a signal would do now, as a number: another one when it would do something else.
    fn disposition(&self, signum: Signum) -> Option<usize> {
        let _ = signum;
        None
    }

    /// Runs something in a child process that is a copy of this one. Answers what the child says.
    fn fork(&mut self, child: &mut dyn FnMut(&mut Self) -> bool) -> Option<bool> {
        let _ = child;
        None
    }

    /// How many descriptors the process has open.
    fn open_descriptors(&self) -> Option<usize> {
        None
    }

    /// How many of them a program that this one executes would inherit, apart from the standard ones.
    fn inherited_descriptors(&self) -> Option<usize> {
        None
    }

    /// Runs something that panics, and lives on. `false`: it did not panic.
    fn catch(&mut self, panicking: &mut dyn FnMut()) -> Option<bool> {
        let _ = panicking;
        None
    }

    /// From here on nothing else happens in the process: for cases about signals, and about numbers of descriptors.
    fn alone(&mut self) {}
}
