//! Firmware on `evcore`: an event loop on three boards that have no operating system.
//!
//! ```text
//!   bin/blink · four · whole · suite_*    what runs
//!        │
//!   ┌────▼─────┐   ┌──────────────────────────────────────────────┐
//!   │ program  │──▶│ evcore::EventBase<Lines<N>, Fixed<M>, Task>   │
//!   └──────────┘   └───────────────────────┬──────────────────────┘
//!                  ┌───────────────────────▼──────────────────────┐
//!                  │ lines   the backend: which line has news      │
//!                  │ board   clock, sleep, UART, interrupts        │
//!                  │ sys     registers, the few unsafe operations  │
//!                  └──────────────────────────────────────────────┘
//! ```

#![no_std]
#![deny(unsafe_code)]

pub mod board;
pub mod clock;
#[cfg(feature = "suite")]
pub mod later;
pub mod lines;
pub mod program;
pub mod report;
pub mod ring;
#[cfg(feature = "suite")]
pub mod suite;
#[allow(unsafe_code)]
pub mod sys;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;
