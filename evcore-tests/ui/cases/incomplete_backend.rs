// A backend without the waiting.
use evcore::backend::{EventOp, FdInfos, Features, ManualError, Modified, Token};
use evcore::{Instant, Interest};

struct Half;

impl EventOp for Half {
    type Fd = u32;
    type FdInfo = ();
    type Error = ManualError;
    fn name(&self) -> &'static str {
        "half"
    }
    fn features(&self) -> Features {
        Features::empty()
    }
    fn now(&self) -> Instant {
        Instant::ZERO
    }
    fn add(&mut self, _: u32, _: Token, _: Interest, _: &mut impl FdInfos<()>) -> Result<(), ManualError> {
        Ok(())
    }
    fn modify(
        &mut self,
        _: u32,
        _: Token,
        _: Interest,
        _: Interest,
        _: &mut impl FdInfos<()>,
    ) -> Result<Modified, ManualError> {
        Ok(Modified::Kept)
    }
    fn del(&mut self, _: u32, _: Token, _: Interest, _: &mut impl FdInfos<()>) {}
}

fn main() {}
