//! What C passes in: events, bases, times, strings. Each pointer becomes a handle here, and is only accessed here.
//!
//! A handle is as valid as the pointer it was made from. libevent's interface defines how long that is: an event's
//! memory is the program's, and stays valid from `event_assign` on while the event is pending or active, and during
//! each call that names it; a base's stays valid until `event_base_free`. Nothing here lends a `&mut`, or a `&` that
//! outlives one read: so C, and a callback that calls back in, may change the same memory between two of our reads.
//!
//! The exported functions are safe functions with handles as arguments. Only C calls them, and must keep these rules,
//! as with libevent.

use core::ffi::{CStr, c_char, c_int, c_short, c_void};
use core::ops::Deref;
use core::ptr::NonNull;

use evcore::Fd;

use crate::abi::{Callback, Calls, Event, EventFn, FinalizeFn, Period, SelfFn, list, timeval};
use crate::base::Base;

/// Defines functions that C calls by name.
macro_rules! export {
    ($($(#[$attribute:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $answer:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        // SAFETY: the name is libevent's, and no other library of the process has another function of that name.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($arg: $type),*) $(-> $answer)? $body
    )*};
}
pub(crate) use export;

/// Defines variables that C accesses by name.
macro_rules! export_static {
    ($($(#[$attribute:meta])* $name:ident: $type:ty = $value:expr;)*) => {$(
        $(#[$attribute])*
        // SAFETY: as for functions.
        #[unsafe(no_mangle)]
        #[allow(non_upper_case_globals, reason = "libevent's name")]
        pub static $name: $type = $value;
    )*};
}
pub(crate) use export_static;

/// Accessors for the fields of a structure behind a handle; they copy values.
macro_rules! fields {
    ($handle:ident { $($(#[$doc:meta])* $get:ident, $set:ident: $type:ty = $($path:ident).+;)* }) => {
        impl $handle {$(
            $(#[$doc])*
            #[inline(always)]
            #[allow(dead_code, reason = "some fields are only written")]
            pub(crate) fn $get(self) -> $type {
                // SAFETY: the handle is valid (see above), and there is no reference into the structure.
                unsafe { (*self.0.as_ptr()).$($path).+ }
            }

            #[inline(always)]
            #[allow(dead_code, reason = "some fields are only read")]
            pub(crate) fn $set(self, value: $type) {
                // SAFETY: as above.
                unsafe { (*self.0.as_ptr()).$($path).+ = value }
            }
        )*}
    };
}

/// An `event_callback`: part of an event, or a callback alone.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cb(NonNull<Callback>);

fields! { Cb {
    next, set_next: Option<Cb> = next;
    previous, set_previous: Option<Cb> = previous;
    flags, set_flags: c_short = flags;
    priority, set_priority: u8 = priority;
    closure, set_closure: u8 = closure;
    raw_function, set_raw_function: *const c_void = function;
    arg, set_arg: *mut c_void = arg;
} }

impl Cb {
    #[inline]
    pub(crate) fn insert_flags(self, flags: c_short) {
        self.set_flags(self.flags() | flags);
    }

    #[inline]
    pub(crate) fn has(self, flags: c_short) -> bool {
        self.flags() & flags != 0
    }

    /// The event that contains this; `None` for a callback alone.
    #[inline]
    pub(crate) fn event(self) -> Option<Ev> {
        self.has(list::INIT).then_some(self.as_event())
    }

    /// The event that contains this, if the closure says that there is one.
    #[inline(always)]
    pub(crate) fn as_event(self) -> Ev {
        Ev(self.0.cast())
    }

    pub(crate) fn set_self_function(self, function: SelfFn) {
        self.set_raw_function(function as *const c_void);
    }

    pub(crate) fn set_event_finalizer(self, function: FinalizeFn) {
        self.set_raw_function(function as *const c_void);
    }

    /// The function of a callback alone, or its finalizer.
    pub(crate) fn self_function(self) -> SelfFn {
        // SAFETY: the closure of this callback says that such a function was stored here, by C or by `set_self_function`.
        unsafe { core::mem::transmute::<*const c_void, SelfFn>(self.raw_function()) }
    }

    /// The finalizer of an event.
    pub(crate) fn event_finalizer(self) -> FinalizeFn {
        // SAFETY: the closure says that `set_event_finalizer` stored it.
        unsafe { core::mem::transmute::<*const c_void, FinalizeFn>(self.raw_function()) }
    }

    pub(crate) fn clear(self) {
        let nothing = Callback {
            next: None,
            previous: None,
            flags: 0,
            priority: 0,
            closure: 0,
            function: core::ptr::null(),
            arg: core::ptr::null_mut(),
        };
        // SAFETY: the handle is valid; the previous value has no destructor.
        unsafe { self.0.write(nothing) }
    }
}

/// A `struct event` of C.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ev(NonNull<Event>);

fields! { Ev {
    raw_function, set_raw_function: *const c_void = callback.function;
    arg, set_arg: *mut c_void = callback.arg;
    flags, set_flags: c_short = callback.flags;
    closure, set_closure: u8 = callback.closure;
    priority, set_priority: u8 = callback.priority;
    id, set_id: u64 = id;
    spare, set_spare: u64 = spare;
    attached_for, set_attached_for: u64 = attached_for;
    fd, set_fd: c_int = fd;
    raw_base, set_raw_base: *mut Base = base;
    events, set_events: c_short = events;
    res, set_res: c_short = res;
    raw_period, set_raw_period: Period = period;
} }

impl Ev {
    /// Initialises an event's memory: `event_assign`.
    pub(crate) fn reset(self, event: Event) {
        // SAFETY: C passes memory of an event's size; the previous value has no destructor.
        unsafe { self.0.write(event) }
    }

    pub(crate) fn of_memory(memory: NonNull<c_void>) -> Self {
        Self(memory.cast())
    }

    #[inline]
    pub(crate) fn memory(self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    #[inline(always)]
    pub(crate) fn cb(self) -> Cb {
        Cb(self.0.cast())
    }

    #[inline]
    pub(crate) fn insert_flags(self, flags: c_short) {
        self.set_flags(self.flags() | flags);
    }

    #[inline]
    pub(crate) fn remove_flags(self, flags: c_short) {
        self.set_flags(self.flags() & !flags);
    }

    #[inline(always)]
    pub(crate) fn has(self, flags: c_short) -> bool {
        self.flags() & flags != 0
    }

    #[inline(always)]
    pub(crate) fn is_for(self, events: c_short) -> bool {
        self.events() & events != 0
    }

    #[inline]
    pub(crate) fn base(self) -> Option<BaseRef> {
        NonNull::new(self.raw_base()).map(BaseRef)
    }

    /// The callback; `None` if C has stored none.
    #[inline]
    pub(crate) fn function(self) -> Option<EventFn> {
        // SAFETY: `event_assign` stored a function of this type, or null.
        unsafe { core::mem::transmute::<*const c_void, Option<EventFn>>(self.raw_function()) }
    }

    /// The period of a persistent event.
    #[inline]
    pub(crate) fn period(self) -> timeval {
        let period = self.raw_period();
        // SAFETY: all of it is initialised by `event_assign`, and any bits are a time.
        unsafe { period.time }
    }

    pub(crate) fn set_period(self, time: timeval) {
        self.set_raw_period(Period { time });
    }

    /// How many calls of a signal event are left, and the counter of the call under way.
    pub(crate) fn calls(self) -> Calls {
        let period = self.raw_period();
        // SAFETY: a signal event stores this variant; any bits are numbers.
        unsafe { period.calls }
    }

    pub(crate) fn set_calls(self, left: c_short, counter: *mut c_short) {
        self.set_raw_period(Period { calls: Calls { left, counter } });
    }

    /// Stores which evcore event belongs to this one, and what that waits for.
    #[inline(always)]
    pub(crate) fn set_attached(self, id: u64) {
        self.set_id(id);
        self.set_attached_for(self.waits_for());
    }

    /// Whether the event has not changed since its evcore event was made: some programs change `ev_fd` and
    /// `ev_events`.
    #[inline(always)]
    pub(crate) fn is_as_attached(self) -> bool {
        self.attached_for() == self.waits_for()
    }

    /// Whether the evcore event waits for any of these.
    #[inline(always)]
    pub(crate) fn is_attached_for(self, events: c_short) -> bool {
        self.attached_for() & u64::from(events.cast_unsigned()) != 0
    }

    /// The descriptor and the events in one number.
    #[inline(always)]
    fn waits_for(self) -> u64 {
        u64::from(self.fd().cast_unsigned()) << 16 | u64::from(self.events().cast_unsigned())
    }

    /// Whether evcore has handed out the event since it was last added, so that this activation comes from evcore.
    #[inline(always)]
    pub(crate) fn is_handed_out(self) -> bool {
        self.spare() != 0
    }

    #[inline(always)]
    pub(crate) fn set_handed_out(self, is_handed_out: bool) {
        self.set_spare(u64::from(is_handed_out));
    }

    /// Ends the remaining calls of a signal's callback under way.
    pub(crate) fn end_calls(self) {
        if let Some(counter) = NonNull::new(self.calls().counter) {
            // SAFETY: it is the local variable of a call under way, which clears the pointer before it returns.
            unsafe { counter.write(0) }
        }
    }
}

/// An `event_base` that C holds.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BaseRef(NonNull<Base>);

impl BaseRef {
    pub(crate) fn of_memory(memory: NonNull<Base>) -> Self {
        Self(memory)
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *mut Base {
        self.0.as_ptr()
    }

    #[inline]
    pub(crate) fn of_ptr(base: *mut Base) -> Option<Self> {
        NonNull::new(base).map(Self)
    }
}

impl Deref for BaseRef {
    type Target = Base;

    /// The base by shared reference: everything that changes is in cells, and its lock is held.
    #[inline(always)]
    fn deref(&self) -> &Base {
        // SAFETY: C passes no base that it has freed. Only `&` is ever made of it. Its cells are used by the thread
        // that holds the base's lock; without locks only one thread uses a base, as in libevent.
        unsafe { self.0.as_ref() }
    }
}

/// A value that C lends for one call: a time, a structure of functions.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Lent<T>(NonNull<T>);

impl<T: Copy> Lent<T> {
    #[inline]
    pub(crate) fn get(self) -> T {
        // SAFETY: C lends it for the call.
        unsafe { self.0.read() }
    }

    pub(crate) fn as_ptr(self) -> *const T {
        self.0.as_ptr()
    }
}

/// A buffer for a result.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Out<T>(NonNull<T>);

impl<T: Copy> Out<T> {
    pub(crate) fn set(self, value: T) {
        // SAFETY: C lends room for one value for the call.
        unsafe { self.0.write(value) }
    }

    pub(crate) fn get(self) -> T {
        // SAFETY: as above, and C has initialised it.
        unsafe { self.0.read() }
    }
}

/// C's bytes, to be read.
pub(crate) fn bytes<'a>(start: *const c_void, length: usize) -> &'a [u8] {
    if start.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: C guarantees that there are this many bytes, and does not change them during the call; the reference is
    // not kept.
    unsafe { core::slice::from_raw_parts(start.cast(), length) }
}

/// C's buffer, to be written.
pub(crate) fn room<'a>(start: *mut c_void, length: usize) -> &'a mut [u8] {
    if start.is_null() || length == 0 {
        return &mut [];
    }
    // SAFETY: C lends this buffer for the call, and nothing else points into it. It is zeroed first, so it is
    // initialised.
    unsafe { core::ptr::write_bytes(start.cast::<u8>(), 0, length) };
    // SAFETY: as above.
    unsafe { core::slice::from_raw_parts_mut(start.cast(), length) }
}

/// A C string; the empty one for null.
pub(crate) fn string<'a>(start: *const c_char) -> &'a CStr {
    if start.is_null() {
        return c"";
    }
    // SAFETY: C passes a zero-terminated string, and does not change it during the call; the reference is not kept.
    unsafe { CStr::from_ptr(start) }
}

/// The descriptor with a number; `None` if no descriptor can have it.
#[inline]
pub(crate) fn fd(number: c_int) -> Option<Fd> {
    // SAFETY: C guarantees that it is a descriptor of its own. If it is none, the backend refuses it; it is used for
    // registration only.
    unsafe { evplat_linux::fd_from_raw(number) }
}

/// An array of callbacks.
pub(crate) fn callbacks(start: *const *mut c_void, count: usize) -> Vec<Cb> {
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: C guarantees that there are this many pointers.
    let all = unsafe { core::slice::from_raw_parts(start, count) };
    all.iter().filter_map(|callback| NonNull::new(callback.cast()).map(Cb)).collect()
}

/// The bytes of a string, up to its end or the limit.
pub(crate) fn text_within(start: *const c_char, limit: usize) -> Vec<u8> {
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: the bytes up to the terminating zero exist, and none after it is read.
    let length = unsafe { libc::strnlen(start, limit) };
    bytes(start.cast(), length).to_vec()
}
