/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-pump.h"

#include "kv-clock.h"
#include "kv-error.h"
#include "kv-log.h"
#include "kv-pump-message.h"
#include "kv-pump-private.h"

#include <sodium.h>
#include <sys/epoll.h>

/* One wake-up drains at most this many batches before the other side gets its turn. */
#define RECEIVE_BATCHES_PER_TURN 8
#define RECEIVE_BATCH            64

/* A socket that fails so often in a row will not work any more. */
#define RECEIVE_ERRORS_MAX 100

/* What a bulk transfer is: so many large datagrams in a window, and not yet so many at a time. */
#define BULK_BYTES     1000
#define BULK_WINDOW    (4 * KV_TIME_MS)
#define BULK_DATAGRAMS 12
#define BULK_BATCH     16

/* After this, sessions that have not ended in good order are dropped. */
#define SHUTDOWN_PATIENCE (2 * KV_TIME_S)

/* A session keeps its address against a new one from the same address for this long after its
 * last valid datagram: one forged or replayed datagram must not kill it. */
#define REPLACE_AFTER (30 * KV_TIME_S)

typedef struct {
    KvLink *link;
    KvReason reason;
} EndedLink;

/* The counters on their way to the main thread. */
typedef struct {
    KvPump *pump;
    KvPumpSnapshot snapshot;
    KvLinkSnapshot links[];
} SnapshotMessage;

KvPump *
kv_pump_ref(KvPump *pump)
{
    g_atomic_int_inc(&pump->refs);
    return pump;
}

void
kv_pump_unref(KvPump *pump)
{
    if (!g_atomic_int_dec_and_test(&pump->refs))
        return;
    kv_tunnel_params_unref(pump->params);
    g_clear_error(&pump->failure);
    g_free(pump);
}

static SnapshotMessage *
snapshot_message_new(KvPump *pump, guint n_links)
{
    SnapshotMessage *message = g_malloc(sizeof *message + n_links * sizeof(KvLinkSnapshot));

    message->pump = kv_pump_ref(pump);
    message->snapshot = (KvPumpSnapshot){.links = message->links};
    return message;
}

static void
snapshot_message_free(SnapshotMessage *message)
{
    kv_pump_unref(message->pump);
    g_free(message);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SnapshotMessage, snapshot_message_free)

/* --- on the main thread: what the worker says ------------------------------------------------- */

static void
main_event(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;

    if (!pump->is_over)
        pump->callbacks->event(pump->owner, pump, message->link, &message->remote, &message->event);
}

static void
main_ended(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;

    if (pump->is_over)
        kv_tun_close(message->tun);
    else
        pump->callbacks->ended(pump->owner, pump, message->link, message->reason, message->tun);
}

static void
main_snapshot(gpointer data)
{
    g_autoptr(SnapshotMessage) message = data;
    KvPump *pump = message->pump;

    if (!pump->is_over)
        pump->callbacks->snapshot(pump->owner, pump, &message->snapshot);
}

static void
main_link_state(gpointer data)
{
    g_autoptr(SnapshotMessage) message = data;
    KvPump *pump = message->pump;

    if (!pump->is_over)
        pump->callbacks->link_state(pump->owner, pump, message->links);
}

static void
main_gone(gpointer data)
{
    g_autoptr(SnapshotMessage) message = data;
    KvPump *pump = message->pump;

    pump->is_over = TRUE;
    pump->callbacks->gone(pump->owner, pump, &message->snapshot);
    kv_pump_unref(pump);
}

/* --- on the worker ---------------------------------------------------------------------------- */

KvLink *
kv_pump_find_link(KvPump *pump, KvLinkId id)
{
    return pump->links != NULL ? g_hash_table_lookup(pump->links, &id) : NULL;
}

static void
link_wrote(gpointer data)
{
    KvPump *pump = data;

    kv_worker_add_idle(pump->worker, &pump->flush_idle);
}

