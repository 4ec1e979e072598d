/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-rs.h"
#include "kv-test.h"
#include "v1/kv-v1-fec.h"

#include <string.h>

#define OFFSET      KV_V1_CRYPT_HEADER_BYTES
#define PAYLOAD_MAX (KV_V1_FEC_PACKET_MAX - KV_V1_FEC_HEADER_BYTES)

/* A sender, what it sent, and a receiver. */
typedef struct {
    guint data, parity;
    KvTestRandom random;
    KvV1FecEncoder *encoder;
    KvPacketPool *pool;
    KvV1FecDecoder *decoder;
    KvPacket *group[KV_RS_SHARDS_MAX]; /* by place */
    guint n_group;
    guint n_recovered;
    gboolean seen[KV_RS_SHARDS_MAX]; /* places of this group that were rebuilt */
    KvTime now;
} Link;

static void
link_init(Link *link, guint data, guint parity)
{
    *link = (Link){.data = data, .parity = parity};
    kv_test_random_init(&link->random, kv_test_get_seed());
    link->encoder = kv_v1_fec_encoder_new(data, parity);
    link->pool = kv_packet_pool_new(8 * (data + parity));
    link->decoder = kv_v1_fec_decoder_new(data, parity, link->pool);
    g_assert_nonnull(link->encoder);
    g_assert_nonnull(link->decoder);
}

static void
drop_group(Link *link)
{
    for (guint i = 0; i < link->n_group; i++)
        kv_packet_unref(link->group[i]);
    link->n_group = 0;
    memset(link->seen, 0, sizeof link->seen);
}

/* Frees all, and proves on the way that no packet was kept. */
static void
link_clear(Link *link)
{
    drop_group(link);
    kv_v1_fec_encoder_free(link->encoder);
    kv_v1_fec_decoder_free(link->decoder);
    g_assert_cmpuint(kv_packet_pool_get_used(link->pool), ==, 0);
    kv_packet_pool_free(link->pool);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Link, link_clear)

static KvPacket *
new_packet(Link *link)
{
    KvPacket *packet = kv_packet_new(link->pool);

    g_assert_nonnull(packet);
    memset(packet->data, 0xa5, sizeof packet->data);
    return packet;
}

static void
send_data(Link *link, size_t payload)
{
    KvPacket *packet = new_packet(link);

    packet->len = (uint32_t) (OFFSET + KV_V1_FEC_HEADER_BYTES + payload);
    kv_test_random_bytes(&link->random, packet->data + OFFSET + KV_V1_FEC_HEADER_BYTES, payload);
    kv_v1_fec_encoder_add(link->encoder, packet->data + OFFSET, packet->len - OFFSET, link->now);
    link->group[link->n_group++] = packet;
}

static void
drain(Link *link)
{
    uint16_t flag;

    for (;;) {
        KvPacket *packet = new_packet(link);
        size_t len = kv_v1_fec_encoder_output(link->encoder, packet->data + OFFSET,
                                              KV_PACKET_CAPACITY - OFFSET, &flag);

        if (len == 0) {
            kv_packet_unref(packet);
            return;
        }
        packet->len = (uint32_t) (OFFSET + len);
        link->group[link->n_group++] = packet;
    }
}

/* A whole group; from @n_real on its data places are padding. */
static void
send_group(Link *link, guint n_real)
{
    drop_group(link);
    for (guint i = 0; i < n_real; i++)
        send_data(link, kv_test_random_below(&link->random, PAYLOAD_MAX + 1));
    kv_v1_fec_encoder_close_group(link->encoder);
    drain(link);
    g_assert_cmpuint(link->n_group, ==, link->data + link->parity);
}

static void
check_recovered(Link *link, const KvV1FecShard *shard)
{
    const uint8_t *got = shard->packet->data + shard->offset;

    for (guint place = 0; place < link->data; place++) {
        const uint8_t *sent = link->group[place]->data + OFFSET;
        size_t len = link->group[place]->len - OFFSET - KV_V1_FEC_HEADER_BYTES;

        if (!link->seen[place] && kv_get_le16(sent + KV_V1_FEC_FLAG_OFFSET) == KV_V1_FEC_DATA &&
            len == shard->len && memcmp(sent + KV_V1_FEC_HEADER_BYTES, got, len) == 0) {
            link->seen[place] = TRUE;
            link->n_recovered++;
            return;
        }
    }
    g_error("a payload nobody sent");
}

