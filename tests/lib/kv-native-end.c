/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-end.h"

#include "kv-flow.h"
#include "kv-key.h"

#include <string.h>

#define PACKETS_MAX   20000
#define REFUSED_PAUSE (50 * KV_TIME_MS) /* until a packet is tried again */
#define ECN_MASK      3                 /* all set: congestion was met */
#define HEADER        20                /* IPv4's; its addresses are flow and number */

static void
fill_random(void *ctx, void *buf, size_t len)
{
    KvNativeEnd *end = ctx;

    kv_test_random_bytes(&end->state, buf, len);
    if (end->tap != NULL)
        end->tap->drew(end->tap->data, buf, len);
}

static uint64_t
next_number(void *ctx, uint64_t above)
{
    KvNativeEnd *end = ctx;

    end->last_number = MAX(end->last_number, above) + 1;
    return end->last_number;
}

/* --- inner packets --------------------------------------------------------------------------- */

static size_t
packet_size(const KvNativeEnd *end, guint flow, guint number)
{
    KvTestRandom random;

    kv_test_random_init(&random, number * 16 + flow);
    return end->size_min +
           kv_test_random_below(&random, (uint32_t) (end->size_max - end->size_min + 1));
}

static void
fill_packet(const KvNativeEnd *end, uint8_t *data, size_t len, guint flow, guint number)
{
    memset(data, 0, HEADER);
    data[0] = 0x45;
    data[1] = end->knows_ecn ? KV_ECN_ECT0 : flow & ECN_MASK;
    kv_put_le32(data + 12, flow);
    kv_put_le32(data + 16, number);
    for (size_t i = HEADER; i < len; i++)
        data[i] = (uint8_t) (i * 31 + number + flow);
}

static void
check_packet(KvNativeEnd *end, const uint8_t *data, size_t len)
{
    guint flow, number;
    g_autofree uint8_t *want = NULL;
    size_t want_len;

    if (end->is_lenient) {
        end->received++;
        return;
    }
    g_assert_cmpuint(len, >=, HEADER);
    flow = kv_get_le32(data + 12);
    number = kv_get_le32(data + 16);
    g_assert_cmpuint(flow, <, KV_NATIVE_END_FLOWS);
    if (end->may_skip)
        g_assert_cmpuint(number, >=, end->next[flow]);
    else
        g_assert_cmpuint(number, ==, end->next[flow]);
    end->next[flow] = number + 1;
    want_len = packet_size(end, flow, number);
    want = g_malloc(want_len);
    fill_packet(end, want, want_len, flow, number);
    if (end->congested || (end->knows_ecn && data[1] == ECN_MASK)) {
        g_assert_cmpuint(data[1], ==, ECN_MASK);
        g_assert_true(kv_flow_mark_ce(KV_VNI_MODE_TUN, want, want_len));
        end->marked++;
    }
    kv_test_assert_bytes(data, len, want, want_len, "inner packet");
    end->received++;
}

static void
read_inner(KvNativeEnd *end, KvTime now)
{
    uint16_t ethertype;
    size_t len;

    while ((len = kv_native_recv(end->native, end->buf, 65549, &ethertype, now)) > 0) {
        g_assert_true(ethertype == 0x0800 || end->is_lenient);
        check_packet(end, end->buf, len);
    }
}

static void
write_inner(KvNativeEnd *end, KvTime now)
{
    while (end->sent < end->to_send && now >= end->next_send && kv_native_can_send(end->native)) {
        guint flow = end->sent % KV_NATIVE_END_FLOWS;
        guint number = end->sent / KV_NATIVE_END_FLOWS;
        size_t len = packet_size(end, flow, number);
        KvSlice slices[] = {{end->buf, HEADER}, {end->buf + HEADER, len - HEADER}};

        fill_packet(end, end->buf, len, flow, number);
        if (!kv_native_send(end->native, flow * UINT64_C(0x9e3779b97f4a7c15), slices, 2, now)) {
            end->next_send = kv_time_add(now, REFUSED_PAUSE);
            return;
        }
        if (end->tap != NULL)
            end->tap->wrote(end->tap->data, flow, end->buf, len);
        end->sent++;
        if (end->interval > 0)
            end->next_send = kv_time_add(MAX(end->next_send, now), end->interval);
    }
}

