/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "v1/kv-v1-fec.h"

#include "kv-bytes.h"
#include "kv-rs.h"

#include <string.h>

/*
 * Groups are told apart by their number alone; nothing here compares numbers for order. So the
 * wrap needs no care, and a packet that claims to be from far ahead costs one of the places for
 * open groups until newer groups push it out, instead of making the others look too old.
 */
#define OPEN_GROUPS 8
#define DONE_GROUPS 32
#define HELD_GROUPS 3 /* packets held, in groups: as many as the Go program holds */

#define NO_GROUP UINT32_MAX /* no shape has so many groups */

typedef struct {
    KvPacket *packet;
    uint32_t offset; /* of the shard */
    uint32_t len;
} Shard;

typedef struct {
    uint32_t id; /* NO_GROUP: free */
    guint n_present;
    guint n_data;   /* of these */
    uint64_t order; /* of opening */
    KvTime touched;
    uint64_t present[KV_RS_SHARDS_MAX / 64];
    Shard *shards; /* by place */
} Group;

struct _KvV1FecDecoder {
    KvRs *rs;
    KvPacketPool *pool;
    guint data_shards;
    guint n_shards; /* data and parity */
    uint32_t paws;
    guint held; /* references to packets */
    uint64_t opened;
    guint done_next;
    uint32_t done[DONE_GROUPS]; /* numbers of groups that need nothing any more */
    Group groups[OPEN_GROUPS];
    Shard *shards;
};

static gboolean
has_shard(const Group *group, guint place)
{
    return group->present[place / 64] >> place % 64 & 1;
}

static void
release_group(KvV1FecDecoder *decoder, Group *group)
{
    for (guint place = 0; group->n_present > 0; place++) {
        if (!has_shard(group, place))
            continue;
        kv_packet_unref(group->shards[place].packet);
        group->n_present--;
        decoder->held--;
    }
    memset(group->present, 0, sizeof group->present);
    group->n_data = 0;
    group->id = NO_GROUP;
}

static void
finish_group(KvV1FecDecoder *decoder, Group *group)
{
    decoder->done[decoder->done_next] = group->id;
    decoder->done_next = (decoder->done_next + 1) % DONE_GROUPS;
    release_group(decoder, group);
}

static gboolean
is_done(const KvV1FecDecoder *decoder, uint32_t id)
{
    for (guint i = 0; i < DONE_GROUPS; i++) {
        if (decoder->done[i] == id)
            return TRUE;
    }
    return FALSE;
}

/* (nullable): the group opened first, but for @except. */
static Group *
find_oldest(KvV1FecDecoder *decoder, const Group *except)
{
    Group *oldest = NULL;

    for (guint i = 0; i < OPEN_GROUPS; i++) {
        Group *group = &decoder->groups[i];

        if (group->id != NO_GROUP && group != except &&
            (oldest == NULL || group->order < oldest->order))
            oldest = group;
    }
    return oldest;
}

static Group *
open_group(KvV1FecDecoder *decoder, uint32_t id, KvTime now)
{
    Group *opened = NULL;

    for (guint i = 0; i < OPEN_GROUPS; i++) {
        Group *group = &decoder->groups[i];

        if (kv_time_elapsed(now, group->touched) > KV_V1_FEC_GROUP_AGE_MAX * KV_TIME_S)
            release_group(decoder, group);
        if (group->id == NO_GROUP)
            opened = group;
    }
    if (opened == NULL) {
        opened = find_oldest(decoder, NULL);
        release_group(decoder, opened);
    }
    opened->id = id;
    opened->order = decoder->opened++;
    return opened;
}

/* (nullable): the group's place; NULL: it needs nothing any more. */
static Group *
get_group(KvV1FecDecoder *decoder, uint32_t id, KvTime now)
{
    for (guint i = 0; i < OPEN_GROUPS; i++) {
        Group *group = &decoder->groups[i];

        if (group->id == id &&
            kv_time_elapsed(now, group->touched) <= KV_V1_FEC_GROUP_AGE_MAX * KV_TIME_S)
            return group;
    }
    return is_done(decoder, id) ? NULL : open_group(decoder, id, now);
}

static void
keep_shard(KvV1FecDecoder *decoder, Group *group, guint place, KvPacket *packet, size_t offset)
{
    if (has_shard(group, place))
        return;
    group->shards[place] = (Shard){
        .packet = kv_packet_ref(packet),
        .offset = (uint32_t) offset,
        .len = packet->len - (uint32_t) offset,
    };
    group->present[place / 64] |= UINT64_C(1) << place % 64;
    group->n_present++;
    if (place < decoder->data_shards)
        group->n_data++;
    decoder->held++;
}