/* The packet goes in as a copy: the receiver may zero what lies behind it. */
static gboolean
receive_packet(Link *link, const KvPacket *sent)
{
    g_autoptr(KvPacket) packet = new_packet(link);
    KvV1FecShard shards[KV_RS_SHARDS_MAX];
    gboolean ok;
    guint n;

    packet->len = sent->len;
    memcpy(packet->data, sent->data, sent->len);
    ok = kv_v1_fec_decoder_input(link->decoder, packet, OFFSET, packet->len - OFFSET, link->now,
                                 shards, &n);
    g_assert_cmpuint(n, <=, link->parity);
    for (guint i = 0; i < n; i++) {
        check_recovered(link, &shards[i]);
        kv_packet_unref(shards[i].packet);
    }
    return ok;
}

static void
receive(Link *link, guint place)
{
    g_assert_true(receive_packet(link, link->group[place]));
}

/*
 * Receives the places of @order one by one, each twice, and checks that all that is lost is
 * rebuilt by the data-th of them and nothing after that.
 */
static void
check_order(Link *link, const guint *order, guint n)
{
    guint n_data_arrived = 0;

    link->n_recovered = 0;
    for (guint i = 0; i < n; i++) {
        receive(link, order[i]);
        receive(link, order[i]);
        if (i < link->data)
            n_data_arrived += order[i] < link->data;
        g_assert_cmpuint(link->n_recovered, ==,
                         i + 1 < link->data ? 0 : link->data - n_data_arrived);
    }
}

static const struct {
    guint data, parity, groups;
} shapes[] = {
    {1, 1, 50},   {2, 1, 50},  {3, 2, 50},    {10, 3, 200},
    {20, 10, 50}, {3, 10, 50}, {128, 128, 2}, {255, 1, 2},
};

/* Proves: any data_shards packets of a group in any order rebuild exactly what is missing. */
static void
test_any_order(void)
{
    guint order[KV_RS_SHARDS_MAX];

    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_auto(Link) link;

        link_init(&link, shapes[i].data, shapes[i].parity);
        for (guint group = 0; group < shapes[i].groups; group++) {
            send_group(&link, link.data);
            kv_test_random_order(&link.random, order, link.n_group);
            check_order(&link, order, link.n_group);
        }
    }
}

/* Proves: the counter wraps after the last whole group, and repair goes on through the wrap. */
static void
test_wrap(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        guint size = shapes[i].data + shapes[i].parity;
        uint32_t paws = UINT32_MAX / size * size;
        uint32_t expected = paws - 2 * size;
        guint order[KV_RS_SHARDS_MAX];
        g_auto(Link) link;

        link_init(&link, shapes[i].data, shapes[i].parity);
        kv_v1_fec_encoder_set_seqid(link.encoder, expected);
        for (guint group = 0; group < 5; group++) {
            send_group(&link, link.data);
            for (guint place = 0; place < size; place++) {
                g_assert_cmpuint(kv_get_le32(link.group[place]->data + OFFSET), ==, expected);
                expected = (uint32_t) (((uint64_t) expected + 1) % paws);
            }
            kv_test_random_order(&link.random, order, link.n_group);
            check_order(&link, order, link.n_group);
        }
    }
}

/* Proves: a group closed early is repaired from any one padding and few other packets. */
static void
test_rapid(void)
{
    g_auto(Link) link;

    link_init(&link, 10, 3);
    for (guint n_real = 1; n_real < 10; n_real++) {
        for (guint lost = 0; lost < n_real; lost++) {
            send_group(&link, n_real);
            link.n_recovered = 0;
            for (guint place = 0; place < n_real; place++) {
                if (place != lost)
                    receive(&link, place);
            }
            receive(&link, n_real + kv_test_random_below(&link.random, 10 - n_real));
            receive(&link, 12);
            g_assert_cmpuint(link.n_recovered, ==, 1);
            g_assert_true(link.seen[lost]);
        }
    }
}

