#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct counter {
    struct event_base *base;
    int ticks;
};

static void on_tick(evutil_socket_t fd, short what, void *arg) {
    struct counter *counter = arg;
    printf("tick %d\n", ++counter->ticks);
    if (counter->ticks == 3)
        event_base_loopexit(counter->base, NULL);
}

static void on_input(evutil_socket_t fd, short what, void *arg) {
    char line[100];
    if (read(fd, line, sizeof line) <= 0)
        event_del(arg);
    else
        puts("input");
}

static void on_stop(evutil_socket_t signal, short what, void *arg) {
    event_base_loopbreak(arg);
}

int main(void) {
    struct event_config *config = event_config_new();
    event_config_require_features(config, EV_FEATURE_FDS);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (!base)
        return 1;
    struct counter counter = { base, 0 };
    struct timeval period = { 0, 10 * 1000 };
    struct event *tick = event_new(base, -1, EV_PERSIST, on_tick, &counter);
    struct event *input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, event_self_cbarg());
    struct event *stop = evsignal_new(base, SIGTERM, on_stop, base);
    if (!tick || !input || !stop || event_add(tick, &period) || event_add(input, NULL) || event_add(stop, NULL))
        return 1;
    event_base_dispatch(base);
    event_free(tick);
    event_free(input);
    event_free(stop);
    event_base_free(base);
    printf("%d ticks\n", counter.ticks);
    return 0;
}
