/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-gso.h"
#include "kv-test-packet.h"
#include "kv-test.h"

#define N_FLOWS   6
#define N_PACKETS 400

/* One write: the virtio header and everything behind it. */
typedef struct {
    uint8_t vnet[10];
    uint8_t data[KV_TEST_PACKET_MAX];
    size_t len;
    guint n_packets;
} Write;

static KvTestBuffer super;
static Write written;

static gboolean
take(KvGsoMerger *merger)
{
    guint n_iov = 0;
    const struct iovec *iov = kv_gso_merger_take(merger, &n_iov, &written.n_packets);

    if (iov == NULL)
        return FALSE;
    g_assert_cmpuint(iov[0].iov_len, ==, 10);
    memcpy(written.vnet, iov[0].iov_base, 10);
    written.len = 0;
    for (guint i = 1; i < n_iov; i++) {
        memcpy(written.data + written.len, iov[i].iov_base, iov[i].iov_len);
        written.len += iov[i].iov_len;
    }
    return TRUE;
}

static uint8_t *
build(const KvTestPacket *packet, size_t *len)
{
    static KvTestBuffer buffer;

    kv_test_packet_build(&buffer, packet);
    *len = buffer.len;
    return g_memdup2(buffer.data, buffer.len);
}

static void
add(KvGsoMerger *merger, GPtrArray *keep, const KvTestPacket *packet)
{
    size_t len;
    uint8_t *bytes = build(packet, &len);

    g_ptr_array_add(keep, bytes);
    g_assert_true(kv_gso_merger_add(merger, bytes, len));
}

static const KvTestPacket kinds[] = {
    {.version = 4, .tcp_options = 12, .tcp_flags = 0x18, .payload_len = 60000, .id = 0xfff0},
    {.version = 4, .tcp_flags = 0x10, .payload_len = 1401, .seq = 0xfffffff0},
    {.version = 6, .tcp_options = 40, .tcp_flags = 0x18, .payload_len = 20001},
    {.version = 4, .is_udp = TRUE, .payload_len = 20000, .id = 9},
    {.version = 6, .is_udp = TRUE, .payload_len = 4200},
    {.mode = KV_VNI_MODE_TAP, .version = 4, .tcp_flags = 0x18, .payload_len = 40000},
    {.mode = KV_VNI_MODE_TAP, .version = 6, .tcp_flags = 0x10, .payload_len = 40000},
};

/* Proves: merging what was cut gives the same super-packet and virtio header. */
static void
test_cut_then_merge(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(kinds[i].mode, TRUE);
        g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
        KvTestPacket packet = kinds[i];
        uint8_t vnet[10];
        KvGsoCutter cutter;
        KvSlice slices[2];
        guint n = 0;

        packet.is_partial = TRUE;
        kv_test_packet_build(&super, &packet);
        kv_test_vnet_build(vnet, &super, &packet, 1400);
        g_assert_true(kv_gso_cutter_init(&cutter, packet.mode, vnet, super.data, super.len));
        for (; kv_gso_cutter_next(&cutter, slices) > 0; n++) {
            size_t len = slices[0].len + slices[1].len;
            uint8_t *segment = g_malloc(len);

            memcpy(segment, slices[0].data, slices[0].len);
            memcpy(segment + slices[0].len, slices[1].data, slices[1].len);
            g_ptr_array_add(keep, segment);
            g_assert_true(kv_gso_merger_add(merger, segment, len));
        }
        g_assert_true(take(merger));
        g_assert_cmpuint(written.n_packets, ==, n);
        kv_test_assert_bytes(written.vnet, 10, vnet, 10, "virtio header");
        kv_test_assert_bytes(written.data, written.len, super.data, super.len, "super-packet");
        g_assert_false(take(merger));
    }
}

typedef struct {
    const char *what;
    guint at; /* offset in the second packet, or 0 */
    uint8_t flip;
    KvTestPacket second;
} Break;

#define FIRST  .version = 4, .tcp_options = 12, .tcp_flags = 0x10, .id = 5
#define SECOND .version = 4, .tcp_options = 12

