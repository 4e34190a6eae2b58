//! Locks: `evthread_set_lock_callbacks` and its variants. The program provides the locks, usually those of
//! `libevent_pthreads`.

use core::cell::{Cell, UnsafeCell};
use core::ffi::{c_int, c_ulong, c_void};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicI32, Ordering};

use crate::abi::{CondFns, IdFn, LockFns};
use crate::debug;
use crate::from_c::{BaseRef, Lent, export, export_static};
use crate::log;
use crate::memory;

const RECURSIVE: u32 = 1;
const TRY: u32 = 0x10;

/// A variable that libevent's own objects read, too: set while there is one thread, as libevent's interface requires.
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: it is written before there is a second thread; `evthread_set_lock_callbacks` and the other setters here
// require that.
unsafe impl<T> Sync for Shared<T> {}

impl<T: Copy> Shared<T> {
    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        // SAFETY: either nothing writes it any more, or there is one thread.
        unsafe { *self.0.get() }
    }

    fn set(&self, value: T) {
        // SAFETY: there is only one thread so far.
        unsafe { *self.0.get() = value }
    }
}

const NO_LOCKS: LockFns = LockFns { version: 0, kinds: 0, alloc: None, free: None, lock: None, unlock: None };
const NO_CONDS: CondFns = CondFns { version: 0, alloc: None, free: None, signal: None, wait: None };

export_static! {
    evthread_lock_fns_: Shared<LockFns> = Shared(UnsafeCell::new(NO_LOCKS));
    evthread_cond_fns_: Shared<CondFns> = Shared(UnsafeCell::new(NO_CONDS));
    evthread_id_fn_: Shared<Option<IdFn>> = Shared(UnsafeCell::new(None));
    evthread_lock_debugging_enabled_: AtomicI32 = AtomicI32::new(0);
}

/// The program's functions, if the checking ones are installed above.
static ORIGINAL_LOCKS: Shared<LockFns> = Shared(UnsafeCell::new(NO_LOCKS));
static ORIGINAL_CONDS: Shared<CondFns> = Shared(UnsafeCell::new(NO_CONDS));

fn is_debugging() -> bool {
    evthread_lock_debugging_enabled_.load(Ordering::Relaxed) != 0
}

/// The identifier of this thread; 1 without threads.
#[inline]
pub(crate) fn this_thread() -> c_ulong {
    evthread_id_fn_.get().map_or(1, |function| function())
}

pub(crate) fn has_threads() -> bool {
    evthread_id_fn_.get().is_some()
}

#[inline(always)]
pub(crate) fn lock(lock: *mut c_void) {
    if lock.is_null() {
        return;
    }
    if let Some(function) = evthread_lock_fns_.get().lock {
        function(0, lock);
    }
}

#[inline(always)]
pub(crate) fn unlock(lock: *mut c_void) {
    if lock.is_null() {
        return;
    }
    if let Some(function) = evthread_lock_fns_.get().unlock {
        function(0, lock);
    }
}

/// Tries to take the lock without waiting.
pub(crate) fn try_lock(lock: *mut c_void) -> bool {
    lock.is_null() || evthread_lock_fns_.get().lock.is_none_or(|function| function(TRY, lock) == 0)
}

pub(crate) fn new_lock() -> *mut c_void {
    debug::note_threadable();
    evthread_lock_fns_.get().alloc.map_or(null_mut(), |function| function(0))
}

pub(crate) fn free_lock(lock: *mut c_void) {
    if let Some(function) = evthread_lock_fns_.get().free.filter(|_| !lock.is_null()) {
        function(lock, 0);
    }
}

pub(crate) fn new_cond() -> *mut c_void {
    debug::note_threadable();
    evthread_cond_fns_.get().alloc.map_or(null_mut(), |function| function(0))
}

pub(crate) fn free_cond(cond: *mut c_void) {
    if let Some(function) = evthread_cond_fns_.get().free.filter(|_| !cond.is_null()) {
        function(cond);
    }
}

pub(crate) fn broadcast(cond: *mut c_void) {
    if let Some(function) = evthread_cond_fns_.get().signal.filter(|_| !cond.is_null()) {
        function(cond, 1);
    }
}

