/* libev, used as its documentation recommends: one watcher for each thing to wait for. */
#include "bench.h"

#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static struct ev_loop *loop;
static ev_io *watchers, *writers;
static ev_timer *timers;
static size_t count;

static void open_loop(void) {
    if (!loop)
        check((loop = ev_loop_new(EVFLAG_AUTO)) != NULL, "ev_loop_new");
}

static void *make(size_t n, size_t size) {
    void *made = calloc(n, size);
    check(made, "memory");
    return made;
}

/* W1, W2: the documentation recommends `ev_timer_again` for idle timeouts. */

struct connection {
    ev_io io;
    ev_timer idle;
    struct link *link;
};

static struct round *current;

static void on_ring(struct ev_loop *l, ev_io *io, int what) {
    (void)l, (void)what;
    pass_on(((struct connection *)io)->link, current);
}

static void on_timed_ring(struct ev_loop *l, ev_io *io, int what) {
    struct connection *connection = (struct connection *)io;
    (void)what;
    ev_timer_again(l, &connection->idle);
    pass_on(connection->link, current);
}

static void on_idle(struct ev_loop *l, ev_timer *timer, int what) {
    (void)l, (void)timer, (void)what;
    check(false, "a timeout");
}

static void ring_new(struct link *links, size_t n, const struct setup *setup) {
    struct connection *connections = make(n, sizeof *connections);
    uint64_t idle = setup->idle;
    open_loop();
    check(setup->priorities <= EV_MAXPRI - EV_MINPRI + 1, "priorities");
    for (size_t i = 0; i < n; i++) {
        connections[i].link = &links[i];
        ev_io_init(&connections[i].io, idle ? on_timed_ring : on_ring, links[i].reader, EV_READ);
        if (setup->priorities > 1)
            ev_set_priority(&connections[i].io, EV_MAXPRI - priority_of(setup, i));
        ev_io_start(loop, &connections[i].io);
        ev_init(&connections[i].idle, on_idle);
        connections[i].idle.repeat = (double)idle;
        if (idle)
            ev_timer_again(loop, &connections[i].idle);
    }
}

static void ring_run(struct round *round) {
    current = round;
    while (!round_is_over(round))
        ev_run(loop, EVRUN_ONCE);
}

/* W3. */

static uint64_t handed_out;

static void on_churn(struct ev_loop *l, ev_io *io, int what) {
    (void)what;
    handed_out++;
    ev_io_stop(l, io);
    ev_io_start(l, io);
}

static void churn_new(const int *readers, size_t n, bool once) {
    (void)once;
    open_loop();
    count = n;
    watchers = make(n, sizeof *watchers);
    for (size_t i = 0; i < n; i++) {
        ev_io_init(&watchers[i], on_churn, readers[i], EV_READ);
        ev_io_start(loop, &watchers[i]);
    }
    /* libev passes the change to the kernel in the next turn. */
    ev_run(loop, EVRUN_NOWAIT);
}

static void make_writers(void) {
    writers = make(count, sizeof *writers);
    for (size_t i = 0; i < count; i++)
        ev_io_init(&writers[i], on_churn, watchers[i].fd, EV_WRITE);
}

static uint64_t churn_pass(enum kind kind) {
    handed_out = 0;
    switch (kind) {
        case PAIR:
            for (size_t i = 0; i < count; i++) {
                ev_io_stop(loop, &watchers[i]);
                ev_io_start(loop, &watchers[i]);
            }
            break;
        case TOGGLE:
            if (!writers)
                make_writers();
            for (size_t i = 0; i < count; i++) {
                ev_io_start(loop, &writers[i]);
                ev_io_stop(loop, &writers[i]);
            }
            break;
        case BULK:
            for (size_t i = 0; i < count; i++)
                ev_io_stop(loop, &watchers[i]);
            ev_run(loop, EVRUN_NOWAIT);
            for (size_t i = 0; i < count; i++)
                ev_io_start(loop, &watchers[i]);
            break;
        case ONESHOT: break;
    }
    ev_run(loop, EVRUN_NOWAIT);
    return kind == ONESHOT ? handed_out : count;
}

/* W4. */

static size_t expired;

static void on_timer(struct ev_loop *l, ev_timer *timer, int what) {
    (void)l, (void)timer, (void)what;
    expired++;
}

static void timers_begin(void) {
    open_loop();
    ev_now_update(loop);
    expired = 0;
}

static double delay_of(uint64_t nanos) {
    return (double)nanos * 1e-9;
}

static void timers_insert(const uint64_t *delays, size_t n) {
    if (!timers)
        timers = make(n, sizeof *timers);
    for (size_t i = 0; i < n; i++) {
        ev_timer_init(&timers[i], on_timer, delay_of(delays[i]), 0.);
        ev_timer_start(loop, &timers[i]);
    }
}

