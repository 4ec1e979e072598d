/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1.h"

#include "v1/kv-v1-private.h"

#define PARTIAL_MIN 2048 /* bytes, room for the beginning of a packet */

/* The server tells the client's two streams apart by their order. */
static void
handle_opened(KvV1 *v1, uint32_t id)
{
    if (v1->config.role == KV_ROLE_CLIENT)
        return;
    if (v1->control_id == 0) {
        v1->control_id = id;
    } else if (v1->vni_id == 0) {
        v1->vni_id = id;
        if (v1->state >= KV_V1_READY)
            v1->handshake_deadline = KV_TIME_NEVER;
    }
}

static void
handle_closed(KvV1 *v1, uint32_t id, KvTime now)
{
    if (id == v1->control_id)
        kv_v1_finish(v1, v1->state == KV_V1_CLOSING ? v1->reason : KV_REASON_PEER_CLOSED);
    else if (id == v1->vni_id)
        kv_v1_linger(v1, KV_REASON_PEER_CLOSED, KV_V1_CLOSE_LINGER, now);
}

/* Takes payload that is no inner packet; returns how much of @data. */
static size_t
take_payload(KvV1 *v1, uint32_t id, const uint8_t *data, size_t len)
{
    size_t n = MIN(len, kv_v1_mux_get_left(&v1->mux));

    if (id == v1->control_id && v1->state < KV_V1_WAIT_ECHO) {
        n = MIN(n, sizeof v1->control - v1->control_len);
        memcpy(v1->control + v1->control_len, data, n);
        v1->control_len += n;
    }
    kv_v1_mux_take(&v1->mux, (uint32_t) n);
    return n;
}

/* Whether the next bytes of the stream belong to an inner packet somebody wants. */
static gboolean
is_at_inner_packet(const KvV1 *v1)
{
    return kv_v1_mux_get_left(&v1->mux) > 0 && v1->mux.id == v1->vni_id && v1->vni_id != 0 &&
           v1->state < KV_V1_CLOSING;
}

void
kv_v1_read_stream(KvV1 *v1, KvTime now)
{
    while (v1->state != KV_V1_CLOSED) {
        const uint8_t *data;
        size_t len = kv_kcp_peek(v1->kcp, &data);
        size_t used;
        uint32_t id;
        KvV1MuxItem item;

        if (len == 0)
            return;
        item = kv_v1_mux_parse(&v1->mux, data, len, &used, &id);
        if (item == KV_V1_MUX_DATA && !is_at_inner_packet(v1))
            used += take_payload(v1, id, data + used, len - used);
        kv_kcp_consume(v1->kcp, used);
        if (item == KV_V1_MUX_BROKEN) {
            kv_v1_finish(v1, KV_REASON_PROTOCOL);
        } else if (item == KV_V1_MUX_OPENED) {
            handle_opened(v1, id);
        } else if (item == KV_V1_MUX_CLOSED) {
            handle_closed(v1, id, now);
        } else if (item == KV_V1_MUX_DATA) {
            if (is_at_inner_packet(v1))
                return;
            kv_v1_read_control(v1, now);
        }
    }
}

static void
save_partial(KvV1 *v1, const uint8_t *data, size_t len, size_t whole)
{
    if (v1->partial_size < whole) {
        v1->partial_size = PARTIAL_MIN;
        while (v1->partial_size < whole)
            v1->partial_size *= 2;
        v1->partial = g_realloc(v1->partial, v1->partial_size);
    }
    memcpy(v1->partial, data, len);
    v1->is_partial = TRUE;
}

/* The buffer that a Go peer reads its device and its stream into has this size. */
static gboolean
fits_frame(const KvV1 *v1, size_t packet_bytes)
{
    return packet_bytes + KV_V1_PACKET_INFO_BYTES <= v1->network.full_frame_mtu;
}

/* Takes what is there of the current inner packet into @buf; 0: its rest is still to come, or it
 * was no packet. One copy, but for a packet whose end has not arrived yet. */
