#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const struct peer *peer;

static struct {
    const char *workload, *kind, *until;
    size_t n, active, cycles;
    uint64_t events, idle;
} options = {"", "", "expire", 1000, 100, 1, 100000, 60};

void check(bool is_right, const char *what) {
    if (!is_right) {
        fprintf(stderr, "%s: %s: %s\n", peer->name, what, strerror(errno));
        exit(1);
    }
}

/* Time. */

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_began, wall_began;

static void begin(void) {
    wall_began = now(CLOCK_MONOTONIC);
    cpu_began = now(CLOCK_PROCESS_CPUTIME_ID);
}

static void print_head(void) {
    printf("peer=%s variant= version=%s workload=%s kind=%s n=%zu active=%zu", peer->name, peer->version,
           options.workload, options.kind, options.n, options.active);
}

static void finish(uint64_t ops) {
    double each = ops ? (double)ops : 1;
    double cpu = (double)(now(CLOCK_PROCESS_CPUTIME_ID) - cpu_began) / each;
    double wall = (double)(now(CLOCK_MONOTONIC) - wall_began) / each;
    print_head();
    printf(" ops=%llu cpu=%.2f wall=%.2f\n", (unsigned long long)ops, cpu, wall);
}

/* W1, W2. */

void pass_on(const struct link *link, struct round *round) {
    char bytes[16];
    ssize_t count = read(link->reader, bytes, sizeof bytes);
    check(count >= 0, "read");
    round->read += (size_t)count;
    size_t passed = (size_t)count < round->writes ? (size_t)count : round->writes;
    if (passed > 0) {
        ssize_t sent = write(link->next, bytes, passed);
        check(sent > 0, "write");
        round->sent += (size_t)sent;
        round->writes -= passed;
    }
}

