//! The single handler for all signals that bases watch.

use core::ffi::{c_int, c_void};

use evcore::backend::Signum;

use crate::inbox;
use crate::sys::{self, Action, Disposition, Origin, SIGNALS};

/// What each signal did before our handler was installed.
static ORIGINS: [Origin; SIGNALS] = [const { Origin::new() }; SIGNALS];

/// The disposition that calls our handler.
pub(crate) fn ours() -> Disposition {
    Disposition::calling(on_signal)
}

pub(crate) fn is_ours(disposition: &Disposition) -> bool {
    disposition.does_the_same_as(&ours())
}

/// Records what `signum` did before our handler was installed.
pub(crate) fn set_origin(signum: Signum, disposition: &Disposition) {
    if let Some(place) = place(signum) {
        place.set(disposition);
    }
}

/// What `signum` did before our handler was installed.
pub(crate) fn origin(signum: Signum) -> Disposition {
    place(signum).map_or(Disposition::DEFAULT, Origin::get)
}

fn place(signum: Signum) -> Option<&'static Origin> {
    ORIGINS.get(usize::try_from(signum).ok()?)
}

/// It can interrupt any instruction of any thread, so it only does atomic operations and one `write`. If no base of
/// this process watches the signal, it does what the signal did before.
extern "C" fn on_signal(signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    sys::keeping_errno(|| {
        if !inbox::arrived(signum) {
            do_as_before(signum, info, context);
        }
    });
}

/// Does what the signal did before our handler was installed. Needed if another owner reinstalled our handler after
/// the last watcher had gone, or in a forked child whose bases are still the parent's.
fn do_as_before(signum: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    match origin(signum).action() {
        Action::Ignore => {}
        Action::Default => do_by_default(signum),
        Action::Call(handler) => handler.call(signum, info, context),
    }
}

/// Lets the system take its default action, which ends or stops this process, then reinstalls our handler.
fn do_by_default(signum: c_int) {
    // Their default action is to do nothing.
    if matches!(signum, libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH) {
        return;
    }
    let Ok(ours) = Disposition::DEFAULT.exchange(signum) else { return };
    // The process was stopped and has continued. (If the signal cannot be unblocked, its disposition remains the
    // default.)
    if sys::raise_unblocked(signum) {
        ours.put_over(signum, &Disposition::DEFAULT);
    }
}