static void
take_events(KvNativeEnd *end, KvTime now)
{
    KvEvent event;

    while (kv_native_next_event(end->native, &event)) {
        end->n_events[event.type]++;
        end->last_event = event;
        if (event.type == KV_EVENT_READY)
            kv_native_open_vni(end->native, now);
        if (event.type == KV_EVENT_REFUSED)
            end->refusal = kv_native_get_remote_config(end->native)->refusal;
    }
}

static void
work(KvNativeEnd *end, KvTime now)
{
    if (end->native == NULL)
        return;
    take_events(end, now);
    read_inner(end, now);
    write_inner(end, now);
}

/* --- a server's manners ---------------------------------------------------------------------- */

static void
queue_reply(KvNativeEnd *end, const uint8_t *data, size_t len)
{
    if (len > 0)
        g_queue_push_tail(&end->replies, g_bytes_new(data, len));
}

void
kv_native_end_put_routes(const KvNativeEnd *end, KvNativeConfig *config)
{
    for (guint i = 0; i < end->n_routes; i++) {
        KvNetwork route = {.is_ip6 = TRUE, .prefix = 64, .ip = {0xfd}};

        kv_put_le32(route.ip + 4, i);
        g_array_append_val(config->routes, route);
    }
}

/* What it knows already goes on, if the client asks for that. */
static void
answer(KvNativeEnd *end, const KvNativeRequest *request, KvTime now)
{
    KvNativeConfig grant;
    uint8_t reply[KV_INITIATION_MAX];
    gboolean goes_on = end->native != NULL && (request->config->said & KV_SAID_ASSOCIATION) != 0 &&
                       memcmp(request->config->association, kv_native_get_association(end->native),
                              KV_NATIVE_ID_BYTES) == 0;

    kv_native_config_init(&grant);
    if (end->params.role == KV_ROLE_PEER) {
        kv_native_answer(end->native, request->config, &grant);
        queue_reply(end, reply,
                    kv_responder_answer(end->responder, request->id, &grant, now, reply));
        kv_native_config_clear(&grant);
        return;
    }
    if (end->refusal != KV_REFUSED_NOT)
        grant.refusal = end->refusal;
    else
        kv_native_describe(&end->params, &grant);
    kv_native_end_put_routes(end, &grant);
    if (goes_on) {
        grant.said |= KV_SAID_ASSOCIATION;
        memcpy(grant.association, request->config->association, KV_NATIVE_ID_BYTES);
    }
    queue_reply(end, reply, kv_responder_answer(end->responder, request->id, &grant, now, reply));
    kv_native_config_clear(&grant);
}

static KvEcn
get_ecn(const KvNativeEnd *end)
{
    return end->congested ? KV_ECN_CE : (KvEcn) end->came_with;
}

static void
take_confirmed(KvNativeEnd *end, KvNativeKeys *keys, const uint8_t *data, size_t len, KvTime now)
{
    KvTransportInput first = {
        .data = data, .len = len, .from = end->peer_address, .ecn = get_ecn(end)};

    end->n_confirmed++;
    if (end->native != NULL && end->params.role != KV_ROLE_PEER &&
        memcmp(keys->association, kv_native_get_association(end->native), KV_NATIVE_ID_BYTES) != 0)
        g_clear_pointer(&end->native, kv_native_free);
    if (end->native != NULL)
        kv_native_add_keys(end->native, keys, &first, now);
    else
        end->native =
            kv_native_new_server(&end->params, keys, end->pool, &end->random, &first, now);
}

static KvDrop
input_stranger(KvNativeEnd *end, const uint8_t *data, size_t len, KvTime now)
{
    g_auto(KvNativeKeys) keys = {0};
    KvResponderOutcome outcome;
    uint8_t reset[2048];
    KvSealHead head;
    KvDrop drop;

    if (kv_responder_confirm(end->responder, data, len, now, &keys)) {
        take_confirmed(end, &keys, data, len, now);
        return KV_DROP_NONE;
    }
    drop = kv_responder_input(end->responder, data, len, &end->peer_address, now, &outcome);
    queue_reply(end, outcome.reply, outcome.reply_len);
    if (outcome.asks)
        answer(end, &outcome.request, now);
    if (drop != KV_DROP_NONE && kv_seal_read_head(&end->outer, data, len, &head))
        queue_reply(end, reset,
                    kv_resets_answer(&end->resets, end->reset_key, &head, data, len, &end->random,
                                     now, reset));
    return drop;
}

/* --- the machine ----------------------------------------------------------------------------- */

