/* When events and bases may be freed, moved and called: each case prints a line, which is the same on libevent and evcore.
 *
 *   lifetimes         the cases that libevent survives
 *   lifetimes more    also the cases in which libevent crashes
 */
#define _GNU_SOURCE
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct event_base *base;
static int pair[2];
static int calls;
static struct timeval none = {0, 0}, soon = {0, 1000}, later = {100, 0};

static void open_pair(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
        exit(1);
}

static void put(int fd)
{
    if (write(fd, "x", 1) != 1)
        exit(1);
}

static void begin(void)
{
    base = event_base_new();
    open_pair(pair);
    calls = 0;
    if (base == NULL)
        exit(1);
}

static void end(const char *name)
{
    printf("%s: %d calls, %d added\n", name, calls, base ? event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) : 0);
    if (base)
        event_base_free(base);
    close(pair[0]);
    close(pair[1]);
}

static void turn(void)
{
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void count(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    calls++;
}

static void take(int fd, short what, void *arg)
{
    char byte;
    (void)what, (void)arg;
    calls += read(fd, &byte, 1) == 1;
}

static void free_itself(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    calls++;
    event_free(arg);
}

static void freed_in_its_callback(void)
{
    static const short kinds[] = {EV_READ, EV_READ | EV_PERSIST, EV_TIMEOUT, EV_PERSIST, EV_SIGNAL, EV_SIGNAL | EV_PERSIST};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int is_by_hand = 0; is_by_hand < 2; is_by_hand++) {
            begin();
            int is_signal = kinds[i] & EV_SIGNAL;
            int fd = is_signal ? SIGUSR1 : kinds[i] & EV_READ ? pair[0] : -1;
            struct event *event = event_new(base, fd, kinds[i], free_itself, event_self_cbarg());
            event_add(event, kinds[i] & (EV_READ | EV_SIGNAL) ? NULL : &none);
            if (is_by_hand)
                event_active(event, EV_READ, 3);
            else if (is_signal)
                raise(SIGUSR1), raise(SIGUSR1);
            else
                put(pair[1]);
            turn(), turn();
            end("freed in its callback");
        }
}

static struct event *other;

static void free_other(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    calls++;
    event_free(other);
}

static void freed_while_active(void)
{
    begin();
    struct event *first = event_new(base, -1, 0, free_other, NULL);
    other = event_new(base, pair[0], EV_READ, count, NULL);
    event_add(other, &later);
    event_active(first, EV_READ, 1);
    event_active(other, EV_READ, 1);
    turn(), turn();
    event_free(first);
    end("freed while active");
}

static void finalized(struct event *event, void *arg)
{
    (void)event, (void)arg;
    calls += 10;
}

static void finalize_itself(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    calls++;
    event_free_finalize(0, arg, finalized);
    /* No callback may begin any more. */
    printf(" add=%d", event_add(arg, NULL));
    event_active(arg, EV_READ, 1);
    event_del(arg);
}

static void finalizers(void)
{
    for (int persists = 0; persists < 2; persists++) {
        begin();
        struct event *event =
            event_new(base, pair[0], EV_READ | (persists ? EV_PERSIST : 0), finalize_itself, event_self_cbarg());
        event_add(event, NULL);
        put(pair[1]);
        turn(), turn();
        end("finalized in its callback");
    }
    for (int runs = 0; runs < 2; runs++) {
        begin();
        struct event kept;
        event_assign(&kept, base, pair[0], EV_READ, count, NULL);
        event_add(&kept, &later);
        event_finalize(0, &kept, finalized);
        struct event *freed = event_new(base, -1, 0, count, NULL);
        event_free_finalize(0, freed, finalized);
        struct event *active = event_new(base, -1, 0, count, NULL);
        event_active(active, EV_READ, 1);
        if (runs)
            event_base_free(base);
        else
            event_base_free_nofinalize(base);
        base = NULL;
        if (!runs)
            free(freed);
        free(active);
        end("a base freed with finalizers");
    }
}

