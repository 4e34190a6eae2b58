#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const struct peer *peer;
struct options options = {"", "", "expire", 1000, 100, 1, 100000, 60};

void check(bool is_right, const char *what) {
    if (!is_right) {
        fprintf(stderr, "%s: %s: %s\n", peer->name, what, strerror(errno));
        exit(1);
    }
}

/* Time. */

uint64_t now(int clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_began, wall_began;

void begin(void) {
    wall_began = now(CLOCK_MONOTONIC);
    cpu_began = now(CLOCK_PROCESS_CPUTIME_ID);
}

void print_head(void) {
    printf("peer=%s variant= version=%s workload=%s kind=%s n=%zu active=%zu", peer->name, peer->version,
           options.workload, options.kind, options.n, options.active);
}

void finish(uint64_t ops) {
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

static void ring(const struct setup *setup) {
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
    peer->ring_new(links, n, setup);
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

/* Without file pages, which are code. */
static double anonymous(void) {
    char line[256];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    check(file, "smaps_rollup");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Anonymous: %ld kB", &kilobytes) == 1)
            break;
    fclose(file);
    check(kilobytes >= 0, "Anonymous");
    return (double)kilobytes * 1024;
}

static double before;

static void insert_for_memory(void) {
    uint64_t *delays = calloc(options.n, sizeof *delays);
    check(delays, "memory");
    for (size_t i = 0; i < options.n; i++)
        delays[i] = (60 + i) * 1000000000u;
    peer->timers_begin();
    before = anonymous();
    peer->timers_insert(delays, options.n);
    double bytes = anonymous() - before;
    print_head();
    printf(" ops=%zu bytes=%.2f\n", options.n, bytes / (double)options.n);
    fflush(stdout);
    _exit(0);
}

static int duplicate(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    check(copy >= 0, "dup");
    return copy;
}

static void memory(void) {
    if (strcmp(options.kind, "timer") == 0) {
        inside(insert_for_memory);
        return;
    }
    bool is_timed = strcmp(options.kind, "fd-timeout") == 0;
    check(is_timed || strcmp(options.kind, "fd") == 0, "--kind fd|fd-timeout|timer");
    int ends[2], *readers = calloc(options.n, sizeof *readers);
    struct link *links = calloc(options.n, sizeof *links);
    check(readers && links, "memory");
    make_pipe(ends);
    for (size_t i = 0; i < options.n; i++) {
        readers[i] = duplicate(ends[0]);
        links[i].reader = readers[i];
        if (is_timed)
            links[i].next = duplicate(ends[1]);
    }
    struct setup setup = {options.idle, 1, 1};
    before = anonymous();
    if (is_timed)
        peer->ring_new(links, options.n, &setup);
    else
        peer->churn_new(readers, options.n, false);
    double bytes = anonymous() - before;
    print_head();
    printf(" ops=%zu bytes=%.2f\n", options.n, bytes / (double)options.n);
}

/* W8. */

static void cliff(void) {
    static const char *const names[] = {"signal", "fd-report", "fd-insert", "high-fd"};
    if (strcmp(options.kind, "levels") == 0) {
        struct setup setup = {0, (unsigned)options.n, 10};
        options.n = 1000;
        options.active = 100;
        ring(&setup);
        return;
    }
    int kind = 0, ends[2];
    while (kind < 4 && strcmp(names[kind], options.kind) != 0)
        kind++;
    check(kind < 4 && peer->cliff_new, "no such kind");
    make_pipe(ends);
    check(kind != FD_REPORT || write(ends[1], "", 1) == 1, "write");
    int number = kind == SIGNAL ? SIGUSR1 : ends[0];
    if (kind == HIGH_FD)
        check((number = dup3(ends[0], (int)options.n, O_CLOEXEC)) >= 0, "dup3");
    peer->cliff_new((enum cliff)kind, number, kind == HIGH_FD ? 1 : options.n);
    peer->cliff_pass((enum cliff)kind);
    uint64_t done = 0;
    begin();
    while (done < options.events)
        done += peer->cliff_pass((enum cliff)kind);
    finish(done);
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
    struct setup setup = {0, 1, 1};
    switch (options.workload[0] == 'w' ? options.workload[1] : 0) {
        case '2': setup.idle = options.idle; /* fall through */
        case '1': ring(&setup); break;
        case '3': churn(); break;
        case '4': measure_timers(); break;
        case '5': echo_server(); break;
        case '6': memory(); break;
        case '7': measure_wakes(); break;
        case '8': cliff(); break;
        default: check(false, options.workload);
    }
    fflush(stdout);
    _exit(0);
}
