/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native.h"

#include "kv-flow.h"
#include "kv-gso-layout.h"
#include "kv-key.h"
#include "native/kv-native-private.h"

#include <sodium.h>
#include <string.h>

/* Timers, besides those of the machines inside: the first handshake takes @handshake_timeout at
 * most; with rapid FEC a group is closed RAPID_AGE after its first shard; an association that is
 * over tells the peer so KV_NATIVE_CLOSES times, KV_NATIVE_CLOSE_GAP apart. */

#define RAPID_AGE     (10 * KV_TIME_MS)
#define KCP_INTERVAL  10  /* ms */
#define WINDOW_UNSAID 128 /* of a peer that says nothing of it; section 5 */

static gboolean
has_event(const KvNative *native, KvEventType type)
{
    for (guint i = 0; i < native->n_events; i++) {
        if (native->events[(native->first_event + i) % KV_NATIVE_EVENTS_MAX].type == type)
            return TRUE;
    }
    return FALSE;
}

void
kv_native_push_event(KvNative *native, KvEventType type)
{
    guint last = (native->first_event + native->n_events) % KV_NATIVE_EVENTS_MAX;

    /* A datagram may say a hundred new things; who is told of the first sees them all. */
    if (type == KV_EVENT_RECONFIGURED && has_event(native, type))
        return;
    /* The engine drains them after each call, and no call makes so many. */
    g_return_if_fail(native->n_events < KV_NATIVE_EVENTS_MAX);
    native->events[last] = (KvEvent){.type = type, .reason = native->reason};
    native->n_events++;
}

void
kv_native_finish(KvNative *native, KvReason reason)
{
    if (native->state == KV_NATIVE_CLOSED)
        return;
    native->state = KV_NATIVE_CLOSED;
    native->reason = reason;
    kv_native_push_event(native, KV_EVENT_CLOSED);
}

void
kv_native_lose(KvNative *native, KvReason reason)
{
    if (native->params.role != KV_ROLE_PEER || native->state >= KV_NATIVE_CLOSING)
        kv_native_finish(native, reason);
    else
        native->lost = reason;
}

/* --- what is carried ------------------------------------------------------------------------ */

static void
clear_carried(KvNative *native)
{
    kv_native_forget_news(native);
    if (native->transport == NULL)
        return;
    kv_copies_clear(&native->copies);
    g_clear_pointer(&native->kcp, kv_kcp_free);
    g_clear_pointer(&native->lanes, kv_lanes_free);
    g_clear_pointer(&native->encoder, kv_shard_encoder_free);
    g_clear_pointer(&native->decoder, kv_shard_decoder_free);
    g_clear_pointer(&native->control, kv_control_stream_free);
    g_clear_pointer(&native->transport, kv_transport_free);
}

static gboolean
wants_parity(const KvNative *native)
{
    return native->params.data_shards > 0 && native->params.parity_shards > 0 &&
           (native->remote.capabilities & KV_CAPABILITY_PARITY) != 0;
}

static void
make_kcp(KvNative *native, KvTime now)
{
    KvKcpConfig config = {
        .mtu = kv_transport_get_size(native->transport),
        .reserved = KV_NATIVE_RESERVED,
        .snd_wnd = native->params.snd_wnd,
        .rcv_wnd = native->params.rcv_wnd,
        .interval = KCP_INTERVAL,
        .nodelay = TRUE,
        .nc = TRUE,
        .native = TRUE,
        .peer_wnd = native->remote.window != 0 ? MIN(native->remote.window, KV_KCP_WINDOW_MAX)
                                               : WINDOW_UNSAID,
        .tuning = KV_KCP_TUNING_PRODUCT,
    };

    native->kcp = kv_kcp_new(&config, native->pool, now);
    g_assert(native->kcp != NULL);
}

/* What both ends take. */
static guint
get_datagram_max(const KvNative *native)
{
    guint max = native->params.datagram_max;

    return native->remote.datagram != 0 ? MIN(max, native->remote.datagram) : max;
}

