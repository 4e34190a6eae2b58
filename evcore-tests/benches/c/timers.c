#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* W4: described in ../src/timers.rs. */

enum { INSERT, CANCEL, ADD, AGAIN, REARM, EXPIRE, PHASES };
static const char *const phases[PHASES] = {"insert", "cancel", "add", "again", "rearm", "expire"};
static uint32_t *order, *half;
static uint64_t *random_delays, *other_delays, *later_delays, last, spent[PHASES], look;
static size_t passes;
static int until;

/* A number from 0 to 1 (xorshift). */
static double next_random(void) {
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / (double)(1ull << 53);
}

static void make_order(size_t n, bool is_random) {
    order = calloc(n, sizeof *order);
    half = calloc(n, sizeof *half);
    check(order && half, "memory");
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n - 1; is_random && i > 0; i--) {
        size_t other = (size_t)(next_random() * (double)(i + 1));
        uint32_t timer = order[i];
        order[i] = order[other];
        order[other] = timer;
    }
    for (size_t i = 1; i < n; i += 2)
        half[i / 2] = order[i];
}

static void make_delays(size_t n, bool is_random) {
    uint64_t delay = 1000000, spread = (n < 1000 ? 1000 : n > 100000 ? 100000 : n) * 1000;
    passes = n < 2000 ? 2000 / n : 1;
    random_delays = calloc(n, sizeof *random_delays);
    other_delays = calloc(n, sizeof *other_delays);
    later_delays = calloc(n * passes, sizeof *later_delays);
    check(random_delays && other_delays && later_delays, "memory");
    for (size_t i = 0; i < n; i++)
        random_delays[i] = delay + (uint64_t)((double)spread * next_random());
    for (size_t i = 0; i < n; i++)
        other_delays[i] = delay + (uint64_t)((double)spread * next_random());
    for (size_t i = 0; i < n * passes; i++) {
        double place = is_random ? next_random() : (double)i / (double)(n * passes);
        later_delays[i] = delay + spread + (uint64_t)((double)spread * place);
        last = later_delays[i] > last ? later_delays[i] : last;
    }
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
    for (int phase = 0; phase < until && phase < EXPIRE; phase++) {
        phase_begins();
        switch (phase) {
            case INSERT: peer->timers_insert(random_delays, n); break;
            case CANCEL: peer->timers_cancel(half, n / 2); break;
            case ADD: peer->timers_add(half, other_delays, n / 2); break;
            case AGAIN: peer->timers_again(order, random_delays, n); break;
            default:
                for (size_t pass = 0; pass < passes; pass++)
                    peer->timers_rearm(order, later_delays + pass * n, n);
        }
        phase_ends(phase);
    }
}

void inside(void (*function)(void)) {
    peer->timers_inside ? peer->timers_inside(function) : function();
}

void measure_timers(void) {
    size_t n = options.n;
    while (until < PHASES && (until == 0 || strcmp(phases[until - 1], options.until) != 0)) {
        if (strcmp(options.until, "setup") == 0)
            break;
        until++;
    }
    bool is_random = strcmp(options.kind, "random") == 0;
    check(is_random || strcmp(options.kind, "creation") == 0, "--kind creation|random");
    make_order(n, is_random);
    make_delays(n, is_random);
    measure_look();
    for (size_t cycle = 0; cycle < options.cycles; cycle++) {
        uint64_t began = now(CLOCK_MONOTONIC);
        inside(run_phases);
        if (until < PHASES)
            break;
        uint64_t took = now(CLOCK_MONOTONIC) - began, due = last + 2000000;
        if (took < due) {
            struct timespec rest = {(time_t)((due - took) / 1000000000u), (long)((due - took) % 1000000000u)};
            nanosleep(&rest, NULL);
        }
        phase_begins();
        peer->timers_expire(n);
        phase_ends(EXPIRE);
    }
    size_t ops[PHASES] = {n, n / 2, n / 2, n, n * passes, n};
    print_head();
    printf(" ops=%zu", n);
    for (int phase = 0; phase < PHASES; phase++) {
        size_t all = ops[phase] * options.cycles;
        printf(" %s=%.2f", phases[phase], (double)spent[phase] / (double)(all ? all : 1));
    }
    printf("\n");
}
