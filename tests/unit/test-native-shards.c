/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "native/kv-shard-decoder.h"
#include "native/kv-shard-encoder.h"

#include <string.h>

#define POOL      4096
#define FRAMES    400 /* mostly: longer ones need their own test */
#define ITEM_SIZE (KV_ITEM_PARITY_BYTES + KV_SHARD_FRAMES_MAX + 2)

typedef struct {
    uint8_t bytes[ITEM_SIZE];
    size_t len;
} Sent;

typedef struct {
    KvTestRandom random;
    KvPacketPool *pool;
    KvShardEncoder *encoder;
    KvShardDecoder *decoder;
    KvTime now;
    guint k; /* of the group that was sent last */
    guint n;
    Sent sent[KV_GROUP_SHARDS_MAX + 1]; /* the last is where none follows */
    gboolean seen[KV_GROUP_SHARDS_MAX]; /* rebuilt */
    guint n_recovered;
} Link;

static void
link_init_pool(Link *link, guint packets)
{
    memset(link, 0, sizeof *link);
    kv_test_random_init(&link->random, kv_test_get_seed());
    link->pool = kv_packet_pool_new(packets);
    link->encoder = kv_shard_encoder_new(link->pool);
    link->decoder = kv_shard_decoder_new(link->pool);
}

static void
link_init(Link *link)
{
    link_init_pool(link, POOL);
}

/* Frees all, and proves on the way that no packet was kept. */
static void
link_clear(Link *link)
{
    kv_shard_encoder_free(link->encoder);
    kv_shard_decoder_free(link->decoder);
    g_assert_cmpuint(kv_packet_pool_get_used(link->pool), ==, 0);
    kv_packet_pool_free(link->pool);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Link, link_clear)

static void
send_data(Link *link, size_t len)
{
    Sent *sent = &link->sent[link->n++];

    g_assert_true(kv_shard_encoder_prepare(link->encoder));
    kv_test_random_bytes(&link->random, sent->bytes + KV_ITEM_DATA_BYTES, len);
    sent->len = kv_shard_encoder_add(link->encoder, sent->bytes, len, link->now);
    g_assert_cmpuint(sent->len, ==, KV_ITEM_DATA_BYTES + len);
    link->k = link->n;
}

static void
drain(Link *link)
{
    size_t len;

    while ((len = kv_shard_encoder_output(link->encoder, link->sent[link->n].bytes, ITEM_SIZE)) > 0)
        link->sent[link->n++].len = len;
}

static void
start_group(Link *link, guint summed)
{
    link->n = 0;
    link->n_recovered = 0;
    memset(link->seen, 0, sizeof link->seen);
    kv_shard_encoder_set_parity(link->encoder, summed);
}

static void
send_group(Link *link, guint k, guint m, guint summed)
{
    start_group(link, summed);
    for (guint i = 0; i < k; i++)
        send_data(link, kv_test_random_below(&link->random, FRAMES + 1));
    kv_shard_encoder_close_group(link->encoder, m);
    drain(link);
    g_assert_cmpuint(link->n, ==, k + m);
}

static void
check_recovered(Link *link, const KvShard *shard)
{
    const uint8_t *got = shard->packet->data + shard->offset;

    g_assert_cmpuint(shard->offset + shard->len, ==, shard->packet->len);
    for (guint i = 0; i < link->k; i++) {
        const Sent *sent = &link->sent[i];

        if (!link->seen[i] && sent->len == KV_ITEM_DATA_BYTES + shard->len &&
            memcmp(sent->bytes + KV_ITEM_DATA_BYTES, got, shard->len) == 0) {
            link->seen[i] = TRUE;
            link->n_recovered++;
            return;
        }
    }
    g_error("frames nobody sent");
}