typedef struct {
    const uint8_t *shards[KV_RS_SHARDS_MAX];
    uint8_t places[KV_RS_SHARDS_MAX];
    uint8_t lost[KV_RS_SHARDS_MAX];
    guint n_lost;
    size_t len; /* of every shard, extended */
} Survivors;

/* The lowest places, as many as there are data shards, extended by zeros inside their packets. */
static gboolean
collect_survivors(const KvV1FecDecoder *decoder, const Group *group, Survivors *survivors)
{
    guint n = 0;

    survivors->n_lost = 0;
    survivors->len = 0;
    for (guint place = 0; n < decoder->data_shards; place++) {
        if (has_shard(group, place)) {
            survivors->places[n++] = (uint8_t) place;
            survivors->len = MAX(survivors->len, group->shards[place].len);
        } else if (place < decoder->data_shards) {
            survivors->lost[survivors->n_lost++] = (uint8_t) place;
        }
    }
    for (guint i = 0; i < n; i++) {
        const Shard *shard = &group->shards[survivors->places[i]];
        uint8_t *data = shard->packet->data + shard->offset;

        if (shard->offset + survivors->len > KV_PACKET_CAPACITY)
            return FALSE;
        /* What lies behind a packet's end is nobody's. */
        memset(data + shard->len, 0, survivors->len - shard->len);
        survivors->shards[i] = data;
    }
    return TRUE;
}

