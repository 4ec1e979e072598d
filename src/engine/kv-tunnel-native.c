/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-native.h"

#include "kv-error.h"
#include "kv-key.h"
#include "native/kv-item.h"

#include <sodium.h>
#include <string.h>

/* An Ethernet frame's payload less the headers of IPv4; what the path takes is found out. */
#define DATAGRAM_MAX 1472

#define HANDSHAKE_TIMEOUT (15 * KV_TIME_S)

/* What both can: AES where the processor has instructions for it, since it is the faster then. */
static void
fill_ciphers(KvTunnelNative *native, const KvSettings *settings)
{
    static const KvAead wishes[] = {KV_AEAD_AES_256_GCM, KV_AEAD_CHACHA20_POLY1305};
    guint n = 0;

    native->takes_any = TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(wishes); i++) {
        native->takes_any &= kv_settings_allows_aead(settings, wishes[i]);
        if (kv_settings_allows_aead(settings, wishes[i]) && kv_aead_is_available(wishes[i]))
            native->ciphers[n++] = wishes[i];
    }
}

static gboolean
check_ciphers(const KvTunnelNative *native, const KvSettings *settings, GError **error)
{
    if (native->ciphers[0] != 0)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED,
                "crypt: this processor has no instructions for %s; use auto or "
                "chacha20-poly1305",
                kv_settings_get_string(settings, KV_SETTING_CRYPT));
    return FALSE;
}

static KvSecret *
get_key(const KvSettings *settings, KvSettingId id)
{
    uint8_t key[KV_KEY_BYTES];
    KvSecret *secret;

    if (!kv_settings_get_key(settings, id, key))
        return NULL;
    secret = kv_secret_new(key, sizeof key);
    sodium_memzero(key, sizeof key);
    return secret;
}

static gboolean
stretch_secret(KvTunnelNative *native, const KvSecret *secret, GError **error)
{
    uint8_t key[KV_KEY_BYTES];
    gboolean ok = kv_key_stretch(key, secret, error);

    if (ok)
        native->psk = kv_secret_new(key, sizeof key);
    sodium_memzero(key, sizeof key);
    return ok;
}

static gboolean
fill_secrets(KvTunnelNative *native, const KvSettings *settings, GError **error)
{
    const KvSecret *secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    gboolean is_client = kv_settings_get_role(settings) == KV_ROLE_CLIENT;
    gboolean is_of_v1 = kv_settings_get_protocol(settings) == KV_PROTOCOL_V1;

    native->private_key = get_key(settings, KV_SETTING_PRIVATE_KEY);
    native->preshared_key = get_key(settings, KV_SETTING_PRESHARED_KEY);
    if (native->private_key != NULL && is_client) {
        if (kv_settings_get_key(settings, KV_SETTING_PUBLIC_KEY, native->remote_public))
            return TRUE;
        g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                            "public-key: with a private-key the server's public key is needed");
        return FALSE;
    }
    if (secret != NULL && !is_of_v1)
        return stretch_secret(native, secret, error);
    if (native->private_key != NULL)
        return TRUE;
    g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                        "no secret was given, and no private-key");
    return FALSE;
}

static void
fill_session(KvTunnelNative *native, const KvSettings *settings, KvVniMode mode)
{
    KvNativeParams *session = &native->session;

    session->role = kv_settings_get_role(settings);
    session->mode = mode;
    session->snd_wnd = (uint32_t) kv_settings_get_uint(settings, KV_SETTING_SNDWND);
    session->rcv_wnd = (uint32_t) kv_settings_get_uint(settings, KV_SETTING_RCVWND);
    session->parity_shards =
        MIN((guint) kv_settings_get_uint(settings, KV_SETTING_PARITYSHARD), KV_GROUP_PARITY_MAX);
    session->data_shards = MIN((guint) kv_settings_get_uint(settings, KV_SETTING_DATASHARD),
                               KV_GROUP_SHARDS_MAX - session->parity_shards);
    session->rapid_fec = kv_settings_get_boolean(settings, KV_SETTING_RAPID_FEC);
    session->handshake_timeout = HANDSHAKE_TIMEOUT;
    session->datagram_max = DATAGRAM_MAX;
    if (kv_settings_is_set(settings, KV_SETTING_UDP_MTU))
        session->datagram_max =
            MAX((guint) kv_settings_get_uint(settings, KV_SETTING_UDP_MTU), KV_PATH_MTU_BASE);
    /* Silent when idle, unless it is asked for. */
    if (kv_settings_is_set(settings, KV_SETTING_KEEPALIVE))
        session->keepalive =
            MIN(kv_settings_get_uint(settings, KV_SETTING_KEEPALIVE), G_MAXUINT16) * KV_TIME_S;
}

KvTunnelNative *
kv_tunnel_native_new(const KvSettings *settings, KvVniMode mode, GError **error)
{
    g_autoptr(KvTunnelNative) native = g_new0(KvTunnelNative, 1);

    fill_ciphers(native, settings);
    fill_session(native, settings, mode);
    if (!check_ciphers(native, settings, error) || !fill_secrets(native, settings, error))
        return NULL;
    return g_steal_pointer(&native);
}

void
kv_tunnel_native_free(KvTunnelNative *native)
{
    if (native == NULL)
        return;
    kv_secret_free(native->private_key);
    kv_secret_free(native->psk);
    kv_secret_free(native->preshared_key);
    g_free(native);
}

const char *
kv_tunnel_native_aead_to_string(KvAead aead)
{
    return aead == KV_AEAD_AES_256_GCM ? "aes-256-gcm" : "chacha20-poly1305";
}

KvAead
kv_tunnel_native_find_aead(const KvTunnelNative *native, const KvNativeConfig *said)
{
    for (guint i = 0; i < KV_NATIVE_CIPHERS_MAX && said->ciphers[i] != 0; i++) {
        if (memchr(native->ciphers, said->ciphers[i], sizeof native->ciphers) != NULL)
            return said->ciphers[i];
    }
    return 0;
}

void
kv_tunnel_native_fill(const KvTunnelNative *native, KvNoisePattern pattern, KvNativeParams *params)
{
    *params = native->session;
    if (pattern == KV_NOISE_NNPSK0) {
        params->psk = native->psk;
        return;
    }
    params->private_key = native->private_key;
    params->psk = native->preshared_key;
    memcpy(params->remote_public, native->remote_public, sizeof params->remote_public);
}
