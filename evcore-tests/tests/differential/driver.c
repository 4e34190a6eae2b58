/* Runs scripts on libevent, for the differential test: reads a step per line from standard input, and prints for each turn a
 * line with what was reported: "EVENT:BITS:TIMES ...", and a full stop.
 *
 *   driver METHOD      epoll, poll or select; the first line that it prints is the method, and its features.
 *
 * The steps are those of script.rs, and mean the same. "end" resets the program, and prints whether the descriptors had the
 * readiness of each "await": "same" or "elsewhere". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <event2/event.h>

#define ENDS 6
#define EVENTS 8

enum body { NOTHING, ADD, DEL };

struct watch {
    struct event *event;
    enum body body;
    int once;
    short reported;
    int times;
};

static struct event_base *base;
static int ends[ENDS];
static struct watch watches[EVENTS];
static char buffer[4096];
static struct timespec now = {1000, 0};
static int is_elsewhere;

/* libevent's clock: time advances when a script says so. */
int clock_gettime(clockid_t id, struct timespec *time)
{
    (void)id;
    *time = now;
    return 0;
}

static void pass(long milliseconds)
{
    now.tv_nsec += milliseconds % 1000 * 1000000L;
    now.tv_sec += milliseconds / 1000 + now.tv_nsec / 1000000000L;
    now.tv_nsec %= 1000000000L;
}

