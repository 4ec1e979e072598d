/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-queue.h"

#include "kv-flow.h"

#define N_FLOWS 64 /* a power of two */

/* Twice an Ethernet frame, so that a flow's packets leave in pairs that merge well. */
#define QUANTUM 3028

/* CoDel with a wide target: other flows do not wait behind this one, so its queue may be as long
 * as its sender needs to keep the path full after it has halved its window, and ride out the
 * stalls of a repair. RFC 8289's 5 ms would cost a bulk transfer a fifth of the rate here. */
#define TARGET_MIN    (100 * KV_TIME_MS)
#define INTERVAL_MIN  (500 * KV_TIME_MS)
#define INTERVAL_RTTS 8
#define BACKLOG_FLOOR (2 * sizeof(KvPacket)) /* less is never dropped from */

/* What stands in front of a packet's bytes in its first pool packet. */
typedef struct {
    KvPacket *next; /* packet of the flow */
    KvTime since;
    uint32_t len;
    uint32_t cost; /* bytes of memory: small packets take as much as large ones */
    uint32_t flow;
    uint16_t ethertype;
} Entry;

#define ENTRY_BYTES 32

G_STATIC_ASSERT(sizeof(Entry) <= ENTRY_BYTES);

typedef struct _Flow Flow;
struct _Flow {
    Flow *next; /* in the list of new or of old flows */
    KvPacket *head;
    KvPacket *tail;
    size_t bytes;
    int32_t deficit;
    gboolean is_listed;

    KvTime first_above; /* when the queue will have stood too long; 0: it has not */
    KvTime drop_next;
    uint32_t count;
    uint32_t last_count;
    gboolean dropping;
};

typedef struct {
    Flow *head;
    Flow *tail;
} FlowList;

struct _KvQueue {
    KvVniMode mode;
    KvPacketPool *pool;
    size_t limit_bytes;
    size_t bytes;
    KvTime target;
    KvTime interval;
    uint64_t drops;
    uint32_t n_packets;
    size_t inner_bytes; /* unlike @bytes, which is memory */
    FlowList fresh;
    FlowList old;
    KvPacket *popped;
    uint8_t key[KV_FLOW_KEY_BYTES];
    Flow flows[N_FLOWS];
};

static Entry *
get_entry(KvPacket *packet)
{
    return (Entry *) packet->data;
}

static void
free_chain(KvPacket *packet)
{
    while (packet != NULL) {
        KvPacket *next = packet->next;

        kv_packet_unref(packet);
        packet = next;
    }
}

static void
list_append(FlowList *list, Flow *flow)
{
    flow->next = NULL;
    if (list->tail != NULL)
        list->tail->next = flow;
    else
        list->head = flow;
    list->tail = flow;
}

static void
list_take_first(FlowList *list)
{
    list->head = list->head->next;
    if (list->head == NULL)
        list->tail = NULL;
}

/* --- in --------------------------------------------------------------------------------------- */

/* Fills @packet, and more behind it, with what the slices hold. */
static gboolean
copy_in(KvQueue *queue, KvPacket *packet, const KvSlice *slices, guint n)
{
    for (guint i = 0; i < n; i++) {
        const uint8_t *data = slices[i].data;
        size_t left = slices[i].len;

        while (left > 0) {
            size_t room = KV_PACKET_CAPACITY - packet->len;
            size_t part = MIN(left, room);

            if (room == 0) {
                packet->next = kv_packet_new(queue->pool);
                packet = packet->next;
                if (packet == NULL)
                    return FALSE;
                continue;
            }
            memcpy(packet->data + packet->len, data, part);
            packet->len += (uint32_t) part;
            data += part;
            left -= part;
        }
    }
    return TRUE;
}

static uint32_t
get_cost(const KvPacket *packet)
{
    uint32_t cost = 0;

    for (; packet != NULL; packet = packet->next)
        cost += sizeof(KvPacket);
    return cost;
}

static KvPacket *
take_head(KvQueue *queue, Flow *flow)
{
    KvPacket *packet = flow->head;

    if (packet == NULL)
        return NULL;
    flow->head = get_entry(packet)->next;
    if (flow->head == NULL)
        flow->tail = NULL;
    flow->bytes -= get_entry(packet)->cost;
    queue->bytes -= get_entry(packet)->cost;
    queue->inner_bytes -= get_entry(packet)->len;
    queue->n_packets--;
    return packet;
}

