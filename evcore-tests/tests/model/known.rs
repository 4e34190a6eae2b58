//! Where the core is known to differ from what it should be, for as long as it does: so that the search goes on behind it.

/// A report of a registration that has ended counts as known while events exist on its fd.
pub(crate) const ENDED_IS_KNOWN: bool = true;