static void make_pipe(int ends[2]) {
    check(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
}

static size_t run_round(const int *starters, size_t count, uint64_t events) {
    struct round round = {events > count ? events - count : 0, 0, 0};
    for (size_t i = 0; i < count; i++) {
        check(write(starters[i], "", 1) == 1, "write");
        round.sent++;
    }
    peer->ring_run(&round);
    return round.read;
}

static void ring(uint64_t idle) {
    size_t n = options.n, active = options.active;
    int *writers = calloc(n, sizeof *writers), *starters = calloc(active, sizeof *starters);
    struct link *links = calloc(n, sizeof *links);
    check(writers && starters && links, "memory");
    for (size_t i = 0; i < n; i++) {
        int ends[2];
        make_pipe(ends);
        links[i].reader = ends[0];
        writers[i] = ends[1];
    }
    for (size_t i = 0; i < n; i++)
        links[i].next = writers[(i + 1) % n];
    for (size_t i = 0; i < active; i++)
        starters[i] = writers[i * (n / active)];
    peer->ring_new(links, n, idle);
    run_round(starters, active, 2 * active);
    begin();
    size_t passed = run_round(starters, active, options.events);
    finish(passed);
}

/* W3. */

static void churn(void) {
    static const char *const names[] = {"pair", "toggle", "bulk", "oneshot"};
    int kind = 0;
    while (kind < 4 && strcmp(names[kind], options.kind) != 0)
        kind++;
    check(kind < 4, "--kind pair|toggle|bulk|oneshot");
    int *readers = calloc(options.n, sizeof *readers);
    check(readers, "memory");
    for (size_t i = 0; i < options.n; i++) {
        int ends[2];
        make_pipe(ends);
        readers[i] = ends[0];
        check(kind != ONESHOT || write(ends[1], "", 1) == 1, "write");
    }
    peer->churn_new(readers, options.n, kind == ONESHOT);
    peer->churn_pass((enum kind)kind);
    uint64_t done = 0;
    begin();
    while (done < options.events)
        done += peer->churn_pass((enum kind)kind);
    finish(done);
}

/* W4: as in ../src/timers.rs, which says more. */

enum { PHASES = 5 };
static const char *const phases[PHASES] = {"insert", "cancel", "add", "rearm", "expire"};
static uint64_t *random_delays, *later_delays, spent[PHASES], look;
static size_t passes;
static int until;

static void make_delays(size_t n) {
    uint64_t state = 0x9e3779b97f4a7c15u, delay = 1000000;
    uint64_t spread = (n < 1000 ? 1000 : n > 100000 ? 100000 : n) * 1000;
    passes = n < 2000 ? 2000 / n : 1;
    random_delays = calloc(n, sizeof *random_delays);
    later_delays = calloc(n * passes, sizeof *later_delays);
    check(random_delays && later_delays, "memory");
    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        random_delays[i] = delay + (uint64_t)((double)spread * ((double)(state >> 11) / (double)(1ull << 53)));
    }
    for (size_t i = 0; i < n * passes; i++)
        later_delays[i] = delay + spread + (uint64_t)((double)spread * (double)i / (double)(n * passes));
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure_look(void) {
    uint64_t looks[101];
    for (int i = 0; i < 101; i++) {
        uint64_t began = now(CLOCK_THREAD_CPUTIME_ID);
        looks[i] = now(CLOCK_THREAD_CPUTIME_ID) - began;
    }
    qsort(looks, 101, sizeof looks[0], compare);
    look = looks[50];
}

static uint64_t phase_began;

static void phase_begins(void) {
    phase_began = now(CLOCK_THREAD_CPUTIME_ID);
}

static void phase_ends(int phase) {
    uint64_t took = now(CLOCK_THREAD_CPUTIME_ID) - phase_began;
    spent[phase] += took > look ? took - look : 0;
}

static void run_phases(void) {
    size_t n = options.n;
    peer->timers_begin();
    for (int phase = 0; phase < until && phase < PHASES - 1; phase++) {
        phase_begins();
        if (phase == 0)
            peer->timers_insert(random_delays, n);
        else if (phase == 1)
            peer->timers_cancel(n);
        else if (phase == 2)
            peer->timers_add(random_delays, n);
        else
            for (size_t pass = 0; pass < passes; pass++)
                peer->timers_rearm(later_delays + pass * n, n);
        phase_ends(phase);
    }
}

static void inside(void (*function)(void)) {
    peer->timers_inside ? peer->timers_inside(function) : function();
}

static void timers(void) {
    size_t n = options.n;
    while (until < PHASES && (until == 0 || strcmp(phases[until - 1], options.until) != 0)) {
        if (strcmp(options.until, "setup") == 0)
            break;
        until++;
    }
    make_delays(n);
    measure_look();
    for (size_t cycle = 0; cycle < options.cycles; cycle++) {
        uint64_t began = now(CLOCK_MONOTONIC);
        inside(run_phases);
        if (until < PHASES)
            break;
        uint64_t took = now(CLOCK_MONOTONIC) - began, due = later_delays[n * passes - 1] + 2000000;
        if (took < due) {
            struct timespec rest = {(time_t)((due - took) / 1000000000u), (long)((due - took) % 1000000000u)};
            nanosleep(&rest, NULL);
        }
        phase_begins();
        peer->timers_expire(n);
        phase_ends(PHASES - 1);
    }
    size_t ops[PHASES] = {n, n / 2, n / 2, n * passes, n};
    print_head();
    printf(" ops=%zu", n);
    for (int phase = 0; phase < PHASES; phase++) {
        size_t all = ops[phase] * options.cycles;
        printf(" %s=%.2f", phases[phase], (double)spent[phase] / (double)(all ? all : 1));
    }
    printf(" rearms=%zu\n", ops[3]);
}

/* W5. */

struct served served;

int accept_next(int listener) {
    int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection < 0) {
        check(errno == EAGAIN, "accept4");
        return -1;
    }
    int on = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    served.accepted++;
    return connection;
}

void echo_begins(void) {
    if (wall_began == 0)
        begin();
}

bool echo(int connection) {
    char buffer[1024];
    echo_begins();
    ssize_t count = read(connection, buffer, sizeof buffer);
    if (count <= 0) {
        check(count == 0 || errno == EAGAIN || errno == ECONNRESET, "read");
        return count < 0 && errno == EAGAIN;
    }
    check(write(connection, buffer, (size_t)count) == count, "write");
    served.requests++;
    return true;
}

