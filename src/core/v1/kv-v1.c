/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1.h"

#include "kv-rs.h"
#include "v1/kv-v1-private.h"

#include <string.h>

/* Timers: a heartbeat every @keepalive; the peer is dead after @peer_timeout without progress; the
 * handshake, and then a server's wait for the VNI stream, take @handshake_timeout each at most; a
 * rapid FEC group is closed one KCP interval after its first packet; a session that is over tells
 * the peer so for KV_V1_CLOSE_LINGER or KV_V1_REFUSAL_LINGER. */

#define MTU_FALLBACK    1400 /* of the Go program, for a value it does not take */
#define MTU_MIN         50
#define KCP_PUSH        81
#define HEARTBEAT_RETRY (1 * KV_TIME_S)
#define HALF_OPEN_HELD  16 /* segments that may wait for an earlier one; a handshake has five */

static gboolean
has_fec(const KvV1Config *config)
{
    return config->data_shards > 0 && config->parity_shards > 0 &&
           config->data_shards + config->parity_shards <= KV_RS_SHARDS_MAX;
}

static size_t
get_header_bytes(const KvV1Config *config)
{
    return KV_V1_CRYPT_HEADER_BYTES + (has_fec(config) ? KV_V1_FEC_HEADER_BYTES : 0);
}

static gboolean
is_usable_mtu(const KvV1Config *config)
{
    return config->udp_mtu >= MTU_MIN && config->udp_mtu <= KV_V1_DATAGRAM_MAX &&
           config->udp_mtu > get_header_bytes(config) + KV_KCP_HEADER_BYTES;
}

/* Whether the peer has got all that it was told in the end. */
static void
check_farewell(KvV1 *v1)
{
    if (v1->state == KV_V1_CLOSING && v1->reason != KV_REASON_PEER_CLOSED &&
        kv_kcp_get_waiting(v1->kcp) == 0)
        kv_v1_finish(v1, v1->reason);
}

/* Before the handshake is through, nobody may make this end keep a window's worth of packets. */
static void
check_hoard(KvV1 *v1)
{
    KvKcpState kcp;

    if (v1->state >= KV_V1_WAIT_ECHO)
        return;
    kv_kcp_get_state(v1->kcp, &kcp);
    if (kcp.rcv_buf > HALF_OPEN_HELD)
        kv_v1_finish(v1, KV_REASON_PROTOCOL);
}

/* --- timers --------------------------------------------------------------------------------- */

/* When an unfinished FEC group is to be closed by rapid FEC. */
static KvTime
get_rapid_deadline(const KvV1 *v1)
{
    KvTime start;

    if (v1->encoder == NULL || !v1->config.rapid_fec)
        return KV_TIME_NEVER;
    start = kv_v1_fec_encoder_get_group_start(v1->encoder);
    if (start == KV_TIME_NEVER)
        return KV_TIME_NEVER;
    return MAX(kv_time_add(start, v1->config.kcp.interval * KV_TIME_MS), v1->rapid_retry);
}

/* A window that is full brings the next data packet, or an ack does: padding can wait. */
static void
advance_rapid_fec(KvV1 *v1, KvTime now)
{
    if (now < get_rapid_deadline(v1))
        return;
    if (kv_kcp_can_send(v1->kcp))
        kv_v1_fec_encoder_close_group(v1->encoder);
    else
        v1->rapid_retry = kv_time_add(now, v1->config.kcp.interval * KV_TIME_MS);
}

/* Progress, not datagrams: a peer that does not hear us is as good as dead, and so is one whose
 * old datagrams somebody replays. Our own heartbeats make a live peer acknowledge. */
static gboolean
is_peer_alive(KvV1 *v1, KvTime now)
{
    KvKcpState kcp;

    if (now < kv_time_add(v1->last_progress, v1->config.peer_timeout))
        return TRUE;
    kv_kcp_get_state(v1->kcp, &kcp);
    if (kcp.snd_una != v1->seen_una || kcp.rcv_nxt != v1->seen_rcv) {
        v1->seen_una = kcp.snd_una;
        v1->seen_rcv = kcp.rcv_nxt;
        v1->last_progress = v1->last_heard;
    }
    return now < kv_time_add(v1->last_progress, v1->config.peer_timeout);
}

