/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-gso.h"

#include "kv-checksum.h"
#include "kv-gso-layout.h"

#define GROUPS_MAX        8
#define IOV_MAX_PER_GROUP (1 + KV_GSO_SEGMENTS_MAX)

#define IP4_DONT_FRAGMENT 0x40

/* What a packet means for the order of those already held. */
typedef enum {
    KIND_FREE,    /* belongs to no flow that is ever held */
    KIND_FLOW,    /* goes behind the packets of its own flow */
    KIND_UNKNOWN, /* may belong to any flow: goes behind all */
} Kind;

typedef struct {
    uint8_t *packet;
    size_t len;
    KvGsoLayout layout;
    Kind kind;
    gboolean is_mergeable; /* but for its checksums, which are not looked at yet */
    uint32_t flow;         /* hash of addresses, ports and protocol */
} Candidate;

/* One write. An open group's first packet has verified checksums; a closed one never grows. */
typedef struct {
    Candidate first;
    gboolean is_open;
    gboolean has_fixed_id;
    guint n_packets;
    uint16_t gso_size;
    uint16_t next_id;
    uint32_t next_seq;
    uint8_t last_flags;
    size_t total_len; /* from the IP header on */
    uint8_t vnet[KV_VNET_HDR_BYTES];
    struct iovec iov[IOV_MAX_PER_GROUP];
} Group;

struct _KvGsoMerger {
    KvVniMode mode;
    gboolean has_uso;
    guint n_held;
    Group *held[GROUPS_MAX]; /* oldest first; behind them the free ones */
    Group groups[GROUPS_MAX];
};

static uint32_t
hash_flow(const KvGsoLayout *layout, const uint8_t *packet)
{
    const uint8_t *ip = packet + layout->l3;
    const uint8_t *addresses = ip + (layout->version == 4 ? KV_IP4_SOURCE : KV_IP6_SOURCE);
    guint n_words = layout->version == 4 ? 2 : 8;
    uint32_t hash = layout->protocol;

    for (guint i = 0; i < n_words; i++)
        hash = hash * 0x9e3779b1u + kv_get_le32(addresses + 4 * i);
    return hash * 0x9e3779b1u + kv_get_le32(packet + layout->l4);
}

static gboolean
tcp_is_mergeable(const uint8_t *tcp)
{
    return (tcp[KV_TCP_FLAGS] & ~KV_TCP_PSH) == KV_TCP_ACK && (tcp[12] & 15) == 0;
}

static gboolean
udp_is_mergeable(const uint8_t *udp, size_t l4_len)
{
    return kv_get_be16(udp + KV_UDP_LEN) == l4_len && kv_get_be16(udp + KV_UDP_CHECKSUM) != 0;
}

static Candidate
classify(const KvGsoMerger *merger, uint8_t *packet, size_t len)
{
    Candidate candidate = {.packet = packet, .len = len};
    KvGsoLayout *layout = &candidate.layout;
    gboolean is_tcp;

    if (!kv_gso_layout_parse(layout, merger->mode, packet, len))
        return candidate;
    is_tcp = layout->protocol == KV_PROTOCOL_TCP;
    if (!is_tcp && layout->protocol != KV_PROTOCOL_UDP && !layout->is_fragment)
        return candidate;
    candidate.kind = KIND_UNKNOWN;
    if (layout->payload == 0)
        return candidate;
    candidate.kind = KIND_FLOW;
    candidate.flow = hash_flow(layout, packet);
    if (!layout->is_plain || layout->n_tags > 0 || layout->end != len || layout->payload == len)
        return candidate;
    candidate.is_mergeable =
        is_tcp ? tcp_is_mergeable(packet + layout->l4)
               : merger->has_uso && udp_is_mergeable(packet + layout->l4, len - layout->l4);
    return candidate;
}

static gboolean
checksums_are_right(const Candidate *candidate)
{
    const KvGsoLayout *layout = &candidate->layout;
    const uint8_t *packet = candidate->packet;
    size_t l4_len = candidate->len - layout->l4;
    uint64_t sum;

    if (layout->version == 4) {
        sum = kv_checksum_add(0, packet + layout->l3, KV_IP4_BYTES);
        if (kv_checksum_fold(sum) != UINT16_MAX)
            return FALSE;
    }
    sum = kv_gso_layout_add_pseudo(layout, packet, (uint32_t) l4_len);
    sum += kv_checksum_add(0, packet + layout->l4, l4_len);
    return kv_checksum_fold(sum) == UINT16_MAX;
}

/* Everything but lengths, identification and checksum. */
static gboolean
same_ip(const uint8_t *a, const uint8_t *b, uint8_t version)
{
    if (version == 6)
        return memcmp(a, b, KV_IP6_PAYLOAD_LEN) == 0 && memcmp(a + 6, b + 6, KV_IP6_BYTES - 6) == 0;
    return memcmp(a, b, KV_IP4_TOTAL_LEN) == 0 &&
           memcmp(a + KV_IP4_FRAGMENT, b + KV_IP4_FRAGMENT, 4) == 0 &&
           memcmp(a + KV_IP4_SOURCE, b + KV_IP4_SOURCE, 8) == 0;
}

