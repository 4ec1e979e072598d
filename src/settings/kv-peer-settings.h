/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

/**
 * KvPeerSettingId: one per row of the table of a peer's settings, in the same order (checked).
 */
typedef enum {
    KV_PEER_SETTING_PUBLIC_KEY,
    KV_PEER_SETTING_PRESHARED_KEY,
    KV_PEER_SETTING_ALLOWED_IPS,
    KV_PEER_SETTING_LOCAL_IP,
    KV_PEER_SETTING_LOCAL_IP6,
    KV_PEER_SETTING_ROUTES,
    KV_PEER_SETTING_ENDPOINT,
    KV_PEER_SETTING_KEEPALIVE,
    KV_N_PEER_SETTINGS,
} KvPeerSettingId;

/* Longest name of a peer, bytes. */
#define KV_PEER_NAME_MAX 64

/* (transfer none): the row of @id; never NULL for a valid id. */
const KvSetting *kv_peer_setting_get(KvPeerSettingId id);

/* (transfer none) (nullable): the row whose key is @key. */
const KvSetting *kv_peer_setting_find(const char *key);

/**
 * KvPeerSettings:
 *
 * What a tunnel knows of one peer, by its own table; a group [peer NAME] of a key file. Holds only
 * valid values. One thread at a time, or any number while nobody changes it.
 */
typedef struct _KvPeerSettings KvPeerSettings;

/* (transfer full) (nullable): a peer without values; %NULL and %KV_ERROR_INVALID_SETTING if no peer
 * of a tunnel of @role can have the name. */
KvPeerSettings *kv_peer_settings_new(KvRole role, const char *name, GError **error) KV_MUST_USE;
KvPeerSettings *kv_peer_settings_copy(const KvPeerSettings *peer) KV_MUST_USE;
void kv_peer_settings_free(KvPeerSettings *peer);

/**
 * kv_peer_settings_set_text:
 * @text: the value as a user writes it; an empty "preshared-key" is none
 *
 * As kv_settings_set_text(); an error (%KV_ERROR_INVALID_SETTING) names the peer, too.
 */
gboolean kv_peer_settings_set_text(KvPeerSettings *peer, KvPeerSettingId id, const char *text,
                                   GError **error) KV_MUST_USE;

/* (transfer none) */
const char *kv_peer_settings_get_name(const KvPeerSettings *peer);
gboolean kv_peer_settings_is_set(const KvPeerSettings *peer, KvPeerSettingId id);
guint64 kv_peer_settings_get_uint(const KvPeerSettings *peer, KvPeerSettingId id);
/* (transfer none) (nullable): STRING; a list has "," between its items. */
const char *kv_peer_settings_get_string(const KvPeerSettings *peer, KvPeerSettingId id);
/* (transfer full): the value as text, "(set)" for a secret; NULL when unset. */
char *kv_peer_settings_to_text(const KvPeerSettings *peer, KvPeerSettingId id);

/* The bytes of a key, which the caller wipes; %FALSE and @key unchanged if it is unset. */
gboolean kv_peer_settings_get_key(const KvPeerSettings *peer, KvPeerSettingId id,
                                  uint8_t key[KV_KEY_BYTES]);

/* (transfer full) (element-type KvNetwork): the networks of a list, or the one address of
 * "local-ip" or "local-ip6". */
GArray *kv_peer_settings_list_networks(const KvPeerSettings *peer, KvPeerSettingId id) KV_MUST_USE;

/* @host: (out) (transfer full): of "endpoint"; %FALSE if it is unset. */
gboolean kv_peer_settings_get_endpoint(const KvPeerSettings *peer, char **host, uint16_t *port);

/* Whether all that a peer needs is there. */
gboolean kv_peer_settings_validate(const KvPeerSettings *peer, GError **error) KV_MUST_USE;

gboolean kv_peer_settings_equal(const KvPeerSettings *a, const KvPeerSettings *b);

/* Takes over the preshared key of @old, unless @peer was given one, or none, itself. */
void kv_peer_settings_keep_secret(KvPeerSettings *peer, const KvPeerSettings *old);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvPeerSettings, kv_peer_settings_free)