/* Each second packet differs from a proper one in one thing. */
static const Break breaks[] = {
    {"TTL", 8, 1, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"TOS", 1, 4, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"DF", 6, 0x40, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"fragment", 6, 0x20, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"ack", 28, 1, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"window", 34, 1, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"option", 45, 2, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"reserved", 32, 1, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
    {"flow", 0, 0, {SECOND, .flow = 1, .tcp_flags = 16, .id = 6, .seq = 500, .payload_len = 500}},
    {"id gap", 0, 0, {SECOND, .tcp_flags = 0x10, .id = 7, .seq = 500, .payload_len = 500}},
    {"same id", 0, 0, {SECOND, .tcp_flags = 0x10, .id = 5, .seq = 500, .payload_len = 500}},
    {"seq gap", 0, 0, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 501, .payload_len = 500}},
    {"resent", 0, 0, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 0, .payload_len = 500}},
    {"longer", 0, 0, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 501}},
    {"empty", 0, 0, {SECOND, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 0}},
    {"FIN", 0, 0, {SECOND, .tcp_flags = 0x11, .id = 6, .seq = 500, .payload_len = 500}},
    {"SYN", 0, 0, {SECOND, .tcp_flags = 0x12, .id = 6, .seq = 500, .payload_len = 500}},
    {"RST", 0, 0, {SECOND, .tcp_flags = 0x14, .id = 6, .seq = 500, .payload_len = 500}},
    {"URG", 0, 0, {SECOND, .tcp_flags = 0x30, .id = 6, .seq = 500, .payload_len = 500}},
    {"CWR", 0, 0, {SECOND, .tcp_flags = 0x90, .id = 6, .seq = 500, .payload_len = 500}},
    {"no ACK", 0, 0, {SECOND, .tcp_flags = 0x00, .id = 6, .seq = 500, .payload_len = 500}},
    {"UDP", 0, 0, {.version = 4, .is_udp = TRUE, .id = 6, .payload_len = 500}},
    {"IPv6", 0, 0, {.version = 6, .tcp_flags = 0x10, .seq = 500, .payload_len = 500}},
    {"no options", 0, 0, {.version = 4, .tcp_flags = 16, .id = 6, .seq = 500, .payload_len = 500}},
    {"IP options",
     0,
     0,
     {SECOND, .extension = 8, .tcp_flags = 0x10, .id = 6, .seq = 500, .payload_len = 500}},
};

/* Changes one byte and repairs both checksums. */
static void
change(uint8_t *packet, size_t len, guint at, uint8_t flip)
{
    KvTestBuffer *buffer = &super;

    memcpy(buffer->data, packet, len);
    buffer->len = len;
    buffer->l3 = 0;
    buffer->l4 = 20;
    buffer->data[at] ^= flip;
    kv_put_be16(buffer->data + 10, 0);
    kv_put_be16(buffer->data + 10, (uint16_t) ~kv_test_sum(0, buffer->data, 20));
    kv_put_be16(buffer->data + 36, 0);
    kv_put_be16(buffer->data + 36, (uint16_t) ~kv_test_sum(kv_test_pseudo_sum(buffer, 4, FALSE),
                                                           buffer->data + 20, len - 20));
    memcpy(packet, buffer->data, len);
}

static void
assert_written_alone(const uint8_t *want, size_t len, const char *what)
{
    const uint8_t zero[10] = {0};

    g_assert_cmpuint(written.n_packets, ==, 1);
    kv_test_assert_bytes(written.vnet, 10, zero, 10, what);
    kv_test_assert_bytes(written.data, written.len, want, len, what);
}

/* Adds a proper first packet and @second: whether they came out as one. */
static gboolean
are_merged(uint8_t *second, size_t second_len, const char *what)
{
    const KvTestPacket first = {FIRST, .payload_len = 500};
    g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(KV_VNI_MODE_TUN, TRUE);
    g_autofree uint8_t *second_copy = g_memdup2(second, second_len);
    g_autofree uint8_t *bytes = NULL;
    g_autofree uint8_t *copy = NULL;
    size_t len;
    gboolean is_second;

    bytes = build(&first, &len);
    copy = g_memdup2(bytes, len);
    g_assert_true(kv_gso_merger_add(merger, bytes, len));
    g_assert_true(kv_gso_merger_add(merger, second, second_len));
    g_assert_true(take(merger));
    if (written.n_packets == 2)
        return TRUE;
    /* Another flow's packet may come first. */
    is_second = written.len == second_len && memcmp(written.data, second_copy, second_len) == 0;
    assert_written_alone(is_second ? second_copy : copy, is_second ? second_len : len, what);
    g_assert_true(take(merger));
    assert_written_alone(is_second ? copy : second_copy, is_second ? len : second_len, what);
    g_assert_false(take(merger));
    return FALSE;
}

/* Proves: a packet that differs in any way the kernel could not restore is not merged, and both
 * come out as they were. */
