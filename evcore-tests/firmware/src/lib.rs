//! Firmware on `evcore`: an event loop on three boards that have no operating system.
//!
//! ```text
//!   bin/blink · four · whole · suite_*    the programs
//!        │
//!   ┌────▼─────┐   ┌──────────────────────────────────────────────┐
//!   │ program  │──▶│ evcore::EventBase<Lines, Fixed<M>, Task>      │
//!   └──────────┘   └───────────────────────┬──────────────────────┘
//!                  ┌───────────────────────▼──────────────────────┐
//!                  │ evcore::board::Lines  the backend             │
//!                  │ lines   what interrupts share with it         │
//!                  │ board   clock, alarm, UART, interrupts        │
//!                  │ sys     registers, the few unsafe operations  │
//!                  └──────────────────────────────────────────────┘
//! ```

#![no_std]
#![deny(unsafe_code)]

pub mod board;
#[cfg(feature = "extras")]
pub mod extras;
#[cfg(feature = "suite")]
pub mod later;
pub mod lines;
pub mod program;
pub mod report;
#[cfg(feature = "suite")]
pub mod suite;
#[allow(unsafe_code)]
pub mod sys;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;
