/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-macros.h"
#include "kv-types.h"

#include <sys/uio.h>

/**
 * Super-packets: what a TUN or TAP device with IFF_VNET_HDR hands over and takes.
 *
 * v1 carries plain inner packets, so a super-packet is cut at its own gso_size on the way in
 * (headers rebuilt, checksums completed) and consecutive packets of one flow are merged again on
 * the way out. Inner bytes are hostile: every header is parsed with its bounds, and a virtio
 * header is always built from the parsed packet.
 */
#define KV_VNET_HDR_BYTES   10
#define KV_GSO_HEADERS_MAX  192   /* Ethernet, VLAN, IP with extensions, TCP with options */
#define KV_GSO_SEGMENTS_MAX 64    /* that are merged; a cut may give more */
#define KV_GSO_PACKET_MAX   65535 /* from the IP header on */

/**
 * KvGsoCutter:
 *
 * Cuts one packet read from the device; embedded by its user, one thread at a time. TCP (TSO)
 * and UDP (USO) super-packets become the packets that their sender's kernel would have sent:
 * own lengths, rising IPv4 identification, sequence numbers, CWR on the first and FIN and PSH
 * on the last alone, complete checksums. Anything else is given as it is.
 */
typedef struct {
    uint16_t ethertype; /* of the packet: IPv4 or IPv6; in TAP mode the frame's own */
    /* private from here on */
    gboolean is_tcp;
    uint8_t tcp_flags;
    uint8_t version;
    uint16_t l3, l4;
    uint16_t ip_id;
    uint32_t tcp_seq;
    uint32_t n_given;
    uint32_t gso_size; /* 0: not a super-packet */
    size_t header_len;
    size_t len;
    size_t offset;           /* of the next payload byte */
    uint64_t ip_sum, l4_sum; /* of the header fields that all segments share */
    uint8_t *packet;
    uint8_t headers[KV_GSO_HEADERS_MAX];
} KvGsoCutter;

/**
 * kv_gso_cutter_init:
 * @vnet_hdr: (array fixed-size=10): as read from the device
 * @packet: (array length=len): what followed it; must stay until all is given. Modified in
 *     place: a plain packet's missing checksum is filled in.
 *
 * Returns: %FALSE if the packet is malformed or its virtio header does not fit it: drop it.
 */
gboolean kv_gso_cutter_init(KvGsoCutter *cutter, KvVniMode mode, const uint8_t *vnet_hdr,
                            uint8_t *packet, size_t len) KV_MUST_USE;

/* Length of the longest packet that it gives, of a plain one its own. */
size_t kv_gso_cutter_get_longest(const KvGsoCutter *cutter);

/**
 * kv_gso_cutter_next:
 * @slices: (out caller-allocates): two slices: headers and payload, valid until the next call
 *
 * Returns: number of slices of the next inner packet: 1 for a plain one, 2 for a segment;
 * 0: all given.
 */
guint kv_gso_cutter_next(KvGsoCutter *cutter, KvSlice slices[2]);

/**
 * KvGsoMerger:
 *
 * Collects inner packets that the device can take as one: consecutive full-sized segments of a
 * TCP connection, or of a UDP flow where the device has USO, by the rules of the kernel's own
 * GRO. Several flows are held side by side; the order within a flow never changes. The packets
 * stay where they are; the merger hands out the pieces for one writev(). A packet is merged only
 * after its checksums were verified, so that the kernel is never told to trust damaged bytes;
 * all others come out as they went in, one by one. No allocation after kv_gso_merger_new(). One
 * thread at a time.
 */
typedef struct _KvGsoMerger KvGsoMerger;

/* @has_uso: whether the device takes UDP super-packets, see kv_tun_has_uso(). */
KvGsoMerger *kv_gso_merger_new(KvVniMode mode, gboolean has_uso) KV_MUST_USE;
void kv_gso_merger_free(KvGsoMerger *merger);

/**
 * kv_gso_merger_add:
 * @packet: (array length=len): an inner packet; must stay where it is until taken. The headers
 *     of one that others were merged to are rewritten when it is taken.
 *
 * Returns: %FALSE if there is no place: call kv_gso_merger_take() once, write that, then add it
 * again (an empty merger takes any packet).
 */
gboolean kv_gso_merger_add(KvGsoMerger *merger, uint8_t *packet, size_t len) KV_MUST_USE;

/**
 * kv_gso_merger_take:
 * @n_packets: (out): how many inner packets the write stands for
 *
 * The next write: what can grow no more first. At the end of a batch it is called until NULL.
 *
 * Returns: (transfer none) (nullable): the pieces, the first being the virtio header, valid
 * until the next call on the merger; NULL: nothing held.
 */
const struct iovec *kv_gso_merger_take(KvGsoMerger *merger, guint *n_iov, guint *n_packets);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvGsoMerger, kv_gso_merger_free)