static void
make_carried(KvNative *native, KvTime now)
{
    KvLanesConfig lanes = {.kept_max = native->params.rcv_wnd, .patience = KV_NATIVE_PATIENCE};
    KvTransportConfig transport = {
        .may_begin = native->params.role != KV_ROLE_SERVER,
        .keepalive = native->params.keepalive,
        .datagram_max = get_datagram_max(native),
    };

    memcpy(transport.local_public, native->local_public, sizeof transport.local_public);
    native->transport = kv_transport_new(&transport, native->random);
    make_kcp(native, now);
    kv_copies_init(&native->copies, native->pool);
    native->lane_sender = (KvLaneSender){0};
    native->lanes = kv_lanes_new(&lanes);
    native->encoder = kv_shard_encoder_new(native->pool);
    native->decoder = kv_shard_decoder_new(native->pool);
    native->control = kv_control_stream_new();
    native->n_pongs = 0;
    native->n_lies = 0;
    if (wants_parity(native))
        kv_shard_encoder_set_parity(native->encoder, native->params.parity_shards);
}

/* What was made before there was a peer learns of it; its window comes with its first words. */
static void
settle_carried(KvNative *native, KvTime now)
{
    kv_transport_set_datagram_max(native->transport, get_datagram_max(native), now);
    kv_shard_encoder_set_parity(native->encoder,
                                wants_parity(native) ? native->params.parity_shards : 0);
}

/* Another association takes the place of one under which nothing of the peer's came, as when both
 * ends began at once: it took nothing there either, so what was sent goes again. */
static void
restart_carried(KvNative *native, KvTime now)
{
    g_autoptr(KvKcp) former = g_steal_pointer(&native->kcp);
    KvLaneSender lane_sender = native->lane_sender;

    clear_carried(native);
    make_carried(native, now);
    if (kv_kcp_get_part_max(native->kcp) < kv_kcp_get_part_max(former))
        return;
    native->lane_sender = lane_sender;
    kv_kcp_inherit(native->kcp, former);
    native->flush_due = TRUE;
}

/* --- handshakes ------------------------------------------------------------------------------ */

void
kv_native_describe(const KvNativeParams *params, KvNativeConfig *config)
{
    config->said |= KV_SAID_MODE;
    config->mode = params->mode;
    config->window = params->rcv_wnd;
    config->datagram = (uint16_t) params->datagram_max;
    config->capabilities = KV_CAPABILITY_PARITY;
    if (params->keepalive > 0) {
        config->said |= KV_SAID_KEEPALIVE;
        config->keepalive = (uint16_t) (params->keepalive / KV_TIME_S);
    }
}

/* What hides datagrams to this end: everybody who may write to it knows that. */
static void
derive_local_outer(KvNative *native)
{
    const KvNativeParams *params = &native->params;
    const uint8_t *key = native->local_public;

    if (params->private_key != NULL)
        kv_key_get_public(kv_secret_get_data(params->private_key), native->local_public);
    else
        key = kv_secret_get_data(params->psk);
    kv_outer_keys_derive(&native->local_outer, key);
}

static KvNative *
native_new(const KvNativeParams *params, KvPacketPool *pool, const KvRandom *random)
{
    KvNative *native = g_new0(KvNative, 1);

    native->params = *params;
    native->pool = pool;
    native->random = random;
    kv_native_config_init(&native->say);
    kv_native_config_init(&native->remote);
    derive_local_outer(native);
    return native;
}

/* Sends what the handshake had no room for, each type whole. */
static void
tell_rest(KvNative *native, uint32_t types)
{
    g_autofree uint8_t *records = NULL;
    KvRecordWriter writer;

    if (types == 0)
        return;
    records = g_malloc(KV_RECORDS_MAX);
    kv_record_writer_init(&writer, records, KV_RECORDS_MAX);
    writer.only = types;
    kv_native_config_write(&native->say, &writer);
    if (!kv_control_stream_send(native->control, records, writer.len))
        g_assert_not_reached(); /* it is the first */
}

