//! Errors, as values.

use core::fmt;

/// Why an operation was refused. Nothing has changed when it is returned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error<E> {
    /// The event was removed or never existed. In debug builds, also an event of another base.
    NoSuchEvent,
    /// No room for another event, or the allocator refused.
    Full,
    /// The base has no such priority, or cannot have that many.
    NoSuchPriority,
    /// Edge-triggered and level-triggered events cannot share an fd.
    EdgeAndLevel,
    /// The backend cannot do this; see [`Features`](crate::backend::Features).
    Unsupported,
    /// The operation does not apply to this kind of event.
    WrongKind,
    /// [`EventBase::run`](crate::EventBase::run) was called from a handler of `run`, or the base is borrowed from its
    /// executor.
    Reentered,
    /// A future has timed out: [`Event::timeout`](crate::Event::timeout), `task::Handle::timeout`.
    TimedOut,
    /// The loop, or the executor of a future, has ended.
    Ended,
    /// The backend refused.
    Backend(E),
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchEvent => "there is no such event: it was removed, or (found in debug builds) it is another base's",
            Self::Full => "no room for another event: give the base a larger capacity, or remove events first",
            Self::NoSuchPriority => "no such priority: call `set_priorities` first, with 1 to 255, while no event is active",
            Self::EdgeAndLevel => "edge- and level-triggered events cannot share an fd: give all of its events EDGE, or none",
            Self::Unsupported => {
                "the backend cannot watch for what the event waits for: ask `features` before, or take another backend"
            }
            Self::WrongKind => "the operation needs an event of another kind: one on an fd to be changed or paused, one with a timeout to be restarted",
            Self::Reentered => "`run` is under way already: a handler of it can wait with `poll` or `next_event`",
            Self::TimedOut => "the time is over",
            Self::Ended => "the loop has ended before the future did, or the executor has been dropped",
            Self::Backend(error) => return error.fmt(f),
        })
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Backend(error) => Some(error),
            _ => None,
        }
    }
}

/// An event that could not be created, with its data: nothing is lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rejected<T, E> {
    /// The reason.
    pub error: Error<E>,
    /// The event's data.
    pub data: T,
}

impl<T, E: fmt::Debug> fmt::Debug for Rejected<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T, E: fmt::Display> fmt::Display for Rejected<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T, E: core::error::Error + 'static> core::error::Error for Rejected<T, E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.error.source()
    }
}

impl<T, E> From<Rejected<T, E>> for Error<E> {
    fn from(rejected: Rejected<T, E>) -> Self {
        rejected.error
    }
}

#[cfg(feature = "std")]
impl<E: Into<std::io::Error>> From<Error<E>> for std::io::Error {
    fn from(error: Error<E>) -> Self {
        use std::io::ErrorKind;
        let kind = match error {
            Error::Backend(error) => return error.into(),
            Error::NoSuchEvent => ErrorKind::NotFound,
            Error::TimedOut => ErrorKind::TimedOut,
            Error::Ended => ErrorKind::BrokenPipe,
            Error::Full => ErrorKind::OutOfMemory,
            Error::Unsupported => ErrorKind::Unsupported,
            Error::NoSuchPriority | Error::EdgeAndLevel | Error::WrongKind | Error::Reentered => {
                ErrorKind::InvalidInput
            }
        };
        // Of a variant without a foreign error.
        Self::new(kind, std::format!("{}", error.map_backend(|_| "the backend refused")))
    }
}

#[cfg(feature = "std")]
impl<T, E: Into<std::io::Error>> From<Rejected<T, E>> for std::io::Error {
    fn from(rejected: Rejected<T, E>) -> Self {
        rejected.error.into()
    }
}

