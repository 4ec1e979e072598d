/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvCallers:
 *
 * Whose users the callers on the bus are. The bus is asked once for each and its word kept until
 * the caller leaves. Main thread; nothing waits.
 */
typedef struct _KvCallers KvCallers;

KvCallers *kv_callers_new(void) KV_MUST_USE;
void kv_callers_free(KvCallers *callers);

/**
 * kv_callers_identify:
 * @done: called once, maybe before this returns; @uid: the caller's; @error: (nullable): it has
 *     left the bus (%KV_ERROR_CANCELLED). Not called any more after kv_callers_free().
 */
void kv_callers_identify(KvCallers *callers, GDBusMethodInvocation *invocation,
                         void (*done)(gpointer data, guint32 uid, const GError *error),
                         gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvCallers, kv_callers_free)
