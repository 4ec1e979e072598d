/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1-knock.h"

#include "kv-log.h"
#include "kv-token-bucket.h"

/* Opening a stranger's datagram costs as much as a friend's. */
#define LOOKS_PER_S 20
#define LOOKS_BURST 10

struct _KvV1Knock {
    const KvTunnelParams *params;
    KvV1Crypt *crypt;
    KvTokenBucket looks;
    gboolean told;
};

KvV1Knock *
kv_v1_knock_new(const KvTunnelParams *params, GError **error)
{
    KvV1Crypt *crypt;
    KvV1Knock *knock;

    if (params->knock_key == NULL)
        return NULL;
    crypt = kv_v1_crypt_new(KV_CIPHER_AES, kv_secret_get_data(params->knock_key), error);
    if (crypt == NULL)
        return NULL;
    knock = g_new0(KvV1Knock, 1);
    knock->params = params;
    knock->crypt = crypt;
    knock->looks = (KvTokenBucket){.interval = KV_TIME_S / LOOKS_PER_S, .burst = LOOKS_BURST};
    return knock;
}

void
kv_v1_knock_free(KvV1Knock *knock)
{
    if (knock == NULL)
        return;
    kv_v1_crypt_free(knock->crypt);
    g_free(knock);
}

void
kv_v1_knock_look(KvV1Knock *knock, const KvUdpDatagram *datagram, KvTime now)
{
    g_autofree char *from = NULL;
    uint32_t conv;

    if (knock->told || datagram->len > KV_UDP_DATAGRAM_MAX ||
        !kv_token_bucket_take(&knock->looks, 1, now) ||
        kv_v1_probe(&knock->params->v1, knock->crypt, datagram->data, datagram->len, &conv) !=
            KV_DROP_NONE)
        return;
    knock->told = TRUE;
    from = kv_sockaddr_to_string(&datagram->path->remote);
    kv_log(KV_LOG_WARNING, NULL, kv_tunnel_params_get_log_name(knock->params, NULL), from,
           "%s comes with protocol v1, which this server does not speak: --crypt aes would let it "
           "in",
           from);
}
