/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-lanes.h"

#include "kv-heap.h"

#define LANES_PER_PAGE 16
#define N_PAGES        (KV_FRAME_LANES / LANES_PER_PAGE)
#define SLAB_PARTS     32
#define HEAP_KEPT      64 /* places of an empty heap that are worth keeping */

/* Numbers in 64 bits begin here, so that those below the first are no wrap. */
#define WIDE_START (UINT64_C(1) << 32)

/* Packets that were passed over are remembered by blocks of a lane. */
#define BLOCK_PACKETS 64
#define N_BLOCKS      (KV_LANES_WINDOW / BLOCK_PACKETS)
#define BLOCK_STRIDE  37 /* between the places of two lanes */

typedef struct _Part Part;

/* One part of a packet, from when it came until it is handed up or dropped. */
struct _Part {
    KvHeapNode order;   /* in its lane, by sequence */
    KvHeapNode release; /* among all, by sn or by time: when its lane moves on to it */
    Part *next;         /* of a row of parts in order */
    KvPacket *packet;
    const uint8_t *data;
    uint16_t len;
    uint16_t lane; /* with both bits */
    gboolean is_segment;
};

/* Parts in order. */
typedef struct {
    Part *first;
    Part *last;
} Row;

typedef struct {
    uint64_t next; /* sequence, wide */
    KvHeap early;  /* of Part.order */
    Row joining;   /* the beginning of a packet whose rest has not come yet */
    uint32_t joining_parts;
    size_t joining_bytes;
    GQueue *unfinished; /* where @age is, while there is something to join */
    GList age;          /* its data is the lane */
} Lane;

/* Which of a lane's packets from @first on were passed over and have not come yet. */
typedef struct {
    uint64_t first;
    uint64_t missing;
    guint lane;
} Block;

struct _KvLanes {
    KvLanesConfig config;
    uint64_t una; /* wide */
    Lane *pages[N_PAGES];
    Block *blocks;               /* NULL until one is needed */
    KvHeap by_sn;                /* of Part.release: segments that came early */
    KvHeap by_time;              /* datagrams that came early */
    Row ready;                   /* whole packets in the order in which they are handed up */
    GQueue unfinished_segments;  /* of Lane.age: what was begun first comes first */
    GQueue unfinished_datagrams; /* that begin with one */
    uint32_t n_kept;
    uint32_t n_joining; /* of them, parts of packets whose rest has not come yet */
    Part *spare;
    GPtrArray *slabs;
};

KvLanes *
kv_lanes_new(const KvLanesConfig *config)
{
    KvLanes *lanes = g_new0(KvLanes, 1);

    lanes->config = *config;
    lanes->una = WIDE_START + config->first_sn;
    lanes->slabs = g_ptr_array_new_with_free_func(g_free);
    return lanes;
}

/* --- parts ---------------------------------------------------------------------------------- */

static Part *
part_new(KvLanes *lanes, const KvFramePart *frame, gboolean is_segment, KvPacket *packet)
{
    Part *part;

    if (KV_UNLIKELY(lanes->spare == NULL)) {
        Part *slab = g_new(Part, SLAB_PARTS);

        g_ptr_array_add(lanes->slabs, slab);
        for (guint i = 0; i < SLAB_PARTS; i++) {
            slab[i].next = lanes->spare;
            lanes->spare = &slab[i];
        }
    }
    part = lanes->spare;
    lanes->spare = part->next;
    lanes->n_kept++;
    *part = (Part){
        .packet = kv_packet_ref(packet),
        .data = frame->data,
        .len = frame->len,
        .lane = frame->lane,
        .is_segment = is_segment,
    };
    return part;
}

static void
part_free(KvLanes *lanes, Part *part)
{
    kv_packet_unref(part->packet);
    part->next = lanes->spare;
    lanes->spare = part;
    lanes->n_kept--;
}

static void
row_append(Row *row, const Row *more)
{
    if (row->first == NULL)
        row->first = more->first;
    else
        row->last->next = more->first;
    row->last = more->last;
}

static void
row_clear(KvLanes *lanes, Row *row)
{
    while (row->first != NULL) {
        Part *part = row->first;

        row->first = part->next;
        part_free(lanes, part);
    }
}

/* --- lanes ---------------------------------------------------------------------------------- */

