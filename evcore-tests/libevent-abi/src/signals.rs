//! libevent's rule for signals: of all bases that watch signals, only one gets them: the last one that added a signal
//! or entered its loop. evcore would report them to each base.

use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use evcore::Wait;

use crate::abi::{ev, list};
use crate::base::Base;
use crate::from_c::BaseRef;
use crate::threads;

/// The base that gets signals.
static OWNER: AtomicPtr<Base> = AtomicPtr::new(null_mut());

/// Held while the owner changes, so that the old one cannot be freed meanwhile.
static CHANGE: Mutex<()> = Mutex::new(());

fn change() -> MutexGuard<'static, ()> {
    CHANGE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn is_valid(signum: c_int) -> bool {
    (1..65).contains(&signum)
}

pub(crate) fn is_owner(base: &Base) -> bool {
    core::ptr::eq(OWNER.load(Ordering::Acquire), base)
}

/// Makes the base the owner of signals instead of the previous one. The lock of this base is held.
pub(crate) fn own(base: &Base) {
    if is_owner(base) {
        return;
    }
    let _change = change();
    let old = OWNER.swap(core::ptr::from_ref(base).cast_mut(), Ordering::AcqRel);
    if let Some(old) = BaseRef::of_ptr(old) {
        keep_what_came(&old);
    }
    forget_what_came(base);
}

/// Arrivals before the change still belong to the former owner. (If it runs in another thread, that thread handles
/// them.)
fn keep_what_came(old: &Base) {
    if !threads::try_lock(old.lock) {
        return;
    }
    if !old.is_running.get() {
        let mut core = old.core();
        if core.poll(Wait::None).is_ok() {
            while let Some(fired) = core.next_active() {
                let (id, ready, count) = (fired.id, fired.ready, fired.count);
                let Some(event) = *fired.data else { continue };
                old.hand_over(&mut core, event, id, ready, count, true);
            }
        }
    }
    old.unlock();
}

/// Arrivals while another base was the owner belong to that one.
fn forget_what_came(base: &Base) {
    let mut core = base.core();
    let waiting: Vec<_> = core.iter().filter_map(|(id, event)| Some((id, (*event)?))).collect();
    for (id, event) in waiting {
        if event.is_for(ev::SIGNAL) && event.has(list::INSERTED) && !event.has(list::TIMEOUT) {
            // Deleting and adding again discards the count.
            let _ = core.del(id);
            let _ = core.add(id, None);
        }
    }
}

/// Called when a base is freed.
pub(crate) fn disown(base: &Base) {
    let this = core::ptr::from_ref(base).cast_mut();
    let _change = change();
    let _ = OWNER.compare_exchange(this, null_mut(), Ordering::AcqRel, Ordering::Acquire);
}
