/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"
#include "native/kv-native.h"

/**
 * KvTunnelNative:
 *
 * The part of #KvTunnelParams that the native protocol needs. Read by any thread.
 */
typedef struct {
    KvSecret *private_key;   /* (nullable): with keys */
    KvSecret *psk;           /* (nullable): 32 bytes of the secret: for those without keys */
    KvSecret *preshared_key; /* (nullable): client with keys */
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* client with keys: the server's */
    uint8_t ciphers[KV_NATIVE_CIPHERS_MAX];     /* KvAead, in order of wish; 0: no more */
    gboolean takes_any;                         /* crypt left the choice to both ends */
    KvNativeParams session; /* of each association: without keys, indexes and addresses */
} KvTunnelNative;

/**
 * kv_tunnel_native_new:
 * @settings: validated, of a tunnel that is to speak native
 * @mode: of the inner packets
 *
 * Takes a tenth of a second and 64 MiB if there is only a secret. Errors name the key at fault. Any
 * thread.
 */
KvTunnelNative *kv_tunnel_native_new(const KvSettings *settings, KvVniMode mode,
                                     GError **error) KV_MUST_USE;
void kv_tunnel_native_free(KvTunnelNative *native);

/* (transfer none): as the setting crypt names it. */
const char *kv_tunnel_native_aead_to_string(KvAead aead);

/* The cipher that a responder takes, or that the one who asked was given: the first of what @said
 * names that this end wants; 0: none. */
KvAead kv_tunnel_native_find_aead(const KvTunnelNative *native, const KvNativeConfig *said);

/* What an association with a peer that uses keys, or only the secret, is made with; to be
 * completed. */
void kv_tunnel_native_fill(const KvTunnelNative *native, KvNoisePattern pattern,
                           KvNativeParams *params);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTunnelNative, kv_tunnel_native_free)