/* Everything but sequence number, flags (seen to already) and checksum. */
static gboolean
same_tcp(const uint8_t *a, const uint8_t *b, size_t header_len)
{
    return memcmp(a, b, KV_TCP_SEQ) == 0 && memcmp(a + 8, b + 8, 5) == 0 &&
           memcmp(a + 14, b + 14, 2) == 0 && memcmp(a + 18, b + 18, header_len - 18) == 0;
}

static gboolean
same_headers(const Candidate *a, const Candidate *b)
{
    const KvGsoLayout *layout = &a->layout;

    if (layout->version != b->layout.version || layout->protocol != b->layout.protocol ||
        layout->payload != b->layout.payload)
        return FALSE;
    if (memcmp(a->packet, b->packet, layout->l3) != 0 ||
        !same_ip(a->packet + layout->l3, b->packet + layout->l3, layout->version))
        return FALSE;
    if (layout->protocol == KV_PROTOCOL_UDP)
        return memcmp(a->packet + layout->l4, b->packet + layout->l4, KV_UDP_LEN) == 0;
    return same_tcp(a->packet + layout->l4, b->packet + layout->l4, layout->payload - layout->l4);
}

/* The kernel numbers upwards when it has to cut again. An unchanging number is as good where
 * fragmenting is forbidden, because then nobody looks at it. */
static gboolean
id_continues(Group *group, const Candidate *candidate)
{
    const uint8_t *ip = candidate->packet + candidate->layout.l3;
    const uint8_t *first = group->first.packet + group->first.layout.l3;
    uint16_t id = kv_get_be16(ip + KV_IP4_ID);

    if (candidate->layout.version == 6)
        return TRUE;
    if (group->n_packets == 1)
        group->has_fixed_id =
            (ip[KV_IP4_FRAGMENT] & IP4_DONT_FRAGMENT) != 0 && id == kv_get_be16(first + KV_IP4_ID);
    return group->has_fixed_id ? id == kv_get_be16(first + KV_IP4_ID) : id == group->next_id;
}

static gboolean
continues(Group *group, const Candidate *candidate)
{
    const KvGsoLayout *layout = &candidate->layout;
    size_t payload_len = candidate->len - layout->payload;

    if (!candidate->is_mergeable || payload_len > group->gso_size ||
        group->total_len + payload_len > KV_GSO_PACKET_MAX)
        return FALSE;
    if (layout->protocol == KV_PROTOCOL_TCP &&
        kv_get_be32(candidate->packet + layout->l4 + KV_TCP_SEQ) != group->next_seq)
        return FALSE;
    return same_headers(&group->first, candidate) && id_continues(group, candidate) &&
           checksums_are_right(candidate);
}

/* A short segment or one with PSH is the last of its super-packet. */
static void
note_last(Group *group, const Candidate *candidate)
{
    const KvGsoLayout *layout = &candidate->layout;
    const uint8_t *l4 = candidate->packet + layout->l4;
    size_t payload_len = candidate->len - layout->payload;

    group->n_packets++;
    group->next_id = (uint16_t) (kv_get_be16(candidate->packet + layout->l3 + KV_IP4_ID) + 1);
    group->is_open = payload_len == group->gso_size && group->n_packets < KV_GSO_SEGMENTS_MAX;
    if (layout->protocol != KV_PROTOCOL_TCP)
        return;
    group->next_seq = kv_get_be32(l4 + KV_TCP_SEQ) + (uint32_t) payload_len;
    group->last_flags = l4[KV_TCP_FLAGS];
    if ((group->last_flags & KV_TCP_PSH) != 0)
        group->is_open = FALSE;
}

static void
append(Group *group, const Candidate *candidate)
{
    size_t payload_len = candidate->len - candidate->layout.payload;

    group->iov[1 + group->n_packets] = (struct iovec){
        .iov_base = candidate->packet + candidate->layout.payload,
        .iov_len = payload_len,
    };
    group->total_len += payload_len;
    note_last(group, candidate);
}

static void
start(Group *group, const Candidate *candidate)
{
    group->first = *candidate;
    group->n_packets = 0;
    group->is_open = FALSE;
    group->iov[0] = (struct iovec){.iov_base = group->vnet, .iov_len = KV_VNET_HDR_BYTES};
    group->iov[1] = (struct iovec){.iov_base = candidate->packet, .iov_len = candidate->len};
    memset(group->vnet, 0, sizeof group->vnet);
    if (candidate->is_mergeable && checksums_are_right(candidate)) {
        group->total_len = candidate->len - candidate->layout.l3;
        group->gso_size = (uint16_t) (candidate->len - candidate->layout.payload);
        note_last(group, candidate);
    }
    group->n_packets = 1;
}