static void
link_event(gpointer data, KvLink *link, const KvEvent *event)
{
    KvPump *pump = data;
    KvPumpMessage *message;

    if (kv_link_get_native(link) != NULL && kv_pump_native_event(pump, link, event))
        return;
    if (event->type == KV_EVENT_READY)
        kv_demux_establish(pump->demux, kv_link_get_entry(link));
    message = kv_pump_message_new(pump, kv_link_get_id(link));
    message->remote = *kv_link_get_remote(link);
    message->event = *event;
    kv_main_send(main_event, message);
}

static void
link_ended(gpointer data, KvLink *link, KvReason reason)
{
    KvPump *pump = data;
    EndedLink *ended = g_new0(EndedLink, 1);

    if (kv_link_get_native(link) != NULL)
        kv_pump_native_ended(pump, link, reason);
    ended->link = link;
    ended->reason = reason;
    g_ptr_array_add(pump->ended, ended);
    kv_worker_add_idle(pump->worker, &pump->reap_idle);
}

static void
fill_totals(const KvPump *pump, KvPumpSnapshot *snapshot)
{
    snapshot->past = pump->past;
    if (pump->door != NULL)
        kv_native_door_add_stats(pump->door, &snapshot->past);
    memcpy(snapshot->drops, pump->drops, sizeof snapshot->drops);
    if (pump->hub != NULL)
        kv_hub_add_drops(pump->hub, snapshot->drops);
    snapshot->drops[KV_DROP_NONE] = 0;
}

void
kv_pump_remove_link(KvPump *pump, KvLink *link, KvReason reason)
{
    KvPumpMessage *message = kv_pump_message_new(pump, kv_link_get_id(link));
    KvLinkSnapshot snapshot;

    kv_link_get_snapshot(link, &snapshot);
    kv_stats_add(&pump->past, &snapshot.stats);
    message->reason = reason;
    message->tun = kv_link_steal_tun(link);
    kv_demux_remove(pump->demux, kv_link_get_entry(link));
    if (pump->door != NULL)
        kv_native_door_remove(pump->door, kv_link_get_door_entry(link));
    g_hash_table_remove(pump->links, &message->link);
    kv_link_free(link);
    kv_main_send(main_ended, message);
}

void
kv_pump_return_tun(KvPump *pump, KvTun *tun)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    message->reason = KV_REASON_NONE;
    message->tun = tun;
    kv_main_send(main_ended, message);
}

static void
tear_down(KvPump *pump)
{
    SnapshotMessage *message;
    GHashTableIter iter;
    gpointer link;

    if (pump->gone)
        return;
    pump->gone = TRUE;
    g_ptr_array_set_size(pump->ended, 0);
    while (g_hash_table_size(pump->links) > 0) {
        g_hash_table_iter_init(&iter, pump->links);
        if (g_hash_table_iter_next(&iter, NULL, &link))
            kv_pump_remove_link(pump, link, KV_REASON_LOCAL);
    }
    kv_worker_set_timer(pump->worker, &pump->shutdown_timer, KV_TIME_NEVER);
    pump->drops[KV_DROP_SOCKET] += kv_udp_flush(pump->udp);
    kv_worker_remove_idle(pump->worker, &pump->receive_idle);
    kv_worker_remove_idle(pump->worker, &pump->flush_idle);
    kv_worker_remove_idle(pump->worker, &pump->reap_idle);
    kv_worker_remove_watch(pump->worker, &pump->udp_watch);
    message = snapshot_message_new(pump, 0);
    fill_totals(pump, &message->snapshot);
    kv_pump_native_stop(pump);
    g_clear_pointer(&pump->udp, kv_udp_close);
    g_clear_pointer(&pump->links, g_hash_table_unref);
    g_clear_pointer(&pump->ended, g_ptr_array_unref);
    g_clear_pointer(&pump->demux, kv_demux_free);
    g_clear_pointer(&pump->context.merger, kv_gso_merger_free);
    g_clear_pointer(&pump->context.crypt, kv_v1_crypt_free);
    g_clear_pointer(&pump->context.tx_buffer, g_free);
    g_clear_pointer(&pump->context.rx_arena, g_free);
    kv_main_send(main_gone, message);
}

/* @failure: (transfer full) */
static void
fail(KvPump *pump, GError *failure)
{
    g_atomic_pointer_set(&pump->failure, failure);
    tear_down(pump);
}

