/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/*
 * Bounds for every user but root. A call that changes something takes one of CALLS_BURST, which
 * come back at CALLS_PER_SECOND; what a user holds is counted apart.
 */
#define KV_QUOTA_CALLS_PER_SECOND 10
#define KV_QUOTA_CALLS_BURST      20
#define KV_QUOTA_CALL_BYTES       (64 * 1024) /* arguments of one call */
#define KV_QUOTA_HELD             64          /* of each kind */

/* What a user can hold for longer than a call. */
typedef enum {
    KV_QUOTA_TUNNELS,
    KV_QUOTA_WATCHES,
    KV_QUOTA_CALLS, /* under authorization, with their arguments and open files */
    KV_N_QUOTAS,
} KvQuotaKind;

/**
 * KvQuota:
 *
 * What callers use up, by user. Main thread.
 */
typedef struct _KvQuota KvQuota;

KvQuota *kv_quota_new(void) KV_MUST_USE;
void kv_quota_free(KvQuota *quota);

/**
 * kv_quota_admit:
 * @changes: whether the call counts against the rate
 *
 * Returns: %FALSE and %KV_ERROR_EXHAUSTED: @uid may not make a call with these arguments now.
 */
gboolean kv_quota_admit(KvQuota *quota, guint32 uid, GVariant *arguments, gboolean changes,
                        GError **error) KV_MUST_USE;

/* Whether @uid may hold one more; if so it does, until kv_quota_release(). */
gboolean kv_quota_hold(KvQuota *quota, guint32 uid, KvQuotaKind kind, GError **error) KV_MUST_USE;
void kv_quota_release(KvQuota *quota, guint32 uid, KvQuotaKind kind);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvQuota, kv_quota_free)
