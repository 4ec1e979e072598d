/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcptun-link.h"

#include "kv-kcp.h"
#include "kv-packet.h"
#include "v1/kv-v1-crypt.h"
#include "v1/kv-v1-fec.h"

#include <string.h>

#define SALT        "kcp-go"
#define WINDOW      1024
#define PACKETS_MAX 16384

struct _KvKcptunLink {
    KvKcptunConfig config;
    KvPacketPool *pool;
    KvV1Crypt *crypt;
    KvV1FecEncoder *encoder; /* NULL: no FEC layer */
    KvV1FecDecoder *decoder;
    KvV1FecShard *shards;
    KvKcp *kcp; /* NULL: a server that has not heard its client */
    guint header_bytes;
    guint recovered, lost;
};

static gboolean
is_lost(KvKcptunLink *link)
{
    if (kv_test_random_below(link->config.random, 1000000) >= link->config.loss * 1e6)
        return FALSE;
    link->lost++;
    return TRUE;
}

/* fast3, as the other side runs, with what the product adds */
static KvKcp *
start_kcp(KvKcptunLink *link, uint32_t conv, KvTime now)
{
    KvKcpConfig config = {.conv = conv,
                          .mtu = KV_KCPTUN_MTU,
                          .reserved = link->header_bytes,
                          .snd_wnd = WINDOW,
                          .rcv_wnd = WINDOW,
                          .interval = 10,
                          .resend = 2,
                          .nodelay = TRUE,
                          .nc = TRUE,
                          .stream = TRUE,
                          .tuning = KV_KCP_TUNING_PRODUCT};

    return kv_kcp_new(&config, link->pool, now);
}

static gboolean
input_segments(KvKcptunLink *link, KvPacket *packet, KvTime now)
{
    guint offset = link->header_bytes;

    if (link->kcp == NULL)
        link->kcp = start_kcp(link, kv_get_le32(packet->data + offset), now);
    return kv_kcp_input(link->kcp, packet, offset, packet->len - offset, KV_KCP_RECEIVED, now);
}

static gboolean
input_fec(KvKcptunLink *link, KvPacket *packet, KvTime now)
{
    gboolean is_data = kv_get_le16(packet->data + KV_V1_CRYPT_HEADER_BYTES +
                                   KV_V1_FEC_FLAG_OFFSET) == KV_V1_FEC_DATA;
    gboolean ok = TRUE;
    guint n = 0;

    if (!kv_v1_fec_decoder_input(link->decoder, packet, KV_V1_CRYPT_HEADER_BYTES,
                                 packet->len - KV_V1_CRYPT_HEADER_BYTES, now, link->shards, &n))
        return FALSE;
    if (is_data)
        ok = input_segments(link, packet, now);
    for (guint i = 0; i < n; i++) {
        KvV1FecShard *shard = &link->shards[i];

        if (link->kcp != NULL && kv_kcp_input(link->kcp, shard->packet, shard->offset, shard->len,
                                              KV_KCP_RECOVERED, now))
            link->recovered++;
        kv_packet_unref(shard->packet);
    }
    return ok;
}

static size_t
output_payload(KvKcptunLink *link, uint8_t *payload, size_t cap, KvTime now)
{
    uint16_t flag;
    size_t len;

    if (link->encoder == NULL)
        return kv_kcp_output(link->kcp, payload, cap, now);
    len = kv_v1_fec_encoder_output(link->encoder, payload, cap, &flag);
    if (len > 0)
        return len;
    len = kv_kcp_output(link->kcp, payload + KV_V1_FEC_HEADER_BYTES, cap - KV_V1_FEC_HEADER_BYTES,
                        now);
    if (len == 0)
        return 0;
    kv_v1_fec_encoder_add(link->encoder, payload, len + KV_V1_FEC_HEADER_BYTES, now);
    return len + KV_V1_FEC_HEADER_BYTES;
}

static gboolean
start_crypt(KvKcptunLink *link, GError **error)
{
    uint8_t key[KV_V1_KEY_BYTES];
    const char *secret = link->config.secret;

    if (!kv_v1_derive_key((const uint8_t *) secret, strlen(secret), SALT, key, error))
        return FALSE;
    link->crypt = kv_v1_crypt_new(link->config.cipher, key, error);
    return link->crypt != NULL;
}

