/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-quota.h"

#include "kv-error.h"

struct _KvQuota {
    GHashTable *users; /* uid: User */
};

/* Kept for the daemon's life: there are no more of them than users on the system. */
typedef struct {
    gint64 refilled_us; /* monotonic */
    double calls;       /* left in the bucket */
    guint held[KV_N_QUOTAS];
} User;

static User *
get_user(KvQuota *self, guint32 uid)
{
    User *user = g_hash_table_lookup(self->users, GUINT_TO_POINTER(uid));

    if (user == NULL) {
        user = g_new0(User, 1);
        user->calls = KV_QUOTA_CALLS_BURST;
        user->refilled_us = g_get_monotonic_time();
        g_hash_table_insert(self->users, GUINT_TO_POINTER(uid), user);
    }
    return user;
}

static gboolean
take_call(KvQuota *self, guint32 uid, GError **error)
{
    User *user = get_user(self, uid);
    gint64 now = g_get_monotonic_time();
    double back = (double) (now - user->refilled_us) / G_USEC_PER_SEC * KV_QUOTA_CALLS_PER_SECOND;

    user->calls = MIN(user->calls + back, KV_QUOTA_CALLS_BURST);
    user->refilled_us = now;
    if (user->calls < 1) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                    "too many calls; allowed: %d a second for each user but root",
                    KV_QUOTA_CALLS_PER_SECOND);
        return FALSE;
    }
    user->calls -= 1;
    return TRUE;
}

static gboolean
check_size(GVariant *arguments, GError **error)
{
    gsize size = g_variant_get_size(arguments);

    if (size <= KV_QUOTA_CALL_BYTES)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                "the call's arguments have %" G_GSIZE_FORMAT " bytes; allowed: %d for each user "
                "but root",
                size, KV_QUOTA_CALL_BYTES);
    return FALSE;
}

gboolean
kv_quota_admit(KvQuota *self, guint32 uid, GVariant *arguments, gboolean changes, GError **error)
{
    if (uid == 0)
        return TRUE;
    if (check_size(arguments, error) && (!changes || take_call(self, uid, error)))
        return TRUE;
    g_prefix_error(error, "quota: ");
    return FALSE;
}

gboolean
kv_quota_hold(KvQuota *self, guint32 uid, KvQuotaKind kind, GError **error)
{
    static const char *const things[KV_N_QUOTAS] = {"tunnels", "watches",
                                                    "calls that wait for authorization"};
    User *user = get_user(self, uid);

    if (uid != 0 && user->held[kind] >= KV_QUOTA_HELD) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                    "too many %s; allowed: %d for each user but root", things[kind], KV_QUOTA_HELD);
        return FALSE;
    }
    user->held[kind]++;
    return TRUE;
}

void
kv_quota_release(KvQuota *self, guint32 uid, KvQuotaKind kind)
{
    User *user = get_user(self, uid);

    g_return_if_fail(user->held[kind] > 0);
    user->held[kind]--;
}

KvQuota *
kv_quota_new(void)
{
    KvQuota *self = g_new0(KvQuota, 1);

    self->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return self;
}

void
kv_quota_free(KvQuota *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref(self->users);
    g_free(self);
}
