//! libevent 2.1's C interface of the event core, implemented with evcore's public API: see the README.
//!
//! ```text
//!   a C program, libevent_extra, libevent_openssl, libevent_pthreads
//!        │ event_add, event_base_loop, …          ▲ callbacks
//!   ┌────▼──────────────────────────────────────────┴───────────────┐
//!   │ from_c, to_c   handles for C's memory: all of the unsafe code │
//!   │ event, once, finalize, list, …   libevent's functions         │
//!   │ active, turn   libevent's queues of callbacks, and its loop   │
//!   └────┬──────────────────────────────────────────▲───────────────┘
//!        │ create, add, deregister, poll, …         │ next_active
//!      evcore: fds, timers, signals, epoll, poll, select, sleeps, wakes
//! ```

mod abi;
mod active;
mod attach;
mod base;
mod compat;
mod config;
mod debug;
mod event;
mod evutil;
mod finalize;
mod from_c;
mod list;
mod log;
mod memory;
mod once;
mod pending;
mod private;
mod signals;
mod threads;
mod time;
mod to_c;
mod turn;
mod variadic;
mod watch;