/* A full window has frames enough under way. */
static void
advance_heartbeat(KvV1 *v1, KvTime now)
{
    uint8_t header[KV_V1_MUX_HEADER_BYTES];
    KvSlice slice = {header, sizeof header};

    if (now < v1->next_heartbeat)
        return;
    v1->next_heartbeat = kv_time_add(now, v1->config.keepalive);
    if (!kv_kcp_can_send(v1->kcp))
        return;
    kv_v1_mux_put_header(header, KV_V1_MUX_NOP, 0, 0);
    /* One that fails for want of memory is not missed; if all do, the peer counts as dead. */
    if (!kv_v1_write(v1, &slice, 1))
        v1->next_heartbeat = kv_time_add(now, MIN(HEARTBEAT_RETRY, v1->config.keepalive));
}

/* --- ingress -------------------------------------------------------------------------------- */

static KvDrop
input_segments(KvV1 *v1, KvPacket *packet, size_t offset, KvTime now)
{
    if (packet->len < offset + KV_KCP_HEADER_BYTES)
        return KV_DROP_SHORT;
    if (kv_get_le32(packet->data + offset) != v1->config.kcp.conv)
        return KV_DROP_CONV;
    if (!kv_kcp_input(v1->kcp, packet, offset, packet->len - offset, KV_KCP_RECEIVED, now))
        return KV_DROP_KCP;
    v1->last_heard = now;
    return KV_DROP_NONE;
}

/* Whether @seqid, of the last KV_V1_SEEN_MAX numbers, comes for the first time. */
static gboolean
mark_seen(KvV1 *v1, uint32_t seqid)
{
    uint64_t bit = UINT64_C(1) << (seqid % 64);
    uint64_t *word = &v1->rx_seen[seqid % KV_V1_SEEN_MAX / 64];

    if ((*word & bit) != 0)
        return FALSE;
    *word |= bit;
    return TRUE;
}

static void
forget_seen(KvV1 *v1, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < MIN(n, KV_V1_SEEN_MAX); i++)
        v1->rx_seen[(from + i) % KV_V1_SEEN_MAX / 64] &= ~(UINT64_C(1) << ((from + i) % 64));
}

/* The peer numbers all it sends in a row, so gaps in the numbers are losses. What comes late fills
 * its gap again, a copy of what is there does not count; that numbers skip a few when they wrap
 * does not matter. */
static void
note_arrival(KvV1 *v1, uint32_t seqid)
{
    int32_t ahead = (int32_t) (seqid - v1->rx_next);
    gboolean is_first = v1->stats.path_rx_expected == 0;

    if (is_first || ahead > KV_V1_FEC_JUMP_MAX || ahead < -KV_V1_FEC_JUMP_MAX) {
        memset(v1->rx_seen, 0, sizeof v1->rx_seen);
        v1->stats.path_rx_expected++;
        v1->rx_next = seqid + 1;
    } else if (ahead >= 0) {
        forget_seen(v1, v1->rx_next, (uint32_t) ahead + 1);
        v1->stats.path_rx_expected += (uint32_t) ahead + 1;
        v1->rx_next = seqid + 1;
    } else if (ahead < -KV_V1_SEEN_MAX) {
        return;
    }
    if (mark_seen(v1, seqid))
        v1->stats.path_rx_arrived++;
}

/* The packet's own segments go first, then those it helped to rebuild. */
static KvDrop
input_fec(KvV1 *v1, KvPacket *packet, KvTime now)
{
    uint16_t flag = kv_get_le16(packet->data + KV_V1_CRYPT_HEADER_BYTES + 4);
    KvDrop drop = KV_DROP_NONE;
    guint n_recovered = 0;

    if (flag == KV_V1_FEC_DATA &&
        kv_get_le32(packet->data + v1->header_bytes) != v1->config.kcp.conv)
        return KV_DROP_CONV;
    if (!kv_v1_fec_decoder_input(v1->decoder, packet, KV_V1_CRYPT_HEADER_BYTES,
                                 packet->len - KV_V1_CRYPT_HEADER_BYTES, now, v1->recovered,
                                 &n_recovered))
        return KV_DROP_FEC;
    note_arrival(v1, kv_get_le32(packet->data + KV_V1_CRYPT_HEADER_BYTES));
    if (flag == KV_V1_FEC_DATA)
        drop = input_segments(v1, packet, v1->header_bytes, now);
    for (guint i = 0; i < n_recovered; i++) {
        KvV1FecShard *shard = &v1->recovered[i];

        if (kv_kcp_input(v1->kcp, shard->packet, shard->offset, shard->len, KV_KCP_RECOVERED, now))
            v1->stats.fec_recovered++;
        kv_packet_unref(shard->packet);
    }
    return drop;
}