/* The bytes come in a packet whose rest is not zero, behind @before other bytes. */
static gboolean
receive_bytes(Link *link, const uint8_t *bytes, size_t len, size_t before)
{
    g_autoptr(KvPacket) packet = kv_packet_new(link->pool);
    KvShard shards[KV_GROUP_PARITY_MAX];
    KvReader reader;
    KvItem item;
    gboolean ok;
    guint n;

    g_assert_nonnull(packet);
    memset(packet->data, 0xa5, sizeof packet->data);
    memcpy(packet->data + before, bytes, len);
    packet->len = (uint32_t) (before + len);
    kv_reader_init(&reader, packet->data + before, len);
    g_assert_true(kv_item_next(&reader, &item));
    ok = kv_shard_decoder_input(link->decoder, packet, &item, link->now, shards, &n);
    for (guint i = 0; i < n; i++) {
        check_recovered(link, &shards[i]);
        kv_packet_unref(shards[i].packet);
    }
    return ok;
}

static gboolean
try_receive(Link *link, guint i)
{
    size_t room = KV_PACKET_CAPACITY - link->sent[i].len;

    return receive_bytes(link, link->sent[i].bytes, link->sent[i].len, MIN(room, 16));
}

static void
receive(Link *link, guint i)
{
    g_assert_true(try_receive(link, i));
}

/*
 * Receives the shards one by one in random order, each twice: all that is lost is rebuilt as soon
 * as k of them are there and one is parity, which alone tells k, and nothing after that.
 */
static void
check_any_order(Link *link)
{
    guint order[KV_GROUP_SHARDS_MAX];
    guint n_data = 0;
    guint n_parity = 0;
    guint expected = 0;

    kv_test_random_order(&link->random, order, link->n);
    for (guint i = 0; i < link->n; i++) {
        receive(link, order[i]);
        receive(link, order[i]);
        n_data += order[i] < link->k;
        n_parity += order[i] >= link->k;
        if (i + 1 == link->k)
            expected = link->k - n_data;
        g_assert_cmpuint(link->n_recovered, ==, expected);
    }
    g_assert_cmpuint(kv_packet_pool_get_used(link->pool), ==, 0);
}

static const struct {
    guint k, m, summed, groups;
} shapes[] = {
    {1, 1, 1, 50},    {1, 2, 5, 50},   {2, 1, 1, 50},    {10, 3, 3, 200}, {10, 2, 4, 100},
    {20, 10, 10, 50}, {3, 10, 10, 50}, {128, 64, 64, 2}, {191, 1, 1, 2},  {64, 64, 64, 2},
};

/* Proves: any k shards of a group in any order rebuild exactly what is missing, whatever its shape
 * and that of the groups before, and nothing is kept of a group that is whole. */
static void
test_any_order(void)
{
    g_auto(Link) link;

    link_init(&link);
    kv_shard_encoder_set_group(link.encoder, KV_GROUP_MASK - 100); /* they wrap on the way */
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        for (guint group = 0; group < shapes[i].groups; group++) {
            send_group(&link, shapes[i].k, shapes[i].m, shapes[i].summed);
            check_any_order(&link);
        }
    }
}

/* Proves: the longest frames, and none at all, are rebuilt. */
static void
test_lengths(void)
{
    static const size_t lens[] = {KV_SHARD_FRAMES_MAX, 0, 1, 31, KV_SHARD_FRAMES_MAX};
    g_auto(Link) link;

    for (guint lost = 0; lost < G_N_ELEMENTS(lens); lost++) {
        link_init(&link);
        start_group(&link, 2);
        for (guint i = 0; i < G_N_ELEMENTS(lens); i++)
            send_data(&link, lens[i]);
        kv_shard_encoder_close_group(link.encoder, 2);
        drain(&link);
        for (guint i = 0; i < link.n; i++) {
            if (i != lost && i != (lost + 1) % link.k)
                receive(&link, i);
        }
        g_assert_cmpuint(link.n_recovered, ==, 2);
        g_assert_true(link.seen[lost]);
        if (lost + 1 < G_N_ELEMENTS(lens))
            link_clear(&link);
    }
}

