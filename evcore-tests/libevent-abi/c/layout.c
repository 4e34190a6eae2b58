/* Checks that libevent's headers have the layout of Rust's structures. The numbers are those that src/abi.rs asserts. */
#include <stddef.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

#define AT(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), #field)

_Static_assert(sizeof(struct event_callback) == 40, "struct event_callback");
AT(event_callback, evcb_active_next, 0);
AT(event_callback, evcb_flags, 16);
AT(event_callback, evcb_pri, 18);
AT(event_callback, evcb_closure, 19);
AT(event_callback, evcb_cb_union, 24);
AT(event_callback, evcb_arg, 32);

_Static_assert(sizeof(struct event) == 128, "struct event");
AT(event, ev_evcallback, 0);
AT(event, ev_timeout_pos, 40);
AT(event, ev_fd, 56);
AT(event, ev_base, 64);
AT(event, ev_, 72);
AT(event, ev_.ev_io.ev_timeout, 88);
AT(event, ev_.ev_signal.ev_ncalls, 88);
AT(event, ev_.ev_signal.ev_pncalls, 96);
AT(event, ev_events, 104);
AT(event, ev_res, 106);
AT(event, ev_timeout, 112);

_Static_assert(EVLIST_TIMEOUT == 1 && EVLIST_INSERTED == 2 && EVLIST_ACTIVE == 8, "EVLIST");
_Static_assert(EVLIST_INTERNAL == 0x10 && EVLIST_ACTIVE_LATER == 0x20 && EVLIST_FINALIZING == 0x40, "EVLIST");
_Static_assert(EVLIST_INIT == 0x80, "EVLIST");
_Static_assert(EV_TIMEOUT == 1 && EV_READ == 2 && EV_WRITE == 4 && EV_SIGNAL == 8 && EV_PERSIST == 16, "EV");
_Static_assert(EV_ET == 32 && EV_FINALIZE == 64 && EV_CLOSED == 128, "EV");
_Static_assert(EVLOOP_ONCE == 1 && EVLOOP_NONBLOCK == 2 && EVLOOP_NO_EXIT_ON_EMPTY == 4, "EVLOOP");
_Static_assert(EVENT_BASE_FLAG_NOLOCK == 1 && EVENT_BASE_FLAG_IGNORE_ENV == 2, "EVENT_BASE_FLAG");
_Static_assert(EVENT_BASE_FLAG_NO_CACHE_TIME == 8 && EVENT_MAX_PRIORITIES == 256, "EVENT_BASE_FLAG");

_Static_assert(sizeof(struct evthread_lock_callbacks) == 40, "struct evthread_lock_callbacks");
AT(evthread_lock_callbacks, alloc, 8);
AT(evthread_lock_callbacks, free, 16);
AT(evthread_lock_callbacks, lock, 24);
AT(evthread_lock_callbacks, unlock, 32);
_Static_assert(sizeof(struct evthread_condition_callbacks) == 40, "struct evthread_condition_callbacks");
AT(evthread_condition_callbacks, alloc_condition, 8);
AT(evthread_condition_callbacks, free_condition, 16);
AT(evthread_condition_callbacks, signal_condition, 24);
AT(evthread_condition_callbacks, wait_condition, 32);
