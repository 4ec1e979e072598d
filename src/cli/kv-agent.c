/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-agent.h"

#include "kv-error.h"
#include "kv-i18n.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define PROGRAM          "pkttyagent"
#define READY_TIMEOUT_MS 10000
#define AGENT_FD         3 /* in the agent */

struct _KvAgent {
    GSubprocess *process;
};

/* The agent closes its end of the pipe once it is registered, or because it has ended. */
static void
wait_until_ready(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    poll(&pollfd, 1, READY_TIMEOUT_MS);
}

KvAgent *
kv_agent_start(GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
        G_SUBPROCESS_FLAGS_STDIN_INHERIT | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_autofree char *fd_text = g_strdup_printf("%d", AGENT_FD);
    g_autoptr(GSubprocess) process = NULL;
    kv_autofd int ready = -1;
    KvAgent *agent;
    int fds[2];

    if (!g_unix_open_pipe(fds, FD_CLOEXEC, error))
        return NULL;
    ready = fds[0];
    g_subprocess_launcher_take_fd(launcher, fds[1], AGENT_FD);
    process = g_subprocess_launcher_spawn(launcher, error, PROGRAM, "--notify-fd", fd_text, NULL);
    /* Its copy of the pipe's end must not keep the pipe open. */
    g_clear_object(&launcher);
    if (process == NULL) {
        g_prefix_error(error, _("%s, which asks for passwords, cannot be started: "), PROGRAM);
        return NULL;
    }
    wait_until_ready(ready);
    agent = g_new0(KvAgent, 1);
    agent->process = g_steal_pointer(&process);
    return agent;
}

void
kv_agent_stop(KvAgent *agent)
{
    g_subprocess_send_signal(agent->process, SIGTERM);
    /* Cannot fail without a cancellable. */
    g_subprocess_wait(agent->process, NULL, NULL);
    g_object_unref(agent->process);
    g_free(agent);
}
