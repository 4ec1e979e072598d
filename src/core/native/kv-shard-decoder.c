/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-shard-decoder.h"

#include "native/kv-cauchy.h"

#define SIZE_BYTES 2   /* with which a symbol begins: the length of its frames */
#define HELD_MAX   640 /* shards of all groups: a MiB, whatever the peer sends */

typedef enum {
    GROUP_NONE,
    GROUP_OPEN,
    GROUP_DONE, /* needs nothing any more; its number is remembered */
} GroupState;

/*
 * Data shards are held from the front of the arrays, parity shards from their end. Numbers of data
 * and parity are together no more than the arrays have, so the two never meet once they are known.
 */
typedef struct {
    GroupState state;
    uint32_t number;
    guint n_data; /* held */
    guint n_parity;
    guint data; /* of the group; 0: not known yet */
    guint parity;
    size_t symbol_len; /* with parity, that of all symbols */
    KvTime opened;
    KvPacket *packets[KV_GROUP_SHARDS_MAX];
    uint16_t offsets[KV_GROUP_SHARDS_MAX]; /* of the symbols in their packets */
} Group;

struct _KvShardDecoder {
    KvPacketPool *pool;
    guint held;      /* references to packets */
    gboolean is_old; /* it has seen a group */
    uint32_t newest; /* of the groups */
    KvTime touched;
    Group *groups; /* (nullable): by the last bits of their numbers; NULL while nothing comes */
};

G_STATIC_ASSERT((KV_GROUP_MASK + 1) % KV_SHARD_GROUPS == 0);
G_STATIC_ASSERT(KV_PACKET_CAPACITY <= UINT16_MAX);

static guint
get_parity_slot(guint index)
{
    return KV_GROUP_SHARDS_MAX - 1 - index;
}

/* --- groups --------------------------------------------------------------------------------- */

static void
finish_group(KvShardDecoder *decoder, Group *group)
{
    for (guint i = 0; group->n_data + group->n_parity > 0 && i < KV_GROUP_SHARDS_MAX; i++)
        g_clear_pointer(&group->packets[i], kv_packet_unref);
    decoder->held -= group->n_data + group->n_parity;
    group->n_data = 0;
    group->n_parity = 0;
    group->state = GROUP_DONE;
}

/* How far @b is ahead of @a, as numbers that wrap. */
static uint32_t
get_distance(uint32_t a, uint32_t b)
{
    return (b - a) & KV_GROUP_MASK;
}

static void
move_on(KvShardDecoder *decoder, uint32_t newest)
{
    decoder->newest = newest;
    for (guint i = 0; i < KV_SHARD_GROUPS; i++) {
        Group *group = &decoder->groups[i];

        if (group->state == GROUP_OPEN && get_distance(group->number, newest) >= KV_SHARD_GROUPS)
            finish_group(decoder, group);
    }
}

/* (nullable): the open group of that number; NULL: it is too old, or needs nothing. */
static Group *
get_group(KvShardDecoder *decoder, uint32_t number, KvTime now)
{
    uint32_t ahead = get_distance(decoder->newest, number);
    Group *group = &decoder->groups[number % KV_SHARD_GROUPS];

    if (!decoder->is_old || (ahead > 0 && ahead <= KV_GROUP_MASK / 2))
        move_on(decoder, number);
    decoder->is_old = TRUE;
    if (get_distance(number, decoder->newest) >= KV_SHARD_GROUPS)
        return NULL;
    if (group->state == GROUP_NONE || group->number != number) {
        group->state = GROUP_OPEN;
        group->number = number;
        group->data = 0;
        group->opened = now;
    }
    return group->state == GROUP_OPEN ? group : NULL;
}

/* (nullable): the open group that holds something and is the oldest, but for @except. */
static Group *
find_oldest(KvShardDecoder *decoder, const Group *except)
{
    Group *oldest = NULL;

    for (guint i = 0; i < KV_SHARD_GROUPS; i++) {
        Group *group = &decoder->groups[i];

        if (group != except && group->n_data + group->n_parity > 0 &&
            (oldest == NULL || get_distance(group->number, oldest->number) < KV_SHARD_GROUPS))
            oldest = group;
    }
    return oldest;
}

