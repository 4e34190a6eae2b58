/* The cost of one operation in user instructions: each mode does it N times, so that the difference of two runs shows it.
 *
 *   cost timer|rearm|fd|oneshot|active|bench|persist N
 */
#define _GNU_SOURCE
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static long left;
static struct event_base *base;

static void nothing(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

/* Adds and deletes one timer among a hundred that stay. */
static void timer(int is_rearmed)
{
    struct event others[100], event;
    struct timeval tv = {10, 0};
    for (int i = 0; i < 100; i++) {
        evtimer_assign(&others[i], base, nothing, NULL);
        tv.tv_usec = i * 1000;
        event_add(&others[i], &tv);
    }
    evtimer_assign(&event, base, nothing, NULL);
    tv.tv_usec = 50500;
    for (long i = 0; i < left; i++) {
        event_add(&event, &tv);
        if (!is_rearmed)
            event_del(&event);
    }
}

static void fd(void)
{
    int pair[2];
    struct event event;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        exit(1);
    event_assign(&event, base, pair[0], EV_READ | EV_PERSIST, nothing, NULL);
    for (long i = 0; i < left; i++) {
        event_add(&event, NULL);
        event_del(&event);
    }
}

static struct event again;

static void add_again(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    if (--left > 0)
        event_add(&again, NULL);
}

static void oneshot(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || write(pair[1], "x", 1) != 1)
        exit(1);
    event_assign(&again, base, pair[0], EV_READ, add_again, NULL);
    event_add(&again, NULL);
    event_base_dispatch(base);
}

/* Adds and deletes timers from a callback, where the clock is cached. */
static void in_callback(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    timer(0);
}

static void activate(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    if (--left > 0)
        event_active(&again, EV_READ, 1);
}

/* Many connections, and one byte that is passed from one to the next. */
#define PAIRS 100
static struct event readers[PAIRS];
static int ends[PAIRS][2];

static void pass_on(int fd, short what, void *arg)
{
    long number = (long)arg;
    char byte;
    (void)what;
    if (recv(fd, &byte, 1, 0) != 1)
        exit(1);
    if (--left > 0) {
        if (send(ends[(number + 1) % PAIRS][1], "x", 1, 0) != 1)
            exit(1);
    } else {
        event_base_loopbreak(base);
    }
}

static void pipes(int active, int has_timeout)
{
    struct timeval tv = {10, 0};
    for (long i = 0; i < PAIRS; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]))
            exit(1);
        event_assign(&readers[i], base, ends[i][0], EV_READ | EV_PERSIST, pass_on, (void *)i);
        event_add(&readers[i], has_timeout ? &tv : NULL);
    }
    for (int i = 0; i < active; i++)
        if (send(ends[i * (PAIRS / active)][1], "x", 1, 0) != 1)
            exit(1);
    event_base_dispatch(base);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *mode = argv[1];
    left = atol(argv[2]);
    base = event_base_new();
    if (base == NULL)
        return 1;
    if (!strcmp(mode, "timer"))
        timer(0);
    else if (!strcmp(mode, "rearm"))
        timer(1);
    else if (!strcmp(mode, "timer-cached"))
        event_base_once(base, -1, EV_TIMEOUT, in_callback, NULL, NULL), event_base_loop(base, EVLOOP_ONCE);
    else if (!strcmp(mode, "fd"))
        fd();
    else if (!strcmp(mode, "oneshot"))
        oneshot();
    else if (!strcmp(mode, "active")) {
        event_assign(&again, base, -1, 0, activate, NULL);
        event_active(&again, EV_READ, 1);
        event_base_dispatch(base);
    } else if (!strcmp(mode, "bench"))
        pipes(100, 0);
    else if (!strcmp(mode, "bench-1"))
        pipes(1, 0);
    else if (!strcmp(mode, "bench-timeout"))
        pipes(100, 1);
    else
        return 2;
    return 0;
}