static gboolean
must_decline(const KvV1 *v1, const KvPacket *packet)
{
    const uint8_t *segment = packet->data + v1->header_bytes;
    KvKcpState kcp;

    if (!kv_packet_pool_is_scarce(v1->pool, KV_V1_SCARCE_INPUT))
        return FALSE;
    if (v1->decoder != NULL &&
        kv_get_le16(packet->data + KV_V1_CRYPT_HEADER_BYTES + 4) != KV_V1_FEC_DATA)
        return TRUE;
    if (segment[4] != KCP_PUSH)
        return FALSE;
    kv_kcp_get_state(v1->kcp, &kcp);
    return (int32_t) (kv_get_le32(segment + 12) - kcp.rcv_nxt) >=
           (int32_t) kv_packet_pool_get_share(v1->pool);
}

static KvDrop
input_datagram(KvV1 *v1, const uint8_t *datagram, size_t len, KvTime now)
{
    g_autoptr(KvPacket) packet = NULL;

    if (v1->state == KV_V1_CLOSED)
        return KV_DROP_STRANGER;
    if (len < v1->header_bytes + KV_KCP_HEADER_BYTES)
        return KV_DROP_SHORT;
    if (len > KV_V1_DATAGRAM_MAX)
        return KV_DROP_CHECKSUM;
    packet = kv_packet_new(v1->pool);
    if (packet == NULL)
        return KV_DROP_NO_MEMORY;
    if (!kv_v1_crypt_open(v1->crypt, datagram, packet->data, len))
        return KV_DROP_CHECKSUM;
    packet->len = (uint32_t) len;
    if (must_decline(v1, packet))
        return KV_DROP_NO_MEMORY;
    if (!kv_v1_replay_accept(&v1->replay, packet->data))
        return KV_DROP_REPLAY;
    v1->input_due = TRUE;
    return v1->decoder != NULL ? input_fec(v1, packet, now)
                               : input_segments(v1, packet, v1->header_bytes, now);
}

/* --- egress --------------------------------------------------------------------------------- */

static void
fill_nonce(KvV1 *v1, uint8_t *nonce)
{
    if (v1->nonces_left == 0) {
        kv_random_fill(v1->random, v1->nonces, sizeof v1->nonces);
        v1->nonces_left = sizeof v1->nonces;
    }
    v1->nonces_left -= KV_V1_NONCE_BYTES;
    memcpy(nonce, v1->nonces + v1->nonces_left, KV_V1_NONCE_BYTES);
}

/* The parity of a group leaves right after the group's last data packet. */
static size_t
output_parity(KvV1 *v1, uint8_t *buf, size_t cap)
{
    uint16_t flag = 0;
    size_t len = kv_v1_fec_encoder_output(v1->encoder, buf, cap, &flag);

    if (len > 0 && flag == KV_V1_FEC_PARITY)
        v1->stats.fec_parity_sent++;
    else if (len > 0)
        v1->stats.fec_padding_sent++;
    return len;
}

/* The next payload at offset 20 of the datagram: its length, 0 if there is none. */
static size_t
output_payload(KvV1 *v1, uint8_t *payload, size_t cap, KvTime now)
{
    size_t len;

    if (v1->encoder == NULL)
        return kv_kcp_output(v1->kcp, payload, cap, now);
    len = output_parity(v1, payload, cap);
    if (len > 0)
        return len;
    len =
        kv_kcp_output(v1->kcp, payload + KV_V1_FEC_HEADER_BYTES, cap - KV_V1_FEC_HEADER_BYTES, now);
    if (len == 0)
        return 0;
    len += KV_V1_FEC_HEADER_BYTES;
    kv_v1_fec_encoder_add(v1->encoder, payload, len, now);
    return len;
}