/* Whether one packet more may be held, if need be instead of those of an older group. */
static gboolean
make_room(KvShardDecoder *decoder, const Group *group)
{
    while (decoder->held >= MIN(kv_packet_pool_get_share(decoder->pool), HELD_MAX)) {
        Group *oldest = find_oldest(decoder, group);

        if (oldest == NULL)
            return FALSE;
        finish_group(decoder, oldest);
    }
    return TRUE;
}

/* Returns: whether it is held now: there was room, and its place was free. */
static gboolean
hold(KvShardDecoder *decoder, Group *group, guint slot, KvPacket *packet, const uint8_t *symbol)
{
    if (group->packets[slot] != NULL || !make_room(decoder, group))
        return FALSE;
    group->packets[slot] = kv_packet_ref(packet);
    group->offsets[slot] = (uint16_t) (symbol - packet->data);
    decoder->held++;
    return TRUE;
}

static const uint8_t *
get_symbol(const Group *group, guint slot)
{
    return group->packets[slot]->data + group->offsets[slot];
}

/* Of a data shard that is held. */
static size_t
get_symbol_len(const Group *group, guint index)
{
    return SIZE_BYTES + kv_get_le16(get_symbol(group, index));
}

/* --- rebuilding ----------------------------------------------------------------------------- */

