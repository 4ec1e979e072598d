/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvAuthActions: kinds of deeds, a polkit action each (kv_auth_action_get_id()).
 */
typedef enum {
    KV_AUTH_NONE = 0, /* everybody may */
    KV_AUTH_CREATE = 1 << 0,
    KV_AUTH_MODIFY = 1 << 1,
    KV_AUTH_CONTROL = 1 << 2, /* a caller whom the tunnel lists is asked for the next instead */
    KV_AUTH_CONTROL_LISTED = 1 << 3,
    KV_AUTH_DELETE = 1 << 4,
    KV_AUTH_SECRETS = 1 << 5,
    KV_AUTH_HOOKS = 1 << 6,
    KV_AUTH_DISCONNECT = 1 << 7,
} KvAuthActions;

#define KV_AUTH_N_ACTIONS 8

/**
 * KvAuthRow: what a method asks for. There is one for each method of each interface; a method
 * without a row is denied.
 */
typedef struct {
    const char *interface;
    const char *method;
    KvAuthActions always;
    KvAuthActions may; /* asked for on top where the arguments demand it */
} KvAuthRow;

/* (transfer none) (nullable): the row of a method. */
const KvAuthRow *kv_auth_find_row(const char *interface, const char *method);

/* (transfer none) (array length=n): every row, for whoever compares them with the interfaces. */
const KvAuthRow *kv_auth_get_rows(gsize *n);

/* (transfer none): polkit's name of one action, such as "org.kcpvpn.tunnel.control". */
const char *kv_auth_action_get_id(KvAuthActions action);

/**
 * KvAuthRequest: who wants to do what to which tunnel. Everything is copied.
 *
 * Caller, method and whether a person may be asked come from @invocation.
 */
typedef struct {
    GDBusMethodInvocation *invocation;
    guint32 uid;          /* the caller's, as the bus knows it */
    const char *tunnel;   /* (nullable): its name, which rules can look up as "tunnel" */
    const char *client;   /* (nullable): a client's id, likewise as "client" */
    const char *users;    /* (nullable): the tunnel's setting "users" */
    KvAuthActions also;   /* of the row's "may", what these arguments demand */
    KvAuthActions waived; /* need not be asked: the caller made the (transient) tunnel itself */
} KvAuthRequest;

/**
 * KvAuth:
 *
 * The gate in front of every method: asks polkit, and says no to whatever is not a clear yes: no
 * polkit, an error, no answer in time, a caller that has left. Main thread; nothing here blocks
 * it. Root passes without a question.
 */
#define KV_TYPE_AUTH (kv_auth_get_type())
G_DECLARE_FINAL_TYPE(KvAuth, kv_auth, KV, AUTH, GObject)

KvAuth *kv_auth_new(void) KV_MUST_USE;

/**
 * kv_auth_check_async:
 * @callback: called once, never before this function returns
 *
 * What @request speaks of may be gone when @callback runs: look it up again.
 */
void kv_auth_check_async(KvAuth *auth, const KvAuthRequest *request, GAsyncReadyCallback callback,
                         gpointer user_data);

/**
 * kv_auth_check_finish:
 *
 * Returns: TRUE: allowed. FALSE: %KV_ERROR_NOT_AUTHORIZED (policy, or nobody could be asked),
 * %KV_ERROR_AUTHENTICATION_REQUIRED (a password would do it),
 * %KV_ERROR_AUTHENTICATION_DISMISSED, %KV_ERROR_EXHAUSTED (the caller asks too much at once) or
 * %KV_ERROR_CANCELLED.
 */
gboolean kv_auth_check_finish(KvAuth *auth, GAsyncResult *result, GError **error) KV_MUST_USE;

/* Ends every check that is under way as denied (%KV_ERROR_CANCELLED): the daemon stops. */
void kv_auth_cancel(KvAuth *auth);