static void
drop_from_longest(KvQueue *queue)
{
    Flow *longest = &queue->flows[0];

    for (guint i = 1; i < N_FLOWS; i++) {
        if (queue->flows[i].bytes > longest->bytes)
            longest = &queue->flows[i];
    }
    free_chain(take_head(queue, longest));
    queue->drops++;
}

static size_t
get_limit(const KvQueue *queue)
{
    return MIN(queue->limit_bytes, kv_packet_pool_get_share(queue->pool) * sizeof(KvPacket));
}

gboolean
kv_queue_push(KvQueue *queue, const KvSlice *slices, guint n, uint16_t ethertype, uint32_t flow_id,
              KvTime now)
{
    Flow *flow = &queue->flows[flow_id % N_FLOWS];
    KvPacket *packet = kv_packet_new(queue->pool);
    uint32_t cost;
    size_t len = 0;

    if (packet == NULL)
        return FALSE;
    for (guint i = 0; i < n; i++)
        len += slices[i].len;
    packet->len = ENTRY_BYTES;
    if (!copy_in(queue, packet, slices, n)) {
        free_chain(packet);
        return FALSE;
    }
    cost = get_cost(packet);
    *get_entry(packet) = (Entry){
        .since = now, .len = (uint32_t) len, .cost = cost, .flow = flow_id, .ethertype = ethertype};
    if (flow->tail != NULL)
        get_entry(flow->tail)->next = packet;
    else
        flow->head = packet;
    flow->tail = packet;
    flow->bytes += cost;
    queue->bytes += cost;
    queue->inner_bytes += len;
    queue->n_packets++;
    if (!flow->is_listed) {
        flow->is_listed = TRUE;
        flow->deficit = QUANTUM;
        list_append(&queue->fresh, flow);
    }
    while (queue->bytes > get_limit(queue))
        drop_from_longest(queue);
    return TRUE;
}

/* --- CoDel ------------------------------------------------------------------------------------ */

static uint32_t
square_root(uint32_t n)
{
    uint32_t root = 0;

    for (uint32_t bit = 1u << 15; bit > 0; bit >>= 1) {
        if ((uint64_t) (root | bit) * (root | bit) <= n)
            root |= bit;
    }
    return MAX(root, 1);
}

/* The control law; in 1/16 so that the root is not too coarse. */
static KvTime
next_drop(const KvQueue *queue, const Flow *flow, KvTime from)
{
    return from + queue->interval * 16 / square_root(flow->count * 256);
}

/* Whether @packet may be dropped: the queue has stood above the target for an interval. */
static gboolean
has_stood(const KvQueue *queue, Flow *flow, KvPacket *packet, KvTime now)
{
    KvTime sojourn = kv_time_elapsed(now, get_entry(packet)->since);

    if (sojourn < queue->target || flow->bytes <= BACKLOG_FLOOR) {
        flow->first_above = 0;
        return FALSE;
    }
    if (flow->first_above == 0) {
        flow->first_above = now + queue->interval;
        return FALSE;
    }
    return now >= flow->first_above;
}

/* Tells the sender to slow down. Returns: @packet if a mark was enough, else what comes next. */
static KvPacket *
signal_congestion(KvQueue *queue, Flow *flow, KvPacket *packet)
{
    if (kv_flow_mark_ce(queue->mode, packet->data + ENTRY_BYTES, packet->len - ENTRY_BYTES))
        return packet;
    free_chain(packet);
    queue->drops++;
    return take_head(queue, flow);
}

static void
start_dropping(KvQueue *queue, Flow *flow, KvTime now)
{
    uint32_t delta = flow->count - flow->last_count;

    flow->dropping = TRUE;
    /* Soon after the last time the rate that worked then is a good guess. */
    flow->count =
        delta > 1 && kv_time_elapsed(now, flow->drop_next) < 16 * queue->interval ? delta : 1;
    flow->last_count = flow->count;
    flow->drop_next = next_drop(queue, flow, now);
}