static gboolean
is_zero(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* A symbol begins with the length of its frames, and what lies behind them is zero. */
static gboolean
is_symbol(const uint8_t *symbol, size_t len)
{
    size_t end = SIZE_BYTES + (size_t) kv_get_le16(symbol);

    return end <= len && is_zero(symbol + end, len - end);
}

/* The lost data shards, and as many parity shards. */
static void
find_lost(const Group *group, KvCauchy *cauchy)
{
    guint n = 0;

    cauchy->n = 0;
    for (guint i = 0; i < group->data; i++) {
        if (group->packets[i] == NULL)
            cauchy->lost[cauchy->n++] = (uint8_t) i;
    }
    for (guint i = 0; n < cauchy->n; i++) {
        if (group->packets[get_parity_slot(i)] != NULL)
            cauchy->parity[n++] = (uint8_t) i;
    }
    kv_cauchy_solve(cauchy);
}

static void
unref_all(KvPacket **packets, guint n)
{
    for (guint i = 0; i < n; i++)
        kv_packet_unref(packets[i]);
}

/* Takes @n packets with @len zeros each; %FALSE if the pool has not so many. */
static gboolean
take_packets(KvPacketPool *pool, guint n, size_t len, KvPacket **packets)
{
    for (guint i = 0; i < n; i++) {
        packets[i] = kv_packet_new(pool);
        if (packets[i] == NULL) {
            unref_all(packets, i);
            return FALSE;
        }
        memset(packets[i]->data, 0, len);
    }
    return TRUE;
}

static void
solve(const Group *group, const KvCauchy *cauchy, KvPacket **packets)
{
    uint8_t *out[KV_GROUP_PARITY_MAX];

    for (guint i = 0; i < cauchy->n; i++)
        out[i] = packets[i]->data;
    for (guint i = 0; i < group->data; i++) {
        if (group->packets[i] != NULL)
            kv_cauchy_add_data(cauchy, i, get_symbol(group, i), get_symbol_len(group, i), out);
    }
    for (guint i = 0; i < cauchy->n; i++)
        kv_cauchy_add_parity(cauchy, i, get_symbol(group, get_parity_slot(cauchy->parity[i])),
                             group->symbol_len, out);
}

/* Rebuilds what is missing. One symbol that cannot be says that none of them is right. */
static gboolean
rebuild(KvShardDecoder *decoder, Group *group, KvShard *recovered, guint *n_recovered)
{
    KvPacket *packets[KV_GROUP_PARITY_MAX];
    KvCauchy cauchy;

    find_lost(group, &cauchy);
    if (!take_packets(decoder->pool, cauchy.n, group->symbol_len, packets))
        return TRUE; /* the group's next packet tries again */
    solve(group, &cauchy, packets);
    finish_group(decoder, group);
    for (guint i = 0; i < cauchy.n; i++) {
        if (!is_symbol(packets[i]->data, group->symbol_len)) {
            unref_all(packets, cauchy.n);
            return FALSE;
        }
    }
    for (guint i = 0; i < cauchy.n; i++) {
        uint32_t len = kv_get_le16(packets[i]->data);

        packets[i]->len = SIZE_BYTES + len;
        recovered[i] = (KvShard){.packet = packets[i], .offset = SIZE_BYTES, .len = len};
    }
    *n_recovered = cauchy.n;
    return TRUE;
}

/* --- shards --------------------------------------------------------------------------------- */

static gboolean
fits(const Group *group, guint index, size_t symbol_len)
{
    return index < group->data && symbol_len <= group->symbol_len;
}

/* Learns the group's shape from its first parity; %FALSE if data that is held does not fit it. */
static gboolean
learn_shape(KvShardDecoder *decoder, Group *group, const KvItem *item)
{
    group->data = item->data;
    group->parity = item->parity;
    group->symbol_len = item->len;
    for (guint i = 0; i < KV_GROUP_SHARDS_MAX; i++) {
        if (group->packets[i] != NULL && !fits(group, i, get_symbol_len(group, i))) {
            finish_group(decoder, group);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
add_parity(KvShardDecoder *decoder, Group *group, KvPacket *packet, const KvItem *item)
{
    if (item->len < SIZE_BYTES)
        return FALSE;
    if (group->data == 0 && !learn_shape(decoder, group, item))
        return FALSE;
    if (item->data != group->data || item->parity != group->parity ||
        item->len != group->symbol_len)
        return FALSE;
    if (hold(decoder, group, get_parity_slot(item->index), packet, item->content))
        group->n_parity++;
    return TRUE;
}

static gboolean
add_data(KvShardDecoder *decoder, Group *group, KvPacket *packet, const KvItem *item)
{
    uint8_t *symbol = packet->data + (item->content - packet->data) - SIZE_BYTES;

    if (group->data > 0 && !fits(group, item->index, SIZE_BYTES + item->len))
        return FALSE;
    kv_put_le16(symbol, (uint16_t) item->len);
    if (hold(decoder, group, item->index, packet, symbol))
        group->n_data++;
    return TRUE;
}

KvShardDecoder *
kv_shard_decoder_new(KvPacketPool *pool)
{
    KvShardDecoder *decoder = g_new0(KvShardDecoder, 1);

    decoder->pool = pool;
    return decoder;
}

static void
let_go(KvShardDecoder *decoder)
{
    for (guint i = 0; i < KV_SHARD_GROUPS; i++)
        finish_group(decoder, &decoder->groups[i]);
    g_clear_pointer(&decoder->groups, g_free);
}

void
kv_shard_decoder_free(KvShardDecoder *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->groups != NULL)
        let_go(decoder);
    g_free(decoder);
}

gboolean
kv_shard_decoder_input(KvShardDecoder *decoder, KvPacket *packet, const KvItem *item, KvTime now,
                       KvShard *recovered, guint *n_recovered)
{
    gboolean ok;
    Group *group;

    *n_recovered = 0;
    if (decoder->groups == NULL)
        decoder->groups = g_new0(Group, KV_SHARD_GROUPS);
    decoder->touched = now;
    group = get_group(decoder, item->group, now);
    if (group == NULL)
        return TRUE;
    ok = item->kind == KV_ITEM_PARITY ? add_parity(decoder, group, packet, item)
                                      : add_data(decoder, group, packet, item);
    if (!ok || group->data == 0)
        return ok;
    if (group->n_data == group->data)
        finish_group(decoder, group);
    else if (group->n_data + group->n_parity >= group->data)
        return rebuild(decoder, group, recovered, n_recovered);
    return TRUE;
}

KvTime
kv_shard_decoder_deadline(const KvShardDecoder *decoder)
{
    KvTime since = decoder->touched;

    if (decoder->groups == NULL)
        return KV_TIME_NEVER;
    for (guint i = 0; i < KV_SHARD_GROUPS; i++) {
        if (decoder->groups[i].state == GROUP_OPEN)
            since = MIN(since, decoder->groups[i].opened);
    }
    return kv_time_add(since, KV_SHARD_AGE);
}

void
kv_shard_decoder_advance(KvShardDecoder *decoder, KvTime now)
{
    if (decoder->groups == NULL)
        return;
    if (kv_time_elapsed(now, decoder->touched) >= KV_SHARD_AGE) {
        let_go(decoder);
        return;
    }
    for (guint i = 0; i < KV_SHARD_GROUPS; i++) {
        Group *group = &decoder->groups[i];

        if (group->state == GROUP_OPEN && kv_time_elapsed(now, group->opened) >= KV_SHARD_AGE)
            finish_group(decoder, group);
    }
}