static Lane *
get_lane(KvLanes *lanes, guint number)
{
    Lane **page = &lanes->pages[number / LANES_PER_PAGE];

    if (KV_UNLIKELY(*page == NULL)) {
        *page = g_new0(Lane, LANES_PER_PAGE);
        for (guint i = 0; i < LANES_PER_PAGE; i++)
            (*page)[i].next = WIDE_START + lanes->config.first_sequence;
    }
    return &(*page)[number % LANES_PER_PAGE];
}

static Part *
part_of_order(KvHeapNode *node)
{
    return (Part *) ((char *) node - G_STRUCT_OFFSET(Part, order));
}

static Part *
part_of_release(KvHeapNode *node)
{
    return (Part *) ((char *) node - G_STRUCT_OFFSET(Part, release));
}

static KvHeap *
get_release_heap(KvLanes *lanes, const Part *part)
{
    return part->is_segment ? &lanes->by_sn : &lanes->by_time;
}

static void
lane_clear(KvLanes *lanes, Lane *lane)
{
    KvHeapNode *node;

    while ((node = kv_heap_peek(&lane->early)) != NULL) {
        kv_heap_remove(&lane->early, node);
        part_free(lanes, part_of_order(node));
    }
    kv_heap_clear(&lane->early);
    row_clear(lanes, &lane->joining);
}

void
kv_lanes_free(KvLanes *lanes)
{
    if (lanes == NULL)
        return;
    kv_heap_clear(&lanes->by_sn);
    kv_heap_clear(&lanes->by_time);
    for (guint i = 0; i < N_PAGES; i++) {
        for (guint j = 0; lanes->pages[i] != NULL && j < LANES_PER_PAGE; j++)
            lane_clear(lanes, &lanes->pages[i][j]);
        g_free(lanes->pages[i]);
    }
    row_clear(lanes, &lanes->ready);
    g_ptr_array_unref(lanes->slabs);
    g_free(lanes->blocks);
    g_free(lanes);
}

/* --- what was passed over ------------------------------------------------------------------- */

static Block *
get_block(KvLanes *lanes, guint lane, uint64_t sequence)
{
    return &lanes->blocks[(lane * BLOCK_STRIDE + sequence / BLOCK_PACKETS) % N_BLOCKS];
}

static gboolean
block_is_of(const Block *block, guint lane, uint64_t sequence)
{
    return block->lane == lane && block->first == sequence - sequence % BLOCK_PACKETS;
}

/* A lane passes over [@from, @to). */
static void
remember_missing(KvLanes *lanes, guint lane, uint64_t from, uint64_t to)
{
    if (lanes->blocks == NULL)
        lanes->blocks = g_new0(Block, N_BLOCKS);
    for (from = MAX(from, to - MIN(to, KV_LANES_WINDOW)); from < to; from++) {
        Block *block = get_block(lanes, lane, from);

        if (!block_is_of(block, lane, from))
            *block = (Block){.lane = lane, .first = from - from % BLOCK_PACKETS};
        block->missing |= UINT64_C(1) << (from % BLOCK_PACKETS);
    }
}

/* Whether @sequence was passed over and comes only now. */
static gboolean
take_missing(KvLanes *lanes, guint lane, uint64_t sequence)
{
    uint64_t bit = UINT64_C(1) << (sequence % BLOCK_PACKETS);
    Block *block;

    if (lanes->blocks == NULL)
        return FALSE;
    block = get_block(lanes, lane, sequence);
    if (!block_is_of(block, lane, sequence) || (block->missing & bit) == 0)
        return FALSE;
    block->missing &= ~bit;
    return TRUE;
}

/* --- order ---------------------------------------------------------------------------------- */

/* A part of a packet whose rest has not come yet. */
static void
keep_joining(KvLanes *lanes, Lane *lane, Part *part)
{
    Row one = {part, part};

    if (lane->joining_parts == 0) {
        lane->unfinished =
            part->is_segment ? &lanes->unfinished_segments : &lanes->unfinished_datagrams;
        lane->age.data = lane;
        g_queue_push_tail_link(lane->unfinished, &lane->age);
    }
    row_append(&lane->joining, &one);
    lane->joining_bytes += part->len;
    lane->joining_parts++;
    lanes->n_joining++;
}

