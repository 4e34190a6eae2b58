//! Child processes as event sources, through pidfds.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{self, ExitStatus};
use std::sync::Arc;

use evcore::error::Rejected;
use evplat_posix::Error;

use crate::sys;

/// A child process that an event can wait for: its descriptor is readable once the process has ended.
///
/// It owns the [`std::process::Child`], including its pipes. Dropping it neither ends the process nor waits for it,
/// as with the standard library: a child that nobody waits for stays a zombie until this process ends.
///
/// The descriptor is a pidfd, which identifies this process and never a later one with the same number. It stays
/// readable, so use a one-shot event, or remove the event when the child has ended. If the child ended before the
/// event was created, the first turn reports it. The child's own children do not matter: the event is reported when
/// the child ends, even if they are still running.
///
/// ```
/// use std::process::Command;
///
/// use evplat_linux::{Child, Epoll, EventBase, Fd, Interest, Wait};
///
/// let mut base: EventBase<Child> = EventBase::new(Epoll::new()?);
/// let child = Child::new(Command::new("sh").args(["-c", "exit 3"]).spawn()?)?;
/// base.insert(Fd::of(&child), Interest::READ, child)?;
///
/// let mut code = None;
/// while let Some(event) = base.next_event(Wait::Forever)? {
///     let id = event.id;
///     if let Some(status) = event.data.try_wait()? {
///         code = status.code();
///         base.remove(id);
///     }
/// }
/// assert_eq!(code, Some(3));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Without pidfds
///
/// Linux has pidfds since 5.3, and a sandbox may refuse them: [`Child::new`] then returns ENOSYS or EPERM. The
/// alternative is SIGCHLD. One signal may represent any number of children, so check each of them:
///
/// ```
/// use std::process::{Child, Command};
///
/// use evplat_linux::{Epoll, EventBase, Wait, signum};
///
/// let mut base: EventBase<()> = EventBase::new(Epoll::new()?);
/// // Before the first child is started, so that no signal is missed.
/// base.insert_signal(signum::SIGCHLD, ())?;
/// let mut children: Vec<Child> = Vec::new();
/// for _ in 0..2 {
///     children.push(Command::new("true").spawn()?);
/// }
/// while !children.is_empty() {
///     base.next_event(Wait::Forever)?;
///     children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_)) | Err(_)));
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    /// Shared with the event while a task waits, so that the descriptor stays open while it is registered.
    pidfd: Arc<OwnedFd>,
}

impl Child {
    /// Takes a child in any state: running, ended, or already waited for.
    ///
    /// Costs two or three system calls and one descriptor, which is closed on exec.
    ///
    /// # Errors
    ///
    /// The child is returned in [`Rejected::data`], whether running or not, when there is no pidfd (`ENOSYS`, before
    /// Linux 5.3; `EPERM`, in some sandboxes), no descriptor is left (`EMFILE`, `ENFILE`), or somebody else has
    /// waited for the child (`ECHILD`): this process ignores SIGCHLD, waits for any child elsewhere, or is not the
    /// parent.
    pub fn new(mut process: process::Child) -> Result<Self, Rejected<process::Child, Error>> {
        let opened = sys::pidfd_open(process.id()).map_err(Error::during("pidfd_open"));
        // Checked after the open: a child keeps its number until it is waited for, so the pidfd is this child's.
        let pidfd = match process.try_wait() {
            Ok(None) => opened,
            // The child's number may have been reused, and no pidfd is needed: the status is known, so any readable
            // descriptor serves.
            Ok(Some(_)) => sys::readable_eventfd().map_err(Error::during("eventfd")),
            Err(error) => Err(Error::during("waitpid")(error)),
        };
        match pidfd {
            Ok(pidfd) => Ok(Self { process, pidfd: Arc::new(pidfd) }),
            Err(error) => Err(Rejected { error: evcore::Error::Backend(error), data: process }),
        }
    }

