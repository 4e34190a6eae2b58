/* Makes random calls and prints their results, one per line. With the same seed, libevent and evcore must print the same.
 *
 *   differential SEED SCRIPTS
 *
 * The output does not depend on the clock: timers are due at once or never. The order of what one wait finds is not printed,
 * and calls for which libevent has rules of its own, listed in the README, are not made.
 */
#define _GNU_SOURCE
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 8
#define PAIRS 4

static uint64_t state;
static struct event_base *base;
static struct event events[EVENTS];
static int ends[PAIRS][2];
static int calls[EVENTS];
static short seen[EVENTS];
static int depth, total;
static unsigned long script_now, turns;

static unsigned below(unsigned limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % limit;
}

static void act(int is_inside);

static void callback(int fd, short what, void *arg)
{
    struct event *event = arg;
    int number = (int)(event - events);
    (void)fd;
    calls[number]++;
    /* With priorities, libevent's loop does not end while an urgent event is always ready. */
    if (++total > 40)
        event_base_loopbreak(base);
    seen[number] |= what;
    if (what & EV_READ) {
        char room[64];
        if (fd >= 0 && recv(fd, room, sizeof room, MSG_DONTWAIT) < 0)
            return;
    }
    /* A callback depends only on its event and the turn, because libevent's order of two events may differ. */
    if (depth++ == 0 && calls[number] == 1 && number % 2) {
        uint64_t outside = state;
        state = script_now * 7919 + turns * 31 + (unsigned)number;
        below(2);
        act(1);
        state = outside;
    }
    depth--;
}

static void set(int number)
{
    static const short kinds[] = {
        EV_READ, EV_WRITE, EV_READ | EV_PERSIST, EV_WRITE | EV_PERSIST, EV_READ | EV_WRITE, EV_READ | EV_WRITE | EV_PERSIST,
        0, EV_PERSIST, EV_TIMEOUT, EV_CLOSED | EV_PERSIST, EV_READ | EV_CLOSED,
    };
    short what = kinds[below(sizeof kinds / sizeof *kinds)];
    /* Each event has a socket pair of its own, so that none reads another's data. */
    int fd = what & (EV_READ | EV_WRITE | EV_CLOSED) ? ends[number % PAIRS][number / PAIRS % 2] : -1;
    event_assign(&events[number], base, fd, what, callback, &events[number]);
    event_priority_set(&events[number], (int)below(event_base_get_npriorities(base)));
}

static void say(const char *format, int number, int answer)
{
    if (depth == 0)
        printf(format, number, answer);
}

static void act(int is_inside)
{
    struct timeval none = {0, 0}, never = {1000, 0};
    int number = (int)below(EVENTS);
    struct event *event = &events[number];
    /* Added while it is active, libevent does not register an event. */
    if (event->ev_evcallback.evcb_flags & EVLIST_ACTIVE)
        return;
    switch (below(is_inside ? 4 : 9)) {
    case 0:
        say(" del %d=%d", number, event_del(event));
        break;
    case 1:
        say(" add %d=%d", number, event_add(event, NULL));
        break;
    case 2:
        say(" add-never %d=%d", number, event_add(event, &never));
        break;
    case 3:
        say(" remove-timer %d=%d", number, event_remove_timer(event));
        break;
    case 4:
        /* libevent deregisters a persistent event's fd, and loses what was found together with the timeout. */
        if (!(event->ev_events & (EV_PERSIST | EV_READ | EV_WRITE | EV_CLOSED))) {
            printf(" add-now %d=%d", number, event_add(event, &none));
        }
        break;
    case 5:
        /* libevent 2.1 loses an activation if the timeout expires at the same time. */
        if (event->ev_evcallback.evcb_flags & EVLIST_TIMEOUT)
            break;
        printf(" active %d", number);
        event_active(event, below(2) ? EV_READ : EV_WRITE, 1);
        break;
    case 6:
        event_del(event);
        set(number);
        printf(" assign %d %x", number, event_get_events(event));
        break;
    case 7: {
        int pair = (int)below(PAIRS), end = (int)below(2);
        printf(" send %d.%d", pair, end);
        if (send(ends[pair][end], "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            printf("!");
        break;
    }
    case 8:
        printf(" priority %d=%d", number, event_priority_set(event, (int)below(4)));
        break;
    }
}

static void turn(void)
{
    memset(calls, 0, sizeof calls);
    memset(seen, 0, sizeof seen);
    total = 0;
    turns++;
    int answer = event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    printf("\n  loop=%d:", answer);
    for (int i = 0; i < EVENTS; i++)
        printf(" %d:%x:%x", calls[i], (unsigned)seen[i],
               (unsigned)event_pending(&events[i], EV_READ | EV_WRITE | EV_CLOSED | EV_TIMEOUT, NULL));
    printf(" active=%d\n ", event_base_get_num_events(base, EVENT_BASE_COUNT_ACTIVE));
}

/* Converts an address with many zero words and an interface to text and back. */
static void address(void)
{
    static const char *const scopes[] = {"", "%0", "%1", "%lo", "%", "%no-such-interface"};
    uint16_t words[8];
    char text[100] = "-";
    struct in6_addr again;
    unsigned index = 0;
    for (int i = 0; i < 8; i++)
        words[i] = below(2) ? htons((uint16_t)(below(3) ? below(0x10000) : 0xffff)) : 0;
    evutil_inet_ntop(AF_INET6, words, text, 60);
    printf("%s", text);
    strcat(text, scopes[below(sizeof scopes / sizeof *scopes)]);
    memset(&again, 0, sizeof again);
    int answer = evutil_inet_pton_scope(AF_INET6, text, &again, &index);
    printf(" %s=%d %u %d\n", text, answer, index, answer == 1 && !memcmp(&again, words, sizeof words));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    unsigned long first = strtoul(argv[1], NULL, 10), scripts = strtoul(argv[2], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    for (unsigned long script = first; script < first + scripts; script++) {
        state = script * 2654435761u + 12345;
        printf("script %lu\n ", script);
        script_now = script;
        base = event_base_new();
        if (base == NULL || event_base_priority_init(base, 1 + (int)below(3)))
            return 1;
        for (int i = 0; i < PAIRS; i++)
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]))
                return 1;
        for (int i = 0; i < EVENTS; i++)
            set(i);
        for (int step = 0; step < 30; step++) {
            act(0);
            if (below(3) == 0)
                turn();
        }
        turn();
        address();
        printf("added=%d\n", event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED));
        for (int i = 0; i < EVENTS; i++)
            event_del(&events[i]);
        event_base_free(base);
        for (int i = 0; i < PAIRS; i++)
            close(ends[i][0]), close(ends[i][1]);
    }
    return 0;
}
