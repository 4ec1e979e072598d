/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-notify.h"

#include "kv-log.h"
#include "kv-macros.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_VARIABLE   "NOTIFY_SOCKET"
#define INTERVAL_VARIABLE "WATCHDOG_USEC"
#define PROCESS_VARIABLE  "WATCHDOG_PID"

/* Whether @path is one: absolute, or "@" and an abstract name. */
static gboolean
make_address(const char *path, struct sockaddr_un *address, socklen_t *len)
{
    gsize size = strlen(path);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((path[0] != '/' && path[0] != '@') || size < 2 || size >= sizeof address->sun_path)
        return FALSE;
    memcpy(address->sun_path, path, size);
    if (path[0] == '@')
        address->sun_path[0] = '\0';
    *len = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + size);
    return TRUE;
}

static void
complain(const char *what)
{
    kv_log_limited("notify", KV_LOG_WARNING, NULL, NULL, NULL,
                   "the service manager does not hear this service (" SOCKET_VARIABLE "): %s",
                   what);
}

static void
send_text(const char *text)
{
    const char *path = g_getenv(SOCKET_VARIABLE);
    kv_autofd int fd = -1;
    struct sockaddr_un address;
    socklen_t len;

    if (path == NULL || path[0] == '\0')
        return;
    if (!make_address(path, &address, &len)) {
        complain("not an absolute path, or too long");
        return;
    }
    /* Without waiting: a service manager that does not read must not hold up the main loop. */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *) &address, len) < 0)
        complain(g_strerror(errno));
}

void
kv_notify_ready(void)
{
    send_text("READY=1");
}

void
kv_notify_reloading(void)
{
    send_text("RELOADING=1");
}

void
kv_notify_stopping(void)
{
    send_text("STOPPING=1");
}

void
kv_notify_status(const char *format, ...)
{
    g_autofree char *line = NULL;
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    line = g_strdup_vprintf(format, args);
    va_end(args);
    /* A line break would begin another notice. */
    for (char *c = line; *c != '\0'; c++) {
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    }
    text = g_strconcat("STATUS=", line, NULL);
    send_text(text);
}

/* Between two notices; 0: none are wanted. */
static gint64 keepalive_us;
static gint64 last_keepalive_us; /* monotonic */

static gboolean
send_keepalive(gpointer data)
{
    last_keepalive_us = g_get_monotonic_time();
    send_text("WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

void
kv_notify_progress(void)
{
    if (keepalive_us > 0 && g_get_monotonic_time() - last_keepalive_us >= keepalive_us)
        send_keepalive(NULL);
}

/* Microseconds between two notices at most; 0: none is wanted, at least not of this process. */
static guint64
get_watchdog_us(void)
{
    const char *interval = g_getenv(INTERVAL_VARIABLE);
    const char *process = g_getenv(PROCESS_VARIABLE);
    guint64 us;
    guint64 pid;

    if (interval == NULL ||
        !g_ascii_string_to_unsigned(interval, 10, 1, G_MAXUINT32 * 1000ull, &us, NULL))
        return 0;
    if (process != NULL && (!g_ascii_string_to_unsigned(process, 10, 1, G_MAXINT, &pid, NULL) ||
                            (pid_t) pid != getpid()))
        return 0;
    return us;
}

guint
kv_notify_start_watchdog(void)
{
    guint64 us = get_watchdog_us();

    if (us == 0)
        return 0;
    keepalive_us = (gint64) us / 2;
    send_keepalive(NULL);
    return g_timeout_add((guint) MAX(us / 2 / 1000, 1), send_keepalive, NULL);
}