static void
reap(KvIdle *idle, KvTime now)
{
    KvPump *pump = (KvPump *) ((char *) idle - G_STRUCT_OFFSET(KvPump, reap_idle));

    while (pump->ended->len > 0) {
        EndedLink *ended = g_ptr_array_index(pump->ended, 0);

        kv_pump_remove_link(pump, ended->link, ended->reason);
        g_ptr_array_remove_index(pump->ended, 0);
    }
    if (pump->shutting_down && g_hash_table_size(pump->links) == 0)
        tear_down(pump);
}

static void
flush(KvIdle *idle, KvTime now)
{
    KvPump *pump = (KvPump *) ((char *) idle - G_STRUCT_OFFSET(KvPump, flush_idle));

    pump->drops[KV_DROP_SOCKET] += kv_udp_flush(pump->udp);
}

void
kv_pump_send(KvPump *pump, const KvUdpPath *path, const uint8_t *data, size_t len)
{
    memcpy(kv_udp_reserve(pump->udp, path), data, len);
    kv_udp_commit(pump->udp, len, KV_ECN_NOT_ECT);
    link_wrote(pump);
}

KvLink *
kv_pump_add_link(KvPump *pump, KvLinkId id, KvSession *session, const KvUdpPath *path, KvTime now)
{
    KvLink *link = kv_link_new(&pump->context, id, session, path, now);

    g_hash_table_insert(pump->links, g_memdup2(&id, sizeof id), link);
    return link;
}

static KvLink *
add_v1_link(KvPump *pump, KvLinkId id, uint32_t conv, const KvUdpPath *path, KvTime now)
{
    KvV1Config config = pump->params->v1;
    KvSession *session;
    KvLink *link;

    config.kcp.conv = conv;
    session = kv_session_new_v1(&config, pump->context.crypt, kv_worker_get_pool(pump->worker),
                                &pump->random, now);
    link = kv_pump_add_link(pump, id, session, path, now);
    kv_demux_add(pump->demux, kv_link_get_entry(link));
    return link;
}

static KvDrop
input_from_stranger(KvPump *pump, const KvUdpDatagram *datagram, KvTime now)
{
    KvLink *link;
    uint32_t conv;
    KvDrop drop;

    if (pump->params->role == KV_ROLE_CLIENT || pump->shutting_down)
        return KV_DROP_STRANGER;
    if (pump->door != NULL) {
        drop = kv_pump_native_input(pump, datagram, now);
        if (drop != KV_DROP_NONE && pump->knock != NULL)
            kv_v1_knock_look(pump->knock, datagram, now);
        if (drop == KV_DROP_NONE || pump->context.crypt == NULL)
            return drop;
    }
    drop =
        kv_v1_probe(&pump->params->v1, pump->context.crypt, datagram->data, datagram->len, &conv);
    if (drop == KV_DROP_NONE)
        drop = kv_demux_admit(pump->demux, now);
    if (drop != KV_DROP_NONE)
        return drop;
    link = add_v1_link(pump, ++pump->next_id, conv, datagram->path, now);
    return kv_link_input(link, datagram, now);
}

/* A client has one link; the address its server answers from need not be the one it was called
 * at, so the session's own checks decide. */
static KvLink *
find_only_link(KvPump *pump)
{
    GHashTableIter iter;
    gpointer link = NULL;

    g_hash_table_iter_init(&iter, pump->links);
    if (g_hash_table_size(pump->links) == 1)
        g_hash_table_iter_next(&iter, NULL, &link);
    return link;
}

static KvLink *
find_link_of(KvPump *pump, const KvUdpDatagram *datagram)
{
    KvLink *link = pump->door != NULL ? kv_pump_native_find(pump, datagram) : NULL;
    KvDemuxEntry *entry;

    if (link != NULL)
        return link;
    entry = kv_demux_find(pump->demux, &datagram->path->remote);
    return entry != NULL ? kv_link_from_entry(entry) : NULL;
}

