//! Counts what operations cost, to prove the bounds. Only in tests.

use core::cell::Cell;

#[derive(Clone, Default, Debug)]
pub(crate) struct Steps {
    /// Heap levels at which an entry was put.
    pub(crate) levels: Cell<usize>,
    /// Heap entries compared.
    pub(crate) comparisons: Cell<usize>,
    pub(crate) links: Cell<usize>,
    /// Rows looked at to find a descriptor.
    pub(crate) probes: Cell<usize>,
    pub(crate) moves: Cell<usize>,
    pub(crate) rehashed: Cell<usize>,
}

std::thread_local! {
    static STEPS: Steps = Steps::default();
}

pub(crate) fn count(kind: fn(&Steps) -> &Cell<usize>) {
    STEPS.with(|steps| kind(steps).set(kind(steps).get() + 1));
}

pub(crate) fn of<R>(work: impl FnOnce() -> R) -> Steps {
    let steps = || STEPS.with(Steps::clone);
    let before = steps();
    drop(work());
    let after = steps();
    let spent = |kind: fn(&Steps) -> &Cell<usize>| Cell::new(kind(&after).get() - kind(&before).get());
    Steps {
        levels: spent(|steps| &steps.levels),
        comparisons: spent(|steps| &steps.comparisons),
        links: spent(|steps| &steps.links),
        probes: spent(|steps| &steps.probes),
        moves: spent(|steps| &steps.moves),
        rehashed: spent(|steps| &steps.rehashed),
    }
}
