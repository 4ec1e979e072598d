/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-end.h"
#include "kv-fuzz.h"
#include "v1/kv-v1-fec.h"

#define START   (1000 * KV_TIME_S)
#define CONV    0x4b56
#define OPS_MAX 2000

/* What the input is read as: one session, and an enemy that knows its key. The checksum is made
 * good, so that every byte gets to the layers behind it. */
typedef struct {
    KvReader reader;
    KvEnd *end;
    KvTime now;
    uint64_t nonce;
    uint32_t sn;
    uint32_t seqid;
} Enemy;

static void
drain(Enemy *enemy)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];

    kv_end_work(enemy->end, enemy->now);
    for (guint i = 0; kv_session_output(enemy->end->session, buf, sizeof buf, NULL, enemy->now) > 0;
         i++)
        g_assert(i < 10000);
    g_assert(kv_packet_pool_get_used(enemy->end->pool) < 10000);
}

static void
send_datagram(Enemy *enemy, uint8_t *buf, size_t len)
{
    memset(buf, 0, KV_V1_CRYPT_HEADER_BYTES);
    kv_put_le64(buf, ++enemy->nonce);
    if (len >= KV_V1_CRYPT_HEADER_BYTES)
        kv_v1_crypt_seal(enemy->end->crypt, buf, len);
    kv_session_input(enemy->end->session, buf, len, NULL, KV_ECN_NOT_ECT, enemy->now);
}

static const uint8_t *
read_bytes(Enemy *enemy, size_t *len)
{
    *len = MIN(*len, kv_reader_left(&enemy->reader));
    return kv_reader_bytes(&enemy->reader, *len);
}

/* Any payload; the conv is made to fit now and then by chance of @fix. */
static void
send_raw(Enemy *enemy, gboolean fix)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX];
    size_t len = kv_reader_le16(&enemy->reader) % (sizeof buf - KV_V1_CRYPT_HEADER_BYTES);
    const uint8_t *data = read_bytes(enemy, &len);
    guint conv_at = enemy->end->config.data_shards > 0 ? 28 : 20;

    memcpy(buf + KV_V1_CRYPT_HEADER_BYTES, data, len);
    len += KV_V1_CRYPT_HEADER_BYTES;
    if (fix && len >= conv_at + 4)
        kv_put_le32(buf + conv_at, CONV);
    send_datagram(enemy, buf, len);
}

/* The bytes as the next of the stream. */
static void
send_stream(Enemy *enemy)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX] = {0};
    size_t len = kv_reader_u8(&enemy->reader);
    const uint8_t *data = read_bytes(enemy, &len);
    gboolean has_fec = enemy->end->config.data_shards > 0;
    uint8_t *segment = buf + (has_fec ? 28 : 20);

    if (has_fec) {
        kv_put_le32(buf + 20, enemy->seqid++);
        kv_put_le16(buf + 24, KV_V1_FEC_DATA);
        kv_put_le16(buf + 26, (uint16_t) (2 + 24 + len));
    }
    kv_put_le32(segment, CONV);
    segment[4] = 81;
    kv_put_le16(segment + 6, 128);
    kv_put_le32(segment + 12, enemy->sn++);
    kv_put_le32(segment + 20, (uint32_t) len);
    memcpy(segment + 24, data, len);
    send_datagram(enemy, buf, (size_t) (segment - buf) + 24 + len);
}

static void
act(Enemy *enemy, uint8_t what)
{
    static const uint8_t packet[3000];

    switch (what & 7) {
    case 0:
        kv_session_close(enemy->end->session, enemy->now);
        break;
    case 1:
        if (enemy->end->config.role == KV_ROLE_CLIENT)
            break;
        enemy->end->answer.type = (KvAnswerType) (what >> 3) % 3;
        kv_session_answer(enemy->end->session, &enemy->end->answer, enemy->now);
        break;
    case 2:
        kv_session_open_vni(enemy->end->session, enemy->now);
        break;
    default:
        for (guint i = 0; i < what && kv_session_can_send(enemy->end->session); i++) {
            if (!kv_end_send(enemy->end, packet, what * 11u, 0x0800, enemy->now))
                break;
        }
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Enemy enemy = {.now = START};
    uint8_t first;
    KvV1Config config;

    kv_reader_init(&enemy.reader, data, size);
    first = kv_reader_u8(&enemy.reader);
    config = kv_end_default_config((first & 1) != 0 ? KV_ROLE_CLIENT : KV_ROLE_SERVER);
    config.data_shards = (first & 2) != 0 ? 3 : 0;
    config.parity_shards = 2;
    config.rapid_fec = (first & 4) != 0;
    if ((first & 8) != 0)
        config.kcp.tuning = (KvKcpTuning){0};
    enemy.end = kv_end_new(&config, KV_CIPHER_NONE, 1, START);
    enemy.end->answers = (first & 16) == 0;
    enemy.end->opens = (first & 32) == 0;
    kv_end_keep_inner(enemy.end);
    for (guint i = 0; i < OPS_MAX && kv_reader_left(&enemy.reader) > 0; i++) {
        uint8_t op = kv_reader_u8(&enemy.reader);

        switch (op & 7) {
        case 0:
        case 1:
            send_raw(&enemy, op & 1);
            break;
        case 2:
            act(&enemy, op >> 3);
            break;
        case 3:
            enemy.now += (KvTime) (op >> 3) * (op >> 3) * 10 * KV_TIME_MS;
            kv_session_advance(enemy.end->session, enemy.now);
            break;
        default:
            send_stream(&enemy);
            break;
        }
        drain(&enemy);
    }
    g_assert(enemy.end->n_events[KV_EVENT_CLOSED] <= 1);
    g_assert(enemy.end->n_events[KV_EVENT_READY] <= 1);
    kv_end_free(enemy.end);
    return 0;
}