static gboolean
is_zero(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* A shard begins with its size, and what lies behind that was zero when it was coded. */
static gboolean
is_shard(const uint8_t *shard, size_t len)
{
    size_t size = kv_get_le16(shard);

    return size >= KV_V1_FEC_SIZE_BYTES && size <= len && is_zero(shard + size, len - size);
}

/* Whether @first to @last is a range of data places of group @id with @place in it. */
static gboolean
is_padding_range(const KvV1FecDecoder *decoder, uint32_t id, guint place, uint32_t first,
                 uint32_t last)
{
    uint32_t base = id * decoder->n_shards;

    return first >= base && last - base < decoder->data_shards && first <= base + place &&
           base + place <= last;
}

static gboolean
is_padding(const KvV1FecDecoder *decoder, uint32_t id, guint place, const uint8_t *shard)
{
    const guint back = KV_V1_FEC_SHARD_OFFSET;
    const guint end = KV_V1_FEC_PADDING_LAST_OFFSET - back + 4;

    return kv_get_le16(shard) == KV_V1_FEC_PADDING_SHARD_BYTES &&
           is_padding_range(decoder, id, place,
                            kv_get_le32(shard + KV_V1_FEC_PADDING_FIRST_OFFSET - back),
                            kv_get_le32(shard + KV_V1_FEC_PADDING_LAST_OFFSET - back)) &&
           is_zero(shard + end, KV_V1_FEC_PADDING_SHARD_BYTES - end);
}

static void
unref_all(KvPacket **packets, guint n)
{
    for (guint i = 0; i < n; i++)
        kv_packet_unref(packets[i]);
}

/* Hands the rebuilt shards out; one that cannot be says that none of them is right. */
static guint
hand_out(const KvV1FecDecoder *decoder, uint32_t id, const Survivors *survivors, KvPacket **packets,
         KvV1FecShard *recovered)
{
    guint n = 0;

    for (guint i = 0; i < survivors->n_lost; i++) {
        if (!is_shard(packets[i]->data, survivors->len)) {
            unref_all(packets, survivors->n_lost);
            return 0;
        }
    }
    for (guint i = 0; i < survivors->n_lost; i++) {
        KvPacket *packet = packets[i];

        packet->len = kv_get_le16(packet->data);
        if (is_padding(decoder, id, survivors->lost[i], packet->data)) {
            kv_packet_unref(packet);
            continue;
        }
        recovered[n++] = (KvV1FecShard){
            .packet = packet,
            .offset = KV_V1_FEC_SIZE_BYTES,
            .len = packet->len - KV_V1_FEC_SIZE_BYTES,
        };
    }
    return n;
}

static guint
rebuild_group(KvV1FecDecoder *decoder, Group *group, KvV1FecShard *recovered)
{
    KvPacket *packets[KV_RS_SHARDS_MAX];
    uint8_t *out[KV_RS_SHARDS_MAX];
    uint32_t id = group->id;
    Survivors survivors;
    gboolean ok;

    if (!collect_survivors(decoder, group, &survivors)) {
        finish_group(decoder, group);
        return 0;
    }
    for (guint i = 0; i < survivors.n_lost; i++) {
        packets[i] = kv_packet_new(decoder->pool);
        if (packets[i] == NULL) {
            unref_all(packets, i);
            return 0; /* the group's next packet tries again */
        }
        out[i] = packets[i]->data;
    }
    ok = kv_rs_decode(decoder->rs, survivors.shards, survivors.places, survivors.len,
                      survivors.lost, survivors.n_lost, out);
    g_assert(ok);
    finish_group(decoder, group);
    return hand_out(decoder, id, &survivors, packets, recovered);
}

static gboolean
is_sane(const KvV1FecDecoder *decoder, const uint8_t *packet, size_t len)
{
    uint32_t seqid = kv_get_le32(packet);
    uint32_t id = seqid / decoder->n_shards;
    guint place = seqid % decoder->n_shards;
    gboolean size_fits = kv_get_le16(packet + KV_V1_FEC_SIZE_OFFSET) == len - KV_V1_FEC_SIZE_OFFSET;

    switch (kv_get_le16(packet + KV_V1_FEC_FLAG_OFFSET)) {
    case KV_V1_FEC_DATA:
        return size_fits;
    case KV_V1_FEC_PARITY:
        return place >= decoder->data_shards && seqid < decoder->paws;
    case KV_V1_FEC_PADDING:
        return size_fits && len == KV_V1_FEC_PADDING_BYTES && seqid < decoder->paws &&
               is_padding_range(decoder, id, place,
                                kv_get_le32(packet + KV_V1_FEC_PADDING_FIRST_OFFSET),
                                kv_get_le32(packet + KV_V1_FEC_PADDING_LAST_OFFSET));
    default:
        return FALSE;
    }
}

KvV1FecDecoder *
kv_v1_fec_decoder_new(guint data_shards, guint parity_shards, KvPacketPool *pool)
{
    KvRs *rs = kv_rs_new(data_shards, parity_shards);
    KvV1FecDecoder *decoder;

    if (rs == NULL)
        return NULL;
    decoder = g_new0(KvV1FecDecoder, 1);
    decoder->rs = rs;
    decoder->pool = pool;
    decoder->data_shards = data_shards;
    decoder->n_shards = data_shards + parity_shards;
    decoder->paws = UINT32_MAX - UINT32_MAX % decoder->n_shards;
    decoder->shards = g_new0(Shard, OPEN_GROUPS * decoder->n_shards);
    for (guint i = 0; i < OPEN_GROUPS; i++) {
        decoder->groups[i].id = NO_GROUP;
        decoder->groups[i].shards = decoder->shards + i * decoder->n_shards;
    }
    for (guint i = 0; i < DONE_GROUPS; i++)
        decoder->done[i] = NO_GROUP;
    return decoder;
}

void
kv_v1_fec_decoder_free(KvV1FecDecoder *decoder)
{
    if (decoder == NULL)
        return;
    for (guint i = 0; i < OPEN_GROUPS; i++)
        release_group(decoder, &decoder->groups[i]);
    kv_rs_free(decoder->rs);
    g_free(decoder->shards);
    g_free(decoder);
}

gboolean
kv_v1_fec_decoder_input(KvV1FecDecoder *decoder, KvPacket *packet, size_t offset, size_t len,
                        KvTime now, KvV1FecShard *recovered, guint *n_recovered)
{
    const uint8_t *header = packet->data + offset;
    guint first, last;
    uint32_t seqid;
    Group *group;

    *n_recovered = 0;
    if (offset > packet->len || len != packet->len - offset || len < KV_V1_FEC_HEADER_BYTES ||
        !is_sane(decoder, header, len))
        return FALSE;
    seqid = kv_get_le32(header);
    first = last = seqid % decoder->n_shards;
    if (kv_get_le16(header + KV_V1_FEC_FLAG_OFFSET) == KV_V1_FEC_PADDING) {
        first = kv_get_le32(header + KV_V1_FEC_PADDING_FIRST_OFFSET) % decoder->n_shards;
        last = kv_get_le32(header + KV_V1_FEC_PADDING_LAST_OFFSET) % decoder->n_shards;
    } else if (kv_get_le16(header + KV_V1_FEC_FLAG_OFFSET) == KV_V1_FEC_DATA &&
               (first >= decoder->data_shards || seqid >= decoder->paws)) {
        return TRUE; /* the peer's groups have another shape; its data is data all the same */
    }

    group = get_group(decoder, seqid / decoder->n_shards, now);
    if (group == NULL)
        return TRUE;
    group->touched = now;
    for (guint place = first; place <= last; place++)
        keep_shard(decoder, group, place, packet, offset + KV_V1_FEC_SHARD_OFFSET);
    if (group->n_data == decoder->data_shards)
        finish_group(decoder, group);
    else if (group->n_present >= decoder->data_shards)
        *n_recovered = rebuild_group(decoder, group, recovered);
    while (decoder->held > HELD_GROUPS * decoder->n_shards)
        release_group(decoder, find_oldest(decoder, group));
    return TRUE;
}
