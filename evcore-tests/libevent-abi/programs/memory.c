/* Checks that all memory is allocated and freed with the functions of event_set_mem_functions.
 *
 *   memory           creates, uses and frees an event base with events of each kind, and counts blocks and bytes
 *   memory refuse    repeats that while malloc returns at most N blocks, for each N: no call may crash
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 1000
#define MAGIC 0x6d656d6f7279u

struct head {
    uint64_t magic, size;
};

static long blocks, bytes, most, left = -1;

static void *count_in(struct head *head, size_t size)
{
    if (head == NULL)
        return NULL;
    *head = (struct head){MAGIC, size};
    blocks++;
    bytes += (long)size;
    if (bytes > most)
        most = bytes;
    return head + 1;
}

static struct head *count_out(void *memory, int is_freed)
{
    struct head *head = (struct head *)memory - 1;
    if (head->magic != MAGIC) {
        printf("a block is freed that these functions did not give\n");
        abort();
    }
    head->magic = 0;
    blocks--;
    bytes -= (long)head->size;
    /* Overwritten, so that reading it afterwards gives wrong values. */
    if (is_freed)
        memset(memory, 0xdd, head->size);
    return head;
}

static int refuses(void)
{
    return left == 0 || (left > 0 && --left == 0);
}

static void *counting_malloc(size_t size)
{
    return refuses() ? NULL : count_in(malloc(size + sizeof(struct head)), size);
}

static void *counting_realloc(void *memory, size_t size)
{
    if (memory == NULL)
        return counting_malloc(size);
    if (refuses())
        return NULL;
    return count_in(realloc(count_out(memory, 0), size + sizeof(struct head)), size);
}

static void counting_free(void *memory)
{
    if (memory != NULL)
        free(count_out(memory, 1));
}

static void nothing(int fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

/* Returns the maximum number of bytes. */
static long use(void)
{
    static struct event timers[MANY];
    struct timeval later = {100, 0}, none = {0, 0};
    int pair[2];
    long before = bytes;
    most = bytes;
    struct event_config *config = event_config_new();
    if (config != NULL)
        event_config_avoid_method(config, "select");
    struct event_base *base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    if (base == NULL)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        exit(1);
    struct event *reader = event_new(base, pair[0], EV_READ | EV_PERSIST, nothing, NULL);
    struct event *interrupt = evsignal_new(base, SIGUSR1, nothing, NULL);
    if (reader != NULL)
        event_add(reader, &later);
    if (interrupt != NULL)
        event_add(interrupt, NULL);
    for (int i = 0; i < MANY; i++) {
        evtimer_assign(&timers[i], base, nothing, NULL);
        event_add(&timers[i], &later);
    }
    event_base_once(base, -1, EV_TIMEOUT, nothing, NULL, &none);
    event_base_once(base, -1, EV_TIMEOUT, nothing, NULL, &later);
    event_base_loop(base, EVLOOP_NONBLOCK);
    for (int i = 0; i < MANY; i++)
        event_del(&timers[i]);
    /* An idle event is freed, too, before the base. */
    struct event *timer = evtimer_new(base, nothing, NULL);
    if (timer != NULL) {
        event_add(timer, &later);
        event_remove_timer(timer);
        event_free(timer);
    }
    if (reader != NULL)
        event_free(reader);
    if (interrupt != NULL)
        event_free(interrupt);
    event_base_free(base);
    close(pair[0]);
    close(pair[1]);
    return most - before;
}

static void silent(int severity, const char *message)
{
    (void)severity, (void)message;
}

int main(int argc, char **argv)
{
    event_set_mem_functions(counting_malloc, counting_realloc, counting_free);
    event_set_log_callback(silent);
    /* Global allocations exist after the first time. */
    use();
    long blocks_before = blocks, bytes_before = bytes;
    long needed = use();
    int is_right = blocks == blocks_before && bytes == bytes_before && needed > MANY * (long)sizeof(void *);
    if (argc == 2 && !strcmp(argv[1], "refuse")) {
        for (long given = 1; given < 200; given++) {
            left = given;
            use();
            left = -1;
        }
        is_right &= blocks == blocks_before && bytes == bytes_before;
    }
    printf("%ld bytes for %d timers; %ld blocks are left, %ld more than before\n", needed, MANY, blocks, blocks - blocks_before);
    return !is_right;
}