/* A later handshake names it. */
static void
note_association(KvNative *native, const KvNativeKeys *keys, KvTime now)
{
    memcpy(native->association, keys->association, KV_NATIVE_ID_BYTES);
    native->began = keys->initiator;
    native->associated_at = now;
    if (native->initiator == NULL)
        return;
    native->say.said |= KV_SAID_ASSOCIATION;
    memcpy(native->say.association, keys->association, KV_NATIVE_ID_BYTES);
}

/* Moves what a handshake gave into the association. A peer that gives another one has forgotten the
 * old: both begin from nothing. Returns: %FALSE if another one stays. */
static gboolean
take_association(KvNative *native, KvNativeKeys *keys, KvTime now)
{
    gboolean is_peer = native->params.role == KV_ROLE_PEER;
    gboolean is_first = native->transport == NULL;
    gboolean was_fresh = native->is_fresh;
    gboolean goes_on = was_fresh || (is_peer && !native->has_heard);

    if (!is_first && memcmp(native->association, keys->association, KV_NATIVE_ID_BYTES) == 0)
        return TRUE;
    if (is_peer && kv_native_peer_keeps(native, keys, now))
        return FALSE;
    if (!goes_on)
        clear_carried(native);
    kv_native_config_clear(&native->remote);
    native->remote = keys->remote;
    kv_native_config_init(&keys->remote);
    note_association(native, keys, now);
    if (keys->initiator && !is_peer && (native->remote.said & KV_SAID_MODE) != 0)
        native->params.mode = native->remote.mode;
    if (!keys->initiator && !is_peer) {
        kv_native_config_clear(&native->say);
        native->say = keys->local;
        kv_native_config_init(&keys->local);
    }
    if (native->transport == NULL)
        make_carried(native, now);
    else if (was_fresh)
        settle_carried(native, now);
    else
        restart_carried(native, now);
    native->is_fresh = native->has_heard = FALSE;
    tell_rest(native, keys->left_out);
    if (!is_first)
        kv_native_push_event(native,
                             is_peer && was_fresh ? KV_EVENT_CONFIGURED : KV_EVENT_RECONFIGURED);
    return TRUE;
}

KvNative *
kv_native_new_beginner(const KvNativeParams *params, KvNativeConfig *say, KvPacketPool *pool,
                       const KvRandom *random)
{
    KvNative *native = native_new(params, pool, random);
    KvInitiatorConfig config = {
        .private_key = params->private_key,
        .psk = params->psk,
        .say = &native->say,
        .indexes = params->indexes,
        .numbers = params->numbers,
    };

    kv_native_config_clear(&native->say);
    native->say = *say;
    kv_native_config_init(say);
    kv_native_describe(params, &native->say);
    /* A client follows its server. */
    if (params->role == KV_ROLE_CLIENT)
        native->say.said &= ~(guint) KV_SAID_MODE;
    g_assert(kv_native_config_fits(&native->say));
    memcpy(config.remote_public, params->remote_public, sizeof config.remote_public);
    native->initiator = kv_initiator_new(&config, random);
    return native;
}

KvNative *
kv_native_new_client(const KvNativeParams *params, KvNativeConfig *say, KvPacketPool *pool,
                     const KvRandom *random, KvTime now)
{
    KvNative *native = kv_native_new_beginner(params, say, pool, random);

    native->handshake_deadline = kv_time_add(now, params->handshake_timeout);
    kv_native_begin(native, now);
    return native;
}

