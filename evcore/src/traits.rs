//! The traits that public types promise: a failure to compile is a breaking change.

use core::fmt::{Debug, Display};
use core::hash::Hash;

use static_assertions::assert_impl_all;

use crate::backend::{Features, Modified, Token};
use crate::base::{End, EventBase, Fired, Mode, Pending, Turn};
use crate::board::{Counter, Flags, Line, Lines, Ring};
use crate::callback::Callback;
use crate::error::{Error, Rejected};
use crate::event::{Event, EventId, Missed};
use crate::limits::{Fairness, Limits};
use crate::manual::{Manual, ManualError};
use crate::ready::{Interest, Ready};
use crate::stats::{Counts, Stats};
use crate::storage::{Fixed, Full};
use crate::time::{Instant, Sleep, Wait};
use crate::wake::WakeFlag;

/// Copied, compared, printed and sent.
macro_rules! values {
    ($($value:ty),* $(,)?) => { $(
        assert_impl_all!($value: Copy, Eq, Debug, Send, Sync, Unpin);
        #[cfg(feature = "defmt")]
        assert_impl_all!($value: defmt::Format);
    )* };
}
values!(Counts, Pending, Stats);

/// Also usable as keys.
macro_rules! keys {
    ($($key:ty),* $(,)?) => { $(
        values!($key);
        assert_impl_all!($key: Hash);
    )* };
}
keys!(
    End, Error<u8>, Event<u32>, EventId, Fairness, Features, Full, Instant, Interest, Limits, ManualError, Missed, Mode,
    Modified, Fired, Ready, Rejected<u8, u8>, Token, Line<1>, Sleep, Turn, Wait,
);
assert_impl_all!(EventId: Ord);
assert_impl_all!(Instant: Ord);

macro_rules! defaults {
    ($($value:ty),*) => { $( assert_impl_all!($value: Default); )* };
}
defaults!(Counts, Fairness, Features, Instant, Interest, Limits, Manual, Missed, Mode, Pending, Ready, Stats, WakeFlag);

macro_rules! errors {
    ($($error:ty),*) => { $( assert_impl_all!($error: core::error::Error, Display, Send, Sync); )* };
}
errors!(Error<ManualError>, Full, ManualError, Rejected<u8, ManualError>);

// A base prints itself with any data, and goes to another thread with data that does.
assert_impl_all!(EventBase<Manual, Fixed<1>, &'static dyn Sync>: Debug, Display, Send);
assert_impl_all!(Callback<Manual, Fixed<1>, *const u8>: Copy, Debug, Send, Sync);
assert_impl_all!(Fired<&'static mut u8>: Debug, Send, Sync);
assert_impl_all!(Manual: Debug, Send, Sync);
assert_impl_all!(WakeFlag: Debug, Send, Sync);
assert_impl_all!(Flags<1>: Debug, Default, Send, Sync);
assert_impl_all!(Counter<32>: Debug, Default, Send, Sync);
assert_impl_all!(Ring<1>: Debug, Default, Send, Sync);
assert_impl_all!(Lines<(), 1>: Debug, Send, Sync);
#[cfg(all(feature = "std", unix))]
keys!(crate::unix::Fd);
