//! Converts between `struct timeval` and evcore's times; the cached clock.

use core::ffi::c_int;
use core::time::Duration;

use evcore::Instant;

use crate::abi::{flag, timeval};
use crate::base::Base;
use crate::compat;
use crate::from_c::{BaseRef, Out, export};
use crate::to_c;

const NANOS: i128 = 1_000_000_000;
/// Upper bits of the microseconds of a common timeout, where libevent hides its index.
pub(crate) const MAGIC: i64 = 0x5000_0000;
pub(crate) const MAGIC_MASK: i64 = 0xf000_0000;
pub(crate) const MICROS_MASK: i64 = 0x000f_ffff;

pub(crate) const ZERO: timeval = timeval { tv_sec: 0, tv_usec: 0 };

pub(crate) fn is_set(time: timeval) -> bool {
    time.tv_sec != 0 || time.tv_usec != 0
}

/// Converts a delay from C: negative ones become zero, and a common timeout's hidden index is removed.
#[inline]
pub(crate) fn duration(time: timeval) -> Duration {
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_usec)) {
        (Ok(seconds), Ok(micros)) if micros < 1_000_000 => Duration::new(seconds, micros * 1_000),
        _ => rare_duration(time),
    }
}

#[cold]
fn rare_duration(time: timeval) -> Duration {
    let micros = if time.tv_usec & MAGIC_MASK == MAGIC { time.tv_usec & MICROS_MASK } else { time.tv_usec };
    let (Ok(seconds), Ok(micros)) = (u64::try_from(time.tv_sec), u64::try_from(micros)) else {
        let nanos = i128::from(time.tv_sec) * NANOS + i128::from(micros) * 1_000;
        return Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    };
    Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros))
}

pub(crate) fn of_nanos(nanos: i128) -> timeval {
    let micros = nanos.div_euclid(1_000);
    timeval { tv_sec: (micros.div_euclid(1_000_000)) as i64, tv_usec: micros.rem_euclid(1_000_000) as i64 }
}

/// The wall clock's time, in nanoseconds.
pub(crate) fn wall() -> i128 {
    to_c::clock(libc::CLOCK_REALTIME)
}

impl Base {
    /// The time that delays start from: cached while callbacks run, unless the program disabled that.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        if let Some(now) = self.cached.get() {
            return now;
        }
        let now = self.core().now();
        if self.is_running.get() && self.flags & flag::NO_CACHE_TIME == 0 {
            self.cached.set(Some(now));
        }
        now
    }

    pub(crate) fn clear_clock(&self) {
        self.cached.set(None);
    }

    /// Updates the cached time for the rest of this turn.
    pub(crate) fn update_clock(&self) -> Instant {
        self.clear_clock();
        let now = self.core().update_now();
        if self.flags & flag::NO_CACHE_TIME == 0 {
            self.cached.set(Some(now));
            self.wall_ahead.set(None);
        }
        now
    }
}

export! {
    fn event_gettime_monotonic(base: Option<BaseRef>, out: Option<Out<timeval>>) -> c_int {
        let (Some(base), Some(out)) = (base, out) else { return -1 };
        let _guard = base.guard();
        let now = to_c::clock(libc::CLOCK_MONOTONIC);
        out.set(of_nanos(now));
        0
    }

    fn event_base_gettimeofday_cached(base: Option<BaseRef>, out: Option<Out<timeval>>) -> c_int {
        let Some(out) = out else { return -1 };
        let base = base.or_else(compat::current);
        let guarded = base.as_ref().map(|base| base.guard());
        let Some(base) = base.filter(|base| base.is_running.get() && base.flags & flag::NO_CACHE_TIME == 0) else {
            drop(guarded);
            out.set(of_nanos(wall()));
            return 0;
        };
        let now = i128::from(base.now().as_nanos());
        let ahead = base.wall_ahead.get().unwrap_or_else(|| wall() - now);
        base.wall_ahead.set(Some(ahead));
        out.set(of_nanos(now + ahead));
        0
    }

    fn event_base_update_cache_time(base: Option<BaseRef>) -> c_int {
        let Some(base) = base.or_else(compat::current) else { return -1 };
        let _guard = base.guard();
        if base.is_running.get() {
            base.update_clock();
        }
        0
    }

    /// The same duration returns the same pointer, to a time that `event_add` recognises. Here events with one
    /// duration always expire in the order in which they were added, so nothing depends on it.
    fn event_base_init_common_timeout(base: Option<BaseRef>, duration: Option<Out<timeval>>) -> *const timeval {
        let (Some(base), Some(duration)) = (base, duration) else { return core::ptr::null() };
        let _guard = base.guard();
        let mut time = duration.get();
        if time.tv_usec > 1_000_000 {
            let is_common = time.tv_usec & MAGIC_MASK == MAGIC;
            time.tv_usec &= if is_common { MICROS_MASK } else { i64::MAX };
            time.tv_sec += time.tv_usec / 1_000_000;
            time.tv_usec %= 1_000_000;
        }
        let mut common = base.common.borrow_mut();
        let found = common.iter().find(|known| {
            let micros = known.tv_usec & MICROS_MASK;
            (known.tv_sec, micros) == (time.tv_sec, time.tv_usec)
        });
        if let Some(found) = found {
            return &raw const **found;
        }
        let Ok(number) = i64::try_from(common.len()) else { return core::ptr::null() };
        if number >= 256 {
            crate::log::warn("event_base_init_common_timeout: Too many common timeouts already in use; \
                we only support 256 per event_base");
            return core::ptr::null();
        }
        time.tv_usec |= MAGIC | number << 20;
        let known = Box::new(time);
        let pointer = &raw const *known;
        common.push(known);
        pointer
    }
}
