/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-pair.h"

#include "kv-bytes.h"

#include <string.h>

/* A plaintext is its kind and what belongs to it, zeros behind. */
enum { KIND_PING = 'P', KIND_PONG = 'O', KIND_DATA = 'D' };

#define PLAIN_LEN 11 /* as long as a ping's item is */

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static KvPairEnd *
get_other(KvPair *pair, const KvPairEnd *end)
{
    return end == &pair->ends[0] ? &pair->ends[1] : &pair->ends[0];
}

/* --- the path ------------------------------------------------------------------------------- */

static int
compare_arrival(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const KvPairFlight *first = a;
    const KvPairFlight *second = b;

    return first->at < second->at ? -1 : first->at > second->at;
}

void
kv_pair_fly(KvPair *pair, const KvPairFlight *flight)
{
    g_queue_insert_sorted(&pair->flights, g_memdup2(flight, sizeof *flight), compare_arrival, NULL);
}

static void
transmit(KvPair *pair, KvPairEnd *end, const uint8_t *data, size_t len, const KvEndpoint *to)
{
    KvPairFlight flight = {
        .at = pair->now + end->delay, .from = end->address, .to = *to, .len = len};

    memcpy(flight.data, data, len);
    end->sent++;
    if (pair->tap != NULL)
        pair->tap(pair, end, &flight);
    if (end->down || len > end->limit || kv_test_random_below(&pair->state, 100) < end->loss)
        return;
    kv_pair_fly(pair, &flight);
}

/* --- what goes ------------------------------------------------------------------------------ */

static void
seal(KvPair *pair, KvPairEnd *end, uint8_t *datagram, size_t len, gboolean asks,
     const KvEndpoint *to)
{
    KvEndpoint where = to != NULL ? *to : *kv_transport_get_remote(end->transport);
    size_t sealed = kv_transport_seal(end->transport, datagram, len, asks, to, pair->now);

    if (sealed > 0)
        transmit(pair, end, datagram, sealed, &where);
}

static void
send_small(KvPair *pair, KvPairEnd *end, uint8_t kind, const uint8_t *body, gboolean asks,
           size_t size, const KvEndpoint *to)
{
    uint8_t datagram[1600] = {0};
    size_t len = size > 0 ? size - KV_SEAL_OVERHEAD : PLAIN_LEN;

    datagram[KV_SEAL_HEAD_BYTES] = kind;
    memcpy(datagram + KV_SEAL_HEAD_BYTES + 1, body, KV_PING_BYTES);
    seal(pair, end, datagram, len, asks, to);
}

static void
send_probe(KvPair *pair, KvPairEnd *end, const KvProbe *probe)
{
    uint8_t datagram[KV_SEAL_OVERHEAD];

    if (probe->ping) {
        end->pings++;
        send_small(pair, end, KIND_PING, probe->body, probe->asks, probe->size, &probe->to);
    } else {
        end->empties++;
        seal(pair, end, datagram, 0, probe->asks, &probe->to);
    }
}

static void
take_events(KvPair *pair, KvPairEnd *end)
{
    KvTransportEvents events = kv_transport_take_events(end->transport);

    if ((events & KV_TRANSPORT_BEGIN) != 0) {
        end->begins++;
        if (pair->handshakes)
            pair->handshake_at[end - pair->ends] =
                pair->now + end->delay + get_other(pair, end)->delay;
    }
    if ((events & KV_TRANSPORT_SPARED) != 0) {
        end->spared++;
        pair->handshake_at[end - pair->ends] = KV_TIME_NEVER;
    }
    end->moves += (events & KV_TRANSPORT_MOVED) != 0 ? 1 : 0;
    end->expiries += (events & KV_TRANSPORT_EXPIRED) != 0 ? 1 : 0;
}

static void
pump(KvPair *pair, KvPairEnd *end)
{
    KvProbe probe;

    while (kv_transport_next_probe(end->transport, &probe, pair->now))
        send_probe(pair, end, &probe);
    take_events(pair, end);
}

