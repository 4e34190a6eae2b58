//! The one `unsafe` of the models.

use loom::cell::UnsafeCell;

/// Something that threads use and one of them frees. loom detects if the two are not ordered.
pub struct Body(UnsafeCell<()>);

// SAFETY: the cell is empty. Its purpose is that loom sees each access and reports races.
unsafe impl Sync for Body {}

impl Body {
    pub fn new() -> Self {
        Self(UnsafeCell::new(()))
    }

    pub fn use_it(&self) {
        self.0.with(|_| ());
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.with_mut(|_| ());
    }
}
