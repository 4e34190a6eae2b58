#define _GNU_SOURCE
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

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

void measure_wakes(void) {
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