/* The peer began: @input is the first under the new keys, and shows that it has them. */
static void
add_confirmed(KvNative *native, KvNativeKeys *keys, KvTransportInput *input, KvTime now)
{
    g_autoptr(KvPacket) packet = kv_packet_new(native->pool);
    KvLiveSession *session = kv_live_session_new(keys, now);
    gboolean newest;

    native->muted = FALSE;
    if (packet == NULL || input->len - KV_SEAL_OVERHEAD > KV_PACKET_CAPACITY ||
        !kv_seal_read_head(&native->local_outer, input->data, input->len, &input->head) ||
        kv_live_session_open(session, &input->head, input->data, input->len, packet->data, &newest,
                             now) != KV_DROP_NONE) {
        /* It is true all the same; what was in it will be repeated. */
        kv_transport_add(native->transport, session, &keys->answered, NULL, now);
        return;
    }
    kv_transport_add(native->transport, session, &keys->answered, input, now);
    packet->len = (uint32_t) (input->len - KV_SEAL_OVERHEAD);
    packet->ecn = input->ecn;
    kv_native_read_plaintext(native, packet, &input->from, now);
    native->stats.wire_rx_datagrams++;
    native->stats.wire_rx_bytes += input->len;
}

void
kv_native_add_keys(KvNative *native, KvNativeKeys *keys, const KvTransportInput *first, KvTime now)
{
    KvTransportInput input = *first;

    if (native->state != KV_NATIVE_CLOSED && take_association(native, keys, now)) {
        add_confirmed(native, keys, &input, now);
        kv_native_peer_stop_asking(native, now);
    }
    kv_native_keys_clear(keys);
    kv_native_take_transport_events(native, now);
}

KvNative *
kv_native_new_server(const KvNativeParams *params, KvNativeKeys *keys, KvPacketPool *pool,
                     const KvRandom *random, const KvTransportInput *first, KvTime now)
{
    KvNative *native = native_new(params, pool, random);

    native->state = KV_NATIVE_READY;
    kv_native_push_event(native, KV_EVENT_READY);
    kv_native_add_keys(native, keys, first, now);
    return native;
}

void
kv_native_free(KvNative *native)
{
    if (native == NULL)
        return;
    clear_carried(native);
    kv_initiator_free(native->initiator);
    kv_native_config_clear(&native->say);
    kv_native_config_clear(&native->remote);
    sodium_memzero(&native->local_outer, sizeof native->local_outer);
    g_free(native);
}

/* The first answer makes the association, later ones go on with it. */
static void
initiator_done(KvNative *native, const KvEndpoint *from, KvTime now)
{
    g_auto(KvNativeKeys) keys = {0};

    kv_initiator_take_keys(native->initiator, &keys);
    if (!take_association(native, &keys, now)) {
        kv_transport_handshake_failed(native->transport, now);
        return;
    }
    kv_transport_add(native->transport, kv_live_session_new(&keys, now), from, NULL, now);
    native->muted = FALSE;
    kv_native_heard(native);
    if (native->state != KV_NATIVE_BEGINNING)
        return;
    native->state = KV_NATIVE_READY;
    kv_native_push_event(native, KV_EVENT_CONFIGURED);
    kv_native_push_event(native, KV_EVENT_READY);
}

/* (transfer none): why, in the words that the server's refusals of both protocols share. */
static KvReason
get_refusal_reason(const KvNativeConfig *refusal)
{
    switch (refusal->refusal) {
    case KV_REFUSED_EXHAUSTED:
        return KV_REASON_EXHAUSTED;
    case KV_REFUSED_ADDRESS:
        return KV_REASON_ADDRESS_REJECTED;
    default:
        return KV_REASON_REFUSED;
    }
}

static void
initiator_refused(KvNative *native)
{
    const KvNativeConfig *refusal = kv_initiator_get_refusal(native->initiator);

    native->remote.refusal = refusal->refusal;
    g_free(native->remote.refusal_text);
    native->remote.refusal_text = g_strdup(refusal->refusal_text);
    if (native->params.role == KV_ROLE_PEER) {
        kv_native_lose(native, get_refusal_reason(refusal));
        return;
    }
    native->reason = get_refusal_reason(refusal);
    kv_native_push_event(native, KV_EVENT_REFUSED);
    kv_native_finish(native, native->reason);
}