static KvPacket *
take_managed(KvQueue *queue, Flow *flow, KvTime now)
{
    KvPacket *packet = take_head(queue, flow);

    if (packet == NULL || !has_stood(queue, flow, packet, now)) {
        flow->dropping = FALSE;
        return packet;
    }
    if (!flow->dropping) {
        start_dropping(queue, flow, now);
        return signal_congestion(queue, flow, packet);
    }
    while (packet != NULL && flow->dropping && now >= flow->drop_next) {
        KvPacket *next = signal_congestion(queue, flow, packet);

        flow->count = MIN(flow->count + 1, 65535);
        flow->drop_next = next_drop(queue, flow, flow->drop_next);
        if (next == packet)
            break;
        packet = next;
        flow->dropping = packet != NULL && has_stood(queue, flow, packet, now);
    }
    return packet;
}

/* --- out -------------------------------------------------------------------------------------- */

/* RFC 8290: new flows first; a flow that used up its share or ran empty goes behind the others. */
static KvPacket *
take_next(KvQueue *queue, KvTime now)
{
    for (;;) {
        FlowList *list = queue->fresh.head != NULL ? &queue->fresh : &queue->old;
        Flow *flow = list->head;
        KvPacket *packet;

        if (flow == NULL)
            return NULL;
        if (flow->deficit <= 0) {
            flow->deficit += QUANTUM;
            list_take_first(list);
            list_append(&queue->old, flow);
            continue;
        }
        packet = take_managed(queue, flow, now);
        if (packet != NULL) {
            flow->deficit -= (int32_t) get_entry(packet)->len;
            return packet;
        }
        list_take_first(list);
        if (list == &queue->fresh && queue->old.head != NULL)
            list_append(&queue->old, flow);
        else
            flow->is_listed = FALSE;
    }
}

guint
kv_queue_pop(KvQueue *queue, KvSlice *slices, uint16_t *ethertype, uint32_t *flow, KvTime now)
{
    KvPacket *packet;
    guint n = 0;

    free_chain(queue->popped);
    queue->popped = take_next(queue, now);
    packet = queue->popped;
    if (packet == NULL)
        return 0;
    *ethertype = get_entry(packet)->ethertype;
    *flow = get_entry(packet)->flow;
    slices[n++] = (KvSlice){packet->data + ENTRY_BYTES, packet->len - ENTRY_BYTES};
    for (packet = packet->next; packet != NULL; packet = packet->next)
        slices[n++] = (KvSlice){packet->data, packet->len};
    return n;
}

/* --- public ----------------------------------------------------------------------------------- */

KvQueue *
kv_queue_new(KvVniMode mode, KvPacketPool *pool, size_t limit_bytes, const uint8_t *key)
{
    KvQueue *queue = g_new0(KvQueue, 1);

    queue->mode = mode;
    queue->pool = pool;
    queue->limit_bytes = limit_bytes;
    kv_queue_set_rtt(queue, 0);
    memcpy(queue->key, key, sizeof queue->key);
    return queue;
}

void
kv_queue_free(KvQueue *queue)
{
    if (queue == NULL)
        return;
    free_chain(queue->popped);
    for (guint i = 0; i < N_FLOWS; i++) {
        KvPacket *packet;

        while ((packet = take_head(queue, &queue->flows[i])) != NULL)
            free_chain(packet);
    }
    g_free(queue);
}

uint32_t
kv_queue_get_flow(const KvQueue *queue, const uint8_t *packet, size_t len)
{
    return (uint32_t) kv_flow_hash(queue->mode, packet, len, queue->key);
}

gboolean
kv_queue_is_empty(const KvQueue *queue)
{
    return queue->bytes == 0;
}

uint64_t
kv_queue_get_drops(const KvQueue *queue)
{
    return queue->drops;
}

uint32_t
kv_queue_get_packets(const KvQueue *queue)
{
    return queue->n_packets;
}

size_t
kv_queue_get_bytes(const KvQueue *queue)
{
    return queue->inner_bytes;
}

void
kv_queue_set_rtt(KvQueue *queue, KvTime rtt)
{
    queue->target = MAX(TARGET_MIN, 2 * rtt);
    queue->interval = MAX(INTERVAL_MIN, INTERVAL_RTTS * rtt);
}