static size_t
take_inner_packet(KvV1 *v1, uint8_t *buf, size_t cap, uint16_t *ethertype)
{
    size_t frame = kv_v1_mux_get_frame_bytes(&v1->mux);
    size_t whole = frame > KV_V1_PACKET_INFO_BYTES ? frame - KV_V1_PACKET_INFO_BYTES : 0;
    gboolean is_new = kv_v1_mux_get_left(&v1->mux) == frame;
    gboolean good =
        whole > 0 && whole <= cap && fits_frame(v1, whole) && (is_new || v1->is_partial);
    uint8_t *to = is_new ? buf : v1->partial;
    const uint8_t *data;
    size_t len;

    while (kv_v1_mux_get_left(&v1->mux) > 0 && (len = kv_kcp_peek(v1->kcp, &data)) > 0) {
        size_t got = frame - kv_v1_mux_get_left(&v1->mux);
        size_t n = MIN(len, kv_v1_mux_get_left(&v1->mux));

        if (got < KV_V1_PACKET_INFO_BYTES) {
            n = MIN(n, KV_V1_PACKET_INFO_BYTES - got);
            memcpy(v1->packet_info + got, data, n);
        } else if (good) {
            memcpy(to + got - KV_V1_PACKET_INFO_BYTES, data, n);
        }
        kv_v1_mux_take(&v1->mux, (uint32_t) n);
        kv_kcp_consume(v1->kcp, n);
    }
    if (kv_v1_mux_get_left(&v1->mux) > 0) {
        size_t got = frame - kv_v1_mux_get_left(&v1->mux);

        if (!good)
            v1->is_partial = FALSE;
        else if (is_new)
            save_partial(v1, buf, got > KV_V1_PACKET_INFO_BYTES ? got - KV_V1_PACKET_INFO_BYTES : 0,
                         whole);
        return 0;
    }
    v1->is_partial = FALSE;
    if (!good) {
        v1->stats.drops[KV_DROP_MALFORMED]++;
        return 0;
    }
    if (!is_new)
        memcpy(buf, v1->partial, whole);
    *ethertype = kv_get_be16(v1->packet_info + 2);
    return whole;
}

gboolean
kv_v1_can_send(const KvV1 *v1)
{
    return v1->state == KV_V1_OPEN && v1->vni_id != 0 && kv_kcp_can_send(v1->kcp);
}

gboolean
kv_v1_send(KvV1 *v1, const KvSlice *slices, guint n, uint16_t ethertype, KvTime now)
{
    uint8_t packet_info[KV_V1_PACKET_INFO_BYTES] = {0};
    KvSlice inner[KV_V1_MUX_WRITE_SLICES] = {{packet_info, sizeof packet_info}};
    KvV1MuxWrite write;
    size_t bytes = 0;

    if (v1->state != KV_V1_OPEN || v1->vni_id == 0 || n >= G_N_ELEMENTS(inner))
        return FALSE;
    kv_put_be16(packet_info + 2, ethertype);
    for (guint i = 0; i < n; i++) {
        inner[i + 1] = slices[i];
        bytes += slices[i].len;
    }
    if (!fits_frame(v1, bytes)) {
        v1->stats.drops[KV_DROP_MALFORMED]++;
        return TRUE;
    }
    if (!kv_v1_mux_frame(&write, v1->vni_id, inner, n + 1) ||
        !kv_v1_write(v1, write.slices, write.n_slices))
        return FALSE;
    v1->stats.inner_tx_packets++;
    v1->stats.inner_tx_bytes += bytes;
    return TRUE;
}

size_t
kv_v1_recv(KvV1 *v1, uint8_t *buf, size_t cap, uint16_t *ethertype, KvTime now)
{
    size_t len = 0;

    while (len == 0 && v1->state <= KV_V1_OPEN) {
        kv_v1_read_stream(v1, now);
        if (v1->state != KV_V1_OPEN || !is_at_inner_packet(v1))
            return 0;
        len = take_inner_packet(v1, buf, cap, ethertype);
        if (len == 0 && is_at_inner_packet(v1))
            return 0;
    }
    if (len > 0) {
        v1->stats.inner_rx_packets++;
        v1->stats.inner_rx_bytes += len;
    }
    return len;
}