impl<E> Error<E> {
    /// The same error, with the backend's error mapped by `map`.
    ///
    /// ```
    /// use evcore::Error;
    ///
    /// assert_eq!(Error::Backend(5).map_backend(|errno| errno + 1), Error::Backend(6));
    /// assert_eq!(Error::<i32>::Full.map_backend(|errno| errno + 1), Error::Full);
    /// ```
    pub fn map_backend<F>(self, map: impl FnOnce(E) -> F) -> Error<F> {
        match self {
            Self::NoSuchEvent => Error::NoSuchEvent,
            Self::Full => Error::Full,
            Self::NoSuchPriority => Error::NoSuchPriority,
            Self::EdgeAndLevel => Error::EdgeAndLevel,
            Self::Unsupported => Error::Unsupported,
            Self::WrongKind => Error::WrongKind,
            Self::Reentered => Error::Reentered,
            Self::TimedOut => Error::TimedOut,
            Self::Ended => Error::Ended,
            Self::Backend(error) => Error::Backend(map(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::error::Error as _;
    use std::string::ToString;

    use super::*;
    use crate::manual::ManualError;

    const BACKEND: Error<ManualError> = Error::Backend(ManualError::Full);
    const OWN: [Error<ManualError>; 9] = [
        Error::NoSuchEvent,
        Error::Full,
        Error::NoSuchPriority,
        Error::EdgeAndLevel,
        Error::Unsupported,
        Error::WrongKind,
        Error::Reentered,
        Error::TimedOut,
        Error::Ended,
    ];

    #[test]
    fn each_error_says_something_of_its_own_and_the_backends_is_let_through() {
        let texts: std::collections::BTreeSet<_> = OWN.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), OWN.len());
        assert!(texts.iter().all(|text| !text.is_empty()));
        assert_eq!(BACKEND.to_string(), ManualError::Full.to_string());
        assert!(crate::storage::Full.to_string().contains("room"), "the storage's own");
    }

    #[test]
    fn only_the_backends_error_is_a_source() {
        assert!(OWN.iter().all(|error| error.source().is_none()));
        assert_eq!(BACKEND.source().unwrap().to_string(), ManualError::Full.to_string());
        assert!(Rejected { error: BACKEND, data: () }.source().is_some());
        assert!(Rejected { error: Error::<ManualError>::Full, data: () }.source().is_none());
    }

    /// The data need not be printable.
    #[test]
    fn a_rejection_reads_as_its_error() {
        struct Silent;
        let rejected = Rejected { error: Error::<ManualError>::EdgeAndLevel, data: Silent };
        assert_eq!(rejected.to_string(), Error::<ManualError>::EdgeAndLevel.to_string());
        assert_eq!(std::format!("{rejected:?}"), "Rejected { error: EdgeAndLevel, .. }");
        assert_eq!(Error::from(rejected), Error::EdgeAndLevel);
    }

    #[test]
    fn another_error_of_the_backend_changes_no_other_error() {
        for error in OWN {
            assert_eq!(error.map_backend(|_| 7).to_string(), error.to_string());
        }
        assert_eq!(BACKEND.map_backend(|error| (error, 7)), Error::Backend((ManualError::Full, 7)));
    }

    #[cfg(feature = "std")]
    #[test]
    fn as_an_input_output_error_each_keeps_its_kind_and_its_text() {
        use std::io::{self, ErrorKind};

        #[derive(Clone, Copy, Debug)]
        struct Errno(i32);
        impl fmt::Display for Errno {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "errno {}", self.0)
            }
        }
        impl From<Errno> for io::Error {
            fn from(errno: Errno) -> Self {
                Self::from_raw_os_error(errno.0)
            }
        }
        for (error, kind) in [
            (Error::NoSuchEvent, ErrorKind::NotFound),
            (Error::Full, ErrorKind::OutOfMemory),
            (Error::Unsupported, ErrorKind::Unsupported),
            (Error::NoSuchPriority, ErrorKind::InvalidInput),
            (Error::EdgeAndLevel, ErrorKind::InvalidInput),
            (Error::WrongKind, ErrorKind::InvalidInput),
            (Error::Reentered, ErrorKind::InvalidInput),
            (Error::TimedOut, ErrorKind::TimedOut),
            (Error::Ended, ErrorKind::BrokenPipe),
        ] {
            let text = Error::<Errno>::to_string(&error);
            let converted = io::Error::from(error);
            assert_eq!((converted.kind(), converted.to_string()), (kind, text));
        }
        let rejected = Rejected { error: Error::Backend(Errno(24)), data: () };
        assert_eq!(io::Error::from(rejected).raw_os_error(), Some(24));
    }
}