/// Waits. Returns whether there is a condition to wait for.
pub(crate) fn wait(cond: *mut c_void, lock: *mut c_void) -> bool {
    let function = evthread_cond_fns_.get().wait.filter(|_| !cond.is_null());
    function.is_some_and(|function| function(cond, lock, core::ptr::null()) == 0)
}

export! {
    fn evthread_set_id_callback(function: Option<IdFn>) {
        evthread_id_fn_.set(function);
    }

    fn evthread_get_lock_callbacks() -> *const Shared<LockFns> {
        if is_debugging() { &raw const ORIGINAL_LOCKS } else { &raw const evthread_lock_fns_ }
    }

    fn evthread_get_condition_callbacks() -> *const Shared<CondFns> {
        if is_debugging() { &raw const ORIGINAL_CONDS } else { &raw const evthread_cond_fns_ }
    }

    fn evthread_set_lock_callbacks(functions: Option<Lent<LockFns>>) -> c_int {
        let target = if is_debugging() { &ORIGINAL_LOCKS } else { &evthread_lock_fns_ };
        let old = target.get();
        debug::refuse_late_threads("evthread initialization");
        let Some(functions) = functions.map(Lent::get) else {
            if old.alloc.is_some() {
                log::warn("Trying to disable lock functions after they have been set up will probaby not work.");
            }
            target.set(NO_LOCKS);
            return 0;
        };
        if old.alloc.is_some() {
            // `evthread_use_pthreads` may set the same functions twice.
            if old.key() == functions.key() {
                return 0;
            }
            log::warn("Can't change lock callbacks once they have been initialized.");
            return -1;
        }
        let LockFns { alloc, free, lock, unlock, .. } = functions;
        if alloc.is_none() || free.is_none() || lock.is_none() || unlock.is_none() {
            return -1;
        }
        target.set(functions);
        0
    }

    fn evthread_set_condition_callbacks(functions: Option<Lent<CondFns>>) -> c_int {
        let target = if is_debugging() { &ORIGINAL_CONDS } else { &evthread_cond_fns_ };
        let old = target.get();
        debug::refuse_late_threads("evthread initialization");
        let Some(functions) = functions.map(Lent::get) else {
            if old.alloc.is_some() {
                log::warn("Trying to disable condition functions after they have been set up will probaby not work.");
            }
            target.set(NO_CONDS);
            return 0;
        };
        if old.alloc.is_some() {
            if old.key() == functions.key() {
                return 0;
            }
            log::warn("Can't change condition callbacks once they have been initialized.");
            return -1;
        }
        let CondFns { alloc, free, signal, wait, .. } = functions;
        if alloc.is_some() && free.is_some() && signal.is_some() && wait.is_some() {
            target.set(functions);
        }
        if is_debugging() {
            evthread_cond_fns_.set(CondFns { wait: Some(debug_wait), ..functions });
        }
        0
    }

    fn evthread_enable_lock_debugging() {
        if is_debugging() {
            return;
        }
        ORIGINAL_LOCKS.set(evthread_lock_fns_.get());
        evthread_lock_fns_.set(LockFns {
            version: 1,
            kinds: RECURSIVE,
            alloc: Some(debug_alloc),
            free: Some(debug_free),
            lock: Some(debug_lock),
            unlock: Some(debug_unlock),
        });
        ORIGINAL_CONDS.set(evthread_cond_fns_.get());
        evthread_cond_fns_.set(CondFns { wait: Some(debug_wait), ..evthread_cond_fns_.get() });
        evthread_lock_debugging_enabled_.store(1, Ordering::Relaxed);
    }

    fn evthread_enable_lock_debuging() {
        evthread_enable_lock_debugging();
    }

    fn evthread_is_debug_lock_held_(lock: Option<NonNull<DebugLock>>) -> c_int {
        c_int::from(lock.is_some_and(|lock| memory::lend(lock).is_held_here()))
    }

    fn evthread_debug_get_real_lock_(lock: Option<NonNull<DebugLock>>) -> *mut c_void {
        lock.map_or(null_mut(), |lock| memory::lend(lock).real.get())
    }

    fn evthread_make_base_notifiable(base: Option<BaseRef>) -> c_int {
        // Each base that has a lock can be woken from the start.
        if base.is_some() { 0 } else { -1 }
    }

    /// The few globals here have locks of their own.
    fn event_global_setup_locks_(_enable: c_int) -> c_int {
        0
    }

    fn evthread_setup_global_lock_(lock: *mut c_void, kind: u32, _enable: c_int) -> *mut c_void {
        let alloc = evthread_lock_fns_.get().alloc.filter(|_| lock.is_null());
        alloc.map_or(lock, |alloc| alloc(kind))
    }

    fn evthreadimpl_disable_lock_debugging_() {
        evthread_lock_debugging_enabled_.store(0, Ordering::Relaxed);
    }

    fn evthread_debug_lock_mark_unlocked_(_mode: u32, lock: Option<NonNull<DebugLock>>) {
        if let Some(lock) = lock {
            memory::lend(lock).mark_unlocked();
        }
    }
}