static KvDrop
input(KvPump *pump, const KvUdpDatagram *datagram, KvTime now)
{
    KvLink *link = find_link_of(pump, datagram);
    KvDrop drop;

    if (link == NULL && pump->params->role == KV_ROLE_CLIENT)
        link = find_only_link(pump);
    if (link == NULL)
        return input_from_stranger(pump, datagram, now);
    drop = kv_link_input(link, datagram, now);
    if (drop == KV_DROP_CONV && pump->params->role == KV_ROLE_SERVER && !kv_link_has_ended(link) &&
        kv_time_elapsed(now, kv_link_get_last_received(link)) >= REPLACE_AFTER) {
        kv_pump_remove_link(pump, link, KV_REASON_TIMEOUT);
        return input_from_stranger(pump, datagram, now);
    }
    return KV_DROP_NONE; /* the session has counted what it dropped */
}

static void
note_receive_error(KvPump *pump, int errnum)
{
    GError *failure = NULL;

    if (++pump->n_receive_errors < RECEIVE_ERRORS_MAX)
        return;
    kv_error_set_errno(&failure, errnum, "the UDP socket does not receive any more");
    fail(pump, failure);
}

/* Counts the datagrams of a bulk transfer. When they come one by one, as on a link that is slower
 * than this machine, a wake-up for each costs several times what they do together. Those that are
 * there already are not kept waiting: they would fill the socket. */
static void
note_bulk(KvPump *pump, const KvUdpDatagram *datagrams, int n, KvTime now)
{
    guint n_large = 0;

    for (int i = 0; i < n; i++)
        n_large += datagrams[i].len >= BULK_BYTES;
    if (kv_time_elapsed(now, pump->bulk_since) >= BULK_WINDOW) {
        pump->is_bulk = pump->n_bulk >= BULK_DATAGRAMS &&
                        kv_time_elapsed(now, pump->bulk_since) < 2 * BULK_WINDOW;
        pump->bulk_since = now;
        pump->n_bulk = 0;
    }
    pump->n_bulk += n_large;
    if (pump->is_bulk && n_large > 0 && n_large < BULK_BATCH && !kv_udp_has_more(pump->udp))
        kv_worker_rest(pump->worker);
}

static void
receive(KvPump *pump, KvTime now)
{
    KvUdpDatagram datagrams[RECEIVE_BATCH];

    for (guint batch = 0; batch < RECEIVE_BATCHES_PER_TURN; batch++) {
        int n = kv_udp_receive(pump->udp, datagrams, RECEIVE_BATCH);

        if (n < 0) {
            note_receive_error(pump, -n);
            return;
        }
        pump->n_receive_errors = 0;
        note_bulk(pump, datagrams, n, now);
        for (int i = 0; i < n; i++)
            pump->drops[input(pump, &datagrams[i], now)]++;
        if (!kv_udp_has_more(pump->udp))
            return;
    }
    /* What is left may sit in user space already, where epoll does not see it. */
    kv_worker_add_idle(pump->worker, &pump->receive_idle);
}

static void
receive_rest(KvIdle *idle, KvTime now)
{
    receive((KvPump *) ((char *) idle - G_STRUCT_OFFSET(KvPump, receive_idle)), now);
}

static void
udp_ready(KvWatch *watch, uint32_t events, KvTime now)
{
    KvPump *pump = (KvPump *) ((char *) watch - G_STRUCT_OFFSET(KvPump, udp_watch));

    if (events & EPOLLHUP)
        fail(pump, g_error_new_literal(KV_ERROR, KV_ERROR_IO, "the UDP socket was shut down"));
    else
        receive(pump, now);
}

static void
shutdown_due(KvTimer *timer, KvTime now)
{
    tear_down((KvPump *) ((char *) timer - G_STRUCT_OFFSET(KvPump, shutdown_timer)));
}

static void
fill_random(void *ctx, void *buf, size_t len)
{
    randombytes_buf(buf, len);
}

/* --- on the worker: what the main thread asks for ------------------------------------------- */

