//! Checks that epoll, poll and select behave alike wherever they differ, and also when one is chosen at run time.
//!
//! The conformance suite tests each backend on its own; this compares them in real processes: processor time, forks,
//! signals of the whole process. Most cases run in a process of their own.

#![cfg(target_os = "linux")]

/// Expands to one test per case and backend, alone and within a choice, each in a process of its own.
macro_rules! on_each_backend {
    ($($case:ident)*) => { $(
        mod $case {
            use crate::{backend, sys};

            #[test]
            fn epoll() {
                sys::alone(|| super::$case(evplat_linux::Epoll::new));
            }

            #[test]
            fn poll() {
                sys::alone(|| super::$case(evplat_posix::Poll::new));
            }

            #[test]
            fn select() {
                sys::alone(|| super::$case(evplat_posix::Select::new));
            }

            #[test]
            fn chosen_epoll() {
                sys::alone(|| super::$case(backend::chosen_epoll));
            }

            #[test]
            fn chosen_poll() {
                sys::alone(|| super::$case(backend::chosen_poll));
            }

            #[test]
            fn chosen_select() {
                sys::alone(|| super::$case(backend::chosen_select));
            }
        }
    )* };
}

mod backend;
mod board;
mod choice;
mod descriptors;
mod fork;
mod guide;
mod numbers;
mod reuse;
mod rotation;
mod signals;
mod stops;
mod sys;
mod table;
mod wake;