static void timers_cancel(const uint32_t *which, size_t n) {
    for (size_t i = 0; i < n; i++)
        ev_timer_stop(loop, &timers[which[i]]);
}

static void timers_add(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ev_timer *timer = &timers[which[i]];
        ev_timer_set(timer, delay_of(delays[i]), 0.);
        ev_timer_start(loop, timer);
    }
}

static void timers_again(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ev_timer *timer = &timers[which[i]];
        ev_timer_stop(loop, timer);
        ev_timer_set(timer, delay_of(delays[i]), 0.);
        ev_timer_start(loop, timer);
    }
}

/* `again` moves a timer within the heap, to `repeat` from now; with `repeat` cleared the timer is one-shot, as before. */
static void timers_rearm(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ev_timer *timer = &timers[which[i]];
        timer->repeat = delay_of(delays[i]);
        ev_timer_again(loop, timer);
        timer->repeat = 0.;
    }
}

static void timers_expire(size_t n) {
    while (expired < n)
        ev_run(loop, EVRUN_ONCE);
}

/* W5. */

static void on_connection(struct ev_loop *l, ev_io *io, int what) {
    (void)what;
    if (echo(io->fd))
        return;
    ev_io_stop(l, io);
    close(io->fd);
    free(io);
    served.closed++;
    if (is_served())
        ev_break(l, EVBREAK_ALL);
}

static void on_listener(struct ev_loop *l, ev_io *listener, int what) {
    (void)what;
    for (int fd; (fd = accept_next(listener->fd)) >= 0;) {
        ev_io *io = make(1, sizeof *io);
        ev_io_init(io, on_connection, fd, EV_READ);
        ev_io_start(l, io);
    }
}

static void serve(void) {
    static ev_io listener;
    open_loop();
    ev_io_init(&listener, on_listener, listen_on_loopback(), EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
}

/* W7. */

static ev_async bell;

static void on_bell(struct ev_loop *l, ev_async *async, int what) {
    (void)l, (void)async, (void)what;
    woken();
}

static void wake_new(void) {
    open_loop();
    ev_async_init(&bell, on_bell);
    ev_async_start(loop, &bell);
}

static void wake(void) {
    ev_async_send(loop, &bell);
}

static void turn(void) {
    ev_run(loop, EVRUN_ONCE);
}

/* W8. */

static void on_signal(struct ev_loop *l, ev_signal *signal, int what) {
    (void)l, (void)signal, (void)what;
    handed_out++;
}

static void on_report(struct ev_loop *l, ev_io *io, int what) {
    (void)l, (void)io, (void)what;
    handed_out++;
}

static void cliff_new(enum cliff kind, int number, size_t n) {
    open_loop();
    count = n;
    if (kind == SIGNAL) {
        ev_signal *signals = make(n, sizeof *signals);
        for (size_t i = 0; i < n; i++) {
            ev_signal_init(&signals[i], on_signal, number);
            ev_signal_start(loop, &signals[i]);
        }
        return;
    }
    watchers = make(n, sizeof *watchers);
    for (size_t i = 0; i < n; i++) {
        ev_io_init(&watchers[i], on_report, number, EV_READ);
        if (kind == FD_REPORT)
            ev_io_start(loop, &watchers[i]);
    }
}

static uint64_t cliff_pass(enum cliff kind) {
    if (kind == FD_INSERT || kind == HIGH_FD) {
        for (size_t i = 0; i < count; i++)
            ev_io_start(loop, &watchers[i]);
        for (size_t i = 0; i < count; i++)
            ev_io_stop(loop, &watchers[i]);
        return count;
    }
    handed_out = 0;
    check(kind != SIGNAL || raise(SIGUSR1) == 0, "raise");
    while (handed_out < count)
        ev_run(loop, EVRUN_NOWAIT);
    return handed_out;
}

#define TEXT(x) #x
#define VERSION(major, minor) TEXT(major) "." TEXT(minor)

int main(int argc, char **argv) {
    struct peer peer = {
        .name = "libev", .version = VERSION(EV_VERSION_MAJOR, EV_VERSION_MINOR), .ring_new = ring_new,
        .ring_run = ring_run, .churn_new = churn_new, .churn_pass = churn_pass, .timers_begin = timers_begin,
        .timers_insert = timers_insert, .timers_cancel = timers_cancel, .timers_add = timers_add,
        .timers_again = timers_again, .timers_rearm = timers_rearm, .timers_expire = timers_expire, .serve = serve,
        .wake_new = wake_new, .wake = wake, .turn = turn, .cliff_new = cliff_new, .cliff_pass = cliff_pass,
    };
    return bench_main(&peer, argc, argv);
}