static void fail(const char *what)
{
    fprintf(stderr, "driver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void report(evutil_socket_t fd, short what, void *arg)
{
    struct watch *watch = arg;
    (void)fd;
    watch->reported |= what;
    watch->times++;
    if (watch->body == ADD)
        event_add(watch->event, NULL);
    else if (watch->body == DEL)
        event_del(watch->event);
}

static void forget(struct watch *watch)
{
    if (watch->event)
        event_free(watch->event);
    memset(watch, 0, sizeof *watch);
}

static void shut_end(int end)
{
    if (ends[end] >= 0)
        close(ends[end]);
    ends[end] = -1;
}

/* A pipe, a socket pair or a connection on the loopback. */
static void open_source(int source, int kind)
{
    int pair[2], side;
    shut_end(2 * source);
    shut_end(2 * source + 1);
    if (kind == 0) {
        if (pipe(pair))
            fail("pipe");
    } else if (kind == 1) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            fail("socketpair");
    } else {
        struct sockaddr_in address = {0};
        socklen_t size = sizeof address;
        int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
            getsockname(listener, (struct sockaddr *)&address, &size))
            fail("listen");
        pair[0] = socket(AF_INET, SOCK_STREAM, 0);
        if (pair[0] < 0 || connect(pair[0], (struct sockaddr *)&address, size))
            fail("connect");
        pair[1] = accept(listener, NULL, NULL);
        if (pair[1] < 0)
            fail("accept");
        close(listener);
        for (side = 0; side < 2; side++)
            setsockopt(pair[side], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    for (side = 0; side < 2; side++) {
        fcntl(pair[side], F_SETFL, O_NONBLOCK);
        ends[2 * source + side] = pair[side];
    }
}

static void reset_end(int end)
{
    struct linger linger = {1, 0};
    setsockopt(ends[end], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    shut_end(end);
}

/* FD is a descriptor, a signal number, or negative. */
static void make(struct watch *watch, int fd, int bits, int once, int body)
{
    forget(watch);
    watch->event = event_new(base, fd, (short)bits, report, watch);
    if (!watch->event)
        fail("event_new");
    watch->once = once;
    watch->body = (enum body)body;
}

/* In milliseconds; negative: no timeout. */
static void add(struct watch *watch, int timeout)
{
    struct timeval time = {timeout / 1000, timeout % 1000 * 1000};
    if (!watch->event)
        return;
    event_add(watch->event, timeout < 0 ? NULL : &time);
}

/* libevent cannot change an event in place. ADDED: whether it is pending, which libevent does not say if it waits for nothing. */
static void modify(struct watch *watch, int bits, int added)
{
    struct event *event = watch->event;
    evutil_socket_t fd;
    if (!event)
        return;
    fd = event_get_fd(event);
    event_del(event);
    event_assign(event, base, fd, (short)bits, report, watch);
    if (added)
        event_add(event, NULL);
}

static void turn(void)
{
    int number;
    event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    for (number = 0; number < EVENTS; number++) {
        struct watch *watch = &watches[number];
        if (watch->times)
            printf("%d:%d:%d ", number, watch->reported, watch->times);
        if (watch->times && watch->once)
            forget(watch);
        watch->reported = 0;
        watch->times = 0;
    }
    printf(".\n");
    fflush(stdout);
}

/* Waits until poll(2) reports this readiness for the ends; data on the loopback may take a moment. */
static void await(const int *wanted)
{
    int tries, end, is_same = 0;
    for (tries = 0; tries < 200 && !is_same && !is_elsewhere; tries++) {
        is_same = 1;
        for (end = 0; end < ENDS; end++) {
            struct pollfd one = {ends[end], POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0};
            poll(&one, 1, 0);
            is_same &= (ends[end] < 0 ? -1 : one.revents) == wanted[end];
        }
        if (!is_same)
            poll(NULL, 0, tries > 20);
    }
    is_elsewhere |= !is_same;
}

static void start_over(void)
{
    int number;
    for (number = 0; number < EVENTS; number++)
        forget(&watches[number]);
    for (number = 0; number < ENDS; number++)
        shut_end(number);
    printf("%s\n", is_elsewhere ? "elsewhere" : "same");
    fflush(stdout);
    is_elsewhere = 0;
    alarm(0);
}

/* Its warnings are about refusals of the system, which happen here as well. */
static void ignore(int severity, const char *message)
{
    (void)severity;
    (void)message;
}

static void choose(const char *method)
{
    struct event_config *config = event_config_new();
    const char **name;
    event_set_log_callback(ignore);
    for (name = event_get_supported_methods(); *name; name++)
        if (strcmp(*name, method))
            event_config_avoid_method(config, *name);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    base = event_base_new_with_config(config);
    if (!base)
        fail(method);
    event_config_free(config);
    printf("%s %d\n", event_base_get_method(base), event_base_get_features(base));
    fflush(stdout);
}

static void carry_out(const char *line)
{
    char what[16];
    int n[6] = {0};
    if (sscanf(line, "%15s %d %d %d %d %d %d", what, n, n + 1, n + 2, n + 3, n + 4, n + 5) < 1)
        return;
    if (!strcmp(what, "open"))
        open_source(n[0], n[1]);
    else if (!strcmp(what, "write"))
        (void)!write(ends[n[0]], buffer, (size_t)n[1]);
    else if (!strcmp(what, "fill"))
        while (write(ends[n[0]], buffer, sizeof buffer) > 0)
            ;
    else if (!strcmp(what, "read"))
        (void)!read(ends[n[0]], buffer, (size_t)n[1]);
    else if (!strcmp(what, "drain"))
        while (read(ends[n[0]], buffer, sizeof buffer) > 0)
            ;
    else if (!strcmp(what, "shut"))
        shutdown(ends[n[0]], n[1]);
    else if (!strcmp(what, "close"))
        shut_end(n[0]);
    else if (!strcmp(what, "break"))
        reset_end(n[0]);
    else if (!strcmp(what, "io"))
        make(&watches[n[0]], ends[n[1]], n[2], n[3], n[4]);
    else if (!strcmp(what, "other"))
        make(&watches[n[0]], n[1], n[2], n[3], n[4]);
    else if (!strcmp(what, "add"))
        add(&watches[n[0]], n[1]);
    else if (!strcmp(what, "del") && watches[n[0]].event)
        event_del(watches[n[0]].event);
    else if (!strcmp(what, "remove"))
        forget(&watches[n[0]]);
    else if (!strcmp(what, "modify"))
        modify(&watches[n[0]], n[1], n[2]);
    else if (!strcmp(what, "active") && watches[n[0]].event)
        event_active(watches[n[0]].event, (short)n[1], 1);
    else if (!strcmp(what, "untime") && watches[n[0]].event)
        event_remove_timer(watches[n[0]].event);
    else if (!strcmp(what, "raise"))
        raise(n[0]);
    else if (!strcmp(what, "begin"))
        alarm(60);
    else if (!strcmp(what, "await"))
        await(n);
    else if (!strcmp(what, "pass"))
        pass(n[0]);
    else if (!strcmp(what, "turn"))
        turn();
    else if (!strcmp(what, "end"))
        start_over();
}

int main(int argc, char **argv)
{
    char line[128];
    int number;
    if (argc < 2)
        return 2;
    for (number = 0; number < ENDS; number++)
        ends[number] = -1;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    choose(argv[1]);
    while (fgets(line, sizeof line, stdin))
        carry_out(line);
    event_base_free(base);
    return 0;
}