void
kv_pair_send(KvPair *pair, guint end)
{
    KvPairEnd *self = &pair->ends[end];
    size_t size = MIN(self->data_len, kv_transport_get_size(self->transport));
    uint8_t body[KV_PING_BYTES] = {0};

    if (kv_transport_can_send(self->transport, pair->now)) {
        g_assert_cmpuint(self->numbers, <, KV_PAIR_NUMBERS);
        kv_put_le32(body, self->numbers++);
        if (pair->data_answers)
            kv_transport_answer(self->transport);
        send_small(pair, self, KIND_DATA, body, TRUE, size, NULL);
    } else {
        kv_transport_want(self->transport, pair->now);
    }
    pump(pair, self);
}

/* --- what comes ----------------------------------------------------------------------------- */

static void
read_plain(KvPair *pair, KvPairEnd *end, const uint8_t *plain, size_t len, const KvEndpoint *from)
{
    uint32_t number;

    if (len == 0)
        return;
    switch (plain[0]) {
    case KIND_PING:
        kv_transport_asked(end->transport, pair->now);
        kv_transport_answer(end->transport);
        send_small(pair, end, KIND_PONG, plain + 1, FALSE, 0, from);
        break;
    case KIND_PONG:
        kv_transport_answered(end->transport);
        kv_transport_pong(end->transport, plain + 1, from, pair->now);
        break;
    case KIND_DATA:
        number = kv_get_le32(plain + 1);
        g_assert_cmpuint(number, <, KV_PAIR_NUMBERS);
        g_assert_cmpuint(end->came[number], ==, 0);
        end->came[number]++;
        end->last_came = pair->now;
        kv_transport_asked(end->transport, pair->now);
        if (pair->data_answers)
            kv_transport_answered(end->transport);
        break;
    default:
        g_assert_not_reached();
    }
}

static gboolean
has_index(const KvPairEnd *end, uint32_t index)
{
    uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX];
    guint n = kv_transport_get_indexes(end->transport, indexes);

    for (guint i = 0; i < n; i++)
        if (indexes[i] == index)
            return TRUE;
    return FALSE;
}

/* (nullable): the half-open session that @index names. */
static KvLiveSession **
find_half_open(KvPairEnd *end, uint32_t index)
{
    for (guint i = 0; i < KV_PAIR_HALF_OPEN_MAX; i++)
        if (end->half_open[i] != NULL && end->half_open[i]->local_index == index)
            return &end->half_open[i];
    return NULL;
}

static KvDrop
open_first(KvPair *pair, KvPairEnd *end, KvLiveSession **session, const KvTransportInput *input,
           uint8_t *plain)
{
    gboolean newest;
    KvDrop drop = kv_live_session_open(*session, &input->head, input->data, input->len, plain,
                                       &newest, pair->now);

    if (drop != KV_DROP_NONE)
        return drop;
    end->last = *session;
    kv_transport_add(end->transport, g_steal_pointer(session),
                     &end->answered[session - end->half_open], input, pair->now);
    return KV_DROP_NONE;
}

static void
input_unknown(KvPair *pair, KvPairEnd *end, const KvTransportInput *input)
{
    uint8_t answer[1600];
    size_t len;

    if (kv_transport_input_reset(end->transport, input->data, input->len, &input->from,
                                 pair->now)) {
        end->resets_taken++;
        return;
    }
    len = kv_resets_answer(&end->resets, end->reset_key, &input->head, input->data, input->len,
                           &pair->random, pair->now, answer);
    if (len == 0)
        return;
    end->resets_sent++;
    transmit(pair, end, answer, len, &input->from);
}

