/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-ask.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL       "/dev/tty"
#define LINE_MAX_BYTES 4096

/* The signals that end a program, the one that came while a question stood open, and a pipe that
 * tells of it: another thread may be the one that gets it. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static volatile sig_atomic_t caught;
static int wake_pipe[2];

static void
catch_signal(int signum)
{
    int saved = errno;

    caught = signum;
    /* Full, it tells already. */
    while (write(wake_pipe[1], "", 1) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

static int
open_terminal(void)
{
    return open(TERMINAL, O_RDWR | O_CLOEXEC | O_NOCTTY);
}

gboolean
kv_ask_is_possible(void)
{
    kv_autofd int fd = open_terminal();

    return fd >= 0;
}

/* That the terminal cannot be written to is found out by reading from it. */
static void
write_text(int fd, const char *text)
{
    g_autofree char *printable = kv_text_make_printable(text);

    dprintf(fd, "%s", printable);
}

static void
write_line_end(int fd)
{
    dprintf(fd, "\n");
}

/* Waits for a character. Returns: FALSE: a signal came, or an error. */
static gboolean
wait_for_input(int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = wake_pipe[0], .events = POLLIN}};

    while (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
        if (errno != EINTR)
            return FALSE;
    }
    errno = EINTR;
    return fds[1].revents == 0;
}

/* Reads to the line's end, which is not kept. Returns: how many bytes, < 0: failed or too long. */
static gssize
read_line(int fd, char *buf, gsize size)
{
    gsize len = 0;

    while (len < size) {
        ssize_t n = wait_for_input(fd) ? read(fd, buf + len, 1) : -1;

        if (n < 0)
            return -1;
        if (n == 0 || buf[len] == '\n')
            return (gssize) len;
        len++;
    }
    errno = EMSGSIZE;
    return -1;
}

static void
catch_signals(struct sigaction old[G_N_ELEMENTS(signals)])
{
    struct sigaction action = {.sa_handler = catch_signal};

    caught = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &action, &old[i]);
}

/* Lets signals through again, and the one that came act now. */
static void
release_signals(const struct sigaction old[G_N_ELEMENTS(signals)])
{
    for (gsize i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &old[i], NULL);
    if (caught != 0)
        raise(caught);
}

/* Asks and reads with @local_flags of the terminal off, before @prompt is seen: a person may be
 * fast. A signal ends it and comes through afterwards. */
static gssize
ask_without(int fd, tcflag_t local_flags, const char *prompt, char *buf, gsize size)
{
    struct sigaction old[G_N_ELEMENTS(signals)];
    struct termios before;
    struct termios changed;
    gssize len;

    if (tcgetattr(fd, &before) < 0 || pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    catch_signals(old);
    changed = before;
    changed.c_lflag &= ~local_flags;
    tcsetattr(fd, TCSAFLUSH, &changed);
    write_text(fd, prompt);
    len = read_line(fd, buf, size);
    tcsetattr(fd, TCSAFLUSH, &before);
    release_signals(old);
    close(wake_pipe[0]);
    close(wake_pipe[1]);
    return len;
}

KvSecret *
kv_ask_secret(const char *prompt, GError **error)
{
    kv_autofd int fd = open_terminal();
    char buf[LINE_MAX_BYTES];
    KvSecret *secret = NULL;
    gssize len;

    if (fd < 0) {
        kv_error_set_errno(error, errno, _("no terminal to ask on"));
        return NULL;
    }
    len = ask_without(fd, ECHO | ECHOE | ECHOK | ECHONL, prompt, buf, sizeof buf);
    write_line_end(fd);
    if (len < 0)
        kv_error_set_errno(error, errno, _("the answer cannot be read"));
    else if (len == 0)
        g_set_error_literal(error, KV_ERROR, KV_ERROR_CANCELLED, _("no secret was entered"));
    else
        secret = kv_secret_new(buf, (gsize) len);
    explicit_bzero(buf, sizeof buf);
    return secret;
}

gboolean
kv_ask_yes_no(const char *prompt)
{
    kv_autofd int fd = open_terminal();
    char buf[LINE_MAX_BYTES];

    if (fd < 0)
        return FALSE;
    /* "y", and what begins with it, whatever the language: the prompt says so. */
    return ask_without(fd, 0, prompt, buf, sizeof buf) > 0 && g_ascii_tolower(buf[0]) == 'y';
}