/* Proves: a group is open from its first shard on until it is closed, or full by itself. */
static void
test_encoder(void)
{
    KvItem item;
    KvReader reader;
    g_auto(Link) link;

    link_init(&link);
    g_assert_false(kv_shard_encoder_prepare(link.encoder));
    start_group(&link, 3);
    g_assert_true(kv_shard_encoder_prepare(link.encoder));
    g_assert_cmpuint(kv_shard_encoder_get_group_start(link.encoder), ==, KV_TIME_NEVER);
    kv_shard_encoder_close_group(link.encoder, 3);
    drain(&link);
    g_assert_cmpuint(link.n, ==, 0);
    link.now = 7;
    send_data(&link, 10);
    link.now = 9;
    send_data(&link, 10);
    g_assert_cmpuint(kv_shard_encoder_get_group_start(link.encoder), ==, 7);
    g_assert_cmpuint(kv_shard_encoder_get_n_data(link.encoder), ==, 2);

    /* No parity: the number is used up all the same. */
    kv_shard_encoder_close_group(link.encoder, 0);
    g_assert_cmpuint(kv_shard_encoder_get_group_start(link.encoder), ==, KV_TIME_NEVER);
    drain(&link);
    g_assert_cmpuint(link.n, ==, 2);
    send_data(&link, 10);
    kv_reader_init(&reader, link.sent[2].bytes, link.sent[2].len);
    g_assert_true(kv_item_next(&reader, &item));
    g_assert_cmpuint(item.group, ==, 1);
    g_assert_cmpuint(item.index, ==, 0);

    /* While parity waits to leave, no data is added. */
    kv_shard_encoder_close_group(link.encoder, 1);
    g_assert_cmpuint(kv_shard_encoder_get_n_data(link.encoder), ==, 0);
    g_assert_false(kv_shard_encoder_prepare(link.encoder));
    drain(&link);
    g_assert_cmpuint(link.n, ==, 4);

    start_group(&link, 3);
    for (guint i = 0; i < KV_GROUP_SHARDS_MAX - 3; i++)
        send_data(&link, 1);
    drain(&link);
    g_assert_cmpuint(link.n, ==, KV_GROUP_SHARDS_MAX);
}

/* Proves: parity that datagrams have no room for any more is given up, and the next group goes on.
 */
static void
test_narrower_path(void)
{
    uint8_t item[ITEM_SIZE];
    g_auto(Link) link;

    link_init(&link);
    start_group(&link, 2);
    send_data(&link, 1300);
    kv_shard_encoder_close_group(link.encoder, 2);
    g_assert_cmpuint(kv_shard_encoder_output(link.encoder, item, 1309), ==, 0);
    g_assert_cmpuint(kv_packet_pool_get_used(link.pool), ==, 0);
    start_group(&link, 2);
    send_data(&link, 1300);
    kv_shard_encoder_close_group(link.encoder, 2);
    g_assert_cmpuint(kv_shard_encoder_output(link.encoder, item, 1310), ==, 1310);
    g_assert_cmpuint(item[2], ==, 1);
}

/* Proves: groups wait for their last shard while seven newer ones begin, and not for an eighth. */
static void
test_groups_kept(void)
{
    for (guint newer = 6; newer <= 9; newer++) {
        g_autofree Sent *first = NULL;
        g_auto(Link) link;

        link_init(&link);
        kv_shard_encoder_set_group(link.encoder, KV_GROUP_MASK - 3);
        send_group(&link, 3, 1, 1);
        receive(&link, 0);
        receive(&link, 2);
        first = g_memdup2(link.sent, 4 * sizeof *first);
        for (guint i = 0; i < newer; i++) {
            send_group(&link, 3, 1, 1);
            receive(&link, 0);
        }
        memcpy(link.sent, first, 4 * sizeof *first);
        receive(&link, 3);
        g_assert_cmpuint(link.n_recovered, ==, newer < KV_SHARD_GROUPS ? 1 : 0);
    }
}

/* Proves: after an outage of any length the next group is repaired, and so is one that was
 * overtaken. */