static void
write_ip(const Group *group)
{
    const KvGsoLayout *layout = &group->first.layout;
    uint8_t *ip = group->first.packet + layout->l3;

    if (layout->version == 6) {
        kv_put_be16(ip + KV_IP6_PAYLOAD_LEN, (uint16_t) (group->total_len - KV_IP6_BYTES));
        return;
    }
    kv_put_be16(ip + KV_IP4_TOTAL_LEN, (uint16_t) group->total_len);
    kv_put_be16(ip + KV_IP4_CHECKSUM, 0);
    kv_checksum_put(ip + KV_IP4_CHECKSUM,
                    (uint16_t) ~kv_checksum_fold(kv_checksum_add(0, ip, KV_IP4_BYTES)));
}

/* Leaves the pseudo header's sum in the checksum field, which is what NEEDS_CSUM means. */
static void
write_l4(const Group *group)
{
    const KvGsoLayout *layout = &group->first.layout;
    uint8_t *l4 = group->first.packet + layout->l4;
    size_t l4_len = group->total_len - (layout->l4 - layout->l3);
    uint16_t partial =
        kv_checksum_fold(kv_gso_layout_add_pseudo(layout, group->first.packet, (uint32_t) l4_len));

    if (layout->protocol == KV_PROTOCOL_TCP) {
        l4[KV_TCP_FLAGS] |= group->last_flags & KV_TCP_PSH;
        kv_checksum_put(l4 + KV_TCP_CHECKSUM, partial);
        return;
    }
    kv_put_be16(l4 + KV_UDP_LEN, (uint16_t) l4_len);
    kv_checksum_put(l4 + KV_UDP_CHECKSUM, partial);
}

static void
write_vnet(Group *group)
{
    const KvGsoLayout *layout = &group->first.layout;
    gboolean is_tcp = layout->protocol == KV_PROTOCOL_TCP;
    uint8_t tcp_type = layout->version == 4 ? KV_VNET_GSO_TCPV4 : KV_VNET_GSO_TCPV6;

    group->vnet[KV_VNET_FLAGS] = KV_VNET_NEEDS_CSUM;
    group->vnet[KV_VNET_GSO_TYPE] = is_tcp ? tcp_type : KV_VNET_GSO_UDP_L4;
    kv_put_le16(group->vnet + KV_VNET_HDR_LEN, layout->payload);
    kv_put_le16(group->vnet + KV_VNET_GSO_SIZE, group->gso_size);
    kv_put_le16(group->vnet + KV_VNET_CSUM_START, layout->l4);
    kv_put_le16(group->vnet + KV_VNET_CSUM_OFFSET, is_tcp ? KV_TCP_CHECKSUM : KV_UDP_CHECKSUM);
}

static void
close_all(KvGsoMerger *merger)
{
    for (guint i = 0; i < merger->n_held; i++)
        merger->held[i]->is_open = FALSE;
}

static Group *
find_open(const KvGsoMerger *merger, uint32_t flow)
{
    for (guint i = 0; i < merger->n_held; i++) {
        if (merger->held[i]->is_open && merger->held[i]->first.flow == flow)
            return merger->held[i];
    }
    return NULL;
}

KvGsoMerger *
kv_gso_merger_new(KvVniMode mode, gboolean has_uso)
{
    KvGsoMerger *merger = g_new0(KvGsoMerger, 1);

    merger->mode = mode;
    merger->has_uso = has_uso;
    for (guint i = 0; i < GROUPS_MAX; i++)
        merger->held[i] = &merger->groups[i];
    return merger;
}

void
kv_gso_merger_free(KvGsoMerger *merger)
{
    g_free(merger);
}

gboolean
kv_gso_merger_add(KvGsoMerger *merger, uint8_t *packet, size_t len)
{
    Candidate candidate = classify(merger, packet, len);
    Group *group = candidate.kind == KIND_FLOW ? find_open(merger, candidate.flow) : NULL;

    if (group != NULL) {
        if (continues(group, &candidate)) {
            append(group, &candidate);
            return TRUE;
        }
        group->is_open = FALSE;
    }
    if (candidate.kind == KIND_UNKNOWN)
        close_all(merger);
    if (merger->n_held == GROUPS_MAX)
        return FALSE;
    start(merger->held[merger->n_held++], &candidate);
    return TRUE;
}

/* A closed group may overtake an open one: that is of another flow, or it would be closed. */
const struct iovec *
kv_gso_merger_take(KvGsoMerger *merger, guint *n_iov, guint *n_packets)
{
    guint at = 0;
    Group *group;

    if (merger->n_held == 0)
        return NULL;
    while (at < merger->n_held && merger->held[at]->is_open)
        at++;
    if (at == merger->n_held)
        at = 0;
    group = merger->held[at];
    merger->n_held--;
    memmove(&merger->held[at], &merger->held[at + 1], (merger->n_held - at) * sizeof(Group *));
    merger->held[merger->n_held] = group;
    if (group->n_packets > 1) {
        write_ip(group);
        write_l4(group);
        write_vnet(group);
    }
    *n_iov = 1 + group->n_packets;
    *n_packets = group->n_packets;
    return group->iov;
}