    /// The exit status once the process has ended; `None` before. Never waits. The first `Some` removes the zombie;
    /// later calls return the same status.
    ///
    /// # Errors
    ///
    /// `ECHILD`, as for [`Child::new`]: the process has ended, and somebody else took its status.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Waits, as a task, until the process has ended, and returns its exit status. It does not close the child's
    /// standard input.
    ///
    /// If the wait is dropped, by a timeout for example, nothing changes, and you can wait again.
    ///
    /// # Errors
    ///
    /// As [`try_wait`](Child::try_wait), and when the backend refuses or the executor has ended.
    ///
    /// ```
    /// use std::process::Command;
    ///
    /// use evplat_linux::Child;
    /// use evplat_linux::task::executor;
    ///
    /// let mut executor = executor()?;
    /// let handle = executor.handle();
    /// let mut child = Child::new(Command::new("sh").args(["-c", "exit 3"]).spawn()?)?;
    /// let status = executor.block_on(child.wait(&handle))??;
    /// assert_eq!(status.code(), Some(3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "async")]
    pub async fn wait(&mut self, handle: &crate::task::Handle) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            let source =
                handle.source(evcore::Fd::of(self), Arc::clone(&self.pidfd)).map_err(|refused| refused.error)?;
            source.ready(evcore::Interest::READ).await?;
        }
    }

    /// The process's number. It may be reused once [`try_wait`](Child::try_wait) has returned a status.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The standard library's child, for its pipes and [`kill`](process::Child::kill).
    ///
    /// ```
    /// use std::io::Read;
    /// use std::process::{Command, Stdio};
    ///
    /// use evplat_linux::Child;
    ///
    /// let mut child = Child::new(Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?)?;
    /// let mut said = String::new();
    /// child.get_mut().stdout.take().ok_or("no pipe")?.read_to_string(&mut said)?;
    /// assert_eq!(said, "hello\n");
    /// child.into_inner().wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_mut(&mut self) -> &mut process::Child {
        &mut self.process
    }

    /// The standard library's child, without the pidfd.
    #[must_use]
    pub fn into_inner(self) -> process::Child {
        self.process
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::sys::tests::{in_child, is_cloexec, is_readable, limit_descriptors, open_descriptors, refuse};

    fn sleeper() -> process::Child {
        Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap()
    }

    fn end(mut process: process::Child) -> ExitStatus {
        process.kill().unwrap();
        process.wait().unwrap()
    }

    /// The errno and the text of a refused child; checks that the child is returned.
    fn refused(process: process::Child) -> (Option<i32>, String) {
        let Rejected { error, data } = Child::new(process).unwrap_err();
        assert_eq!(end(data).code(), None, "the child was not left as it was");
        let text = error.to_string();
        (io::Error::from(error).raw_os_error(), text)
    }

    #[test]
    fn without_pidfds_it_is_refused_with_the_way_out() {
        let status = in_child(|| {
            let process = sleeper();
            refuse(&[libc::SYS_pidfd_open], libc::ENOSYS);
            let (errno, text) = refused(process);
            errno == Some(libc::ENOSYS) && text.starts_with("pidfd_open: ") && text.contains("SIGCHLD")
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn without_a_descriptor_it_is_refused_and_can_be_tried_again() {
        let status = in_child(|| {
            let (process, open) = (sleeper(), open_descriptors());
            // Descriptors get the lowest free number.
            let limit = (0..).find(|number| !open.contains(number)).unwrap();
            limit_descriptors(limit.try_into().unwrap());
            let Rejected { error, data } = Child::new(process).unwrap_err();
            let is_refused = io::Error::from(error).raw_os_error() == Some(libc::EMFILE);
            limit_descriptors(1024);
            let child = Child::new(data).unwrap();
            let is_like_others = is_cloexec(&child) && !is_readable(&child, 0);
            is_refused && is_like_others && end(child.into_inner()).code().is_none()
        });
        assert_eq!(status, 0);
    }

    #[test]
    fn of_a_child_that_was_waited_for_it_is_readable_at_once() {
        let mut process = Command::new("sh").args(["-c", "exit 5"]).spawn().unwrap();
        process.wait().unwrap();
        // No process with this number exists any more, and no pidfd is opened for it.
        let mut child = Child::new(process).unwrap();
        assert!(is_readable(&child, 0) && is_cloexec(&child));
        assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(5));
    }

    #[test]
    fn where_nobody_is_to_wait_for_children_it_says_so() {
        let status = in_child(|| {
            crate::sys::tests::ignore_children();
            let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let early = Child::new(process).unwrap();
            process = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
            // The child is gone when the kernel has discarded its status.
            let gone = loop {
                if let Err(error) = process.try_wait() {
                    break error.raw_os_error() == Some(libc::ECHILD);
                }
                std::thread::yield_now();
            };
            let text = Child::new(process).unwrap_err().to_string();
            // This child has been watched since before: the event reports its end, but its status is lost.
            let mut early = early;
            early.get_mut().stdin = None;
            let seen = is_readable(&early, 10_000);
            let status = loop {
                match early.try_wait() {
                    Ok(None) => std::thread::yield_now(),
                    other => break other,
                }
            };
            gone && text.contains("SIGCHLD") && seen && status.is_err()
        });
        assert_eq!(status, 0);
    }
}