static void
test_not_merged(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(breaks); i++) {
        g_autofree uint8_t *second = NULL;
        size_t len;

        second = build(&breaks[i].second, &len);
        if (breaks[i].at > 0) {
            g_autofree uint8_t *same = g_memdup2(second, len);

            if (!are_merged(same, len, breaks[i].what))
                g_error("not merged even before its change: %s", breaks[i].what);
            change(second, len, breaks[i].at, breaks[i].flip);
        }
        if (are_merged(second, len, breaks[i].what))
            g_error("merged: %s", breaks[i].what);
    }
}

/* Proves: one wrong bit anywhere keeps a packet apart, whichever of the two it is in. */
static void
test_bad_checksums(void)
{
    const KvTestPacket packet = {FIRST, .seq = 500, .payload_len = 500};
    KvTestPacket next = packet;

    next.id = 6;
    for (guint bit = 0; bit < 8 * 552; bit += 7) {
        g_autofree uint8_t *second = NULL;
        size_t len;

        second = build(&next, &len);
        second[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (are_merged(second, len, "flipped"))
            g_error("merged with bit %u wrong", bit);
    }
    for (guint bit = 8 * 40; bit < 8 * 552; bit += 7) {
        g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(KV_VNI_MODE_TUN, TRUE);
        g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
        g_autofree uint8_t *first = NULL;
        size_t len;

        first = build(&packet, &len);
        first[bit / 8] ^= (uint8_t) (1 << bit % 8);
        g_assert_true(kv_gso_merger_add(merger, first, len));
        next.seq = 1000;
        add(merger, keep, &next);
        g_assert_true(take(merger));
        assert_written_alone(first, len, "damaged first");
    }
}

/* Proves: where fragmenting is forbidden an identification that never changes merges too, but not
 * one that changes its mind. */
static void
test_fixed_id(void)
{
    const guint16 ids[][3] = {{5, 5, 5}, {5, 6, 7}, {5, 5, 6}, {5, 6, 6}};

    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(KV_VNI_MODE_TUN, TRUE);
        g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
        KvTestPacket packet = {FIRST, .payload_len = 500};

        for (guint n = 0; n < 3; n++, packet.seq += 500) {
            uint8_t *bytes;
            size_t len;

            packet.id = ids[i][n];
            bytes = build(&packet, &len);
            change(bytes, len, 6, 0x40);
            g_ptr_array_add(keep, bytes);
            g_assert_true(kv_gso_merger_add(merger, bytes, len));
        }
        g_assert_true(take(merger));
        g_assert_cmpuint(written.n_packets, ==, i < 2 ? 3 : 2);
    }
}

/* Proves: 64 segments, 65535 bytes, a short segment and PSH each end a super-packet. */
static void
test_limits(void)
{
    g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(KV_VNI_MODE_TUN, TRUE);
    g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
    KvTestPacket packet = {.version = 4, .tcp_flags = 0x10};
    const guint want[][3] = {{100, 64, 0}, {1400, 46, 0}, {9000, 7, 0}, {100, 5, 1}, {100, 5, 2}};

    for (guint i = 0; i < G_N_ELEMENTS(want); i++) {
        for (guint n = 0; n < 70; n++) {
            packet.payload_len = want[i][0];
            packet.tcp_flags = 0x10;
            if (n == 4 && want[i][2] == 1)
                packet.payload_len--;
            if (n == 4 && want[i][2] == 2)
                packet.tcp_flags = 0x18;
            if (packet.payload_len * n > 2 * 65535)
                break;
            add(merger, keep, &packet);
            packet.seq += (uint32_t) packet.payload_len;
            packet.id++;
        }
        g_assert_true(take(merger));
        g_assert_cmpuint(written.n_packets, ==, want[i][1]);
        g_assert_cmpuint(written.len, <=, 65535);
        g_assert_cmpuint(written.data[33] & 8, ==, want[i][2] == 2 ? 8 : 0);
        while (take(merger))
            ;
        packet.seq += 10;
    }
}

/* Proves: without USO, UDP packets come out one by one. */
static void
test_without_uso(void)
{
    g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(KV_VNI_MODE_TUN, FALSE);
    g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
    KvTestPacket packet = {.version = 4, .is_udp = TRUE, .payload_len = 500};

    for (guint i = 0; i < 3; i++, packet.id++)
        add(merger, keep, &packet);
    for (guint i = 0; i < 3; i++) {
        g_assert_true(take(merger));
        assert_written_alone(g_ptr_array_index(keep, i), 528, "UDP");
    }
    g_assert_false(take(merger));
}

/* What a flow should deliver, and how much of it came. */
typedef struct {
    GPtrArray *sent; /* of GBytes */
    guint n_got;
    KvTestPacket next;
} Flow;

