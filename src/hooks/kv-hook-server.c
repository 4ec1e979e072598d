/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-server.h"

#include "kv-error.h"
#include "kv-hook-message.h"
#include "kv-hook-policy.h"
#include "kv-hook-process.h"
#include "kv-log.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>

struct _KvHookServer {
    int listener;
    char *config_dir;
    char *service_user;
    guint idle_ms;
    KvHookServerIdle idle;
    gpointer data;
    GHashTable *calls; /* Call */
    guint accept_source;
    guint idle_source;
};

/* A connection, and the run it is for. */
typedef struct {
    KvHookServer *server;
    int fd;
    guint source;
    guint limit_source;
    KvHookProcess *process;
} Call;

static void listen_again(KvHookServer *self);

static void
call_free(Call *call)
{
    g_clear_handle_id(&call->source, g_source_remove);
    g_clear_handle_id(&call->limit_source, g_source_remove);
    kv_hook_process_free(call->process);
    kv_autofd_clear(&call->fd);
    g_free(call);
}

static gboolean
on_idle(gpointer data)
{
    KvHookServer *self = data;

    self->idle(self->data);
    return G_SOURCE_CONTINUE;
}

static void
watch_idleness(KvHookServer *self)
{
    g_clear_handle_id(&self->idle_source, g_source_remove);
    if (g_hash_table_size(self->calls) == 0)
        self->idle_source = g_timeout_add(self->idle_ms, on_idle, self);
}

static void
end_call(Call *call)
{
    KvHookServer *self = call->server;

    g_hash_table_remove(self->calls, call);
    watch_idleness(self);
    listen_again(self);
}

static void
answer(Call *call, const KvHookAnswer *what)
{
    g_autoptr(GByteArray) packet = kv_hook_message_from_answer(what);

    if (send(call->fd, packet->data, packet->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        kv_log_limited("hook-answer", KV_LOG_DEBUG, NULL, NULL, NULL, "nobody takes the answer: %s",
                       g_strerror(errno));
    end_call(call);
}

static void
refuse(Call *call, const char *reason)
{
    const KvHookAnswer what = {.end = KV_HOOK_REFUSED, .reason = (char *) reason};

    kv_log_limited("hook-refused", KV_LOG_WARNING, "hook-failed", NULL, NULL, "%s", reason);
    answer(call, &what);
}

static void
on_done(KvHookProcess *process, gpointer data)
{
    answer(data, kv_hook_process_get_answer(process));
}

static gboolean
start(Call *call, KvHookCommand *command, GError **error)
{
    g_autoptr(KvHookPolicy) policy = kv_hook_policy_load(call->server->config_dir, error);
    char *program;

    if (policy == NULL)
        return FALSE;
    program = kv_hook_policy_find_program(policy, command->program, error);
    if (program == NULL)
        return FALSE;
    g_free(command->program);
    command->program = program;
    call->process = kv_hook_process_start(command, kv_hook_policy_get_user(policy),
                                          KV_HOOK_TIME_LIMIT_MS, on_done, call, error);
    return call->process != NULL;
}

/* Anything more from the caller, or its end: it does not want the hook any longer. */
static gboolean
on_hang_up(gint fd, GIOCondition condition, gpointer data)
{
    Call *call = data;

    call->source = 0;
    kv_log(KV_LOG_INFO, "hook-failed", NULL, NULL, "a hook is killed, as its caller has left");
    end_call(call);
    return G_SOURCE_REMOVE;
}

static gboolean
on_command(gint fd, GIOCondition condition, gpointer data)
{
    Call *call = data;
    g_autofree uint8_t *bytes = g_malloc(KV_HOOK_MESSAGE_MAX + 1);
    ssize_t n = recv(fd, bytes, KV_HOOK_MESSAGE_MAX + 1, MSG_DONTWAIT);
    g_autoptr(KvHookCommand) command = NULL;
    g_autoptr(GError) error = NULL;

    call->source = 0;
    g_clear_handle_id(&call->limit_source, g_source_remove);
    if (n <= 0 || (condition & G_IO_HUP) != 0) {
        end_call(call);
        return G_SOURCE_REMOVE;
    }
    command = kv_hook_message_to_command(bytes, (gsize) n, &error);
    if (command == NULL || !start(call, command, &error))
        refuse(call, error->message);
    else
        call->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_hang_up, call);
    return G_SOURCE_REMOVE;
}

static gboolean
on_request_limit(gpointer data)
{
    Call *call = data;

    call->limit_source = 0;
    refuse(call, "no command came");
    return G_SOURCE_REMOVE;
}

/* By who made the connection, which the kernel keeps. */
static gboolean
is_allowed(KvHookServer *self, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        kv_hook_policy_allows_peer(peer.uid, self->service_user))
        return TRUE;
    kv_log_limited("hook-peer", KV_LOG_WARNING, "hook-failed", NULL, NULL,
                   "only root and %s may ask for hooks", self->service_user);
    return FALSE;
}

static gboolean
on_connection(gint listener, GIOCondition condition, gpointer data)
{
    KvHookServer *self = data;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    Call *call;

    if (fd < 0)
        return G_SOURCE_CONTINUE;
    if (!is_allowed(self, fd)) {
        close(fd);
        return G_SOURCE_CONTINUE;
    }
    call = g_new0(Call, 1);
    call->server = self;
    call->fd = fd;
    call->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_command, call);
    call->limit_source = g_timeout_add(KV_HOOK_SERVER_REQUEST_MS, on_request_limit, call);
    g_hash_table_add(self->calls, call);
    watch_idleness(self);
    if (g_hash_table_size(self->calls) < KV_HOOK_SERVER_MAX)
        return G_SOURCE_CONTINUE;
    self->accept_source = 0;
    return G_SOURCE_REMOVE;
}

static void
listen_again(KvHookServer *self)
{
    if (self->accept_source == 0 && g_hash_table_size(self->calls) < KV_HOOK_SERVER_MAX)
        self->accept_source = g_unix_fd_add(self->listener, G_IO_IN, on_connection, self);
}

KvHookServer *
kv_hook_server_new(int listener, const char *config_dir, const char *service_user, guint idle_ms,
                   KvHookServerIdle idle, gpointer data)
{
    KvHookServer *self = g_new0(KvHookServer, 1);

    self->listener = listener;
    self->config_dir = g_strdup(config_dir);
    self->service_user = g_strdup(service_user);
    self->idle_ms = idle_ms;
    self->idle = idle;
    self->data = data;
    self->calls = g_hash_table_new_full(NULL, NULL, (GDestroyNotify) call_free, NULL);
    g_unix_set_fd_nonblocking(listener, TRUE, NULL);
    watch_idleness(self);
    listen_again(self);
    return self;
}

void
kv_hook_server_free(KvHookServer *server)
{
    if (server == NULL)
        return;
    g_clear_handle_id(&server->accept_source, g_source_remove);
    g_clear_handle_id(&server->idle_source, g_source_remove);
    g_hash_table_unref(server->calls);
    kv_autofd_clear(&server->listener);
    g_free(server->config_dir);
    g_free(server->service_user);
    g_free(server);
}
