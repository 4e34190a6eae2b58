//! The examples as processes, as somebody sees them who has nothing of ours.

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