int listen_on_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(listener >= 0, "socket");
    check(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
    check(listen(listener, 4096) == 0, "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    printf("port=%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void echo_server(void) {
    peer->serve();
    finish(served.requests);
}

/* W6. */

static double resident(void) {
    char line[256];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    check(file, "smaps_rollup");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Rss: %ld kB", &kilobytes) == 1)
            break;
    fclose(file);
    check(kilobytes >= 0, "Rss");
    return (double)kilobytes * 1024;
}

static double before;

static void insert_for_memory(void) {
    uint64_t *delays = calloc(options.n, sizeof *delays);
    check(delays, "memory");
    for (size_t i = 0; i < options.n; i++)
        delays[i] = (60 + i) * 1000000000u;
    peer->timers_begin();
    before = resident();
    peer->timers_insert(delays, options.n);
    double bytes = resident() - before;
    print_head();
    printf(" ops=%zu bytes=%.2f\n", options.n, bytes / (double)options.n);
    fflush(stdout);
    _exit(0);
}

static void memory(void) {
    if (strcmp(options.kind, "timer") == 0) {
        inside(insert_for_memory);
        return;
    }
    check(strcmp(options.kind, "fd") == 0, "--kind fd|timer");
    int ends[2], *readers = calloc(options.n, sizeof *readers);
    check(readers, "memory");
    make_pipe(ends);
    for (size_t i = 0; i < options.n; i++)
        check((readers[i] = fcntl(ends[0], F_DUPFD_CLOEXEC, 0)) >= 0, "dup");
    before = resident();
    peer->churn_new(readers, options.n, false);
    double bytes = resident() - before;
    print_head();
    printf(" ops=%zu bytes=%.2f\n", options.n, bytes / (double)options.n);
}

/* W7. */

static int answer, is_awake, is_done;
static _Atomic uint64_t asked;
static uint64_t answered, took;
static bool is_trip;

static void send_to(int fd) {
    uint64_t one = 1;
    check(write(fd, &one, sizeof one) == sizeof one, "write");
}

static void receive_from(int fd) {
    uint64_t count;
    check(read(fd, &count, sizeof count) == sizeof count, "read");
}

void woken(void) {
    if (!is_trip) {
        if (answered++ > 0)
            return;
        send_to(is_awake);
        receive_from(is_done);
        return;
    }
    while (answered < atomic_load_explicit(&asked, memory_order_acquire)) {
        answered++;
        send_to(answer);
    }
}

static uint64_t warm_up(void) {
    return options.events / 10 + 1;
}

static void *ask(void *unused) {
    uint64_t began = now(CLOCK_MONOTONIC);
    for (uint64_t trip = 0; trip < warm_up() + options.events; trip++) {
        if (trip == warm_up())
            began = now(CLOCK_MONOTONIC);
        atomic_fetch_add_explicit(&asked, 1, memory_order_release);
        peer->wake();
        receive_from(answer);
    }
    took = now(CLOCK_MONOTONIC) - began;
    return unused;
}

static void *wake_awake(void *unused) {
    peer->wake();
    receive_from(is_awake);
    peer->wake();
    uint64_t began = now(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < options.events; i++)
        peer->wake();
    took = now(CLOCK_MONOTONIC) - began;
    send_to(is_done);
    return unused;
}

static void wake(void) {
    is_trip = strcmp(options.kind, "trip") == 0;
    check(is_trip || strcmp(options.kind, "awake") == 0, "--kind trip|awake");
    answer = eventfd(0, EFD_CLOEXEC);
    is_awake = eventfd(0, EFD_CLOEXEC);
    is_done = eventfd(0, EFD_CLOEXEC);
    check(answer >= 0 && is_awake >= 0 && is_done >= 0, "eventfd");
    peer->wake_new();
    pthread_t thread;
    check(pthread_create(&thread, NULL, is_trip ? ask : wake_awake, NULL) == 0, "pthread_create");
    uint64_t turns = is_trip ? warm_up() + options.events : 1;
    while (answered < turns)
        peer->turn();
    pthread_join(thread, NULL);
    print_head();
    printf(" ops=%llu wall=%.2f\n", (unsigned long long)options.events, (double)took / (double)options.events);
}

/* The program. */

static void parse(int argc, char **argv) {
    check(argc >= 2, "which workload?");
    options.workload = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--kind") == 0)
            options.kind = value;
        else if (strcmp(name, "--until") == 0)
            options.until = value;
        else if (strcmp(name, "--n") == 0)
            options.n = strtoull(value, NULL, 10);
        else if (strcmp(name, "--active") == 0)
            options.active = strtoull(value, NULL, 10);
        else if (strcmp(name, "--events") == 0)
            options.events = strtoull(value, NULL, 10);
        else if (strcmp(name, "--cycles") == 0)
            options.cycles = strtoull(value, NULL, 10);
        else if (strcmp(name, "--idle") == 0)
            options.idle = strtoull(value, NULL, 10);
        else
            check(strcmp(name, "--variant") == 0 && *value == '\0', name);
    }
    check(options.n > 0 && options.active > 0, "neither n nor active may be 0");
    if (options.active > options.n)
        options.active = options.n;
}

static void allow_descriptors(void) {
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

int bench_main(const struct peer *measured, int argc, char **argv) {
    peer = measured;
    parse(argc, argv);
    allow_descriptors();
    switch (options.workload[0] == 'w' ? options.workload[1] : 0) {
        case '1': ring(0); break;
        case '2': ring(options.idle); break;
        case '3': churn(); break;
        case '4': timers(); break;
        case '5': echo_server(); break;
        case '6': memory(); break;
        case '7': wake(); break;
        default: check(false, options.workload);
    }
    fflush(stdout);
    _exit(0);
}