/* Returns: what was to be joined. */
static Row
take_joining(KvLanes *lanes, Lane *lane)
{
    Row row = lane->joining;

    if (lane->joining_parts == 0)
        return row;
    g_queue_unlink(lane->unfinished, &lane->age);
    lanes->n_joining -= lane->joining_parts;
    lane->joining = (Row){0};
    lane->joining_parts = 0;
    lane->joining_bytes = 0;
    return row;
}

static void
drop_joining(KvLanes *lanes, Lane *lane)
{
    Row row = take_joining(lanes, lane);

    row_clear(lanes, &row);
}

/* Takes the lane's next part. */
static KvDrop
take_in_order(KvLanes *lanes, Lane *lane, Part *part)
{
    Row one = {part, part}, packet;

    lane->next++;
    if ((part->lane & KV_FRAME_NOT_FIRST) == 0)
        drop_joining(lanes, lane);
    if (((part->lane & KV_FRAME_NOT_FIRST) != 0 && lane->joining.first == NULL) ||
        lane->joining_bytes + part->len > KV_LANES_PACKET_MAX) {
        drop_joining(lanes, lane);
        part_free(lanes, part);
        return KV_DROP_MALFORMED;
    }
    part->next = NULL;
    if ((part->lane & KV_FRAME_MORE) != 0) {
        keep_joining(lanes, lane, part);
        return KV_DROP_NONE;
    }
    packet = take_joining(lanes, lane);
    row_append(&packet, &one);
    row_append(&lanes->ready, &packet);
    return KV_DROP_NONE;
}

/* A part of which the lane has got the next already. Only a whole packet is of use then. */
static KvDrop
take_late(KvLanes *lanes, Part *part, uint64_t sequence)
{
    Row one = {part, part};
    guint lane = part->lane & KV_FRAME_LANE_MASK;
    gboolean is_missing = take_missing(lanes, lane, sequence);

    if (!is_missing || (part->lane & (KV_FRAME_NOT_FIRST | KV_FRAME_MORE)) != 0) {
        part_free(lanes, part);
        return is_missing ? KV_DROP_MALFORMED : KV_DROP_REPLAY;
    }
    part->next = NULL;
    row_append(&lanes->ready, &one);
    return KV_DROP_NONE;
}

/* Moves the lane on to @sequence, over what is not there. */
static void
pass_over(KvLanes *lanes, Lane *lane, guint number, uint64_t sequence)
{
    if (sequence == lane->next)
        return;
    drop_joining(lanes, lane);
    remember_missing(lanes, number, lane->next, sequence);
    lane->next = sequence;
}

static KvDrop
take_part(KvLanes *lanes, Lane *lane, Part *part, uint64_t sequence)
{
    if (sequence < lane->next)
        return take_late(lanes, part, sequence);
    pass_over(lanes, lane, part->lane & KV_FRAME_LANE_MASK, sequence);
    return take_in_order(lanes, lane, part);
}

/* Takes all that came early below @until, and what follows it without a gap. */
static void
take_early(KvLanes *lanes, Lane *lane, uint64_t until)
{
    KvHeapNode *node;

    while ((node = kv_heap_peek(&lane->early)) != NULL &&
           (node->when < until || node->when <= lane->next)) {
        Part *part = part_of_order(node);

        kv_heap_remove(&lane->early, node);
        kv_heap_remove(get_release_heap(lanes, part), &part->release);
        take_part(lanes, lane, part, node->when);
    }
    if (lane->early.len == 0 && lane->early.capacity > HEAP_KEPT)
        kv_heap_clear(&lane->early);
}

/* Moves the lane on to @part, which came early. */
static void
release(KvLanes *lanes, Part *part)
{
    take_early(lanes, get_lane(lanes, part->lane & KV_FRAME_LANE_MASK), part->order.when + 1);
}

/* Gives up what waits beyond the limit: before all else what nobody repeats, and what was begun
 * first. No peer that keeps to its window has so many segments wait. */
static KvDrop
give_up_excess(KvLanes *lanes)
{
    KvDrop drop = KV_DROP_NONE;

    while (lanes->by_sn.len + lanes->by_time.len + lanes->n_joining >
           lanes->config.kept_max + KV_LANES_KEPT_MORE) {
        KvHeapNode *early = kv_heap_peek(&lanes->by_time);

        drop = KV_DROP_NO_MEMORY;
        if (lanes->unfinished_datagrams.length > 0)
            drop_joining(lanes, g_queue_peek_head(&lanes->unfinished_datagrams));
        else if (early != NULL)
            release(lanes, part_of_release(early));
        else
            drop_joining(lanes, g_queue_peek_head(&lanes->unfinished_segments));
    }
    return drop;
}

