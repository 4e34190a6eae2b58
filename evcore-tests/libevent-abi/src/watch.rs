//! `evwatch`: callbacks before and after each wait. (New in libevent 2.2; 2.1's headers do not have them.)

use core::cell::{Cell, RefCell};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use evcore::backend::Sleep;
use evcore::{Instant, Wait};

use crate::abi::timeval;
use crate::base::Base;
use crate::from_c::{BaseRef, Out, export};
use crate::memory;
use crate::time;

type Pointer = Option<NonNull<Watch>>;
/// For both kinds; a check watcher's information is empty.
type WatchFn = extern "C" fn(Pointer, *const Info, *mut c_void);

/// `struct evwatch`.
#[derive(Clone, Copy)]
pub struct Watch {
    base: BaseRef,
    function: Option<WatchFn>,
    arg: *mut c_void,
    is_prepare: bool,
}

/// `struct evwatch_prepare_cb_info`: the maximum duration of the wait.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Info {
    timeout: Option<timeval>,
}

/// The watchers of one kind, in the order of creation.
#[derive(Default)]
pub(crate) struct Watchers {
    all: RefCell<Vec<NonNull<Watch>>>,
    count: Cell<usize>,
}

impl Watchers {
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    fn change(&self, how: impl FnOnce(&mut Vec<NonNull<Watch>>)) {
        let mut all = self.all.borrow_mut();
        how(&mut all);
        self.count.set(all.len());
    }

    /// Calls each, without the lock. Any of them may be freed meanwhile, even by itself.
    pub(crate) fn call(&self, base: &Base, is_nonblocking: bool) {
        let all = self.all.borrow().clone();
        for watch in all {
            if !self.all.borrow().contains(&watch) {
                continue;
            }
            let Watch { function, arg, .. } = *memory::lend(watch);
            let info = Info { timeout: base.next_wait(is_nonblocking) };
            base.unlock();
            if let Some(function) = function {
                function(Some(watch), &raw const info, arg);
            }
            base.lock();
        }
    }

    pub(crate) fn free(&self) {
        self.count.set(0);
        for watch in self.all.take() {
            memory::take(watch);
        }
    }
}

impl Base {
    fn next_wait(&self, is_nonblocking: bool) -> Option<timeval> {
        if is_nonblocking || self.active.get() > 0 {
            return Some(time::ZERO);
        }
        let core = self.core();
        match core.next_sleep(Wait::Until(Instant::MAX)) {
            Sleep::None => Some(time::ZERO),
            Sleep::Until(point) => {
                let left = point.saturating_since(core.update_now()).as_nanos();
                Some(time::of_nanos(left.cast_signed()))
            }
            Sleep::Forever => None,
        }
    }

    fn watchers(&self, is_prepare: bool) -> &Watchers {
        if is_prepare { &self.prepare } else { &self.check }
    }
}

fn new(base: Option<BaseRef>, function: Option<WatchFn>, arg: *mut c_void, is_prepare: bool) -> Pointer {
    let base = base?;
    let watch = memory::put(Watch { base, function, arg, is_prepare })?;
    let _guard = base.guard();
    base.watchers(is_prepare).change(|all| all.push(watch));
    Some(watch)
}

export! {
    fn evwatch_prepare_new(base: Option<BaseRef>, function: Option<WatchFn>, arg: *mut c_void) -> Option<NonNull<Watch>> {
        new(base, function, arg, true)
    }

    fn evwatch_check_new(base: Option<BaseRef>, function: Option<WatchFn>, arg: *mut c_void) -> Option<NonNull<Watch>> {
        new(base, function, arg, false)
    }

    fn evwatch_base(watch: Option<NonNull<Watch>>) -> *mut Base {
        watch.map_or(core::ptr::null_mut(), |watch| memory::lend(watch).base.as_ptr())
    }

    fn evwatch_free(watch: Option<NonNull<Watch>>) {
        let Some(watch) = watch else { return };
        let Watch { base, is_prepare, .. } = *memory::lend(watch);
        let _guard = base.guard();
        base.watchers(is_prepare).change(|all| all.retain(|known| *known != watch));
        memory::take(watch);
    }

    fn evwatch_prepare_get_timeout(info: Option<crate::from_c::Lent<Info>>, out: Option<Out<timeval>>) -> c_int {
        let (Some(timeout), Some(out)) = (info.and_then(|info| info.get().timeout), out) else { return 0 };
        out.set(timeout);
        1
    }
}