static void
worker_start(KvWorker *worker, gpointer data)
{
    KvPump *pump = data;
    g_autoptr(GError) error = NULL;

    pump->demux = kv_demux_new(KV_DEMUX_HALF_OPEN_MAX / pump->params->workers);
    pump->links = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    pump->ended = g_ptr_array_new_with_free_func(g_free);
    pump->udp_watch.ready = udp_ready;
    pump->receive_idle.run = receive_rest;
    pump->flush_idle.run = flush;
    pump->reap_idle.run = reap;
    pump->shutdown_timer.due = shutdown_due;
    kv_pump_native_start(pump);
    if (!kv_worker_add_watch(worker, &pump->udp_watch, kv_udp_get_fd(pump->udp), EPOLLIN, &error)) {
        g_prefix_error(&error, "the UDP socket is of no use: ");
        fail(pump, g_steal_pointer(&error));
    }
}

static void
worker_connect(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvUdpPath path = {.remote = message->remote};
    KvTime now = kv_worker_get_now(worker);

    if (pump->gone)
        return;
    if (pump->params->native != NULL)
        kv_pump_add_link(pump, message->link, kv_pump_native_dial(pump, &path.remote, now), &path,
                         now);
    else
        add_v1_link(pump, message->link, randombytes_random(), &path, now);
}

static void
worker_answer(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvLink *link = kv_pump_find_link(message->pump, message->link);

    if (link != NULL)
        kv_link_answer(link, &message->answer, kv_worker_get_now(worker));
}

static void
worker_attach(KvWorker *worker, gpointer data)
{
    KvPumpMessage *message = data;
    KvPump *pump = message->pump;
    KvLink *link = kv_pump_find_link(pump, message->link);
    g_autoptr(GError) error = NULL;

    if (link != NULL && kv_link_has_ended(link))
        link = NULL;
    if (link != NULL && pump->context.merger == NULL)
        pump->context.merger =
            kv_gso_merger_new(kv_tun_get_mode(message->tun), kv_tun_has_uso(message->tun));
    if (link != NULL && kv_link_attach(link, message->tun, kv_worker_get_now(worker), &error)) {
        kv_pump_message_free(message);
        return;
    }
    if (link != NULL) {
        kv_log(KV_LOG_ERROR, NULL, kv_tun_get_name(message->tun), NULL, "%s", error->message);
        kv_pump_remove_link(pump, link, KV_REASON_LOCAL);
    }
    /* The link had ended before its device arrived: hand the device back. */
    message->reason = KV_REASON_NONE;
    kv_main_send(main_ended, message);
}

static void
worker_poke_link(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvLink *link = kv_pump_find_link(message->pump, message->link);

    if (link != NULL)
        kv_link_poke(link, kv_worker_get_now(worker));
}

static void
worker_close_link(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvLink *link = kv_pump_find_link(message->pump, message->link);

    if (link != NULL)
        kv_link_close(link, message->close_reason, kv_worker_get_now(worker));
}

static void
worker_drop_link(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvLink *link = kv_pump_find_link(pump, message->link);

    /* One that has just ended by itself is about to be reaped. */
    if (link != NULL && !kv_link_has_ended(link))
        kv_pump_remove_link(pump, link, KV_REASON_LOCAL);
}

static void
worker_snapshot(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    SnapshotMessage *answer;
    GHashTableIter iter;
    gpointer link;
    guint n = 0;

    /* The last word has told it all. */
    if (pump->gone)
        return;
    answer = snapshot_message_new(pump, g_hash_table_size(pump->links));
    g_hash_table_iter_init(&iter, pump->links);
    while (g_hash_table_iter_next(&iter, NULL, &link))
        kv_link_get_snapshot(link, &answer->links[n++]);
    answer->snapshot.n_links = n;
    fill_totals(pump, &answer->snapshot);
    kv_main_send(main_snapshot, answer);
}

static void
worker_query_link(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvLink *link = kv_pump_find_link(message->pump, message->link);
    SnapshotMessage *answer;

    if (link == NULL)
        return;
    answer = snapshot_message_new(message->pump, 1);
    kv_link_get_snapshot(link, &answer->links[0]);
    kv_main_send(main_link_state, answer);
}

