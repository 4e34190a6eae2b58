/* The functions with variable arguments, which stable Rust cannot define: each formats its message, and calls a function of ours.
 * src/variadic.rs exports them under libevent's names. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <event2/event.h>
#include <event2/util.h>

/* In src/log.rs. */
void evcore_abi_log(int severity, const char *message);
int evcore_abi_is_logged(int severity);
_Noreturn void evcore_abi_exit(int code);

int evcore_abi_vsnprintf(char *to, size_t room, const char *format, va_list args)
{
    if (room == 0)
        return 0;
    int length = vsnprintf(to, room, format, args);
    to[room - 1] = 0;
    return length;
}

int evcore_abi_snprintf(char *to, size_t room, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = evcore_abi_vsnprintf(to, room, format, args);
    va_end(args);
    return length;
}

void evcore_abi_logv(int severity, const char *error, const char *format, va_list args)
{
    char message[1024];
    if (!evcore_abi_is_logged(severity))
        return;
    message[0] = 0;
    if (format != NULL)
        evcore_abi_vsnprintf(message, sizeof message, format, args);
    size_t length = strlen(message);
    if (error != NULL && length + 3 < sizeof message)
        evcore_abi_snprintf(message + length, sizeof message - length, ": %s", error);
    evcore_abi_log(severity, message);
}

#define LOG(severity, error)                        \
    do {                                            \
        int number = errno;                         \
        va_list args;                               \
        va_start(args, format);                     \
        (void)number;                               \
        evcore_abi_logv(severity, error, format, args); \
        va_end(args);                               \
    } while (0)

void evcore_abi_err(int code, const char *format, ...)
{
    LOG(EVENT_LOG_ERR, strerror(number));
    evcore_abi_exit(code);
}

void evcore_abi_errx(int code, const char *format, ...)
{
    LOG(EVENT_LOG_ERR, NULL);
    evcore_abi_exit(code);
}

void evcore_abi_sock_err(int code, evutil_socket_t fd, const char *format, ...)
{
    (void)fd;
    LOG(EVENT_LOG_ERR, strerror(number));
    evcore_abi_exit(code);
}

void evcore_abi_sock_warn(evutil_socket_t fd, const char *format, ...)
{
    (void)fd;
    LOG(EVENT_LOG_WARN, strerror(number));
}

void evcore_abi_warn(const char *format, ...) { LOG(EVENT_LOG_WARN, strerror(number)); }

void evcore_abi_warnx(const char *format, ...) { LOG(EVENT_LOG_WARN, NULL); }

void evcore_abi_msgx(const char *format, ...) { LOG(EVENT_LOG_MSG, NULL); }

void evcore_abi_debugx(const char *format, ...) { LOG(EVENT_LOG_DEBUG, NULL); }