static void
test_jumps(void)
{
    static const uint32_t jumps[] = {1, 7, 8, 4096, 4097, 100000, KV_GROUP_MASK / 2};
    g_auto(Link) link;
    uint32_t group = 5;

    link_init(&link);
    for (guint i = 0; i < G_N_ELEMENTS(jumps); i++) {
        kv_shard_encoder_set_group(link.encoder, group);
        send_group(&link, 3, 1, 1);
        receive(&link, 0);
        receive(&link, 1);
        receive(&link, 3);
        g_assert_cmpuint(link.n_recovered, ==, 1);
        group = (group + jumps[i]) & KV_GROUP_MASK;
    }
    kv_shard_encoder_set_group(link.encoder, (group - 3 - KV_GROUP_MASK / 2) & KV_GROUP_MASK);
    send_group(&link, 3, 1, 1);
    receive(&link, 1);
    receive(&link, 2);
    receive(&link, 3);
    g_assert_cmpuint(link.n_recovered, ==, 1);
}

/* Proves: what is held of a group is let go of after three seconds, and all memory a while after
 * the last shard. */
static void
test_age(void)
{
    g_auto(Link) link;

    link_init(&link);
    g_assert_cmpuint(kv_shard_decoder_deadline(link.decoder), ==, KV_TIME_NEVER);
    link.now = 10;
    send_group(&link, 3, 1, 1);
    receive(&link, 0);
    link.now = 20;
    receive(&link, 1);
    g_assert_cmpuint(kv_shard_decoder_deadline(link.decoder), ==, 10 + KV_SHARD_AGE);
    kv_shard_decoder_advance(link.decoder, 9 + KV_SHARD_AGE);
    g_assert_cmpuint(kv_packet_pool_get_used(link.pool), ==, 2);
    kv_shard_decoder_advance(link.decoder, 10 + KV_SHARD_AGE);
    g_assert_cmpuint(kv_packet_pool_get_used(link.pool), ==, 0);
    receive(&link, 3);
    g_assert_cmpuint(link.n_recovered, ==, 0);
    g_assert_cmpuint(kv_shard_decoder_deadline(link.decoder), ==, 20 + KV_SHARD_AGE);
    kv_shard_decoder_advance(link.decoder, 20 + KV_SHARD_AGE);
    g_assert_cmpuint(kv_shard_decoder_deadline(link.decoder), ==, KV_TIME_NEVER);
}

/* Proves: groups that nothing can save are bounded by the share of the pool, at the cost of the
 * older ones alone. */
static void
test_hopeless_groups(void)
{
    g_auto(Link) link;

    link_init_pool(&link, 128);
    for (guint i = 0; i < 100; i++) {
        send_group(&link, 40, 3, 3);
        for (guint place = 4; place < 40; place++)
            receive(&link, place);
        g_assert_cmpuint(kv_packet_pool_get_used(link.pool), <=, 128 * 3 / 4);
        send_group(&link, 10, 3, 3);
        for (guint place = 1; place < 11; place++)
            receive(&link, place);
        g_assert_cmpuint(link.n_recovered, ==, 1);
    }
}

/* Proves: without packets to rebuild into, or to sum up in, nothing breaks, and it goes on later.
 */
static void
test_pool_exhausted(void)
{
    KvPacket *taken[32];
    guint n = 0;
    g_auto(Link) link;

    link_init_pool(&link, G_N_ELEMENTS(taken));
    send_group(&link, 3, 2, 2);
    receive(&link, 0);
    receive(&link, 1);
    while ((taken[n] = kv_packet_new(link.pool)) != NULL)
        n++;
    g_assert_false(kv_shard_encoder_prepare(link.encoder));
    kv_packet_unref(taken[--n]);
    g_assert_false(kv_shard_encoder_prepare(link.encoder));
    receive(&link, 3);
    g_assert_cmpuint(link.n_recovered, ==, 0);
    while (n > 0)
        kv_packet_unref(taken[--n]);
    receive(&link, 4);
    g_assert_cmpuint(link.n_recovered, ==, 1);
    g_assert_true(kv_shard_encoder_prepare(link.encoder));
}