static void base_freed(void)
{
    begin();
    struct event reader, timer, interrupt, active;
    event_assign(&reader, base, pair[0], EV_READ | EV_PERSIST, count, NULL);
    evtimer_assign(&timer, base, count, NULL);
    evsignal_assign(&interrupt, base, SIGUSR2, count, NULL);
    event_assign(&active, base, -1, 0, count, NULL);
    event_add(&reader, &later);
    event_add(&timer, &later);
    event_add(&interrupt, NULL);
    event_active(&active, EV_WRITE, 1);
    event_base_once(base, pair[0], EV_READ, count, NULL, NULL);
    event_base_once(base, -1, EV_TIMEOUT, count, NULL, &none);
    event_base_once(base, -1, EV_TIMEOUT, count, NULL, &later);
    event_base_free(base);
    /* They are idle, and are assigned to another base. */
    base = event_base_new();
    printf(" set=%d", event_base_set(base, &reader) | event_base_set(base, &timer) | event_base_set(base, &active));
    event_add(&reader, NULL);
    event_add(&timer, &none);
    put(pair[1]);
    turn();
    event_del(&reader);
    end("a base freed with events");
}

static struct event_base *next;

static void move_itself(int fd, short what, void *arg)
{
    (void)fd, (void)what;
    calls++;
    printf(" set=%d", event_base_set(next, arg));
    event_add(arg, NULL);
    calls += event_get_base(arg) == next;
}

static void moved(void)
{
    begin();
    struct event event;
    next = event_base_new();
    event_assign(&event, base, pair[0], EV_READ, move_itself, &event);
    event_add(&event, NULL);
    printf(" set=%d", event_base_set(next, &event));
    put(pair[1]);
    turn();
    struct event_base *old = base;
    base = next, next = old;
    turn();
    printf(" old=%d", event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED));
    event_base_free(base);
    base = old;
    turn();
    end("moved from base to base");
}

static int each(const struct event_base *of, const struct event *event, void *arg)
{
    (void)of, (void)event;
    ++*(int *)arg;
    return 0;
}

static void assign_itself(int fd, short what, void *arg)
{
    int seen = 0;
    (void)what;
    if (++calls == 3)
        return;
    int old = fd == pair[0] ? 0 : 1;
    event_assign(arg, base, pair[1 - old], EV_READ, assign_itself, arg);
    event_add(arg, NULL);
    event_base_foreach_event(base, each, &seen);
    printf(" seen=%d", seen);
    if (calls == 1)
        put(pair[0]);
}

static void assigned_in_its_callback(void)
{
    begin();
    struct event event;
    event_assign(&event, base, pair[0], EV_READ, assign_itself, &event);
    event_add(&event, NULL);
    put(pair[1]);
    turn(), turn(), turn(), turn();
    event_del(&event);
    end("assigned again in its callback");
}

/* An idle event is plain memory: a copy of it is another event. */
static void copied(void)
{
    begin();
    struct event one, two;
    event_assign(&one, base, pair[0], EV_READ | EV_PERSIST, count, NULL);
    event_add(&one, NULL);
    event_del(&one);
    two = one;
    event_add(&two, NULL);
    event_add(&one, NULL);
    put(pair[1]);
    turn();
    event_del(&one);
    turn();
    event_del(&two);
    turn();
    end("copied while idle");
}

static int is_assigned;

/* The same number, another file. */
static void close_and_open(int fd, short what, void *arg)
{
    int ends[2];
    (void)what;
    if (++calls > 1)
        return;
    close(fd);
    open_pair(ends);
    printf(" same=%d", ends[0] == fd);
    if (is_assigned)
        event_assign(arg, base, ends[0], EV_READ, close_and_open, arg);
    event_add(arg, NULL);
    put(ends[1]);
    close(pair[1]);
    pair[1] = ends[1];
}

