/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-request.h"

#include "kv-error.h"
#include "kv-hook-message.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct _KvHookRequest {
    char *program;
    char *tunnel;
    char *peer;
    KvHookRequestDone done;
    gpointer data;
    int fd;
    guint answer_source;
    guint limit_source;
    KvHookAnswer answer;
};

static void
finish(KvHookRequest *self)
{
    g_clear_handle_id(&self->answer_source, g_source_remove);
    g_clear_handle_id(&self->limit_source, g_source_remove);
    kv_hook_answer_log(&self->answer, self->program, self->tunnel, self->peer);
    self->done(self, self->data);
}

static void
give_up(KvHookRequest *self, const char *reason)
{
    self->answer = (KvHookAnswer){.end = KV_HOOK_REFUSED, .reason = g_strdup(reason)};
    finish(self);
}

static gboolean
on_answer(gint fd, GIOCondition condition, gpointer data)
{
    KvHookRequest *self = data;
    uint8_t bytes[KV_HOOK_VALUE_MAX + 64];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    g_autoptr(GError) error = NULL;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    self->answer_source = 0;
    if (n <= 0)
        give_up(self, "kcpvpn-hooks ended without an answer");
    else if (!kv_hook_message_to_answer(bytes, (gsize) n, &self->answer, &error))
        give_up(self, error->message);
    else
        finish(self);
    return G_SOURCE_REMOVE;
}

static gboolean
on_limit(gpointer data)
{
    KvHookRequest *self = data;

    self->limit_source = 0;
    give_up(self, "kcpvpn-hooks gave no answer in time");
    return G_SOURCE_REMOVE;
}

static gboolean
open_socket(KvHookRequest *self, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
        kv_error_set_errno(error, ENAMETOOLONG, "Cannot reach kcpvpn-hooks at %s", path);
        return FALSE;
    }
    self->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect(self->fd, (const struct sockaddr *) &address, sizeof address) < 0) {
        kv_error_set_errno(error, errno,
                           "Cannot reach kcpvpn-hooks at %s (is kcpvpn-hooks.socket started?)",
                           path);
        return FALSE;
    }
    return TRUE;
}

static gboolean
send_command(KvHookRequest *self, const KvHookCommand *command, GError **error)
{
    g_autoptr(GByteArray) packet = kv_hook_message_from_command(command, error);

    if (packet == NULL)
        return FALSE;
    if (send(self->fd, packet->data, packet->len, MSG_NOSIGNAL) < 0) {
        kv_error_set_errno(error, errno, "Cannot ask kcpvpn-hooks to run %s", command->program);
        return FALSE;
    }
    return TRUE;
}

KvHookRequest *
kv_hook_request_start(const char *socket_path, const KvHookCommand *command, KvHookRequestDone done,
                      gpointer data, GError **error)
{
    g_autoptr(KvHookRequest) self = g_new0(KvHookRequest, 1);

    self->program = g_strdup(command->program);
    self->tunnel = g_strdup(command->tunnel);
    self->peer = g_strdup(command->peer);
    self->done = done;
    self->data = data;
    self->fd = -1;
    if (!open_socket(self, socket_path, error) || !send_command(self, command, error))
        return NULL;
    self->answer_source = g_unix_fd_add(self->fd, G_IO_IN | G_IO_HUP, on_answer, self);
    self->limit_source = g_timeout_add(KV_HOOK_ANSWER_LIMIT_MS, on_limit, self);
    return g_steal_pointer(&self);
}

const KvHookAnswer *
kv_hook_request_get_answer(KvHookRequest *request)
{
    return &request->answer;
}

void
kv_hook_request_free(KvHookRequest *request)
{
    if (request == NULL)
        return;
    g_clear_handle_id(&request->answer_source, g_source_remove);
    g_clear_handle_id(&request->limit_source, g_source_remove);
    kv_autofd_clear(&request->fd);
    kv_hook_answer_clear(&request->answer);
    g_free(request->program);
    g_free(request->tunnel);
    g_free(request->peer);
    g_free(request);
}