/// A lock that checks its use.
pub struct DebugLock {
    signature: u32,
    kind: u32,
    holder: Cell<c_ulong>,
    count: Cell<i32>,
    real: Cell<*mut c_void>,
}

const SIGNATURE: u32 = 0xdeb0_b10c;

impl DebugLock {
    fn assert(&self, is_so: bool, what: &str) {
        if !is_so || self.signature != SIGNATURE {
            log::die(log::ABORT, &format!("lock debugging: {what}"));
        }
    }

    fn is_held_here(&self) -> bool {
        self.count.get() > 0 && (!has_threads() || self.holder.get() == this_thread())
    }

    fn mark_locked(&self) {
        self.count.set(self.count.get() + 1);
        self.assert(self.kind & RECURSIVE != 0 || self.count.get() == 1, "a lock that is not recursive is taken twice");
        if has_threads() {
            self.assert(self.count.get() == 1 || self.holder.get() == this_thread(), "another thread holds the lock");
            self.holder.set(this_thread());
        }
    }

    fn mark_unlocked(&self) {
        self.assert(self.is_held_here(), "a lock is released that is not held");
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0 {
            self.holder.set(0);
        }
    }
}

extern "C" fn debug_alloc(kind: u32) -> *mut c_void {
    let mut real = null_mut();
    if let Some(alloc) = ORIGINAL_LOCKS.get().alloc {
        real = alloc(kind | RECURSIVE);
        if real.is_null() {
            return null_mut();
        }
    }
    let lock =
        DebugLock { signature: SIGNATURE, kind, holder: Cell::new(0), count: Cell::new(0), real: Cell::new(real) };
    memory::put(lock).map_or(null_mut(), |lock| lock.as_ptr().cast())
}

extern "C" fn debug_free(lock: *mut c_void, kind: u32) {
    let Some(lock) = NonNull::new(lock.cast::<DebugLock>()) else { return };
    let real = memory::lend(lock).real.get();
    memory::lend(lock).assert(memory::lend(lock).count.get() == 0, "a lock is freed that is held");
    if let Some(free) = ORIGINAL_LOCKS.get().free.filter(|_| !real.is_null()) {
        free(real, kind | RECURSIVE);
    }
    memory::take(lock);
}

extern "C" fn debug_lock(mode: u32, lock: *mut c_void) -> c_int {
    let Some(lock) = NonNull::new(lock.cast::<DebugLock>()) else { return -1 };
    let real = memory::lend(lock).real.get();
    let taken = ORIGINAL_LOCKS.get().lock.filter(|_| !real.is_null()).map_or(0, |function| function(mode, real));
    if taken == 0 {
        memory::lend(lock).mark_locked();
    }
    taken
}

extern "C" fn debug_unlock(mode: u32, lock: *mut c_void) -> c_int {
    let Some(lock) = NonNull::new(lock.cast::<DebugLock>()) else { return -1 };
    memory::lend(lock).mark_unlocked();
    let real = memory::lend(lock).real.get();
    ORIGINAL_LOCKS.get().unlock.filter(|_| !real.is_null()).map_or(0, |function| function(mode, real))
}

extern "C" fn debug_wait(cond: *mut c_void, lock: *mut c_void, time: *const crate::abi::timeval) -> c_int {
    let Some(lock) = NonNull::new(lock.cast::<DebugLock>()) else { return -1 };
    memory::lend(lock).mark_unlocked();
    let real = memory::lend(lock).real.get();
    let outcome = ORIGINAL_CONDS.get().wait.map_or(-1, |function| function(cond, real, time));
    memory::lend(lock).mark_locked();
    outcome
}
