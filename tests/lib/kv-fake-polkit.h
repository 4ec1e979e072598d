/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

typedef enum {
    KV_FAKE_POLKIT_NO,
    KV_FAKE_POLKIT_YES,
    KV_FAKE_POLKIT_CHALLENGE, /* a password would do it, but nobody can be asked */
    KV_FAKE_POLKIT_DISMISSED, /* the person closed the dialog */
    KV_FAKE_POLKIT_ERROR,
    KV_FAKE_POLKIT_HANG, /* answers when the check is cancelled, as "cancelled" */
} KvFakePolkitAnswer;

/**
 * KvFakePolkit:
 *
 * An authority on @bus that answers as it is told; what it was not told about is KV_FAKE_POLKIT_NO.
 * Runs in the main loop.
 */
typedef struct _KvFakePolkit KvFakePolkit;

KvFakePolkit *kv_fake_polkit_new(GDBusConnection *bus);

/* Leaves the bus name. What hangs stays without an answer. */
void kv_fake_polkit_free(KvFakePolkit *polkit);

void kv_fake_polkit_answer(KvFakePolkit *polkit, const char *action, KvFakePolkitAnswer answer);

/* (transfer none): every question since the last call of kv_fake_polkit_forget(), a line each:
 * "ACTION CALLER FLAGS KEY=VALUE …", the details in the order of their keys. */
const char *kv_fake_polkit_get_questions(KvFakePolkit *polkit);
void kv_fake_polkit_forget(KvFakePolkit *polkit);

/* Questions without an answer so far. */
guint kv_fake_polkit_count_hanging(KvFakePolkit *polkit);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvFakePolkit, kv_fake_polkit_free)