static void
machine_input(void *self, const uint8_t *data, size_t len, KvTime now)
{
    KvNativeEnd *end = self;
    KvDrop drop = KV_DROP_STRANGER;

    if (end->nat_time > 0 && kv_time_elapsed(now, end->last_wrote) > end->nat_time)
        return;
    if (end->tap != NULL)
        end->tap->came(end->tap->data, data, len, now);
    if (end->native != NULL)
        drop = kv_native_input(end->native, data, len, &end->peer_address, get_ecn(end), now);
    if (drop == KV_DROP_STRANGER && end->responder != NULL)
        drop = input_stranger(end, data, len, now);
    end->drops[drop]++;
}

static void
machine_input_end(void *self, KvTime now)
{
    work(self, now);
}

static size_t
machine_output(void *self, uint8_t *buf, size_t cap, KvTime now)
{
    KvNativeEnd *end = self;
    KvEndpoint to;
    size_t len = 0;

    g_assert_cmpuint(cap, >=, KV_PACKET_CAPACITY);
    if (!g_queue_is_empty(&end->replies)) {
        g_autoptr(GBytes) reply = g_queue_pop_head(&end->replies);

        len = g_bytes_get_size(reply);
        memcpy(buf, g_bytes_get_data(reply, NULL), len);
        end->left_with = KV_ECN_NOT_ECT;
    } else if (end->native != NULL) {
        do {
            len = kv_native_output(end->native, buf, cap, &to, now);
            g_assert_true(len == 0 || end->strays || kv_endpoint_equal(&to, &end->peer_address));
        } while (len > 0 && !kv_endpoint_equal(&to, &end->peer_address));
        end->left_with = kv_native_get_ecn(end->native);
        take_events(end, now);
    }
    end->wrote += len > 0;
    if (len > 0)
        end->last_wrote = now;
    return len;
}

static KvTime
machine_deadline(void *self)
{
    KvNativeEnd *end = self;
    KvTime at = KV_TIME_NEVER;

    if (end->native != NULL)
        at = kv_native_deadline(end->native);
    if (end->responder != NULL)
        at = MIN(at, kv_responder_deadline(end->responder));
    if (end->sent < end->to_send && end->native != NULL && kv_native_can_send(end->native))
        at = MIN(at, end->next_send);
    return at;
}

static void
machine_advance(void *self, KvTime now)
{
    KvNativeEnd *end = self;

    if (end->native != NULL)
        kv_native_advance(end->native, now);
    if (end->responder != NULL)
        kv_responder_advance(end->responder, now);
    work(end, now);
}

static guint
machine_get_ecn(void *self)
{
    const KvNativeEnd *end = self;

    return end->left_with;
}

static void
machine_set_ecn(void *self, guint ecn)
{
    KvNativeEnd *end = self;

    end->came_with = ecn;
}

const KvSimMachine kv_native_end_machine = {
    .input = machine_input,
    .input_end = machine_input_end,
    .output = machine_output,
    .deadline = machine_deadline,
    .advance = machine_advance,
    .get_ecn = machine_get_ecn,
    .set_ecn = machine_set_ecn,
};

/* --- life ------------------------------------------------------------------------------------ */

static gboolean
find_peer(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES], uint8_t psk[KV_NATIVE_KEY_BYTES])
{
    KvNativeEnd *end = ctx;

    memset(psk, 0, KV_NATIVE_KEY_BYTES);
    return memcmp(public, end->peer_public, KV_NATIVE_KEY_BYTES) == 0;
}

static gboolean
take_number(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES], uint64_t number, uint64_t *last)
{
    KvNativeEnd *end = ctx;
    uint64_t *kept = end->params.role == KV_ROLE_PEER ? &end->peer_number : &end->last_number;

    *last = *kept;
    if (number <= *kept)
        return FALSE;
    *kept = number;
    return TRUE;
}

static void
end_init(KvNativeEnd *end, KvRole role, uint64_t seed)
{
    *end = (KvNativeEnd){0};
    kv_test_random_init(&end->state, seed);
    end->random = (KvRandom){fill_random, end};
    end->indexes = kv_index_table_new(&end->random);
    end->pool = kv_packet_pool_new(PACKETS_MAX);
    g_queue_init(&end->replies);
    end->buf = g_malloc(65549);
    end->size_min = 40;
    end->size_max = 1400;
    end->params = (KvNativeParams){
        .role = role,
        .mode = KV_VNI_MODE_TUN,
        .indexes = end->indexes,
        .numbers = {next_number, end},
        .snd_wnd = 1024,
        .rcv_wnd = 1024,
        .datagram_max = 1400,
        .handshake_timeout = 60 * KV_TIME_S,
    };
}

