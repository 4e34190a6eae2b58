//! Debug mode: which events have been set up, and which are added.

use core::ffi::c_int;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::from_c::{Ev, export, export_static};
use crate::log;

export_static! {
    event_debug_mode_on_: AtomicI32 = AtomicI32::new(0);
    event_debug_created_threadable_ctx_: AtomicI32 = AtomicI32::new(0);
}

/// Whether an event or a base has been made.
static IS_LATE: AtomicI32 = AtomicI32::new(0);
/// The same as `event_debug_mode_on_`; that might be defined by another library, so reading it costs one more load.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// The events that are set up, and whether they are added.
static EVENTS: Mutex<Option<HashMap<usize, bool>>> = Mutex::new(None);

fn events() -> MutexGuard<'static, Option<HashMap<usize, bool>>> {
    EVENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline(always)]
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

fn key(event: Ev) -> usize {
    event.memory().addr()
}

fn describe(event: Ev) -> String {
    format!("{:p} (events: {:#x}, fd: {}, flags: {:#x})", event.memory(), event.events(), event.fd(), event.flags())
}

fn die(event: Ev, what: &str) -> ! {
    log::die(log::ABORT, &format!("{what} {}", describe(event)))
}

/// Records that it is too late to turn debug mode on.
#[inline(always)]
pub(crate) fn note_use() {
    IS_LATE.store(1, Ordering::Relaxed);
}

pub(crate) fn note_setup(event: Ev) {
    note_use();
    if is_on() {
        events().get_or_insert_default().insert(key(event), false);
    }
}

pub(crate) fn note_teardown(event: Ev) {
    note_use();
    if is_on() {
        events().get_or_insert_default().remove(&key(event));
    }
}

#[inline(always)]
pub(crate) fn note_added(event: Ev, is_added: bool) {
    if is_on() {
        note_change(event, is_added);
    }
}

#[cold]
fn note_change(event: Ev, is_added: bool) {
    let known = events().get_or_insert_default().get_mut(&key(event)).map(|state| *state = is_added);
    if known.is_none() {
        die(event, if is_added { "noting an add on a non-setup event" } else { "noting a del on a non-setup event" });
    }
}

#[inline(always)]
pub(crate) fn assert_setup(event: Ev, caller: &str) {
    if is_on() && !events().get_or_insert_default().contains_key(&key(event)) {
        die(event, &format!("{caller} called on a non-initialized event"));
    }
}

pub(crate) fn assert_not_added(event: Ev, caller: &str) {
    if is_on() && events().get_or_insert_default().get(&key(event)) == Some(&true) {
        die(event, &format!("{caller} called on an already added event"));
    }
}

pub(crate) fn assert_nonblocking(fd: c_int) {
    if is_on() && fd >= 0 && crate::evutil::is_blocking(fd) {
        log::die(log::ABORT, &format!("event_assign: fd {fd} is blocking"));
    }
}

/// Records that something has a lock, or would have one.
pub(crate) fn note_threadable() {
    if is_on() {
        event_debug_created_threadable_ctx_.store(1, Ordering::Relaxed);
    }
}

pub(crate) fn refuse_late_threads(what: &str) {
    if is_on() && event_debug_created_threadable_ctx_.load(Ordering::Relaxed) != 0 {
        log::die(1, &format!("{what} must be called BEFORE anything else!"));
    }
}

export! {
    fn event_enable_debug_mode() {
        if is_on() {
            log::die(1, "event_enable_debug_mode was called twice!");
        }
        if IS_LATE.load(Ordering::Relaxed) != 0 {
            log::die(1, "event_enable_debug_mode must be called *before* creating any events or event_bases");
        }
        event_debug_mode_on_.store(1, Ordering::Relaxed);
        IS_ON.store(true, Ordering::Relaxed);
    }

    fn event_disable_debug_mode() {
        event_debug_mode_on_.store(0, Ordering::Relaxed);
        IS_ON.store(false, Ordering::Relaxed);
        *events() = None;
    }

    fn event_debug_unassign(event: Option<Ev>) {
        let Some(event) = event else { return };
        assert_not_added(event, "event_debug_unassign");
        note_teardown(event);
        event.remove_flags(crate::abi::list::INIT);
    }

    fn libevent_global_shutdown() {
        event_disable_debug_mode();
        IS_LATE.store(0, Ordering::Relaxed);
    }
}
