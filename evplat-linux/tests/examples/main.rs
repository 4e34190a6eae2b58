//! Tests the examples as processes, through independent clients.

#![cfg(target_os = "linux")]

mod children;
mod clients;
mod failures;
mod http;
mod local;
mod program;
#[cfg(feature = "async")]
mod proxy;
mod servers;
mod shortages;
mod usage;