/* The next datagram, yet to be sealed: a copy with a nonce of its own or something new. */
static size_t
output_datagram(KvV1 *v1, uint8_t *buf, KvTime now)
{
    KvTime again = kv_time_add(now, kv_kcp_get_copy_delay(v1->kcp));
    size_t len = kv_copies_take(&v1->copies, buf, now, again);
    guint times;

    if (len > 0)
        return len;
    len = output_payload(v1, buf + KV_V1_CRYPT_HEADER_BYTES,
                         KV_V1_DATAGRAM_MAX - KV_V1_CRYPT_HEADER_BYTES, now);
    if (len == 0)
        return 0;
    len += KV_V1_CRYPT_HEADER_BYTES;
    times = kv_kcp_take_copies(v1->kcp, len, now);
    if (times > 0)
        kv_copies_keep(&v1->copies, buf, len, times, again);
    return len;
}

/* --- public --------------------------------------------------------------------------------- */

KvDrop
kv_v1_probe(const KvV1Config *config, KvV1Crypt *crypt, const uint8_t *datagram, size_t len,
            uint32_t *conv)
{
    static const uint8_t syn[] = {1, KV_V1_MUX_SYN, 0, 0};
    uint8_t plain[KV_V1_DATAGRAM_MAX];
    size_t header_bytes = get_header_bytes(config);
    const uint8_t *segment = plain + header_bytes;

    if (len < header_bytes + KV_KCP_HEADER_BYTES)
        return KV_DROP_SHORT;
    if (len > sizeof plain || !kv_v1_crypt_open(crypt, datagram, plain, len))
        return KV_DROP_CHECKSUM;
    if (has_fec(config) && kv_get_le16(plain + KV_V1_CRYPT_HEADER_BYTES + 4) != KV_V1_FEC_DATA)
        return KV_DROP_STRANGER;
    len -= header_bytes + KV_KCP_HEADER_BYTES;
    if (segment[4] != KCP_PUSH || segment[5] != 0 || kv_get_le32(segment + 12) != 0 ||
        kv_get_le32(segment + 20) < KV_V1_MUX_HEADER_BYTES || kv_get_le32(segment + 20) > len ||
        memcmp(segment + KV_KCP_HEADER_BYTES, syn, sizeof syn) != 0)
        return KV_DROP_STRANGER;
    *conv = kv_get_le32(segment);
    return KV_DROP_NONE;
}

KvV1 *
kv_v1_new(const KvV1Config *config, KvV1Crypt *crypt, KvPacketPool *pool, const KvRandom *random,
          KvTime now)
{
    KvV1 *v1 = g_new0(KvV1, 1);

    v1->config = *config;
    v1->crypt = crypt;
    v1->pool = pool;
    v1->random = random;
    v1->client = config->client;
    v1->header_bytes = get_header_bytes(config);
    v1->config.kcp.mtu = is_usable_mtu(config) ? config->udp_mtu : MTU_FALLBACK;
    v1->config.kcp.reserved = (uint32_t) v1->header_bytes;
    v1->config.kcp.interval = CLAMP(config->kcp.interval, 10, 5000);
    v1->kcp = kv_kcp_new(&v1->config.kcp, pool, now);
    g_assert(v1->kcp != NULL);
    if (has_fec(config)) {
        v1->encoder = kv_v1_fec_encoder_new(config->data_shards, config->parity_shards);
        v1->decoder = kv_v1_fec_decoder_new(config->data_shards, config->parity_shards, pool);
        v1->recovered = g_new0(KvV1FecShard, config->parity_shards);
    }
    kv_copies_init(&v1->copies, pool);
    kv_v1_mux_init(&v1->mux);
    v1->seen_una = v1->seen_rcv = config->kcp.first_sn;
    v1->last_heard = v1->last_progress = now;
    v1->next_heartbeat = kv_time_add(now, config->keepalive);
    v1->handshake_deadline = kv_time_add(now, config->handshake_timeout);
    if (config->role == KV_ROLE_CLIENT)
        kv_v1_start_client(v1);
    return v1;
}

