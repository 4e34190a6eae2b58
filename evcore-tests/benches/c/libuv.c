/* libuv, used as its documentation recommends: handles; `uv_poll_t` for foreign descriptors, `uv_tcp_t` for the server. */
#include "bench.h"

#include <stdlib.h>
#include <uv.h>

static uv_loop_t loop;
static bool is_open;
static uv_poll_t *polls;
static uv_timer_t *timers;
static size_t count;

static void open_loop(void) {
    if (!is_open)
        check(uv_loop_init(&loop) == 0, "uv_loop_init");
    is_open = true;
}

static void *make(size_t n, size_t size) {
    void *made = calloc(n, size);
    check(made, "memory");
    return made;
}

/* W1, W2. */

struct connection {
    uv_poll_t poll;
    uv_timer_t idle;
    struct link *link;
};

static struct round *current;

static void on_ring(uv_poll_t *poll, int status, int what) {
    (void)what;
    check(status == 0, "uv_poll");
    pass_on(((struct connection *)poll)->link, current);
}

static void on_timed_ring(uv_poll_t *poll, int status, int what) {
    uv_timer_again(&((struct connection *)poll)->idle);
    on_ring(poll, status, what);
}

static void on_idle(uv_timer_t *timer) {
    (void)timer;
    check(false, "a timeout");
}

static void ring_new(struct link *links, size_t n, const struct setup *setup) {
    uint64_t idle = setup->idle;
    struct connection *connections = make(n, sizeof *connections);
    open_loop();
    check(setup->priorities == 1, "priorities");
    for (size_t i = 0; i < n; i++) {
        connections[i].link = &links[i];
        check(uv_poll_init(&loop, &connections[i].poll, links[i].reader) == 0, "uv_poll_init");
        uv_poll_start(&connections[i].poll, UV_READABLE, idle ? on_timed_ring : on_ring);
        if (idle) {
            uv_timer_init(&loop, &connections[i].idle);
            uv_timer_start(&connections[i].idle, on_idle, idle * 1000, idle * 1000);
        }
    }
}

static void ring_run(struct round *round) {
    current = round;
    while (!round_is_over(round))
        uv_run(&loop, UV_RUN_ONCE);
}

/* W3. */

static uint64_t handed_out;

static void on_churn(uv_poll_t *poll, int status, int what) {
    (void)status, (void)what;
    handed_out++;
    uv_poll_stop(poll);
    uv_poll_start(poll, UV_READABLE, on_churn);
}

static void churn_new(const int *readers, size_t n, bool once) {
    (void)once;
    open_loop();
    count = n;
    polls = make(n, sizeof *polls);
    for (size_t i = 0; i < n; i++) {
        check(uv_poll_init(&loop, &polls[i], readers[i]) == 0, "uv_poll_init");
        uv_poll_start(&polls[i], UV_READABLE, on_churn);
    }
    /* libuv passes the change to the kernel in the next turn. */
    uv_run(&loop, UV_RUN_NOWAIT);
}

static uint64_t churn_pass(enum kind kind) {
    handed_out = 0;
    switch (kind) {
        case PAIR:
            for (size_t i = 0; i < count; i++) {
                uv_poll_stop(&polls[i]);
                uv_poll_start(&polls[i], UV_READABLE, on_churn);
            }
            break;
        case TOGGLE:
            for (size_t i = 0; i < count; i++) {
                uv_poll_start(&polls[i], UV_READABLE | UV_WRITABLE, on_churn);
                uv_poll_start(&polls[i], UV_READABLE, on_churn);
            }
            break;
        case BULK:
            for (size_t i = 0; i < count; i++)
                uv_poll_stop(&polls[i]);
            uv_run(&loop, UV_RUN_NOWAIT);
            for (size_t i = 0; i < count; i++)
                uv_poll_start(&polls[i], UV_READABLE, on_churn);
            break;
        case ONESHOT: break;
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    return kind == ONESHOT ? handed_out : count;
}

/* W4: in whole milliseconds, libuv's unit. */

static size_t expired;

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    expired++;
}

static void timers_begin(void) {
    open_loop();
    uv_update_time(&loop);
    expired = 0;
}

static uint64_t delay_of(uint64_t nanos) {
    return nanos / 1000000u;
}

static void timers_insert(const uint64_t *delays, size_t n) {
    if (!timers)
        timers = make(n, sizeof *timers);
    for (size_t i = 0; i < n; i++) {
        /* A timer stays in the loop's list of handles. */
        if (!timers[i].loop)
            uv_timer_init(&loop, &timers[i]);
        uv_timer_start(&timers[i], on_timer, delay_of(delays[i]), 0);
    }
}

static void timers_cancel(const uint32_t *which, size_t n) {
    for (size_t i = 0; i < n; i++)
        uv_timer_stop(&timers[which[i]]);
}

/* An armed timer is stopped first. */
static void timers_add(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++)
        uv_timer_start(&timers[which[i]], on_timer, delay_of(delays[i]), 0);
}

static void timers_again(const uint32_t *which, const uint64_t *delays, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uv_timer_stop(&timers[which[i]]);
        uv_timer_start(&timers[which[i]], on_timer, delay_of(delays[i]), 0);
    }
}

static void timers_expire(size_t n) {
    while (expired < n)
        uv_run(&loop, UV_RUN_ONCE);
}

/* W5: one read buffer for all; an answer is written at once if possible. */

static uv_tcp_t listener;

static void on_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
    static char bytes[1024];
    (void)handle, (void)size;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void on_closed(uv_handle_t *handle) {
    free(handle);
    served.closed++;
    if (is_served())
        uv_stop(&loop);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    echo_begins();
    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
    } else if (size > 0) {
        uv_buf_t request = uv_buf_init(buffer->base, (unsigned)size);
        check(uv_try_write(stream, &request, 1) == size, "uv_try_write");
        served.requests++;
    }
}

static void on_connection(uv_stream_t *server, int status) {
    check(status == 0, "uv_listen");
    uv_tcp_t *client = make(1, sizeof *client);
    uv_tcp_init(&loop, client);
    check(uv_accept(server, (uv_stream_t *)client) == 0, "uv_accept");
    uv_tcp_nodelay(client, 1);
    served.accepted++;
    uv_read_start((uv_stream_t *)client, on_buffer, on_read);
}

static void serve(void) {
    open_loop();
    uv_tcp_init(&loop, &listener);
    check(uv_tcp_open(&listener, listen_on_loopback()) == 0, "uv_tcp_open");
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection) == 0, "uv_listen");
    uv_run(&loop, UV_RUN_DEFAULT);
}

/* W7. */

static uv_async_t bell;

static void on_bell(uv_async_t *async) {
    (void)async;
    woken();
}

static void wake_new(void) {
    open_loop();
    check(uv_async_init(&loop, &bell, on_bell) == 0, "uv_async_init");
}

static void wake(void) {
    uv_async_send(&bell);
}

static void turn(void) {
    uv_run(&loop, UV_RUN_ONCE);
}

int main(int argc, char **argv) {
    struct peer peer = {
        .name = "libuv", .version = uv_version_string(), .ring_new = ring_new, .ring_run = ring_run,
        .churn_new = churn_new, .churn_pass = churn_pass, .timers_begin = timers_begin,
        .timers_insert = timers_insert, .timers_cancel = timers_cancel, .timers_add = timers_add,
        .timers_again = timers_again, .timers_rearm = timers_add, .timers_expire = timers_expire, .serve = serve,
        .wake_new = wake_new, .wake = wake, .turn = turn,
    };
    return bench_main(&peer, argc, argv);
}
