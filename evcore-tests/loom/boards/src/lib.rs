//! Models of what interrupts share with the loop of a board, in every interleaving of loom's bound.
//!
//! ```text
//!   interrupt ──▶ Ring, Flags ──▶ Lines::dispatch ──▶ sleep, in a model of a chip
//! ```
//!
//! The files are evcore's own, unchanged, compiled with loom's atomics through the crate `shim`.

#![allow(dead_code, unused_imports, reason = "the files are compiled for the models' sake")]
#![allow(unreachable_pub, missing_debug_implementations, clippy::all)]

extern crate shim as core;
extern crate shim as std;

#[path = "../../../../evcore/src/board"]
mod board {
    mod counter;
    mod flags;
    mod line;
    mod lines;
    mod port;
    mod ring;

    pub use flags::Flags;
    pub use line::Line;
    pub use lines::Lines;
    pub use port::Board;
    pub use ring::Ring;
}
#[path = "../../../../evcore/src/wake.rs"]
mod wake;

/// What these files take from the core.
mod backend {
    pub use evcore::backend::{Descriptor, EventOp, FdInfos, Features, Modified, Sink, Token, Wake};
}
mod ready {
    pub use evcore::{Interest, Ready};
}
mod time {
    pub use evcore::Instant;
    pub use evcore::backend::Sleep;
}

// For links in the documentation.
pub use evcore::EventBase;

pub mod models;
