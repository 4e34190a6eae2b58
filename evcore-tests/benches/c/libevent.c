/* libevent, used as its documentation recommends: events of fds, with their timeouts; user events for wakes. */
#include "bench.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <stdlib.h>
#include <unistd.h>

static struct event_base *base;
static struct event *events, *writers;
static size_t count;

static void open_base(void) {
    if (!base)
        check((base = event_base_new()) != NULL, "event_base_new");
}

static struct event *make_events(size_t n) {
    struct event *made = calloc(n, sizeof *made);
    check(made, "memory");
    return made;
}

/* W1, W2. */

static struct round *current;

static void on_ring(evutil_socket_t fd, short what, void *link) {
    (void)fd;
    check(!(what & EV_TIMEOUT), "a timeout");
    pass_on(link, current);
}

static void ring_new(struct link *links, size_t n, const struct setup *setup) {
    struct timeval timeout = {(time_t)setup->idle, 0};
    open_base();
    check(event_base_priority_init(base, (int)setup->priorities) == 0, "priorities");
    events = make_events(n);
    for (size_t i = 0; i < n; i++) {
        event_assign(&events[i], base, links[i].reader, EV_READ | EV_PERSIST, on_ring, &links[i]);
        event_priority_set(&events[i], priority_of(setup, i));
        check(event_add(&events[i], setup->idle ? &timeout : NULL) == 0, "event_add");
    }
}

static void ring_run(struct round *round) {
    current = round;
    while (!round_is_over(round))
        event_base_loop(base, EVLOOP_ONCE);
}

/* W3. */

static uint64_t handed_out;

static void on_churn(evutil_socket_t fd, short what, void *event) {
    (void)fd, (void)what;
    handed_out++;
    event_add(event, NULL);
}

static void churn_new(const int *readers, size_t n, bool once) {
    open_base();
    count = n;
    events = make_events(n);
    for (size_t i = 0; i < n; i++) {
        event_assign(&events[i], base, readers[i], once ? EV_READ : EV_READ | EV_PERSIST, on_churn, &events[i]);
        check(event_add(&events[i], NULL) == 0, "event_add");
    }
}

static void turn_of_nothing(void) {
    event_base_loop(base, EVLOOP_NONBLOCK);
}

static void make_writers(void) {
    writers = make_events(count);
    for (size_t i = 0; i < count; i++)
        event_assign(&writers[i], base, event_get_fd(&events[i]), EV_WRITE | EV_PERSIST, on_churn, NULL);
}

static uint64_t churn_pass(enum kind kind) {
    switch (kind) {
        case PAIR:
            for (size_t i = 0; i < count; i++) {
                event_del(&events[i]);
                event_add(&events[i], NULL);
            }
            break;
        case TOGGLE:
            if (!writers)
                make_writers();
            for (size_t i = 0; i < count; i++) {
                event_add(&writers[i], NULL);
                event_del(&writers[i]);
            }
            break;
        case BULK:
            for (size_t i = 0; i < count; i++)
                event_del(&events[i]);
            turn_of_nothing();
            for (size_t i = 0; i < count; i++)
                event_add(&events[i], NULL);
            break;
        case ONESHOT:
            handed_out = 0;
            event_base_loop(base, EVLOOP_ONCE);
            return handed_out;
    }
    turn_of_nothing();
    return count;
}

/* W4: inside a callback the loop's clock is cached. */

static size_t expired;

static void on_timer(evutil_socket_t fd, short what, void *unused) {
    (void)fd, (void)what, (void)unused;
    expired++;
}

static struct timeval delay_of(uint64_t nanos) {
    struct timeval delay = {(time_t)(nanos / 1000000000u), (suseconds_t)(nanos / 1000u % 1000000u)};
    return delay;
}

static void on_inside(evutil_socket_t fd, short what, void *function) {
    (void)fd, (void)what;
    (*(void (**)(void))function)();
}

static void timers_inside(void (*function)(void)) {
    struct timeval now = {0, 0};
    open_base();
    event_base_once(base, -1, EV_TIMEOUT, on_inside, &function, &now);
    event_base_loop(base, EVLOOP_ONCE);
}

static void timers_begin(void) {
    event_base_update_cache_time(base);
    expired = 0;
}

static void timers_insert(const uint64_t *delays, size_t n) {
    if (!events)
        events = make_events(n);
    for (size_t i = 0; i < n; i++) {
        struct timeval delay = delay_of(delays[i]);
        evtimer_assign(&events[i], base, on_timer, NULL);
        evtimer_add(&events[i], &delay);
    }
}

static void timers_cancel(const uint32_t *which, size_t n) {
    for (size_t i = 0; i < n; i++)
        evtimer_del(&events[which[i]]);
}

/* An armed timer is moved. */
static void timers_add(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct timeval delay = delay_of(delays[i]);
        evtimer_add(&events[which[i]], &delay);
    }
}

static void timers_again(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct timeval delay = delay_of(delays[i]);
        evtimer_del(&events[which[i]]);
        evtimer_add(&events[which[i]], &delay);
    }
}

static void timers_expire(size_t n) {
    while (expired < n)
        event_base_loop(base, EVLOOP_ONCE);
}

/* W5. */

static void on_connection(evutil_socket_t fd, short what, void *event) {
    (void)what;
    if (echo(fd))
        return;
    event_free(*(struct event **)event);
    free(event);
    close(fd);
    served.closed++;
    if (is_served())
        event_base_loopbreak(base);
}

static void on_listener(evutil_socket_t listener, short what, void *unused) {
    (void)what, (void)unused;
    for (int fd; (fd = accept_next(listener)) >= 0;) {
        struct event **event = malloc(sizeof *event);
        check(event, "memory");
        *event = event_new(base, fd, EV_READ | EV_PERSIST, on_connection, event);
        check(*event && event_add(*event, NULL) == 0, "event_new");
    }
}

static void serve(void) {
    open_base();
    struct event *listener = event_new(base, listen_on_loopback(), EV_READ | EV_PERSIST, on_listener, NULL);
    check(listener && event_add(listener, NULL) == 0, "event_new");
    event_base_dispatch(base);
}

/* W7. */

static struct event *bell;

static void on_bell(evutil_socket_t fd, short what, void *unused) {
    (void)fd, (void)what, (void)unused;
    woken();
}

static void wake_new(void) {
    check(evthread_use_pthreads() == 0, "evthread_use_pthreads");
    open_base();
    check((bell = event_new(base, -1, EV_PERSIST, on_bell, NULL)) != NULL, "event_new");
}

static void wake(void) {
    event_active(bell, 0, 0);
}

static void turn(void) {
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
}

int main(int argc, char **argv) {
    struct peer peer = {
        .name = "libevent", .version = event_get_version(), .ring_new = ring_new, .ring_run = ring_run,
        .churn_new = churn_new, .churn_pass = churn_pass, .timers_inside = timers_inside,
        .timers_begin = timers_begin, .timers_insert = timers_insert, .timers_cancel = timers_cancel,
        .timers_add = timers_add, .timers_again = timers_again, .timers_rearm = timers_add, .timers_expire = timers_expire,
        .serve = serve, .wake_new = wake_new, .wake = wake, .turn = turn,
    };
    return bench_main(&peer, argc, argv);
}