void
kv_native_check_initiator(KvNative *native, const KvEndpoint *from, KvTime now)
{
    switch (kv_initiator_get_state(native->initiator)) {
    case KV_INITIATOR_DONE:
        initiator_done(native, from, now);
        break;
    case KV_INITIATOR_REFUSED:
        initiator_refused(native);
        break;
    case KV_INITIATOR_GAVE_UP:
        kv_native_gave_up(native, now);
        break;
    default:
        break;
    }
}

void
kv_native_forget(KvNative *native, KvTime now)
{
    native->params.remote = *kv_native_get_remote(native);
    native->say.said &= ~(guint) KV_SAID_ASSOCIATION;
    memset(native->association, 0, sizeof native->association);
    clear_carried(native);
    make_carried(native, now);
    native->is_fresh = TRUE;
}

/* So long without keys that the peer has forgotten all. A client begins anew when there is
 * something to send, and that is what it sends. */
static void
expire(KvNative *native, KvTime now)
{
    if (native->params.role == KV_ROLE_CLIENT)
        kv_native_forget(native, now);
    else
        kv_native_lose(native, KV_REASON_TIMEOUT);
}

void
kv_native_take_transport_events(KvNative *native, KvTime now)
{
    KvTransportEvents events;

    if (native->transport == NULL || native->state == KV_NATIVE_CLOSED)
        return;
    events = kv_transport_take_events(native->transport);
    if ((events & KV_TRANSPORT_SPARED) != 0 && native->initiator != NULL)
        kv_initiator_stop(native->initiator);
    /* What ends does not come back, though the peer may have forgotten its session already. */
    if ((events & KV_TRANSPORT_BEGIN) != 0 && native->initiator != NULL &&
        native->state < KV_NATIVE_CLOSING)
        kv_native_begin(native, now);
    if ((events & KV_TRANSPORT_SESSIONS) != 0)
        kv_native_push_event(native, KV_EVENT_SESSIONS);
    if ((events & KV_TRANSPORT_MOVED) != 0) {
        native->call = *kv_native_get_remote(native);
        kv_native_push_event(native, KV_EVENT_MOVED);
    }
    if ((events & KV_TRANSPORT_RESIZED) != 0)
        kv_kcp_set_mtu(native->kcp, kv_transport_get_size(native->transport), now);
    if ((events & KV_TRANSPORT_EXPIRED) != 0)
        expire(native, now);
    if (native->lost != KV_REASON_NONE)
        kv_native_peer_take_loss(native, now);
}

/* --- timers ---------------------------------------------------------------------------------- */

static KvTime
get_rapid_deadline(const KvNative *native)
{
    KvTime start;

    if (!native->params.rapid_fec)
        return KV_TIME_NEVER;
    start = kv_shard_encoder_get_group_start(native->encoder);
    return start == KV_TIME_NEVER ? KV_TIME_NEVER : kv_time_add(start, RAPID_AGE);
}

/* A group that is not full gets as much parity for each shard, at least one. */
static void
advance_rapid_fec(KvNative *native, KvTime now)
{
    guint n = kv_shard_encoder_get_n_data(native->encoder);
    guint k = native->params.data_shards;

    if (now >= get_rapid_deadline(native))
        kv_shard_encoder_close_group(native->encoder,
                                     (n * native->params.parity_shards + k - 1) / k);
}

/* What can leave only under a session. */
static KvTime
get_send_deadline(const KvNative *native)
{
    KvTime at = kv_kcp_deadline(native->kcp);

    at = MIN(at, kv_copies_deadline(&native->copies));
    at = MIN(at, kv_control_stream_deadline(native->control));
    return MIN(at, get_rapid_deadline(native));
}

