/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-process.h"

#include "kv-error.h"
#include "kv-log.h"
#include "kv-text.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LINE_MAX_BYTES KV_TEXT_ESCAPE_MAX
#define READ_BYTES     16384

/* The leader is watched through a pidfd and reaped last: until then its number cannot be taken
 * by another process, so killing the group never hits a stranger. */
struct _KvHookProcess {
    char *path;
    char *tunnel;
    char *peer;
    KvHookProcessDone done;
    gpointer data;
    pid_t pid;
    int pidfd;
    int output_fd;
    guint exit_source;
    guint output_source;
    guint limit_source;
    guint limit_ms;
    KvHookAnswer answer;
    gboolean has_exited;
    gboolean is_timed_out;
    gboolean is_reaped;
    gboolean is_muted; /* it has said enough */
    gsize n_output;
    guint n_lines;
    gsize line_len;
    char line[LINE_MAX_BYTES];
};

static void
log_line(KvHookProcess *self)
{
    g_autofree char *text = NULL;

    if (self->line_len == 0)
        return;
    text = kv_text_escape(self->line, self->line_len);
    kv_log(KV_LOG_INFO, "hook-output", self->tunnel, self->peer, "Hook %s: %s", self->path, text);
    self->line_len = 0;
    self->n_lines++;
}

static void
log_output(KvHookProcess *self, const char *bytes, gsize len)
{
    for (gsize i = 0; i < len && !self->is_muted; i++) {
        if (bytes[i] != '\n')
            self->line[self->line_len++] = bytes[i];
        self->n_output++;
        self->is_muted =
            self->n_output >= KV_HOOK_OUTPUT_MAX || self->n_lines + 1 >= KV_HOOK_LINES_MAX;
        if (bytes[i] == '\n' || self->line_len == LINE_MAX_BYTES || self->is_muted)
            log_line(self);
        if (self->is_muted)
            kv_log(KV_LOG_WARNING, "hook-output", self->tunnel, self->peer,
                   "Hook %s wrote %d bytes or %d lines; what follows is dropped", self->path,
                   KV_HOOK_OUTPUT_MAX, KV_HOOK_LINES_MAX);
    }
}

static int
reap(KvHookProcess *self)
{
    int status = 0;

    while (waitpid(self->pid, &status, 0) < 0 && errno == EINTR)
        ;
    self->is_reaped = TRUE;
    return status;
}

static void
note_end(KvHookProcess *self, int status)
{
    if (self->is_timed_out)
        self->answer = (KvHookAnswer){.end = KV_HOOK_TIMED_OUT, .number = (int) self->limit_ms};
    else if (WIFSIGNALED(status))
        self->answer = (KvHookAnswer){.end = KV_HOOK_SIGNALLED, .number = WTERMSIG(status)};
    else
        self->answer = (KvHookAnswer){.end = KV_HOOK_EXITED, .number = WEXITSTATUS(status)};
}

static void
finish(KvHookProcess *self)
{
    note_end(self, reap(self));
    g_clear_handle_id(&self->limit_source, g_source_remove);
    g_clear_handle_id(&self->output_source, g_source_remove);
    log_line(self);
    kv_hook_answer_log(&self->answer, self->path, self->tunnel, self->peer);
    self->done(self, self->data);
}

/* TRUE while there may be more. */
static gboolean
read_output(KvHookProcess *self)
{
    char bytes[READ_BYTES];
    ssize_t n = read(self->output_fd, bytes, sizeof bytes);

    if (n > 0)
        log_output(self, bytes, (gsize) n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static gboolean
on_output(gint fd, GIOCondition condition, gpointer data)
{
    KvHookProcess *self = data;

    if (read_output(self))
        return G_SOURCE_CONTINUE;
    self->output_source = 0;
    if (self->has_exited)
        finish(self);
    return G_SOURCE_REMOVE;
}

static gboolean
on_exit_ready(gint fd, GIOCondition condition, gpointer data)
{
    KvHookProcess *self = data;

    self->exit_source = 0;
    self->has_exited = TRUE;
    if (self->output_source == 0 || self->is_timed_out)
        finish(self);
    return G_SOURCE_REMOVE;
}

static gboolean
on_limit(gpointer data)
{
    KvHookProcess *self = data;

    self->limit_source = 0;
    self->is_timed_out = TRUE;
    kill(-self->pid, SIGKILL);
    if (self->has_exited)
        finish(self);
    return G_SOURCE_REMOVE;
}

static gboolean
launch(KvHookProcess *self, const KvHookCommand *command, const KvHookUser *user, GError **error)
{
    kv_autofd int output_fd = -1;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        kv_error_set_errno(error, errno, "Cannot run hook %s", self->path);
        return FALSE;
    }
    self->output_fd = fds[0];
    output_fd = fds[1];
    g_unix_set_fd_nonblocking(self->output_fd, TRUE, NULL);
    self->pid = kv_hook_spawn(command, user, output_fd, error);
    if (self->pid < 0)
        return FALSE;
    self->pidfd = (int) syscall(SYS_pidfd_open, self->pid, 0);
    if (self->pidfd < 0) {
        kv_error_set_errno(error, errno, "Cannot watch hook %s", self->path);
        return FALSE;
    }
    fcntl(self->pidfd, F_SETFD, FD_CLOEXEC);
    return TRUE;
}

KvHookProcess *
kv_hook_process_start(const KvHookCommand *command, const KvHookUser *user, guint limit_ms,
                      KvHookProcessDone done, gpointer data, GError **error)
{
    g_autoptr(KvHookProcess) self = g_new0(KvHookProcess, 1);

    self->path = g_strdup(command->program);
    self->tunnel = g_strdup(command->tunnel);
    self->peer = g_strdup(command->peer);
    self->limit_ms = limit_ms;
    self->done = done;
    self->data = data;
    self->pid = -1;
    self->pidfd = -1;
    self->output_fd = -1;
    if (!launch(self, command, user, error))
        return NULL;
    /* Behind all else the main thread has to do: a hook may write without end. */
    self->output_source = g_unix_fd_add_full(G_PRIORITY_DEFAULT_IDLE, self->output_fd,
                                             G_IO_IN | G_IO_HUP, on_output, self, NULL);
    self->exit_source = g_unix_fd_add(self->pidfd, G_IO_IN, on_exit_ready, self);
    self->limit_source = g_timeout_add(limit_ms, on_limit, self);
    return g_steal_pointer(&self);
}

const KvHookAnswer *
kv_hook_process_get_answer(KvHookProcess *process)
{
    return &process->answer;
}

void
kv_hook_process_free(KvHookProcess *process)
{
    if (process == NULL)
        return;
    g_clear_handle_id(&process->exit_source, g_source_remove);
    g_clear_handle_id(&process->output_source, g_source_remove);
    g_clear_handle_id(&process->limit_source, g_source_remove);
    if (process->pid > 0 && !process->is_reaped) {
        kill(-process->pid, SIGKILL);
        reap(process);
    }
    kv_autofd_clear(&process->pidfd);
    kv_autofd_clear(&process->output_fd);
    g_free(process->path);
    g_free(process->tunnel);
    g_free(process->peer);
    g_free(process);
}