static void
give_key(KvNativeEnd *end)
{
    uint8_t key[KV_KEY_BYTES];

    kv_test_random_bytes(&end->state, key, sizeof key);
    end->private_key = kv_secret_new(key, sizeof key);
    kv_key_get_public(key, end->public);
}

static void
give_psk(KvNativeEnd *end)
{
    static const uint8_t psk[KV_KEY_BYTES] = "a secret of exactly 32 bytes....";

    end->psk = kv_secret_new(psk, sizeof psk);
}

static void
introduce(KvNativeEnd *end, const KvNativeEnd *peer)
{
    const KvSecret *own = end->private_key != NULL ? end->private_key : end->psk;

    end->params.private_key = end->private_key;
    end->params.psk = end->psk;
    end->peer_address = end->params.remote = peer->address;
    memcpy(end->peer_public, peer->public, sizeof end->peer_public);
    memcpy(end->params.remote_public, peer->public, sizeof end->params.remote_public);
    kv_outer_keys_derive(&end->outer,
                         end->private_key != NULL ? end->public : kv_secret_get_data(end->psk));
    kv_reset_key_derive(end->reset_key, kv_secret_get_data(own));
}

static void
place(KvNativeEnd *end, guint place)
{
    end->address = (KvEndpoint){.ip = {0xfd, (uint8_t) place}, .port = 1000};
}

void
kv_native_peers_init(KvNativeEnd *a, KvNativeEnd *b, uint64_t seed)
{
    end_init(a, KV_ROLE_PEER, seed);
    end_init(b, KV_ROLE_PEER, seed + 1);
    give_key(a);
    give_key(b);
    place(a, 1);
    place(b, 2);
    introduce(a, b);
    introduce(b, a);
}

void
kv_native_ends_init(KvNativeEnd *client, KvNativeEnd *server, gboolean with_keys, uint64_t seed)
{
    end_init(client, KV_ROLE_CLIENT, seed);
    end_init(server, KV_ROLE_SERVER, seed + 1);
    place(client, 1);
    place(server, 0);
    for (guint i = 0; i < 2; i++) {
        KvNativeEnd *end = i == 0 ? client : server;

        if (with_keys)
            give_key(end);
        else
            give_psk(end);
    }
    introduce(client, server);
    introduce(server, client);
}

static void
start_beginner(KvNativeEnd *end, KvTime now)
{
    KvNativeConfig say;

    kv_native_config_init(&say);
    say.ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    kv_native_end_put_routes(end, &say);
    g_strlcpy(say.client_id, "laptop", sizeof say.client_id);
    if (end->params.role == KV_ROLE_PEER)
        end->native = kv_native_new_peer(&end->params, &say, end->pool, &end->random, now);
    else
        end->native = kv_native_new_client(&end->params, &say, end->pool, &end->random, now);
    kv_native_config_clear(&say);
}

static void
start_responder(KvNativeEnd *end)
{
    KvResponderConfig config = {
        .private_key = end->private_key,
        .psk = end->psk,
        .peers = {find_peer, take_number, end},
        .ciphers = {KV_AEAD_CHACHA20_POLY1305},
        .indexes = end->indexes,
    };

    end->responder = kv_responder_new(&config, &end->random);
}

void
kv_native_end_start(KvNativeEnd *end, KvTime now)
{
    end->next_send = now;
    if (end->params.role != KV_ROLE_SERVER)
        start_beginner(end, now);
    if (end->params.role != KV_ROLE_CLIENT)
        start_responder(end);
}

static void
stop(KvNativeEnd *end)
{
    GBytes *reply;

    g_clear_pointer(&end->native, kv_native_free);
    g_clear_pointer(&end->responder, kv_responder_free);
    while ((reply = g_queue_pop_head(&end->replies)) != NULL)
        g_bytes_unref(reply);
}

void
kv_native_end_restart(KvNativeEnd *end, KvTime now)
{
    stop(end);
    kv_native_end_start(end, now);
}

void
kv_native_end_clear(KvNativeEnd *end)
{
    stop(end);
    if (end->indexes != NULL)
        g_assert_cmpuint(kv_index_table_get_length(end->indexes), ==, 0);
    kv_secret_free(end->private_key);
    kv_secret_free(end->psk);
    g_clear_pointer(&end->indexes, kv_index_table_free);
    g_clear_pointer(&end->pool, kv_packet_pool_free);
    g_clear_pointer(&end->buf, g_free);
    end->private_key = end->psk = NULL;
}
