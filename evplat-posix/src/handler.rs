//! The one handler of all signals that bases watch.

use core::ffi::{c_int, c_void};

use evcore::backend::Signum;

use crate::inbox;
use crate::sys::{self, Action, Disposition, Origin, SIGNALS};

/// What each signal did before us.
static ORIGINS: [Origin; SIGNALS] = [const { Origin::new() }; SIGNALS];

/// Has the handler called.
pub(crate) fn ours() -> Disposition {
    Disposition::calling(on_signal)
}

pub(crate) fn is_ours(disposition: &Disposition) -> bool {
    disposition.does_the_same_as(&ours())
}

/// Notes what `signum` did before us.
pub(crate) fn set_origin(signum: Signum, disposition: &Disposition) {
    if let Some(place) = place(signum) {
        place.set(disposition);
    }
}

/// What `signum` did before us.
pub(crate) fn origin(signum: Signum) -> Disposition {
    place(signum).map_or(Disposition::DEFAULT, Origin::get)
}

fn place(signum: Signum) -> Option<&'static Origin> {
    ORIGINS.get(usize::try_from(signum).ok()?)
}

/// It interrupts any instruction of any thread, so it does nothing but atomic operations and one `write`; or what the signal
/// did before us, where no base of this process watches it.
extern "C" fn on_signal(signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    sys::keeping_errno(|| {
        if !inbox::arrived(signum) {
            do_as_before(signum, info, context);
        }
    });
}

/// What the signal did before us: another owner has put our handler back after the last watcher had gone, or this is the
/// child of a fork whose bases are still the parent's.
fn do_as_before(signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    match origin(signum).action() {
        Action::Ignore => {}
        Action::Default => do_by_default(signum),
        Action::Call(handler) => handler.call(signum, info, context),
    }
}

/// Has the system do what it does by itself: end this process, or stop it. Afterwards, ours is there again.
fn do_by_default(signum: c_int) {
    // These do nothing.
    if matches!(signum, libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH) {
        return;
    }
    let Ok(ours) = Disposition::DEFAULT.exchange(signum) else { return };
    // It was to be stopped, and has gone on. (Where it could not be yet, it is at the default until then.)
    if sys::raise_unblocked(signum) {
        ours.put_over(signum, &Disposition::DEFAULT);
    }
}
