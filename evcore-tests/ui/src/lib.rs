//! What must not compile: see `cases`.
