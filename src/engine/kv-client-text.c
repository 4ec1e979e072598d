/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-client-text.h"

#include "kv-error.h"

static GError *
no_answer(const KvTunnelParams *params, const char *remote)
{
    if (params->native == NULL)
        return g_error_new(KV_ERROR, KV_ERROR_TIMEOUT,
                           "no answer from %s: is the server running, and are secret, crypt, "
                           "datashard and parityshard the same on both ends? If it speaks the "
                           "native protocol, which is the default, leave out crypt %s",
                           remote, kv_cipher_to_string(params->cipher));
    return g_error_new(KV_ERROR, KV_ERROR_TIMEOUT,
                       "no answer from %s: is the server running, and %s? If it speaks protocol v1 "
                       "alone, as the Go program does, use the cipher it has, such as --crypt aes",
                       remote,
                       params->native->private_key != NULL
                           ? "is public-key its key, and does it know the key of this end"
                           : "is the secret the same on both ends, or does it take keys alone");
}

static GError *
refused(const KvTunnelParams *params, const char *remote, KvReason reason,
        const KvNativeConfig *said)
{
    const char *why = kv_reason_to_string(reason);

    if (said->refusal == KV_REFUSED_CIPHER && params->native->ciphers[1] == 0)
        return g_error_new(KV_ERROR, KV_ERROR_REFUSED,
                           "%s refused: no common cipher, and %s is all that this end offers",
                           remote, kv_tunnel_native_aead_to_string(params->native->ciphers[0]));

    if (said->refusal_text != NULL && *said->refusal_text != '\0')
        why = said->refusal_text;
    return g_error_new(KV_ERROR, KV_ERROR_REFUSED, "%s refused: %s", remote, why);
}

GError *
kv_client_text_error(const KvTunnelParams *params, const KvSockaddr *address, KvReason reason,
                     const KvNativeConfig *said)
{
    g_autofree char *remote = kv_sockaddr_to_string(address);

    switch (reason) {
    case KV_REASON_ADDRESS_REJECTED:
    case KV_REASON_EXHAUSTED:
    case KV_REASON_REFUSED:
        return refused(params, remote, reason, said);
    case KV_REASON_HANDSHAKE_TIMEOUT:
        return no_answer(params, remote);
    case KV_REASON_PROTOCOL:
        return g_error_new(KV_ERROR, KV_ERROR_PROTOCOL, "%s: %s", remote,
                           kv_reason_to_string(reason));
    default:
        return g_error_new(KV_ERROR, KV_ERROR_CONNECTION_LOST, "connection to %s lost: %s", remote,
                           kv_reason_to_string(reason));
    }
}

GError *
kv_client_text_device_error(const char *interface)
{
    return g_error_new(KV_ERROR, KV_ERROR_CONNECTION_LOST,
                       "another program removed the interface %s", interface);
}

GError *
kv_client_text_mode_error(const KvSockaddr *address, KvVniMode mode)
{
    g_autofree char *remote = kv_sockaddr_to_string(address);
    gboolean is_tap = mode == KV_VNI_MODE_TAP;

    return g_error_new(KV_ERROR, KV_ERROR_CONNECTION_LOST,
                       "%s has changed from %s to %s interfaces", remote, is_tap ? "tun" : "tap",
                       is_tap ? "tap" : "tun");
}

const char *
kv_client_text_cipher(const KvTunnelParams *params, const KvNativeConfig *said)
{
    if (params->native == NULL)
        return kv_cipher_to_string(params->cipher);
    return kv_tunnel_native_aead_to_string(said->ciphers[0]);
}

const char *
kv_client_text_why(const KvTunnelParams *params, const KvNativeConfig *said)
{
    const KvTunnelNative *native = params->native;

    if (native == NULL || (native->ciphers[1] == 0 && !native->takes_any))
        return "as crypt says";
    if (native->ciphers[1] == 0)
        return "as this processor has no instructions for aes-256-gcm";
    if (said->ciphers[0] != native->ciphers[0])
        return "the one that the server wants too";
    return "which the processors of both ends have instructions for";
}
