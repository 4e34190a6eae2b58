//! What a backend tells the program's `log` (feature `log`): what it does on its own account and no result tells of.
//!
//! Never from the handler of a signal, and in the child of a fork only once `reinit` is done: a thread that the child has
//! not got may have held the logger's lock.

#[cfg(feature = "log")]
macro_rules! log {
    ($level:ident, $($message:tt)+) => { ::log::log!(::log::Level::$level, $($message)+) };
}

/// The same names are used, and no code is made.
#[cfg(not(feature = "log"))]
macro_rules! log {
    ($level:ident, $($message:tt)+) => {
        if false {
            let _ = format_args!($($message)+);
        }
    };
}