/* --- the verbs ------------------------------------------------------------------------------ */

static uint64_t
widen(uint64_t near, uint32_t number)
{
    return near + (uint64_t) (int64_t) (int32_t) (number - (uint32_t) near);
}

/* When the lane of a part that came early is to move on to it: an sn or a time. 0: now. */
static uint64_t
get_release(KvLanes *lanes, const Part *part, uint32_t sn, KvTime now)
{
    uint64_t wide = widen(lanes->una, sn);

    /* A peer that keeps to its window never has more segments wait: those are above una. */
    if (get_release_heap(lanes, part)->len >= lanes->config.kept_max)
        return 0;
    if (part->is_segment)
        return wide < lanes->una ? 0 : wide;
    /* Nobody repeats a datagram, so it may not keep what others could use to repeat theirs. */
    if (lanes->config.patience == 0 || kv_packet_pool_is_in_demand(part->packet->pool))
        return 0;
    return now + lanes->config.patience;
}

KvDrop
kv_lanes_input(KvLanes *lanes, KvFrameType type, const KvFramePart *frame, KvPacket *packet,
               KvTime now)
{
    Lane *lane = get_lane(lanes, frame->lane & KV_FRAME_LANE_MASK);
    uint64_t sequence = widen(lane->next, frame->lane_sequence);
    uint64_t at;
    Part *part;
    KvDrop drop, excess;

    if (frame->len == 0)
        return KV_DROP_MALFORMED;
    part = part_new(lanes, frame, type == KV_FRAME_SEG, packet);
    if (sequence > lane->next && (at = get_release(lanes, part, frame->sn, now)) > 0) {
        kv_heap_set(&lane->early, &part->order, sequence);
        kv_heap_set(get_release_heap(lanes, part), &part->release, at);
        return give_up_excess(lanes);
    }
    if (sequence > lane->next)
        take_early(lanes, lane, sequence);
    drop = take_part(lanes, lane, part, sequence);
    take_early(lanes, lane, 0);
    excess = give_up_excess(lanes);
    return drop != KV_DROP_NONE ? drop : excess;
}

void
kv_lanes_settle(KvLanes *lanes, uint32_t una)
{
    KvHeapNode *node;

    lanes->una = MAX(lanes->una, widen(lanes->una, una));
    while ((node = kv_heap_peek(&lanes->by_sn)) != NULL && node->when < lanes->una)
        release(lanes, part_of_release(node));
}

/* Of two parts of a packet: congestion first (RFC 3168, 5.3), then ECT(1), which may be a lesser
 * form of it. */
static KvEcn
join_ecn(KvEcn a, KvEcn b)
{
    if (a == KV_ECN_CE || b == KV_ECN_CE)
        return KV_ECN_CE;
    return a == KV_ECN_ECT1 || b == KV_ECN_ECT1 ? KV_ECN_ECT1 : MAX(a, b);
}

size_t
kv_lanes_recv(KvLanes *lanes, uint8_t *buf, size_t cap, KvEcn *ecn)
{
    size_t len = 0;
    gboolean is_last;

    g_return_val_if_fail(cap >= KV_LANES_PACKET_MAX, 0);
    *ecn = KV_ECN_NOT_ECT;
    if (lanes->ready.first == NULL)
        return 0;
    do {
        Part *part = lanes->ready.first;

        memcpy(buf + len, part->data, part->len);
        len += part->len;
        *ecn = join_ecn(*ecn, part->packet->ecn);
        is_last = (part->lane & KV_FRAME_MORE) == 0;
        lanes->ready.first = part->next;
        part_free(lanes, part);
    } while (!is_last);
    return len;
}

KvTime
kv_lanes_deadline(const KvLanes *lanes)
{
    KvHeapNode *node = kv_heap_peek(&lanes->by_time);

    return node != NULL ? node->when : KV_TIME_NEVER;
}

void
kv_lanes_advance(KvLanes *lanes, KvTime now)
{
    KvHeapNode *node;

    while ((node = kv_heap_peek(&lanes->by_time)) != NULL && node->when <= now)
        release(lanes, part_of_release(node));
}

uint32_t
kv_lanes_get_kept(const KvLanes *lanes)
{
    return lanes->n_kept;
}
