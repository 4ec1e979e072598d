/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-macros.h"
#include "kv-notify.h"
#include "kv-test.h"

#include <glib/gstdio.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service manager's socket: @name is its path, or "@" and an abstract name. */
static int
listen_as(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    g_assert_cmpint(bind(fd, (const struct sockaddr *) &address,
                         (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                    ==, 0);
    g_setenv("NOTIFY_SOCKET", name, TRUE);
    return fd;
}

/* (transfer full): the next notice; NULL: there is none. */
static char *
receive(int fd)
{
    char buf[4096];
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    return n < 0 ? NULL : g_strndup(buf, (gsize) n);
}

static void
expect(int fd, const char *text)
{
    g_autofree char *found = receive(fd);

    g_assert_cmpstr(found, ==, text);
}

static void
send_all(int fd)
{
    kv_notify_ready();
    expect(fd, "READY=1");
    kv_notify_reloading();
    expect(fd, "RELOADING=1");
    kv_notify_status("%u tunnels\nREADY=1\t%s", 3u, "up");
    expect(fd, "STATUS=3 tunnels READY=1 up");
    kv_notify_stopping();
    expect(fd, "STOPPING=1");
    expect(fd, NULL);
}

/* Proves: each notice is one datagram of the right words, to either kind of socket. */
static void
test_notices(void)
{
    g_autofree char *folder = g_dir_make_tmp("kv-test-notify-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "notify", NULL);
    g_autofree char *abstract = g_strdup_printf("@kv-test-notify-%d", (int) getpid());
    kv_autofd int by_path = listen_as(path);
    kv_autofd int by_name = -1;

    send_all(by_path);
    by_name = listen_as(abstract);
    send_all(by_name);
    expect(by_path, NULL);
    g_unlink(path);
    g_rmdir(folder);
}

/* Proves: without a socket, with one that is no address or that nobody has, the service goes on. */
static void
test_nobody_listens(void)
{
    g_autofree char *long_path = g_strnfill(200, '/');
    const char *const wrong[] = {NULL, "", "relative", "/", "@", long_path, "/nonexistent/notify"};

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        if (wrong[i] != NULL)
            g_setenv("NOTIFY_SOCKET", wrong[i], TRUE);
        else
            g_unsetenv("NOTIFY_SOCKET");
        kv_notify_ready();
    }
}

/* Proves: a service manager that does not read holds nothing up. */
static void
test_full_socket(void)
{
    g_autofree char *name = g_strdup_printf("@kv-test-notify-full-%d", (int) getpid());
    kv_autofd int fd = listen_as(name);

    for (guint i = 0; i < 2000; i++)
        kv_notify_ready();
    expect(fd, "READY=1");
}

/* Proves: the watchdog hears of us at once and then twice in each of its intervals, from the main
 * loop or who works for long in one turn of it; only if it waits for this very process. */
static void
test_watchdog(void)
{
    g_autofree char *name = g_strdup_printf("@kv-test-watchdog-%d", (int) getpid());
    g_autofree char *own = g_strdup_printf("%d", (int) getpid());
    const char *const unwanted[] = {"0", "-1", "x", ""};
    kv_autofd int fd = listen_as(name);
    gint64 start;
    guint source;

    g_unsetenv("WATCHDOG_PID");
    g_unsetenv("WATCHDOG_USEC");
    g_assert_cmpuint(kv_notify_start_watchdog(), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(unwanted); i++) {
        g_setenv("WATCHDOG_USEC", unwanted[i], TRUE);
        g_assert_cmpuint(kv_notify_start_watchdog(), ==, 0);
    }
    g_setenv("WATCHDOG_USEC", "100000", TRUE);
    g_setenv("WATCHDOG_PID", "1", TRUE);
    g_assert_cmpuint(kv_notify_start_watchdog(), ==, 0);
    expect(fd, NULL);
    g_setenv("WATCHDOG_PID", own, TRUE);
    source = kv_notify_start_watchdog();
    start = g_get_monotonic_time();
    expect(fd, "WATCHDOG=1");
    for (guint heard = 0; heard < 3;) {
        g_autofree char *text = NULL;

        g_main_context_iteration(NULL, TRUE);
        text = receive(fd);
        if (text != NULL)
            g_assert_cmpstr(text, ==, "WATCHDOG=1");
        heard += text != NULL;
    }
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 150000 - 3000);
    g_source_remove(source);
    g_usleep(60000);
    kv_notify_progress();
    expect(fd, "WATCHDOG=1");
    kv_notify_progress();
    expect(fd, NULL);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/notify/notices", test_notices);
    g_test_add_func("/notify/nobody-listens", test_nobody_listens);
    g_test_add_func("/notify/full-socket", test_full_socket);
    g_test_add_func("/notify/watchdog", test_watchdog);
    return kv_test_main(&argc, &argv);
}
