/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer-settings.h"

/* Most networks that the peers of a tunnel have together. */
#define KV_PEER_NETWORKS_MAX 65536

/* Most bytes that they may take in a key file, so that it can be read again. */
#define KV_PEER_BYTES_MAX (KV_SETTING_FILE_MAX / 16 * 15)

/**
 * KvPeerList:
 *
 * The peers of a tunnel, in the order in which they were given, no two of them with the same name,
 * public key or network. To be added to by who made it; once it belongs to settings it never
 * changes again, and any thread may read it.
 */
typedef struct _KvPeerList KvPeerList;

KvPeerList *kv_peer_list_new(void) KV_MUST_USE;
KvPeerList *kv_peer_list_ref(const KvPeerList *list) KV_MUST_USE;
void kv_peer_list_unref(KvPeerList *list);

/**
 * kv_peer_list_add:
 * @peer: (transfer full)
 *
 * Errors (%KV_ERROR_INVALID_SETTING) name the peer, what it lacks or whose it takes; also if there
 * are more than %KV_CLIENTS_MAX, or they are too large together. Then @list is of no use but to be
 * freed.
 */
gboolean kv_peer_list_add(KvPeerList *list, KvPeerSettings *peer, GError **error) KV_MUST_USE;

guint kv_peer_list_get_length(const KvPeerList *list);
/* (transfer none) */
const KvPeerSettings *kv_peer_list_get(const KvPeerList *list, guint index);
/* (transfer none) (nullable) */
const KvPeerSettings *kv_peer_list_find(const KvPeerList *list, const char *name);
/* (transfer none) (nullable): whose public key it is. */
const KvPeerSettings *kv_peer_list_find_key(const KvPeerList *list,
                                            const uint8_t public_key[KV_KEY_BYTES]);

/* Whether they are the same peers with the same values in the same order. */
gboolean kv_peer_list_equal(const KvPeerList *a, const KvPeerList *b);

gboolean kv_peer_list_has_secrets(const KvPeerList *list);

/**
 * kv_peer_list_keep_secrets:
 *
 * Returns: (transfer full): the peers of @list; one that came without a preshared key has that of
 * the peer of @old with its public key.
 */
KvPeerList *kv_peer_list_keep_secrets(const KvPeerList *list, const KvPeerList *old) KV_MUST_USE;

/* (transfer full): the peers of @list, with the secrets of those that @changed has by the same
 * names and with the same other values. */
KvPeerList *kv_peer_list_replace(const KvPeerList *list, const KvPeerList *changed) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvPeerList, kv_peer_list_unref)