static void
input(KvPair *pair, KvPairEnd *end, const KvPairFlight *flight)
{
    KvTransportInput input = {.data = flight->data, .len = flight->len, .from = flight->from};
    uint8_t plain[1600];
    KvLiveSession **session;
    KvDrop drop;

    if (!kv_seal_read_head(&end->outer, flight->data, flight->len, &input.head))
        return;
    session = find_half_open(end, input.head.index);
    if (has_index(end, input.head.index)) {
        drop = kv_transport_open(end->transport, &input, plain, pair->now);
    } else if (session != NULL) {
        drop = open_first(pair, end, session, &input, plain);
    } else {
        input_unknown(pair, end, &input);
        return;
    }
    end->drops[drop]++;
    if (drop == KV_DROP_NONE)
        read_plain(pair, end, plain, flight->len - KV_SEAL_OVERHEAD, &flight->from);
}

void
kv_pair_arrive(KvPair *pair, const KvPairFlight *flight)
{
    for (guint i = 0; i < 2; i++)
        if (kv_endpoint_equal(&pair->ends[i].address, &flight->to)) {
            input(pair, &pair->ends[i], flight);
            pump(pair, &pair->ends[i]);
            return;
        }
    pair->astray++;
    pair->astray_bytes += flight->len;
}

/* --- handshakes ----------------------------------------------------------------------------- */

static void
make_keys(KvPair *pair, KvNativeKeys *here, KvNativeKeys *there)
{
    KvPairEnd *ends[2] = {&pair->ends[0], &pair->ends[1]};
    KvNativeKeys *keys[2] = {here, there};

    for (guint i = 0; i < 2; i++) {
        kv_test_random_bytes(&pair->state, keys[i]->send, sizeof keys[i]->send);
        keys[i]->local_index = (uint32_t) kv_test_random_u64(&pair->state) | 1;
        keys[i]->aead = KV_AEAD_CHACHA20_POLY1305;
        kv_reset_token_derive(ends[i]->reset_key, keys[i]->local_index, keys[i]->local_token);
    }
    for (guint i = 0; i < 2; i++) {
        KvNativeKeys *other = keys[1 - i];

        memcpy(keys[i]->receive, other->send, sizeof other->send);
        memcpy(keys[i]->remote_token, other->local_token, sizeof other->local_token);
        memcpy(keys[i]->remote_public, ends[1 - i]->public, sizeof ends[1 - i]->public);
        keys[i]->remote_outer = ends[1 - i]->outer;
        keys[i]->remote_index = other->local_index;
    }
}

void
kv_pair_handshake(KvPair *pair, guint initiator)
{
    KvPairEnd *first = &pair->ends[initiator];
    KvPairEnd *second = &pair->ends[1 - initiator];
    KvNativeKeys keys[2] = {{0}};
    guint place = kv_test_random_below(&pair->state, KV_PAIR_HALF_OPEN_MAX);

    make_keys(pair, &keys[0], &keys[1]);
    keys[initiator].initiator = TRUE;
    kv_live_session_free(second->half_open[place]);
    second->half_open[place] = kv_live_session_new(&keys[1 - initiator], pair->now);
    second->answered[place] = first->address;
    first->last = kv_live_session_new(&keys[initiator], pair->now);
    kv_transport_add(first->transport, first->last, &second->address, NULL, pair->now);
    pump(pair, first);
}

/* --- time ----------------------------------------------------------------------------------- */

static KvTime
get_next(const KvPair *pair)
{
    const KvPairFlight *flight = g_queue_peek_head((GQueue *) &pair->flights);
    KvTime next = flight != NULL ? flight->at : KV_TIME_NEVER;

    for (guint i = 0; i < 2; i++) {
        next = MIN(next, kv_transport_deadline(pair->ends[i].transport));
        next = MIN(next, pair->handshake_at[i]);
        if (pair->ends[i].interval > 0)
            next = MIN(next, pair->ends[i].next_data);
    }
    return MAX(next, pair->now);
}