KvKcptunLink *
kv_kcptun_link_new(const KvKcptunConfig *config, KvTime now, GError **error)
{
    g_autoptr(KvKcptunLink) link = g_new0(KvKcptunLink, 1);

    link->config = *config;
    link->pool = kv_packet_pool_new(PACKETS_MAX);
    link->header_bytes = KV_V1_CRYPT_HEADER_BYTES;
    if (!start_crypt(link, error))
        return NULL;
    if (config->data_shards > 0 && config->parity_shards > 0) {
        link->header_bytes += KV_V1_FEC_HEADER_BYTES;
        link->encoder = kv_v1_fec_encoder_new(config->data_shards, config->parity_shards);
        link->decoder =
            kv_v1_fec_decoder_new(config->data_shards, config->parity_shards, link->pool);
        link->shards = g_new0(KvV1FecShard, config->parity_shards);
    }
    if (config->conv != 0)
        link->kcp = start_kcp(link, config->conv, now);
    return g_steal_pointer(&link);
}

void
kv_kcptun_link_free(KvKcptunLink *link)
{
    g_clear_pointer(&link->kcp, kv_kcp_free);
    g_clear_pointer(&link->encoder, kv_v1_fec_encoder_free);
    g_clear_pointer(&link->decoder, kv_v1_fec_decoder_free);
    g_clear_pointer(&link->crypt, kv_v1_crypt_free);
    g_free(link->shards);
    kv_packet_pool_free(link->pool);
    g_free(link);
}

gboolean
kv_kcptun_link_input(KvKcptunLink *link, const uint8_t *datagram, size_t len, KvTime now)
{
    g_autoptr(KvPacket) packet = NULL;

    if (is_lost(link))
        return TRUE;
    if (len < link->header_bytes + KV_KCP_HEADER_BYTES || len > KV_V1_DATAGRAM_MAX)
        return FALSE;
    packet = kv_packet_new(link->pool);
    if (packet == NULL || !kv_v1_crypt_open(link->crypt, datagram, packet->data, len))
        return FALSE;
    packet->len = (uint32_t) len;
    return link->decoder != NULL ? input_fec(link, packet, now) : input_segments(link, packet, now);
}

size_t
kv_kcptun_link_output(KvKcptunLink *link, uint8_t *buf, KvTime now)
{
    if (link->kcp == NULL)
        return 0;
    kv_kcp_input_end(link->kcp, now);
    for (;;) {
        size_t len = output_payload(link, buf + KV_V1_CRYPT_HEADER_BYTES,
                                    KV_KCPTUN_MTU - KV_V1_CRYPT_HEADER_BYTES, now);

        if (len == 0)
            return 0;
        if (is_lost(link))
            continue;
        len += KV_V1_CRYPT_HEADER_BYTES;
        kv_test_random_bytes(link->config.random, buf, KV_V1_NONCE_BYTES);
        kv_v1_crypt_seal(link->crypt, buf, len);
        return len;
    }
}

KvTime
kv_kcptun_link_deadline(const KvKcptunLink *link)
{
    return link->kcp != NULL ? kv_kcp_deadline(link->kcp) : KV_TIME_NEVER;
}

void
kv_kcptun_link_advance(KvKcptunLink *link, KvTime now)
{
    if (link->kcp != NULL)
        kv_kcp_advance(link->kcp, now);
}

gboolean
kv_kcptun_link_can_send(const KvKcptunLink *link)
{
    return link->kcp != NULL && kv_kcp_can_send(link->kcp);
}

gboolean
kv_kcptun_link_send(KvKcptunLink *link, const KvSlice *slices, guint n)
{
    return kv_kcp_send(link->kcp, slices, n);
}

void
kv_kcptun_link_flush(KvKcptunLink *link, KvTime now)
{
    if (link->kcp != NULL)
        kv_kcp_flush(link->kcp, now);
}

size_t
kv_kcptun_link_peek(KvKcptunLink *link, const uint8_t **data)
{
    return link->kcp != NULL ? kv_kcp_peek(link->kcp, data) : 0;
}

void
kv_kcptun_link_consume(KvKcptunLink *link, size_t n)
{
    kv_kcp_consume(link->kcp, n);
}

guint
kv_kcptun_link_get_waiting(const KvKcptunLink *link)
{
    return link->kcp != NULL ? kv_kcp_get_waiting(link->kcp) : 0;
}

guint
kv_kcptun_link_get_recovered(const KvKcptunLink *link)
{
    return link->recovered;
}

guint
kv_kcptun_link_get_lost(const KvKcptunLink *link)
{
    return link->lost;
}