static void closed_in_its_callback(void)
{
    for (is_assigned = 0; is_assigned < 2; is_assigned++)
        for (int is_other = 0; is_other <= is_assigned; is_other++) {
            begin();
            struct event one, two;
            event_assign(&one, base, pair[0], EV_READ, close_and_open, is_other ? &two : &one);
            event_add(&one, NULL);
            put(pair[1]);
            turn(), turn();
            event_del(is_other ? &two : &one);
            end("closed in its callback");
        }
}

static void silent(int severity, const char *message)
{
    (void)severity;
    printf(" %.30s", message);
}

static void enter(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    printf(" inner=%d", event_base_loop(base, EVLOOP_NONBLOCK));
    struct event_base *mine = event_base_new();
    event_base_once(mine, -1, EV_TIMEOUT, count, NULL, NULL);
    printf(" mine=%d", event_base_dispatch(mine));
    event_base_free(mine);
    calls++;
}

static void entered_again(void)
{
    begin();
    event_set_log_callback(silent);
    event_base_once(base, -1, EV_TIMEOUT, enter, NULL, NULL);
    event_base_once(base, -1, EV_TIMEOUT, count, NULL, NULL);
    printf(" outer=%d", event_base_dispatch(base));
    event_set_log_callback(NULL);
    end("entered again");
}

/* The child has its own copy, and must not affect the parent's. */
static void forked(int reinits)
{
    int status;
    struct event reader, timer, interrupt, idle;
    begin();
    event_assign(&reader, base, pair[0], EV_READ | EV_PERSIST, take, NULL);
    evtimer_assign(&timer, base, count, NULL);
    evsignal_assign(&interrupt, base, SIGUSR1, count, NULL);
    event_assign(&idle, base, pair[1], EV_READ, count, NULL);
    event_add(&idle, NULL);
    event_del(&idle);
    event_add(&reader, NULL);
    event_add(&timer, &soon);
    event_add(&interrupt, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        if (reinits) {
            if (event_reinit(base))
                _exit(100);
            raise(SIGUSR1);
            put(pair[1]);
            while (calls < 3)
                event_base_loop(base, EVLOOP_ONCE);
            event_add(&idle, NULL);
            event_del(&reader);
        }
        event_base_free(base);
        _exit(calls);
    }
    waitpid(child, &status, 0);
    put(pair[1]);
    raise(SIGUSR1);
    while (calls < 3)
        event_base_loop(base, EVLOOP_ONCE);
    printf(" child=%d", WEXITSTATUS(status));
    event_del(&reader);
    event_del(&interrupt);
    end("forked");
}

static void unsaid(int severity, const char *message)
{
    (void)severity, (void)message;
}

static void signals(void)
{
    begin();
    event_set_log_callback(unsaid);
    struct event one, two;
    struct event_base *second = event_base_new();
    evsignal_assign(&one, base, SIGUSR1, count, NULL);
    evsignal_assign(&two, second, SIGUSR1, count, NULL);
    event_add(&one, NULL);
    event_add(&two, NULL);
    event_base_free(second);
    turn();
    raise(SIGUSR1);
    turn();
    event_del(&one);
    end("a base freed that had the signals");
}

/* Threads. */

static atomic_int stage, is_over;

static void wait_for_stage(int wanted)
{
    while (atomic_load(&stage) < wanted)
        usleep(100);
}

static void stay(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    calls++;
    atomic_store(&stage, 1);
    wait_for_stage(2);
    /* Gives a thread that waits for this callback time to continue too early. */
    usleep(20000);
    atomic_store(&is_over, 1);
}

