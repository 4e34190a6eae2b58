//! No model forks.

use crate::error::Error;

#[derive(Debug)]
pub struct ForkGuard;

impl ForkGuard {
    pub fn new() -> Result<Self, Error> {
        Ok(Self)
    }

    pub fn forked(&self) -> bool {
        false
    }

    pub fn renew(&self) {}
}
