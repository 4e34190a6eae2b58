//! Messages and fatal errors: `event_set_log_callback`, `event_set_fatal_callback`. `c/variadic.c` formats the
//! messages.

use core::ffi::{CStr, c_char, c_int};
use std::ffi::CString;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::from_c::{export, export_static, string};
use crate::to_c;

pub(crate) const DEBUG: c_int = 0;
pub(crate) const MSG: c_int = 1;
pub(crate) const WARN: c_int = 2;
pub(crate) const ERR: c_int = 3;
/// `EVENT_ERR_ABORT_`.
pub(crate) const ABORT: c_int = 0xdead_dead_u32.cast_signed();

type LogFn = extern "C" fn(c_int, *const c_char);
type FatalFn = extern "C" fn(c_int);

static LOG: Mutex<Option<LogFn>> = Mutex::new(None);
static FATAL: Mutex<Option<FatalFn>> = Mutex::new(None);

fn stored<T: Copy>(place: &Mutex<Option<T>>) -> Option<T> {
    *place.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn store<T>(place: &Mutex<Option<T>>, function: Option<T>) {
    *place.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = function;
}

export_static! {
    event_debug_logging_mask_: AtomicU32 = AtomicU32::new(0);
}

export! {
    fn event_set_log_callback(function: Option<LogFn>) {
        store(&LOG, function);
    }

    fn event_set_fatal_callback(function: Option<FatalFn>) {
        store(&FATAL, function);
    }

    fn event_enable_debug_logging(which: u32) {
        event_debug_logging_mask_.store(which, Ordering::Relaxed);
    }

    fn evcore_abi_is_logged(severity: c_int) -> c_int {
        c_int::from(severity != DEBUG || event_debug_logging_mask_.load(Ordering::Relaxed) != 0)
    }

    fn evcore_abi_log(severity: c_int, message: *const c_char) {
        log(severity, string(message));
    }

    fn evcore_abi_exit(code: c_int) {
        fatal(code);
    }
}

fn log(severity: c_int, message: &CStr) {
    if let Some(function) = stored(&LOG) {
        return function(severity, message.as_ptr());
    }
    let kind = match severity {
        DEBUG => "debug",
        MSG => "msg",
        WARN => "warn",
        ERR => "err",
        _ => "???",
    };
    eprintln!("[{kind}] {}", message.to_string_lossy());
}

/// Ends the process with the program's fatal callback, or as libevent does.
pub(crate) fn fatal(code: c_int) -> ! {
    if let Some(function) = stored(&FATAL) {
        function(code);
        to_c::exit(code)
    }
    if code == ABORT { to_c::abort() } else { to_c::exit(code) }
}

pub(crate) fn message(severity: c_int, text: &str) {
    if evcore_abi_is_logged(severity) != 0 {
        log(severity, &CString::new(text.replace('\0', " ")).unwrap_or_default());
    }
}

pub(crate) fn warn(text: &str) {
    message(WARN, text);
}

/// Logs an error, and ends the process.
pub(crate) fn die(code: c_int, text: &str) -> ! {
    message(ERR, text);
    fatal(code)
}
