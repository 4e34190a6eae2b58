//! How the backend that is driven by hand watches signals.

use super::{Manual, ManualError, Signal};
use crate::backend::{SignalOp, Signum};

impl<const N: usize> SignalOp for Manual<N> {
    type Error = ManualError;

    fn add(&mut self, signum: Signum) -> Result<(), ManualError> {
        self.refuses()?;
        self.signals.push(Signal { signum, count: 0 }).map_err(|_| ManualError::Full)
    }

    fn del(&mut self, signum: Signum) -> u32 {
        let Some(at) = self.signals.iter().position(|signal| signal.signum == signum) else { return 0 };
        let (count, last) = (self.signals.get(at).map_or(0, |signal| signal.count), self.signals.pop());
        if let (Some(place), Some(last)) = (self.signals.get_mut(at), last) {
            *place = last;
        }
        count
    }
}