static void *loop(void *arg)
{
    (void)arg;
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void deleted_by_another_thread(void)
{
    static const char *const names[] = {"event_del", "event_del_block", "event_del_noblock", "event_del with EV_FINALIZE"};
    for (int how = 0; how < 4; how++)
        for (int persists = 0; persists < 2; persists++) {
            pthread_t thread;
            begin();
            atomic_store(&stage, 0);
            atomic_store(&is_over, 0);
            short what = EV_READ | (persists ? EV_PERSIST : 0) | (how == 3 ? EV_FINALIZE : 0);
            struct event *event = event_new(base, pair[0], what, stay, NULL);
            event_add(event, NULL);
            pthread_create(&thread, NULL, loop, NULL);
            put(pair[1]);
            wait_for_stage(1);
            atomic_store(&stage, 2);
            int answer = how == 1 ? event_del_block(event) : how == 2 ? event_del_noblock(event) : event_del(event);
            printf(" %s=%d has_waited=%d", names[how], answer, atomic_load(&is_over));
            if (how < 2)
                event_free(event);
            event_base_loopbreak(base);
            pthread_join(thread, NULL);
            if (how >= 2)
                event_free(event);
            end("");
        }
}

static void *look(void *arg)
{
    FILE *nowhere = fopen("/dev/null", "w");
    (void)arg;
    while (!atomic_load(&is_over)) {
        int seen = 0;
        event_base_foreach_event(base, each, &seen);
        event_base_dump_events(base, nowhere);
        event_base_active_by_fd(base, pair[1], EV_READ);
        usleep(10);
    }
    fclose(nowhere);
    return NULL;
}

/* One-shot events end while another thread iterates over all events. */
static void looked_at(void)
{
    pthread_t thread;
    begin();
    atomic_store(&is_over, 0);
    pthread_create(&thread, NULL, look, NULL);
    put(pair[1]);
    for (int round = 0; round < 2000; round++) {
        event_base_once(base, pair[0], EV_READ, count, NULL, NULL);
        event_base_once(base, -1, EV_TIMEOUT, count, NULL, &none);
        struct event *event = event_new(base, pair[0], EV_READ, free_itself, event_self_cbarg());
        event_add(event, NULL);
        event_base_loop(base, EVLOOP_ONCE);
    }
    while (event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) > 0)
        event_base_loop(base, EVLOOP_ONCE);
    atomic_store(&is_over, 1);
    pthread_join(thread, NULL);
    end("looked at");
}

static void *own_signals(void *arg)
{
    (void)arg;
    for (int round = 0; round < 500; round++) {
        struct event_base *mine = event_base_new();
        struct event event, timers[50];
        for (int i = 0; i < 50; i++) {
            evtimer_assign(&timers[i], mine, count, NULL);
            event_add(&timers[i], &later);
        }
        evsignal_assign(&event, mine, SIGUSR2, count, NULL);
        event_add(&event, NULL);
        event_base_loop(mine, EVLOOP_NONBLOCK);
        // Or the base is freed while it owns the signals.
        if (round % 2)
            event_del(&event);
        event_base_free(mine);
    }
    return NULL;
}

/* One thread frees the base that owns the signals while another takes them over. */
static void signals_taken_over(void)
{
    pthread_t threads[3];
    begin();
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, own_signals, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    end("signals taken over");
}

static void free_others(struct event *event, void *arg)
{
    (void)event, (void)arg;
    calls += 10;
    event_free(other);
}

/* libevent's own loop over the queue continues with the freed event. */
static void freed_by_a_finalizer(void)
{
    begin();
    struct event kept;
    event_assign(&kept, base, -1, 0, count, NULL);
    event_finalize(0, &kept, free_others);
    other = event_new(base, -1, 0, count, NULL);
    event_active(other, EV_READ, 1);
    event_base_free(base);
    base = NULL;
    end("freed by a finalizer");
}

int main(int argc, char **argv)
{
    freed_in_its_callback();
    freed_while_active();
    finalizers();
    base_freed();
    moved();
    assigned_in_its_callback();
    copied();
    closed_in_its_callback();
    entered_again();
    forked(1);
    signals();
    if (evthread_use_pthreads())
        return 1;
    deleted_by_another_thread();
    looked_at();
    if (argc == 2 && !strcmp(argv[1], "more")) {
        /* There the child removes the parent's descriptors from the parent's set. */
        forked(0);
        signals_taken_over();
        freed_by_a_finalizer();
    }
    return 0;
}