static KvTime
get_carried_deadline(const KvNative *native)
{
    KvTime at = kv_transport_deadline(native->transport);

    if (native->state == KV_NATIVE_CLOSING)
        return MIN(at, native->next_close);
    at = MIN(at, kv_shard_decoder_deadline(native->decoder));
    at = MIN(at, kv_lanes_deadline(native->lanes));
    return native->muted ? at : MIN(at, get_send_deadline(native));
}

KvTime
kv_native_deadline(const KvNative *native)
{
    KvTime at = KV_TIME_NEVER;

    if (native->state == KV_NATIVE_CLOSED)
        return KV_TIME_NEVER;
    if (native->initiator != NULL)
        at = MIN(at, kv_initiator_deadline(native->initiator));
    if (native->state == KV_NATIVE_BEGINNING)
        at = MIN(at, native->handshake_deadline);
    if (native->transport != NULL)
        at = MIN(at, get_carried_deadline(native));
    return at;
}

/* A peer that knows of the end already may have forgotten the session. */
static void
advance_close(KvNative *native, KvTime now)
{
    if (now < native->next_close)
        return;
    if (native->closes_left == 0 || !kv_transport_can_send(native->transport, now))
        kv_native_finish(native, native->reason);
}

static void
advance_carried(KvNative *native, KvTime now)
{
    kv_transport_advance(native->transport, now);
    if (native->state == KV_NATIVE_CLOSING) {
        advance_close(native, now);
        return;
    }
    kv_shard_decoder_advance(native->decoder, now);
    kv_lanes_advance(native->lanes, now);
    kv_kcp_advance(native->kcp, now);
    advance_rapid_fec(native, now);
    native->flush_due = TRUE;
}

void
kv_native_advance(KvNative *native, KvTime now)
{
    if (native->state == KV_NATIVE_CLOSED)
        return;
    if (native->initiator != NULL) {
        kv_initiator_advance(native->initiator, now);
        kv_native_check_initiator(native, kv_native_get_remote(native), now);
    }
    if (native->state == KV_NATIVE_BEGINNING && now >= native->handshake_deadline)
        kv_native_finish(native, KV_REASON_HANDSHAKE_TIMEOUT);
    if (native->transport != NULL && native->state != KV_NATIVE_CLOSED)
        advance_carried(native, now);
    kv_native_take_transport_events(native, now);
}

gboolean
kv_native_next_event(KvNative *native, KvEvent *event)
{
    if (native->n_events == 0)
        return FALSE;
    *event = native->events[native->first_event];
    native->first_event = (native->first_event + 1) % KV_NATIVE_EVENTS_MAX;
    native->n_events--;
    return TRUE;
}

/* --- inner side ------------------------------------------------------------------------------ */

KvTime
kv_native_get_rtt(const KvNative *native)
{
    KvKcpState state;

    if (native->kcp == NULL)
        return 0;
    kv_kcp_get_state(native->kcp, &state);
    return (KvTime) state.srtt * KV_TIME_MS;
}

gboolean
kv_native_can_send(const KvNative *native)
{
    return native->state == KV_NATIVE_OPEN && kv_kcp_can_send(native->kcp);
}

guint
kv_native_get_packet_max(const KvNative *native)
{
    return native->kcp != NULL ? kv_kcp_get_part_max(native->kcp) : 0;
}

gboolean
kv_native_send(KvNative *native, uint64_t flow, const KvSlice *slices, guint n, KvTime now)
{
    size_t bytes = 0;
    KvEcn ecn;

    if (native->state != KV_NATIVE_OPEN)
        return FALSE;
    /* Nobody knows where to: it need not wait. */
    if (native->params.role == KV_ROLE_PEER && !kv_native_peer_knows_remote(native))
        return FALSE;
    for (guint i = 0; i < n; i++)
        bytes += slices[i].len;
    ecn = kv_flow_get_ecn(native->params.mode, slices[0].data, slices[0].len);
    if (!kv_lane_sender_send(&native->lane_sender, native->kcp, flow, ecn, slices, n))
        return FALSE;
    native->flush_due = TRUE;
    native->stats.inner_tx_packets++;
    native->stats.inner_tx_bytes += bytes;
    return TRUE;
}

