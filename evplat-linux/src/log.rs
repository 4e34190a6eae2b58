//! What a backend writes to the program's `log` (feature `log`): actions that no result reports.
//!
//! Never from a signal handler, and in a forked child only after `reinit`: a thread that does not exist in the child
//! may have held the logger's lock.

#[cfg(feature = "log")]
macro_rules! log {
    ($level:ident, $($message:tt)+) => { ::log::log!(::log::Level::$level, $($message)+) };
}

/// Uses the same names and produces no code.
#[cfg(not(feature = "log"))]
macro_rules! log {
    ($level:ident, $($message:tt)+) => {
        if false {
            let _ = format_args!($($message)+);
        }
    };
}