static void
deliver(Flow *flows, const uint8_t *data, size_t len)
{
    guint at = data[0] >> 4 == 4 ? 15 : 23;
    Flow *flow = &flows[data[at]];
    GBytes *want;
    gsize want_len;
    const uint8_t *bytes;

    g_assert_cmpuint(flow->n_got, <, flow->sent->len);
    want = g_ptr_array_index(flow->sent, flow->n_got++);
    bytes = g_bytes_get_data(want, &want_len);
    kv_test_assert_bytes(data, len, bytes, want_len, "flow");
}

/* What the kernel does with a write: cuts it again. */
static void
deliver_write(Flow *flows)
{
    static uint8_t segment[KV_TEST_PACKET_MAX];
    KvGsoCutter cutter;
    KvSlice slices[2];
    guint n_slices, n = 0;

    g_assert_true(
        kv_gso_cutter_init(&cutter, KV_VNI_MODE_TUN, written.vnet, written.data, written.len));
    for (; (n_slices = kv_gso_cutter_next(&cutter, slices)) > 0; n++) {
        size_t len = slices[0].len;

        memcpy(segment, slices[0].data, len);
        if (n_slices == 2) {
            memcpy(segment + len, slices[1].data, slices[1].len);
            len += slices[1].len;
        }
        deliver(flows, segment, len);
    }
    g_assert_cmpuint(n, ==, written.n_packets);
}

/* The flow's next packet: mostly a full one in order, sometimes anything. */
static uint8_t *
build_next(Flow *flow, KvTestRandom *random, size_t *len)
{
    KvTestPacket packet = flow->next;
    uint8_t *bytes;

    packet.payload_len =
        kv_test_random_below(random, 10) > 0 ? 1000 : kv_test_random_below(random, 1200);
    packet.payload = (uint8_t) kv_test_random_u64(random);
    if (kv_test_random_below(random, 20) == 0)
        packet.seq += kv_test_random_below(random, 3000);
    if (kv_test_random_below(random, 20) == 0)
        packet.tcp_flags = (uint8_t) kv_test_random_u64(random);
    bytes = build(&packet, len);
    if (kv_test_random_below(random, 20) == 0)
        bytes[*len - 1] ^= 1;
    flow->next.seq = packet.seq + (uint32_t) packet.payload_len;
    flow->next.id = (uint16_t) (packet.id + 1);
    g_ptr_array_add(flow->sent, g_bytes_new(bytes, *len));
    return bytes;
}

/* Proves: of any mix of flows, good and bad packets, every flow gets every packet byte by byte in
 * its own order, and most of them merged. */
static void
test_random_flows(void)
{
    g_autoptr(KvGsoMerger) merger = kv_gso_merger_new(KV_VNI_MODE_TUN, TRUE);
    g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
    Flow flows[N_FLOWS] = {0};
    KvTestRandom random;
    guint n_writes = 0;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < N_FLOWS; i++) {
        flows[i].sent = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        flows[i].next = (KvTestPacket){.version = i % 2 == 0 ? 4 : 6,
                                       .is_udp = i >= 4,
                                       .tcp_options = 12,
                                       .tcp_flags = 0x10,
                                       .flow = (uint8_t) i};
    }
    for (guint n = 0; n < N_PACKETS; n++) {
        Flow *flow = &flows[kv_test_random_below(&random, N_FLOWS)];
        size_t len;
        uint8_t *bytes = build_next(flow, &random, &len);

        g_ptr_array_add(keep, bytes);
        for (; !kv_gso_merger_add(merger, bytes, len); n_writes++) {
            g_assert_true(take(merger));
            deliver_write(flows);
        }
    }
    for (; take(merger); n_writes++)
        deliver_write(flows);
    for (guint i = 0; i < N_FLOWS; i++) {
        g_assert_cmpuint(flows[i].n_got, ==, flows[i].sent->len);
        g_ptr_array_unref(flows[i].sent);
    }
    g_assert_cmpuint(n_writes, <, N_PACKETS * 2 / 3);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/gso-merge/cut-then-merge", test_cut_then_merge);
    g_test_add_func("/gso-merge/not-merged", test_not_merged);
    g_test_add_func("/gso-merge/bad-checksums", test_bad_checksums);
    g_test_add_func("/gso-merge/fixed-id", test_fixed_id);
    g_test_add_func("/gso-merge/limits", test_limits);
    g_test_add_func("/gso-merge/without-uso", test_without_uso);
    g_test_add_func("/gso-merge/random-flows", test_random_flows);
    return kv_test_main(&argc, &argv);
}
