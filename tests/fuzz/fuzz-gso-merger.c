/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-checksum.h"
#include "kv-fuzz.h"
#include "kv-gso-layout.h"
#include "kv-gso.h"

#define OPTION_TAP 1
#define OPTION_USO 2

/* Set in a packet's length: make its checksums right, which mutation hardly ever does. */
#define LENGTH_REPAIR 0x8000

static void
repair(KvVniMode mode, uint8_t *packet, size_t len)
{
    KvGsoLayout layout;
    uint8_t *field;
    uint64_t sum;

    if (!kv_gso_layout_parse(&layout, mode, packet, len) || layout.payload == 0)
        return;
    if (layout.version == 4) {
        field = packet + layout.l3 + KV_IP4_CHECKSUM;
        kv_put_be16(field, 0);
        sum = kv_checksum_add(0, packet + layout.l3, layout.l4 - layout.l3);
        kv_checksum_put(field, (uint16_t) ~kv_checksum_fold(sum));
    }
    field = packet + layout.l4 +
            (layout.protocol == KV_PROTOCOL_TCP ? KV_TCP_CHECKSUM : KV_UDP_CHECKSUM);
    kv_put_be16(field, 0);
    sum = kv_gso_layout_add_pseudo(&layout, packet, (uint32_t) (layout.end - layout.l4));
    sum += kv_checksum_add(0, packet + layout.l4, layout.end - layout.l4);
    kv_checksum_put(field, (uint16_t) ~kv_checksum_fold(sum));
}

/* Takes one write, which must be cut into as many packets as it stands for. */
static guint
take(KvGsoMerger *merger, KvVniMode mode)
{
    guint n_iov = 0, n_packets = 0, n_cut = 0;
    const struct iovec *iov = kv_gso_merger_take(merger, &n_iov, &n_packets);
    g_autoptr(GByteArray) packet = NULL;
    KvGsoCutter cutter;
    KvSlice slices[2];

    if (iov == NULL)
        return 0;
    packet = g_byte_array_new();
    for (guint i = 1; i < n_iov; i++)
        g_byte_array_append(packet, iov[i].iov_base, (guint) iov[i].iov_len);
    g_assert(n_packets > 0 && n_iov == n_packets + 1 && iov[0].iov_len == KV_VNET_HDR_BYTES);
    if (n_packets == 1)
        return 1;
    g_assert(kv_gso_cutter_init(&cutter, mode, iov[0].iov_base, packet->data, packet->len));
    while (kv_gso_cutter_next(&cutter, slices) > 0)
        n_cut++;
    g_assert(n_cut == n_packets);
    return n_packets;
}

/* One byte of options, then packets, each behind its length. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KvVniMode mode = size > 0 && data[0] & OPTION_TAP ? KV_VNI_MODE_TAP : KV_VNI_MODE_TUN;
    g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(mode, size > 0 && data[0] & OPTION_USO);
    g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
    guint n_in = 0, n_out = 0, n;
    KvReader reader;

    kv_reader_init(&reader, data + (size > 0), size - (size > 0));
    for (;;) {
        uint16_t header = kv_reader_le16(&reader);
        size_t len = MIN(header & ~LENGTH_REPAIR, kv_reader_left(&reader));
        const uint8_t *bytes = kv_reader_bytes(&reader, len);
        uint8_t *packet;

        if (reader.failed)
            break;
        packet = g_malloc(MAX(len, 1));
        memcpy(packet, bytes, len);
        g_ptr_array_add(keep, packet);
        if ((header & LENGTH_REPAIR) != 0)
            repair(mode, packet, len);
        while (!kv_gso_merger_add(merger, packet, len)) {
            n = take(merger, mode);
            g_assert(n > 0);
            n_out += n;
        }
        n_in++;
    }
    while ((n = take(merger, mode)) > 0)
        n_out += n;
    g_assert(n_in == n_out);
    return 0;
}