/* Proves: padding that is itself rebuilt stays inside. */
static void
test_rebuilt_padding(void)
{
    g_auto(Link) link;

    link_init(&link, 3, 2);
    send_group(&link, 2);
    receive(&link, 0);
    receive(&link, 3);
    receive(&link, 4);
    g_assert_cmpuint(link.n_recovered, ==, 1);
    g_assert_true(link.seen[1]);
}

/* Proves: a group is open from its first shard until it is full or closed. */
static void
test_group_start(void)
{
    g_auto(Link) link;

    link_init(&link, 3, 1);
    g_assert_cmpuint(kv_v1_fec_encoder_get_group_start(link.encoder), ==, KV_TIME_NEVER);
    kv_v1_fec_encoder_close_group(link.encoder);
    drain(&link);
    g_assert_cmpuint(link.n_group, ==, 0);
    link.now = 7;
    send_data(&link, 10);
    link.now = 9;
    send_data(&link, 10);
    g_assert_cmpuint(kv_v1_fec_encoder_get_group_start(link.encoder), ==, 7);
    send_data(&link, 10);
    g_assert_cmpuint(kv_v1_fec_encoder_get_group_start(link.encoder), ==, KV_TIME_NEVER);
    drain(&link);
    g_assert_cmpuint(link.n_group, ==, 4);
    g_assert_cmpuint(kv_v1_fec_encoder_get_group_start(link.encoder), ==, KV_TIME_NEVER);
}

/* Proves: a packet from an absurdly far group costs the groups around it nothing. */
static void
test_far_ahead(void)
{
    static const uint32_t far_seqids[] = {
        0x00010000, 0x7fffffff, 0x80000001, 0xfffffff0, 0xffffffff,
    };
    g_auto(Link) link;

    link_init(&link, 10, 3);
    for (guint i = 0; i < G_N_ELEMENTS(far_seqids); i++) {
        g_autoptr(KvPacket) absurd = new_packet(&link);

        send_group(&link, 10);
        link.n_recovered = 0;
        for (guint place = 1; place < 10; place++)
            receive(&link, place);
        memcpy(absurd->data, link.group[0]->data, link.group[0]->len);
        absurd->len = link.group[0]->len;
        kv_put_le32(absurd->data + OFFSET, far_seqids[i]);
        g_assert_true(receive_packet(&link, absurd));
        receive(&link, 11);
        g_assert_cmpuint(link.n_recovered, ==, 1);
    }
}

/* Proves: hopeless groups pile up neither without bound nor at the cost of later ones. */
static void
test_hopeless_groups(void)
{
    g_auto(Link) link;

    link_init(&link, 10, 3);
    for (guint i = 0; i < 100; i++) {
        send_group(&link, 10);
        for (guint place = 4; place < 13; place++)
            receive(&link, place);
        g_assert_cmpuint(kv_packet_pool_get_used(link.pool), <=, 4 * 13);
        g_assert_cmpuint(link.n_recovered, ==, i);
        send_group(&link, 10);
        for (guint place = 1; place < 11; place++)
            receive(&link, place);
        g_assert_cmpuint(link.n_recovered, ==, i + 1);
    }
}

/* Proves: after a minute of silence what was held of a group counts no more. */
static void
test_old_group(void)
{
    static const struct {
        KvTime pause;
        guint recovered;
    } rows[] = {{60 * KV_TIME_S, 1}, {60 * KV_TIME_S + 1, 0}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Link) link;

        link_init(&link, 3, 1);
        send_group(&link, 3);
        receive(&link, 0);
        receive(&link, 1);
        link.now += rows[i].pause;
        receive(&link, 3);
        g_assert_cmpuint(link.n_recovered, ==, rows[i].recovered);
    }
}

/* Proves: without a packet to rebuild into nothing is lost; the next packet makes up for it. */
static void
test_pool_exhausted(void)
{
    KvPacket *taken[8 * 5];
    guint n = 0;
    g_auto(Link) link;

    link_init(&link, 3, 2);
    send_group(&link, 3);
    receive(&link, 0);
    receive(&link, 1);
    while ((taken[n] = kv_packet_new(link.pool)) != NULL)
        n++;
    kv_packet_unref(taken[--n]);
    receive(&link, 3);
    g_assert_cmpuint(link.n_recovered, ==, 0);
    while (n > 0)
        kv_packet_unref(taken[--n]);
    receive(&link, 4);
    g_assert_cmpuint(link.n_recovered, ==, 1);
}

