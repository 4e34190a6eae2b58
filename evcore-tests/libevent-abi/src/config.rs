//! Creating a base: `event_config`, `event_base_new_with_config`, priorities.

use core::ffi::{c_char, c_int};
use core::ptr::{NonNull, null_mut};
use core::time::Duration;

use evcore::backend::Features;
use evplat_linux::Epoll;
use evplat_posix::{Poll, Preferences, Select};

use crate::abi::{flag, timeval};
use crate::base::{Base, Core};
use crate::debug;
use crate::from_c::{BaseRef, Lent, export, string};
use crate::log;
use crate::memory;
use crate::time;
use crate::to_c;

/// `struct event_config`.
#[derive(Clone)]
pub struct Config {
    avoided: Vec<String>,
    required: c_int,
    pub(crate) flags: c_int,
    pub(crate) max_interval: Option<Duration>,
    pub(crate) max_callbacks: c_int,
    limit_from: c_int,
}

const DEFAULT: Config =
    Config { avoided: Vec::new(), required: 0, flags: 0, max_interval: None, max_callbacks: c_int::MAX, limit_from: 1 };

impl Config {
    /// The first priority that the limits apply to; none if there are no limits.
    pub(crate) fn limit_from(&self) -> c_int {
        let is_limited = self.max_interval.is_some() || self.max_callbacks != c_int::MAX;
        if self.limit_from == 1 && !is_limited { c_int::MAX } else { self.limit_from }
    }

    fn core(&self) -> Option<Core> {
        let required = Features::from_bits_truncate(u16::try_from(self.required).unwrap_or(u16::MAX));
        let mut preferences = Preferences::new().require(required);
        for method in &self.avoided {
            preferences = preferences.avoid(method);
        }
        if self.flags & flag::IGNORE_ENV != 0 {
            preferences = preferences.ignore_environment();
        }
        match preferences.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new).backend() {
            Ok(backend) => Some(Core::new(backend)),
            Err(_) => None,
        }
    }
}

fn change(config: Option<NonNull<Config>>, how: impl FnOnce(&mut Config)) -> c_int {
    let Some(config) = config else { return -1 };
    how(memory::lend(config));
    0
}

export! {
    fn event_config_new() -> Option<NonNull<Config>> {
        memory::put(DEFAULT)
    }

    fn event_config_free(config: Option<NonNull<Config>>) {
        if let Some(config) = config {
            memory::take(config);
        }
    }

    fn event_config_avoid_method(config: Option<NonNull<Config>>, method: *const c_char) -> c_int {
        let method = string(method).to_string_lossy().into_owned();
        change(config, |config| config.avoided.push(method))
    }

    fn event_config_require_features(config: Option<NonNull<Config>>, features: c_int) -> c_int {
        change(config, |config| config.required = features)
    }

    fn event_config_set_flag(config: Option<NonNull<Config>>, flag: c_int) -> c_int {
        change(config, |config| config.flags |= flag)
    }

    fn event_config_set_num_cpus_hint(config: Option<NonNull<Config>>, _cpus: c_int) -> c_int {
        change(config, |_| {})
    }

    fn event_config_set_max_dispatch_interval(
        config: Option<NonNull<Config>>,
        interval: Option<Lent<timeval>>,
        callbacks: c_int,
        from: c_int,
    ) -> c_int {
        let interval = interval.map(|interval| time::duration(interval.get()));
        change(config, |config| {
            config.max_interval = interval;
            config.max_callbacks = if callbacks >= 0 { callbacks } else { c_int::MAX };
            config.limit_from = from.max(0);
        })
    }

    fn event_base_new() -> *mut Base {
        event_base_new_with_config(None)
    }

    fn event_base_new_with_config(config: Option<NonNull<Config>>) -> *mut Base {
        debug::note_use();
        let config = config.map_or(DEFAULT, |config| memory::lend(config).clone());
        let Some(core) = config.core() else {
            log::warn("event_base_new_with_config: no event mechanism available");
            return null_mut();
        };
        let has_lock = config.flags & flag::NOLOCK == 0;
        let base = Base::new(core, &config, has_lock).and_then(to_c::new_base);
        base.map_or(null_mut(), BaseRef::as_ptr)
    }

    fn event_base_priority_init(base: Option<BaseRef>, count: c_int) -> c_int {
        let Some(base) = base else { return -1 };
        let _guard = base.guard();
        match u8::try_from(count) {
            Ok(levels) if levels > 0 && base.active.get() == 0 => {
                base.set_levels(levels);
                0
            }
            _ => -1,
        }
    }

    fn event_base_get_npriorities(base: Option<BaseRef>) -> c_int {
        let Some(base) = base.or_else(crate::compat::current) else { return 0 };
        let _guard = base.guard();
        c_int::from(base.levels.get())
    }
}
