/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-runner.h"
#include "kv-types.h"

/**
 * KvHooks:
 *
 * Runs the administrator's programs when a client or the tunnel comes or goes. Main thread,
 * asynchronous: a hook never holds up a packet or another client. Without a shell, with an
 * environment of nothing but KV_* and a fixed PATH, 10 s at most (then its process group is
 * killed), output in the log up to 64 KiB. Who runs them is up to a KvHookRunner. A folder's
 * programs are listed when it is opened, again when it changed, and looked up by name: no path is
 * ever built from what a peer sent. Hooks of one client run one after another, those of different
 * clients side by side, at most 32 at a time. Of 1024 that wait a further one is dropped with a
 * warning.
 */
typedef struct _KvHooks KvHooks;

typedef enum {
    KV_HOOK_CONNECTED,
    KV_HOOK_DISCONNECTED,
} KvHookEvent;

/* What the KV_* variables say of a client. */
typedef struct {
    const char *client_id;      /* KV_CLIENT_ID, may be empty */
    const char *interface_name; /* KV_VNI_INTERFACE_NAME */
    KvIp4 client_ip;            /* KV_CLIENT_IP */
    KvAddressMode address_mode; /* KV_CLIENT_IP_MODE: 0, 1 or 2 */
    const char *remote_addr;    /* KV_REMOTE_ADDR, as text */
    const char *client_ip6;     /* (nullable): KV_CLIENT_IP6 */
} KvHookInfo;

/* What they say of the tunnel. */
typedef struct {
    const char *name; /* KV_TUNNEL, may be empty */
    KvRole role;      /* KV_ROLE: client or server */
    const char *interface_name;
    KvIp4 local_ip;        /* KV_LOCAL_IP: this end's tunnel address */
    const char *local_ip6; /* (nullable): KV_LOCAL_IP6 */
} KvHookTunnelInfo;

/* All nullable. */
typedef struct {
    const char *log_name; /* what the log calls the tunnel; else it names the interface */
    const char *dir; /* a server's: on_<client-id>_connected, else on_connected, and the same with
                      * "disconnected" */
    const char *connected_program; /* a client's */
    const char *up;                /* command lines */
    const char *down;
} KvHooksConfig;

/* What orders the runs of the tunnel's own hooks. */
#define KV_HOOKS_KEY_TUNNEL "tunnel"

/**
 * kv_hooks_new:
 * @runner: to be kept for as long
 *
 * An error names the folder or program that is missing, not executable, or writable by others;
 * with a helper, which knows better, only the folder.
 */
KvHooks *kv_hooks_new(KvHookRunner *runner, const KvHooksConfig *config,
                      GError **error) KV_MUST_USE;

/* Kills what still runs and frees. */
void kv_hooks_free(KvHooks *hooks);

/**
 * kv_hooks_run:
 * @key: what orders runs: those with the same key run one after another
 *
 * Starts the program for @event if there is one; its failure is logged. A program that is not
 * executable or that others may write to is not run, with a warning, and nothing instead of it.
 */
void kv_hooks_run(KvHooks *hooks, KvHookEvent event, const char *key, const KvHookInfo *info);

/* The interface is up and configured: runs the command for that, unless it has since the last
 * kv_hooks_set_down(). Its failure is logged and changes nothing else. */
void kv_hooks_set_up(KvHooks *hooks, const KvHookTunnelInfo *info);

/* The interface is gone: runs the command for that, if it was up, with what it was told then. */
void kv_hooks_set_down(KvHooks *hooks);

typedef void (*KvHooksDrained)(gpointer data);

/**
 * kv_hooks_drain:
 * @done: called once, when nothing waits or runs any more; may free @hooks. Before this returns if
 *     that is so already.
 *
 * For the end of a tunnel, after its last kv_hooks_run(). Hooks that could not be started within
 * the time limit of one are dropped with a warning; those that a helper has not answered for after
 * as long again are called off. The last to run, when all others have ended, is what
 * kv_hooks_set_down() runs, and has as long once more. So it takes 30 s at most, whatever hooks
 * and helper do. kv_hooks_free() meanwhile calls it off.
 */
void kv_hooks_drain(KvHooks *hooks, KvHooksDrained done, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHooks, kv_hooks_free)
