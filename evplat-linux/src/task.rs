//! Tasks on epoll: see [`evplat_posix::task`], whose items are re-exported here. Feature `async`.

use std::io;

use evcore::Growable;
use evplat_posix::evcore;
pub use evplat_posix::task::{Handle, Io, Item, JoinError, JoinHandle, Watch, yield_now};

use crate::epoll::Epoll;

/// An executor on [`Epoll`]; `T` is the type of data of your own events.
pub type Executor<T = ()> = evcore::task::Executor<Epoll, Growable, T>;

/// Creates an executor on a new base, which other threads can wake. To have your own events beside the tasks, create
/// the base first: `Executor::new(base)`.
///
/// # Errors
///
/// When the system refuses a resource that the base needs.
///
/// ```
/// use std::time::Duration;
/// use evplat_linux::task::executor;
///
/// let mut executor = executor()?;
/// let handle = executor.handle();
/// executor.block_on(async { handle.sleep(Duration::from_millis(1)).await })??;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn executor() -> io::Result<Executor> {
    Ok(Executor::new(evcore::EventBase::new(Epoll::new()?))?)
}