/* A change of one byte of a shard's item, after @before others came. */
static const struct {
    const char *what;
    guint before[2];
    guint shard; /* 0 to 2 data, 3 and 4 parity */
    guint at;
    uint8_t value;
    gboolean ok;
    guint n_recovered; /* by all that comes in the end, but for data shard 2 */
} lies[] = {
    {"the truth", {0, 1}, 3, 2, 0, TRUE, 1},
    {"parity of more data", {0, 3}, 4, 6, 4, FALSE, 1},
    {"parity of more parity", {0, 3}, 4, 7, 3, FALSE, 1},
    {"data beyond the group", {0, 3}, 1, 5, 3, FALSE, 1},
    {"parity of less data than there is", {0, 1}, 3, 6, 1, FALSE, 0},
};

/* Proves: a shard that contradicts its group is not believed. */
static void
test_contradictions(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(lies); i++) {
        Sent lie;
        g_auto(Link) link;

        link_init(&link);
        send_group(&link, 3, 2, 2);
        receive(&link, lies[i].before[0]);
        receive(&link, lies[i].before[1]);
        lie = link.sent[lies[i].shard];
        lie.bytes[lies[i].at] = lies[i].value;
        if (receive_bytes(&link, lie.bytes, lie.len, 0) != lies[i].ok)
            g_error("%s: expected %s", lies[i].what, lies[i].ok ? "accepted" : "refused");
        for (guint place = 0; place < 5; place++) {
            if (place != 2)
                receive(&link, place);
        }
        if (link.n_recovered != lies[i].n_recovered)
            g_error("%s: %u recovered", lies[i].what, link.n_recovered);
    }
}

/* Proves: data longer than its parity, and parity that is no sum of symbols, rebuild nothing. */
static void
test_wrong_sums(void)
{
    g_auto(Link) link;

    link_init(&link);
    start_group(&link, 1);
    send_data(&link, 50);
    send_data(&link, 100);
    kv_shard_encoder_close_group(link.encoder, 1);
    drain(&link);
    link.sent[2].bytes[0] -= 1; /* the parity is a byte shorter */
    link.sent[2].len -= 1;
    receive(&link, 1);
    g_assert_false(try_receive(&link, 2));
    g_assert_cmpuint(kv_packet_pool_get_used(link.pool), ==, 0);

    send_group(&link, 3, 2, 2);
    receive(&link, 0);
    receive(&link, 3);
    link.sent[4].bytes[0] -= 1; /* shorter than the other parity */
    link.sent[4].len -= 1;
    g_assert_false(try_receive(&link, 4));
    receive(&link, 1);
    g_assert_cmpuint(link.n_recovered, ==, 1);

    send_group(&link, 2, 1, 1);
    link.sent[2].bytes[KV_ITEM_PARITY_BYTES + 1] ^= 0x80; /* a length out of bounds */
    receive(&link, 0);
    g_assert_false(try_receive(&link, 2));
    g_assert_cmpuint(kv_packet_pool_get_used(link.pool), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/native-shards/any-order", test_any_order);
    g_test_add_func("/native-shards/lengths", test_lengths);
    g_test_add_func("/native-shards/encoder", test_encoder);
    g_test_add_func("/native-shards/narrower-path", test_narrower_path);
    g_test_add_func("/native-shards/groups-kept", test_groups_kept);
    g_test_add_func("/native-shards/jumps", test_jumps);
    g_test_add_func("/native-shards/age", test_age);
    g_test_add_func("/native-shards/hopeless-groups", test_hopeless_groups);
    g_test_add_func("/native-shards/pool-exhausted", test_pool_exhausted);
    g_test_add_func("/native-shards/contradictions", test_contradictions);
    g_test_add_func("/native-shards/wrong-sums", test_wrong_sums);
    return kv_test_main(&argc, &argv);
}