static void
advance(KvPair *pair, guint i)
{
    KvPairEnd *end = &pair->ends[i];

    if (pair->now >= kv_transport_deadline(end->transport)) {
        kv_transport_advance(end->transport, pair->now);
        pump(pair, end);
    }
    if (pair->now >= pair->handshake_at[i]) {
        pair->handshake_at[i] = KV_TIME_NEVER;
        kv_pair_handshake(pair, i);
    }
    if (end->interval > 0 && pair->now >= end->next_data) {
        end->next_data = pair->now + end->interval;
        kv_pair_send(pair, i);
    }
}

void
kv_pair_run(KvPair *pair, KvTime time)
{
    KvTime end = pair->now + time;
    guint standing = 0;
    KvTime next;

    while ((next = get_next(pair)) <= end) {
        KvPairFlight *flight = g_queue_peek_head(&pair->flights);

        standing = next == pair->now ? standing + 1 : 0;
        if (standing == 1000)
            g_error("a deadline does not move");
        pair->now = next;
        if (flight != NULL && flight->at <= pair->now) {
            g_queue_pop_head(&pair->flights);
            kv_pair_arrive(pair, flight);
            g_free(flight);
        }
        advance(pair, 0);
        advance(pair, 1);
    }
    pair->now = end;
}

/* --- beginning, end, sums ------------------------------------------------------------------- */

static void
make_transport(KvPair *pair, KvPairEnd *end)
{
    end->transport = kv_transport_new(&end->config, &pair->random);
    kv_transport_set_rtt(end->transport, 2 * end->delay);
}

static void
end_init(KvPair *pair, guint i)
{
    KvPairEnd *end = &pair->ends[i];

    end->pair = pair;
    memset(end->public, i == 0 ? 0x20 : 0x10, sizeof end->public); /* the client's is greater */
    kv_outer_keys_derive(&end->outer, end->public);
    memset(end->reset_key, (int) i + 1, sizeof end->reset_key);
    end->address = (KvEndpoint){.ip = {[10] = 0xff, [11] = 0xff, [15] = (uint8_t) (i + 1)}};
    end->address.port = (uint16_t) (1000 + i);
    end->config = (KvTransportConfig){.may_begin = i == 0, .datagram_max = KV_PATH_MTU_BASE};
    memcpy(end->config.local_public, end->public, sizeof end->public);
    end->delay = 20 * KV_TIME_MS;
    end->limit = 1600;
    end->data_len = 100;
    end->came = g_malloc0(KV_PAIR_NUMBERS);
    make_transport(pair, end);
}

void
kv_pair_init(KvPair *pair)
{
    memset(pair, 0, sizeof *pair);
    kv_test_random_init(&pair->state, kv_test_get_seed());
    pair->random = (KvRandom){fill, &pair->state};
    pair->now = KV_TIME_S;
    pair->handshakes = pair->data_answers = TRUE;
    pair->handshake_at[0] = pair->handshake_at[1] = KV_TIME_NEVER;
    g_queue_init(&pair->flights);
    end_init(pair, 0);
    end_init(pair, 1);
}

static void
forget(KvPairEnd *end)
{
    g_clear_pointer(&end->transport, kv_transport_free);
    for (guint i = 0; i < KV_PAIR_HALF_OPEN_MAX; i++)
        g_clear_pointer(&end->half_open[i], kv_live_session_free);
}

void
kv_pair_clear(KvPair *pair)
{
    for (guint i = 0; i < 2; i++) {
        forget(&pair->ends[i]);
        g_free(pair->ends[i].came);
    }
    g_queue_clear_full(&pair->flights, g_free);
}

void
kv_pair_restart(KvPair *pair, guint end)
{
    forget(&pair->ends[end]);
    make_transport(pair, &pair->ends[end]);
}

guint
kv_pair_count(const KvPair *pair, guint end)
{
    guint count = 0;

    for (guint i = 0; i < pair->ends[1 - end].numbers; i++)
        count += pair->ends[end].came[i];
    return count;
}

guint
kv_pair_sessions(const KvPair *pair, guint end)
{
    uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX];

    return kv_transport_get_indexes(pair->ends[end].transport, indexes);
}
