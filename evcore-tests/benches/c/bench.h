/* The code that all peers in C share: the counterpart of ../src. See ../src/lib.rs for the command line and the workloads. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* W1, W2: a pipe of the ring, and the progress of a round. */
struct link {
    int reader, next;
};

struct round {
    size_t writes, sent, read;
};

static inline bool round_is_over(const struct round *round) {
    return round->read == round->sent;
}

/* How the links are watched: as `Setup` in ../src/ring.rs. */
struct setup {
    uint64_t idle; /* seconds, or 0 */
    unsigned priorities;
    size_t step;
};

static inline int priority_of(const struct setup *setup, size_t place) {
    return (int)((place + place / setup->step) % setup->priorities);
}

/* The handler, the same for all peers. */
void pass_on(const struct link *link, struct round *round);

/* W5: the handler of a connection; false at its end. */
struct served {
    uint64_t accepted, closed, requests;
};

extern struct served served;
int accept_next(int listener); /* a connection, or -1 if none is pending */
bool echo(int connection);
void echo_begins(void);
int listen_on_loopback(void); /* and prints the address */

static inline bool is_served(void) {
    return served.accepted > 0 && served.accepted == served.closed;
}

/* W7: called in the loop's thread when it is woken. */
void woken(void);

enum kind { PAIR, TOGGLE, BULK, ONESHOT };

/* W8: as in ../src/cliffs.rs. */
enum cliff { SIGNAL, FD_REPORT, FD_INSERT, HIGH_FD };

/* All workloads on one loop. A program runs one of them, so a peer may use static variables. */
struct peer {
    const char *name, *version;
    void (*ring_new)(struct link *links, size_t n, const struct setup *setup);
    void (*ring_run)(struct round *round);
    /* Watches all for READ; `once`: as one-shot events. */
    void (*churn_new)(const int *readers, size_t n, bool once);
    /* A pass of a kind; returns how many operations it has carried out. */
    uint64_t (*churn_pass)(enum kind kind);
    /* Runs a function while the turn's clock is valid. */
    void (*timers_inside)(void (*phases)(void));
    void (*timers_begin)(void);
    /* Delays are in nanoseconds, at the same index as their timers. `again`: each is cancelled and immediately armed. */
    void (*timers_insert)(const uint64_t *delays, size_t n);
    void (*timers_cancel)(const uint32_t *which, size_t n);
    void (*timers_add)(const uint32_t *which, const uint64_t *delays, size_t n);
    void (*timers_again)(const uint32_t *which, const uint64_t *delays, size_t n);
    void (*timers_rearm)(const uint32_t *which, const uint64_t *delays, size_t n);
    void (*timers_expire)(size_t n);
    void (*serve)(void);
    void (*wake_new)(void);
    void (*wake)(void); /* on another thread */
    void (*turn)(void); /* waits for a wake, and calls `woken` */
    /* NULL if the library has no such thing. `number` is a descriptor or a signal. */
    void (*cliff_new)(enum cliff kind, int number, size_t n);
    uint64_t (*cliff_pass)(enum cliff kind);
};

int bench_main(const struct peer *peer, int argc, char **argv);

/* Between the files of this program. */
extern struct options {
    const char *workload, *kind, *until;
    size_t n, active, cycles;
    uint64_t events, idle;
} options;

extern const struct peer *peer;
uint64_t now(int clock);
void print_head(void);
void begin(void);
void finish(uint64_t ops);
void measure_timers(void);
void inside(void (*function)(void)); /* while the turn's clock is valid */
void measure_wakes(void);

/* Ends the program if `what` is false. */
void check(bool is_right, const char *what);

#endif
