/* Four threads and one base: all add, delete and activate each other's events while the loop runs. No expected callback may
 * be lost, none may run after event_del, and the loop must end. */
#define _GNU_SOURCE
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 2000

static struct event_base *base;
static atomic_int once, active, wrong, left = THREADS;

/* An event that one thread owns: its callback may run only until that thread has deleted it. */
struct owned {
    struct event *event;
    atomic_int is_deleted;
};

static void came(int fd, short what, void *arg)
{
    struct owned *owned = arg;
    (void)fd, (void)what;
    if (atomic_load(&owned->is_deleted))
        atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&active, 1);
}

static void came_once(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    atomic_fetch_add(&once, 1);
}

static void *hammer(void *arg)
{
    unsigned seed = (unsigned)(long)arg;
    struct timeval none = {0, 0}, soon = {0, 500};
    for (int round = 0; round < ROUNDS; round++) {
        int pair[2];
        struct owned owned = {NULL, 0};
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
            abort();
        owned.event = event_new(base, pair[0], EV_READ | EV_PERSIST, came, &owned);
        event_add(owned.event, round % 3 ? NULL : &soon);
        if (event_base_once(base, -1, EV_TIMEOUT, came_once, NULL, round % 2 ? &none : &soon))
            abort();
        if (write(pair[1], "x", 1) != 1)
            abort();
        event_active(owned.event, EV_WRITE, 1);
        if (rand_r(&seed) % 8 == 0)
            usleep(200);
        /* After this returns, its callback is not running and will not run. */
        event_del(owned.event);
        atomic_store(&owned.is_deleted, 1);
        event_free(owned.event);
        close(pair[0]);
        close(pair[1]);
    }
    if (atomic_fetch_sub(&left, 1) == 1) {
        struct timeval later = {0, 50000};
        event_base_loopexit(base, &later);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    if (evthread_use_pthreads() || (base = event_base_new()) == NULL)
        return 1;
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, hammer, (void *)(i + 1));
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    while (event_base_loop(base, EVLOOP_ONCE) == 0)
        ;
    int added = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
    event_base_free(base);
    printf("%d of %d came once, %d after event_del, %d are left\n", once, THREADS * ROUNDS, wrong, added);
    return once == THREADS * ROUNDS && wrong == 0 && added == 0 && active > 0 ? 0 : 1;
}
