//! The result of a case.

use core::fmt;

use crate::needs::Needs;

/// What a case has shown. A case that fails panics, so there is no variant for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Proof {
    /// What the case's name says.
    Shown,
    /// The backend cannot do this, and refuses it as it should.
    Refused(&'static str),
    /// The fixture cannot do this. What can be shown without it holds.
    Absent(&'static str),
    /// The storage lacks the part that the case needs, and refuses it.
    LeftOut(Needs),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown => f.write_str("shown"),
            Self::Refused(what) => write!(f, "the backend has no {what}, and refuses it"),
            Self::Absent(what) => write!(f, "the fixture has no {what}"),
            Self::LeftOut(what) => write!(f, "the storage has no {what:?}, and refuses it"),
        }
    }
}

/// Prints a proof, unless it is `Shown`.
#[cfg(feature = "std")]
#[doc(hidden)]
pub fn print(suite: &str, case: &str, proof: Proof) {
    if proof != Proof::Shown {
        std::println!("{suite}::{case}: {proof}");
    }
}
