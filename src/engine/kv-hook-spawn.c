/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-spawn.h"

#include "kv-error.h"
#include "kv-file-limit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define CANNOT_CHANGE_STATUS 126

static const char cannot_change[] = "the hook's user cannot be taken on\n";

/* posix_spawn(), as forking a process of many threads and much memory is slow and delicate. */
static pid_t
spawn_as_ourselves(const KvHookCommand *command, char **argv, char **envp, int output_fd,
                   GError **error)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    pid_t pid;
    int result;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    /* What a service manager lends us is for us: a hook has the rights of its user and no other.
     * (Kernels without ambient capabilities have nothing to clear.) */
    (void) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    kv_file_limit_lend();
    result = posix_spawn(&pid, command->program, &actions, &attributes, argv, envp);
    kv_file_limit_take_back();
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (result == 0)
        return pid;
    kv_error_set_errno(error, result, "Cannot run hook %s", command->program);
    return -1;
}

/* In the child, where only system calls are safe. */
static void
become(gpointer data)
{
    const KvHookUser *user = data;
    sigset_t signals;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&signals);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    umask(S_IWGRP | S_IWOTH);
    if (setsid() >= 0 && setgroups(user->n_groups, user->groups) == 0 &&
        setresgid(user->gid, user->gid, user->gid) == 0 &&
        setresuid(user->uid, user->uid, user->uid) == 0)
        return;
    if (write(STDERR_FILENO, cannot_change, strlen(cannot_change)) >= 0)
        _exit(CANNOT_CHANGE_STATUS);
    _exit(CANNOT_CHANGE_STATUS);
}

static pid_t
spawn_as(const KvHookUser *user, const KvHookCommand *command, char **argv, char **envp,
         int output_fd, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    GPid pid;

    if (g_spawn_async_with_pipes_and_fds(
            "/", (const char *const *) argv, (const char *const *) envp,
            G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDIN_FROM_DEV_NULL, become, (gpointer) user, -1,
            output_fd, output_fd, NULL, NULL, 0, &pid, NULL, NULL, NULL, &local_error))
        return pid;
    g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED, "Cannot run hook as user %s: %s",
                user->name, local_error->message);
    return -1;
}

pid_t
kv_hook_spawn(const KvHookCommand *command, const KvHookUser *user, int output_fd, GError **error)
{
    g_auto(GStrv) argv = kv_hook_command_get_argv(command);
    g_auto(GStrv) envp = kv_hook_command_get_environment(command);

    if (user != NULL)
        return spawn_as(user, command, argv, envp, output_fd, error);
    return spawn_as_ourselves(command, argv, envp, output_fd, error);
}