void
kv_v1_free(KvV1 *v1)
{
    if (v1 == NULL)
        return;
    kv_copies_clear(&v1->copies);
    kv_kcp_free(v1->kcp);
    kv_v1_fec_encoder_free(v1->encoder);
    kv_v1_fec_decoder_free(v1->decoder);
    g_free(v1->recovered);
    g_free(v1->partial);
    g_free(v1);
}

KvDrop
kv_v1_input(KvV1 *v1, const uint8_t *datagram, size_t len, KvTime now)
{
    KvDrop drop = input_datagram(v1, datagram, len, now);

    if (drop == KV_DROP_NONE) {
        v1->stats.wire_rx_datagrams++;
        v1->stats.wire_rx_bytes += len;
    } else {
        v1->stats.drops[drop]++;
    }
    kv_v1_check_echo(v1, now);
    kv_v1_read_stream(v1, now);
    check_hoard(v1);
    check_farewell(v1);
    return drop;
}

size_t
kv_v1_output(KvV1 *v1, uint8_t *buf, size_t cap, KvTime now)
{
    size_t len;

    g_return_val_if_fail(cap >= KV_V1_DATAGRAM_MAX, 0);
    if (v1->input_due)
        kv_kcp_input_end(v1->kcp, now);
    if (v1->flush_due)
        kv_kcp_flush(v1->kcp, now);
    v1->input_due = v1->flush_due = FALSE;
    len = output_datagram(v1, buf, now);
    if (len == 0)
        return 0;
    fill_nonce(v1, buf);
    kv_v1_crypt_seal(v1->crypt, buf, len);
    v1->stats.wire_tx_datagrams++;
    v1->stats.wire_tx_bytes += len;
    return len;
}

KvTime
kv_v1_deadline(const KvV1 *v1)
{
    KvTime at = kv_kcp_deadline(v1->kcp);

    if (v1->state == KV_V1_CLOSED)
        return KV_TIME_NEVER;
    at = MIN(at, kv_copies_deadline(&v1->copies));
    at = MIN(at, get_rapid_deadline(v1));
    if (v1->state == KV_V1_CLOSING)
        return MIN(at, v1->linger_deadline);
    at = MIN(at, v1->next_heartbeat);
    at = MIN(at, v1->handshake_deadline);
    return MIN(at, kv_time_add(v1->last_progress, v1->config.peer_timeout));
}

void
kv_v1_advance(KvV1 *v1, KvTime now)
{
    if (v1->state == KV_V1_CLOSED)
        return;
    kv_kcp_advance(v1->kcp, now);
    advance_rapid_fec(v1, now);
    if (v1->state == KV_V1_CLOSING) {
        if (now >= v1->linger_deadline)
            kv_v1_finish(v1, v1->reason);
        return;
    }
    advance_heartbeat(v1, now);
    if (now >= v1->handshake_deadline)
        kv_v1_finish(v1, KV_REASON_HANDSHAKE_TIMEOUT);
    else if (!is_peer_alive(v1, now))
        kv_v1_finish(v1, KV_REASON_TIMEOUT);
}

void
kv_v1_poke(KvV1 *v1, KvTime now)
{
    v1->next_heartbeat = now;
    advance_heartbeat(v1, now);
}

KvTime
kv_v1_get_rtt(const KvV1 *v1)
{
    KvKcpState kcp;

    kv_kcp_get_state(v1->kcp, &kcp);
    return kcp.srtt * KV_TIME_MS;
}

void
kv_v1_get_stats(const KvV1 *v1, KvStats *stats)
{
    KvKcpState kcp;

    kv_kcp_get_state(v1->kcp, &kcp);
    *stats = v1->stats;
    stats->kcp_segments_sent =
        kcp.segments_sent - kcp.retransmits_timeout - kcp.retransmits_fast - kcp.retransmits_probe;
    stats->kcp_retransmits_timeout = kcp.retransmits_timeout;
    stats->kcp_retransmits_fast = kcp.retransmits_fast;
    stats->kcp_retransmits_probe = kcp.retransmits_probe;
    stats->kcp_duplicates = kcp.duplicates;
    stats->rtt_us = kcp.srtt * 1000;
    stats->rtt_var_us = kcp.rttvar * 1000;
    stats->send_window = MIN(v1->config.kcp.snd_wnd, kcp.rmt_wnd);
    stats->send_waiting = kv_kcp_get_waiting(v1->kcp);
}