static const struct {
    const char *what;
    const char *hex; /* from the FEC header on; shape 10/3 */
    gboolean ok;
} rows[] = {
    {"data", "00000000f1000300aa", TRUE},
    {"data without payload", "00000000f1000200", TRUE},
    {"data at a parity place", "0a000000f1000300aa", TRUE},
    {"data behind the wrap", "fffffffff1000300aa", TRUE},
    {"data, size too small", "00000000f1000200aa", FALSE},
    {"data, size too large", "00000000f1000400aa", FALSE},
    {"data, cut in its header", "00000000f10003", FALSE},
    {"nothing", "", FALSE},
    {"parity", "0a000000f2001234aa", TRUE},
    {"parity at a data place", "09000000f2001234aa", FALSE},
    {"parity behind the wrap", "fffffffff2001234aa", FALSE},
    {"unknown flag", "00000000f4000300aa", FALSE},
    {"padding", "08000000f30022000700000009000000", TRUE},
    {"padding of one", "09000000f30022000900000009000000", TRUE},
    {"padding, next group", "15000000f30022001400000016000000", TRUE},
    {"padding, range reversed", "08000000f30022000900000007000000", FALSE},
    {"padding, itself before the range", "06000000f30022000700000009000000", FALSE},
    {"padding, itself behind the range", "09000000f30022000700000008000000", FALSE},
    {"padding, range into parity", "08000000f3002200070000000a000000", FALSE},
    {"padding, range into the next group", "08000000f3002200070000000d000000", FALSE},
    {"padding, range from the group before", "0d000000f3002200090000000d000000", FALSE},
    {"padding, endless range", "08000000f300220007000000ffffffff", FALSE},
    {"padding, wrong size", "08000000f30021000700000009000000", FALSE},
};

/* Proves: each header that makes no sense is refused, and its neighbours that do are not. */
static void
test_headers(void)
{
    g_auto(Link) link;

    link_init(&link, 10, 3);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GBytes) bytes = kv_test_unhex(rows[i].hex);
        g_autoptr(KvPacket) packet = new_packet(&link);
        gsize len;
        const void *data = g_bytes_get_data(bytes, &len);

        memset(packet->data, 0, sizeof packet->data);
        if (len > 0)
            memcpy(packet->data + OFFSET, data, len);
        /* Padding is written without the zeros at its end. */
        packet->len = (uint32_t) (OFFSET + (len == 16 ? KV_V1_FEC_PADDING_BYTES : len));
        if (receive_packet(&link, packet) != rows[i].ok)
            g_error("%s: expected %s", rows[i].what, rows[i].ok ? "accepted" : "refused");
    }
}

/* Proves: shapes without a code have no encoder and no decoder. */
static void
test_bad_shapes(void)
{
    g_autoptr(KvPacketPool) pool = kv_packet_pool_new(1);

    g_assert_null(kv_v1_fec_encoder_new(0, 3));
    g_assert_null(kv_v1_fec_encoder_new(200, 57));
    g_assert_null(kv_v1_fec_decoder_new(10, 0, pool));
    g_assert_null(kv_v1_fec_decoder_new(200, 57, pool));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1-fec/any-order", test_any_order);
    g_test_add_func("/v1-fec/wrap", test_wrap);
    g_test_add_func("/v1-fec/rapid", test_rapid);
    g_test_add_func("/v1-fec/rebuilt-padding", test_rebuilt_padding);
    g_test_add_func("/v1-fec/group-start", test_group_start);
    g_test_add_func("/v1-fec/far-ahead", test_far_ahead);
    g_test_add_func("/v1-fec/hopeless-groups", test_hopeless_groups);
    g_test_add_func("/v1-fec/old-group", test_old_group);
    g_test_add_func("/v1-fec/pool-exhausted", test_pool_exhausted);
    g_test_add_func("/v1-fec/headers", test_headers);
    g_test_add_func("/v1-fec/bad-shapes", test_bad_shapes);
    return kv_test_main(&argc, &argv);
}