static void
worker_shutdown(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvTime now = kv_worker_get_now(worker);
    GHashTableIter iter;
    gpointer link;

    if (pump->gone)
        return;
    pump->shutting_down = TRUE;
    g_hash_table_iter_init(&iter, pump->links);
    while (g_hash_table_iter_next(&iter, NULL, &link))
        kv_link_close(link, KV_CLOSE_GOING_DOWN, now);
    kv_worker_set_timer(worker, &pump->shutdown_timer, now + SHUTDOWN_PATIENCE);
    kv_worker_add_idle(worker, &pump->reap_idle);
}

/* --- public --------------------------------------------------------------------------------- */

KvPump *
kv_pump_new(KvWorker *worker, KvTunnelParams *params, KvUdp *udp, const KvPumpCallbacks *callbacks,
            gpointer owner, GError **error)
{
    g_autoptr(KvUdp) owned_udp = udp;
    g_autoptr(KvV1Knock) knock = NULL;
    KvV1Crypt *crypt = NULL;
    KvPump *pump;

    if (params->knock_key != NULL) {
        knock = kv_v1_knock_new(params, error);
        if (knock == NULL)
            return NULL;
    }
    if (params->key != NULL) {
        crypt = kv_v1_crypt_new(params->cipher, kv_secret_get_data(params->key), error);
        if (crypt == NULL)
            return NULL;
    }
    pump = g_new0(KvPump, 1);
    pump->refs = 1;
    pump->worker = worker;
    pump->params = kv_tunnel_params_ref(params);
    pump->callbacks = callbacks;
    pump->owner = owner;
    pump->udp = g_steal_pointer(&owned_udp);
    pump->knock = g_steal_pointer(&knock);
    pump->random.fill = fill_random;
    pump->context = (KvLinkContext){
        .worker = worker,
        .udp = pump->udp,
        .crypt = crypt,
        .random = &pump->random,
        .role = params->role,
        .tx_buffer = g_malloc(KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX),
        .rx_arena = g_malloc(KV_LINK_RX_ARENA_BYTES),
        .wrote = link_wrote,
        .event = link_event,
        .ended = link_ended,
        .pump = pump,
    };
    kv_worker_send(worker, worker_start, pump);
    return pump;
}

const GError *
kv_pump_get_failure(KvPump *pump)
{
    return g_atomic_pointer_get(&pump->failure);
}

KvLinkId
kv_pump_connect(KvPump *pump, const KvSockaddr *remote)
{
    KvPumpMessage *message = kv_pump_message_new(pump, ++pump->next_id);
    KvLinkId id = message->link;

    message->remote = *remote;
    kv_worker_send(pump->worker, worker_connect, message);
    return id;
}

void
kv_pump_answer(KvPump *pump, KvLinkId link, const KvAnswer *answer)
{
    KvPumpMessage *message = kv_pump_message_new(pump, link);

    message->answer = *answer;
    kv_worker_send(pump->worker, worker_answer, message);
}

void
kv_pump_attach(KvPump *pump, KvLinkId link, KvTun *tun)
{
    KvPumpMessage *message = kv_pump_message_new(pump, link);

    message->tun = tun;
    kv_worker_send(pump->worker, worker_attach, message);
}

void
kv_pump_poke_link(KvPump *pump, KvLinkId link)
{
    kv_worker_send(pump->worker, worker_poke_link, kv_pump_message_new(pump, link));
}

void
kv_pump_close_link(KvPump *pump, KvLinkId link, KvCloseReason reason)
{
    KvPumpMessage *message = kv_pump_message_new(pump, link);

    message->close_reason = reason;
    kv_worker_send(pump->worker, worker_close_link, message);
}

void
kv_pump_drop_link(KvPump *pump, KvLinkId link)
{
    kv_worker_send(pump->worker, worker_drop_link, kv_pump_message_new(pump, link));
}

void
kv_pump_query_link(KvPump *pump, KvLinkId link)
{
    kv_worker_send(pump->worker, worker_query_link, kv_pump_message_new(pump, link));
}

void
kv_pump_snapshot(KvPump *pump)
{
    kv_worker_send(pump->worker, worker_snapshot, kv_pump_message_new(pump, 0));
}

void
kv_pump_shutdown(KvPump *pump)
{
    kv_worker_send(pump->worker, worker_shutdown, kv_pump_message_new(pump, 0));
}