size_t
kv_native_recv(KvNative *native, uint8_t *buf, size_t cap, uint16_t *ethertype, KvTime now)
{
    KvEcn ecn;
    size_t len;

    if (native->state != KV_NATIVE_OPEN)
        return 0;
    while ((len = kv_lanes_recv(native->lanes, buf, cap, &ecn)) > 0) {
        if (!kv_gso_find_ethertype(native->params.mode, buf, len, ethertype)) {
            native->stats.drops[KV_DROP_MALFORMED]++;
            continue;
        }
        if (!kv_flow_take_ecn(native->params.mode, buf, len, ecn)) {
            native->stats.drops[KV_DROP_CONGESTION]++;
            continue;
        }
        native->stats.inner_rx_packets++;
        native->stats.inner_rx_bytes += len;
        return len;
    }
    return 0;
}

/* --- control --------------------------------------------------------------------------------- */

void
kv_native_open_vni(KvNative *native, KvTime now)
{
    if (native->state == KV_NATIVE_READY)
        native->state = KV_NATIVE_OPEN;
}

void
kv_native_poke(KvNative *native, KvTime now)
{
    if (native->transport != NULL)
        kv_transport_poke(native->transport, now);
}

void
kv_native_close(KvNative *native, KvCloseReason reason, KvTime now)
{
    if (native->state >= KV_NATIVE_CLOSING)
        return;
    if (native->transport == NULL || !kv_transport_can_send(native->transport, now)) {
        kv_native_finish(native, KV_REASON_LOCAL);
        return;
    }
    if (native->initiator != NULL)
        kv_initiator_stop(native->initiator);
    native->state = KV_NATIVE_CLOSING;
    native->reason = KV_REASON_LOCAL;
    native->close_reason = reason;
    native->closes_left = KV_NATIVE_CLOSES;
    native->next_close = now;
}

/* --- state ----------------------------------------------------------------------------------- */

const KvNativeConfig *
kv_native_get_remote_config(const KvNative *native)
{
    return &native->remote;
}

const KvEndpoint *
kv_native_get_remote(const KvNative *native)
{
    return native->transport != NULL && !native->is_fresh
               ? kv_transport_get_remote(native->transport)
               : &native->params.remote;
}

const uint8_t *
kv_native_get_association(const KvNative *native)
{
    return native->association;
}

guint
kv_native_get_mtu(const KvNative *native)
{
    return native->params.role == KV_ROLE_SERVER ? native->say.mtu : native->remote.mtu;
}

guint
kv_native_get_indexes(const KvNative *native, uint32_t *indexes)
{
    return native->transport != NULL ? kv_transport_get_indexes(native->transport, indexes) : 0;
}

void
kv_native_get_stats(const KvNative *native, KvStats *stats)
{
    KvKcpState kcp;
    const KvLossCount *loss;

    *stats = native->stats;
    if (native->transport == NULL)
        return;
    loss = kv_transport_get_loss(native->transport);
    stats->path_rx_arrived = loss->seen;
    stats->path_rx_marked = loss->ce;
    stats->path_rx_expected = (uint64_t) loss->seen + loss->missing;
    kv_kcp_get_state(native->kcp, &kcp);
    stats->kcp_segments_sent = kcp.segments_sent;
    stats->kcp_retransmits_timeout = kcp.retransmits_timeout;
    stats->kcp_retransmits_fast = kcp.retransmits_fast;
    stats->kcp_retransmits_probe = kcp.retransmits_probe;
    stats->kcp_duplicates = kcp.duplicates;
    stats->rtt_us = (uint32_t) kcp.srtt * 1000;
    stats->rtt_var_us = (uint32_t) kcp.rttvar * 1000;
    stats->send_window = MIN(native->params.snd_wnd, kcp.rmt_wnd);
    stats->send_waiting = kv_kcp_get_waiting(native->kcp);
}
