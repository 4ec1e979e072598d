/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-link.h"

#include "kv-error.h"
#include "kv-flow.h"
#include "kv-gso.h"
#include "kv-queue.h"

#include <errno.h>
#include <sys/epoll.h>

/* How much one link may do in one wake-up before the others get their turn. */
#define SUPER_PACKETS_PER_TURN 16
#define DATAGRAMS_PER_TURN     512

/* What may wait in front of a session; CoDel keeps it far below in the long run. */
#define QUEUE_BYTES (2 * 1024 * 1024)

/* A turn may make room for more of what waits, so often. */
#define ROUNDS_PER_TURN 8

/* The largest packet a peer can send: v1 has frames of 32 KiB, native an Ethernet frame with a VLAN
 * tag around the largest IP packet. */
#define INNER_PACKET_MAX (KV_GSO_PACKET_MAX + 18)

/* Where a peer is or was, and this machine's address that it knows. */
typedef struct {
    KvEndpoint remote;
    KvUdpLocal local;
} Way;

struct _KvLink {
    const KvLinkContext *context;
    KvLinkId id;
    KvSession *session;
    KvDemuxEntry entry; /* v1; its address is where the peer is, whatever the protocol */
    KvNativeDoorEntry door_entry;
    KvUdpPath path;          /* of what goes out */
    KvEndpoint to;           /* native: the same as core has it */
    Way other;               /* native: the other one, while the peer moves */
    KvTun *tun;              /* (nullable): one of the two */
    KvHub *hub;              /* (nullable) */
    KvHubPort port;          /* at the hub; its sizes and drops count with a device, too */
    KvQueue *queue;          /* with either */
    KvSecret *preshared_key; /* (nullable) of a peer's session */
    KvWatch tun_watch;
    KvTimer timer;
    KvIdle idle;
    KvTime last_received;
    KvLinkNews news;
    gboolean ended;
    uint64_t device_drops;
    uint64_t malformed;
    uint64_t queue_drops;
};

/* --- device to tunnel ------------------------------------------------------------------------ */

static void
send_packet(KvLink *link, const KvSlice *slices, guint n, uint16_t ethertype, uint32_t flow,
            gboolean waits, KvTime now)
{
    gboolean ok = waits ? kv_queue_push(link->queue, slices, n, ethertype, flow, now)
                        : kv_session_send(link->session, slices, n, ethertype, flow, now);

    if (!ok)
        link->queue_drops++;
}

/* Of v1 no sizes are known, and everything fits. */
static gboolean
fits(KvLink *link, const KvGsoCutter *cutter, uint8_t *packet, size_t len, KvTime now)
{
    uint8_t answer[KV_TOO_BIG_ANSWER_MAX];
    size_t answer_len;
    KvDrop drop = kv_fit_send_super(&link->port.fit, kv_tun_get_mode(link->tun), cutter, packet,
                                    len, now, answer, &answer_len);

    if (drop == KV_DROP_NONE)
        return TRUE;
    link->port.drops[drop]++;
    if (answer_len > 0 && !kv_tun_write_packet(link->tun, answer, answer_len))
        link->device_drops++;
    return FALSE;
}

static void
send_super_packet(KvLink *link, uint8_t *buf, size_t len, KvTime now)
{
    KvGsoCutter cutter;
    KvSlice slices[2];
    uint32_t flow = 0;
    gboolean has_flow = FALSE;
    gboolean is_native = kv_link_get_native(link) != NULL;
    guint n;

    if (len <= KV_VNET_HDR_BYTES ||
        !kv_gso_cutter_init(&cutter, kv_tun_get_mode(link->tun), buf, buf + KV_VNET_HDR_BYTES,
                            len - KV_VNET_HDR_BYTES)) {
        link->malformed++;
        return;
    }
    if (!fits(link, &cutter, buf + KV_VNET_HDR_BYTES, len - KV_VNET_HDR_BYTES, now))
        return;
    while ((n = kv_gso_cutter_next(&cutter, slices)) > 0) {
        gboolean waits = !kv_queue_is_empty(link->queue) || !kv_session_can_send(link->session);

        /* All parts of a super-packet are of one flow. */
        if (!has_flow && (waits || is_native)) {
            flow = kv_queue_get_flow(link->queue, buf + KV_VNET_HDR_BYTES, len - KV_VNET_HDR_BYTES);
            has_flow = TRUE;
        }
        send_packet(link, slices, n, cutter.ethertype, flow, waits, now);
    }
}

static void
port_send(KvHubPort *port, const KvSlice *slices, guint n, uint16_t ethertype, uint64_t flow,
          KvTime now)
{
    KvLink *link = kv_link_from_port(port);
    gboolean waits = !kv_queue_is_empty(link->queue) || !kv_session_can_send(link->session);

    if (link->ended)
        return;
    send_packet(link, slices, n, ethertype, (uint32_t) flow, waits, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

static void
device_lost(KvLink *link, KvTime now)
{
    /* Level-triggered: a device that is gone would wake us for ever. */
    kv_worker_set_watch_events(link->context->worker, &link->tun_watch, 0);
    kv_session_close(link->session, now);
}

static void
read_device(KvLink *link, KvTime now)
{
    uint8_t *buf = link->context->tx_buffer;

    for (guint i = 0; i < SUPER_PACKETS_PER_TURN; i++) {
        ssize_t len = kv_tun_read(link->tun, buf, KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX);

        if (len == 0)
            return;
        /* A super-packet of a kind that no virtio header can tell, which the kernel has dropped. */
        if (len == -EINVAL) {
            link->malformed++;
            continue;
        }
        if (len < 0) {
            device_lost(link, now);
            return;
        }
        send_super_packet(link, buf, (size_t) len, now);
    }
}

static void
tun_ready(KvWatch *watch, uint32_t events, KvTime now)
{
    KvLink *link = (KvLink *) ((char *) watch - G_STRUCT_OFFSET(KvLink, tun_watch));

    if (events & EPOLLIN)
        read_device(link, now);
    else if (events & (EPOLLERR | EPOLLHUP))
        device_lost(link, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

/* Hands over what waits, as far as the session takes it. */
static void
send_queued(KvLink *link, KvTime now)
{
    KvSlice slices[KV_QUEUE_SLICES_MAX];
    uint16_t ethertype;
    uint32_t flow;
    guint n;

    if (link->queue == NULL || kv_queue_is_empty(link->queue))
        return;
    kv_queue_set_rtt(link->queue, kv_session_get_rtt(link->session));
    while (kv_session_can_send(link->session)) {
        n = kv_queue_pop(link->queue, slices, &ethertype, &flow, now);
        if (n == 0)
            return;
        if (!kv_session_send(link->session, slices, n, ethertype, flow, now))
            link->queue_drops++;
    }
}

/* --- tunnel to device ------------------------------------------------------------------------ */

/* Returns: FALSE when the merger holds nothing. */
static gboolean
write_one(KvLink *link)
{
    guint n_iov;
    guint n_packets;
    const struct iovec *iov = kv_gso_merger_take(link->context->merger, &n_iov, &n_packets);

    if (iov != NULL && !kv_tun_write(link->tun, iov, n_iov))
        link->device_drops += n_packets;
    return iov != NULL;
}

static void
write_merged(KvLink *link)
{
    if (link->hub != NULL) {
        kv_hub_flush(link->hub);
        return;
    }
    while (write_one(link))
        ;
}

static void
hand_up(KvLink *link, uint8_t *packet, size_t len, uint16_t ethertype, KvTime now)
{
    if (link->hub != NULL) {
        kv_hub_receive(link->hub, &link->port, packet, len, ethertype, now);
        return;
    }
    kv_fit_receive(&link->port.fit, kv_tun_get_mode(link->tun), packet, len);
    while (!kv_gso_merger_add(link->context->merger, packet, len))
        write_one(link);
}

/* Inner packets are laid out one after another in the arena; the merger, the link's or the hub's,
 * holds on to them there until it is emptied, which frees the arena for the next round. */
static void
write_device(KvLink *link, KvTime now)
{
    uint8_t *arena = link->context->rx_arena;
    size_t used = 0;
    uint16_t ethertype;
    size_t len;

    for (;;) {
        if (used + INNER_PACKET_MAX > KV_LINK_RX_ARENA_BYTES) {
            write_merged(link);
            used = 0;
        }
        len = kv_session_recv(link->session, arena + used, KV_LINK_RX_ARENA_BYTES - used,
                              &ethertype, now);
        if (len == 0)
            break;
        hand_up(link, arena + used, len, ethertype, now);
        used += len;
    }
    write_merged(link);
}

/* --- tunnel to wire -------------------------------------------------------------------------- */

/* Native: the datagram that was just written goes elsewhere than the one before: the peer moves.
 * It leaves from the address that the peer's last datagram from there came to. */
static void
turn_path(KvLink *link, const KvEndpoint *to)
{
    Way way = {.remote = *to};

    if (kv_endpoint_equal(to, &link->other.remote))
        way.local = link->other.local;
    link->other = (Way){link->to, link->path.local};
    link->to = *to;
    link->path.local = way.local;
    kv_sockaddr_from_endpoint(&link->path.remote, to, link->path.remote.sa.sa_family);
}

/* Returns whether the session had more to send than its turn allows. */
static gboolean
write_wire(KvLink *link, KvTime now)
{
    KvUdp *udp = link->context->udp;

    for (guint i = 0; i < DATAGRAMS_PER_TURN; i++) {
        uint8_t *room = kv_udp_reserve(udp, &link->path);
        KvEndpoint to = link->to;
        size_t len = kv_session_output(link->session, room, KV_UDP_ROOM, &to, now);

        if (len > 0 && !kv_endpoint_equal(&to, &link->to))
            turn_path(link, &to);
        kv_udp_commit(udp, len, kv_session_get_ecn(link->session));
        if (len == 0)
            return FALSE;
        link->context->wrote(link->context->pump);
    }
    return TRUE;
}

/* Both in turn, since what leaves makes room. Returns whether there is more for another turn. */
static gboolean
write_out(KvLink *link, KvTime now)
{
    for (guint round = 0; round < ROUNDS_PER_TURN; round++) {
        send_queued(link, now);
        if (write_wire(link, now))
            return TRUE;
        if (link->queue == NULL || kv_queue_is_empty(link->queue) ||
            !kv_session_can_send(link->session))
            return FALSE;
    }
    return TRUE;
}

/* --- turns ----------------------------------------------------------------------------------- */

static void
note_moved(KvLink *link)
{
    if (kv_link_get_native(link) == NULL)
        return;
    kv_sockaddr_from_endpoint(&link->entry.remote, kv_native_get_remote(kv_link_get_native(link)),
                              link->path.remote.sa.sa_family);
}

/* To a peer: the routes choose where its datagrams leave, until it answers. */
static void
forget_local(KvLink *link)
{
    if (link->context->role == KV_ROLE_PEER)
        link->path.local = link->other.local = (KvUdpLocal){0};
}

static void
handle_events(KvLink *link)
{
    KvEvent event;

    while (!link->ended && kv_session_next_event(link->session, &event)) {
        if (event.type == KV_EVENT_MOVED || event.type == KV_EVENT_CONFIGURED ||
            event.type == KV_EVENT_ANSWERED)
            note_moved(link);
        if (event.type == KV_EVENT_LOST || event.type == KV_EVENT_UNANSWERED)
            forget_local(link);
        if (event.type == KV_EVENT_CLOSED || event.type == KV_EVENT_REFUSED) {
            link->ended = TRUE;
            link->context->ended(link->context->pump, link, event.reason);
        } else {
            link->context->event(link->context->pump, link, &event);
        }
    }
}

/* What a datagram has room for changes with the path, the rest when the peer makes itself new. */
static void
update_fit(KvLink *link)
{
    const KvNative *native = kv_link_get_native(link);

    if (native == NULL)
        return;
    link->port.fit.mtu = kv_native_get_mtu(native);
    link->port.fit.packet_max = kv_native_get_packet_max(native);
}

static void
service(KvIdle *idle, KvTime now)
{
    KvLink *link = (KvLink *) ((char *) idle - G_STRUCT_OFFSET(KvLink, idle));
    KvWorker *worker = link->context->worker;

    update_fit(link);
    if (link->queue != NULL)
        write_device(link, now);
    if (write_out(link, now))
        kv_worker_add_idle(worker, &link->idle);
    handle_events(link);
    if (link->ended) {
        kv_worker_set_timer(worker, &link->timer, KV_TIME_NEVER);
        if (link->tun != NULL)
            kv_worker_set_watch_events(worker, &link->tun_watch, 0);
        return;
    }
    kv_worker_set_timer(worker, &link->timer, kv_session_deadline(link->session));
}

static void
timer_due(KvTimer *timer, KvTime now)
{
    KvLink *link = (KvLink *) ((char *) timer - G_STRUCT_OFFSET(KvLink, timer));

    kv_session_advance(link->session, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

/* --- public ---------------------------------------------------------------------------------- */

KvLink *
kv_link_new(const KvLinkContext *context, KvLinkId id, KvSession *session, const KvUdpPath *path,
            KvTime now)
{
    KvLink *link = g_new0(KvLink, 1);

    link->context = context;
    link->id = id;
    link->path = *path;
    link->entry.remote = path->remote;
    kv_sockaddr_to_endpoint(&path->remote, &link->to);
    link->session = session;
    kv_fit_init(&link->port.fit);
    link->timer.due = timer_due;
    link->idle.run = service;
    link->last_received = now;
    kv_worker_add_idle(context->worker, &link->idle);
    return link;
}

void
kv_link_free(KvLink *link)
{
    g_return_if_fail(link->tun == NULL);

    kv_worker_set_timer(link->context->worker, &link->timer, KV_TIME_NEVER);
    kv_worker_remove_idle(link->context->worker, &link->idle);
    if (link->hub != NULL)
        kv_hub_remove_port(link->hub, &link->port);
    kv_session_free(link->session);
    kv_secret_free(link->preshared_key);
    kv_queue_free(link->queue);
    g_free(link);
}

KvLinkId
kv_link_get_id(const KvLink *link)
{
    return link->id;
}

KvDemuxEntry *
kv_link_get_entry(KvLink *link)
{
    return &link->entry;
}

KvLink *
kv_link_from_entry(KvDemuxEntry *entry)
{
    return (KvLink *) ((char *) entry - G_STRUCT_OFFSET(KvLink, entry));
}

KvNativeDoorEntry *
kv_link_get_door_entry(KvLink *link)
{
    return &link->door_entry;
}

KvLink *
kv_link_from_door_entry(KvNativeDoorEntry *entry)
{
    return (KvLink *) ((char *) entry - G_STRUCT_OFFSET(KvLink, door_entry));
}

const KvSockaddr *
kv_link_get_remote(const KvLink *link)
{
    return &link->entry.remote;
}

KvNative *
kv_link_get_native(const KvLink *link)
{
    return kv_session_get_native(link->session);
}

KvLinkNews *
kv_link_get_news(KvLink *link)
{
    return &link->news;
}

gboolean
kv_link_has_ended(const KvLink *link)
{
    return link->ended;
}

KvTime
kv_link_get_last_received(const KvLink *link)
{
    return link->last_received;
}

/* A true datagram of the peer's came from @from: answers leave from the address it came to. A
 * client leaves that to its routes, which know best when the network changes. */
static void
note_native_path(KvLink *link, const KvEndpoint *from, const KvUdpPath *path)
{
    if (link->context->role == KV_ROLE_CLIENT)
        return;
    if (kv_endpoint_equal(from, &link->to))
        link->path.local = path->local;
    else
        link->other = (Way){*from, path->local};
}

static KvDrop
input_native(KvLink *link, const KvUdpDatagram *datagram, KvTime now)
{
    KvEndpoint from;
    KvDrop drop;

    kv_sockaddr_to_endpoint(&datagram->path->remote, &from);
    drop =
        kv_session_input(link->session, datagram->data, datagram->len, &from, datagram->ecn, now);
    if (drop == KV_DROP_NONE) {
        link->last_received = now;
        note_native_path(link, &from, datagram->path);
    }
    return drop;
}

static KvDrop
input_v1(KvLink *link, const KvUdpDatagram *datagram, KvTime now)
{
    KvDrop drop =
        kv_session_input(link->session, datagram->data, datagram->len, NULL, KV_ECN_NOT_ECT, now);

    if (drop == KV_DROP_NONE) {
        link->last_received = now;
        link->path.local = datagram->path->local;
    }
    return drop;
}

KvDrop
kv_link_input(KvLink *link, const KvUdpDatagram *datagram, KvTime now)
{
    KvDrop drop;

    if (link->ended)
        return KV_DROP_STRANGER;
    drop = kv_link_get_native(link) != NULL ? input_native(link, datagram, now)
                                            : input_v1(link, datagram, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
    return drop;
}

void
kv_link_add_keys(KvLink *link, KvNativeKeys *keys, const KvUdpDatagram *datagram, KvTime now)
{
    KvTransportInput first = {.data = datagram->data, .len = datagram->len, .ecn = datagram->ecn};

    kv_sockaddr_to_endpoint(&datagram->path->remote, &first.from);
    kv_native_add_keys(kv_link_get_native(link), keys, &first, now);
    link->last_received = now;
    note_native_path(link, &first.from, datagram->path);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

void
kv_link_keep_secret(KvLink *link, KvSecret *preshared_key)
{
    g_return_if_fail(link->preshared_key == NULL);

    link->preshared_key = preshared_key;
}

void
kv_link_call(KvLink *link, const KvSockaddr *remote, KvTime now)
{
    KvEndpoint endpoint;

    kv_sockaddr_to_endpoint(remote, &endpoint);
    kv_native_call(kv_link_get_native(link), &endpoint, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

void
kv_link_say(KvLink *link, KvNativeConfig *config, KvTime now)
{
    /* It cannot be told; one that comes back is told anew. */
    if (!kv_native_say(kv_link_get_native(link), config))
        kv_session_close(link->session, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

void
kv_link_answer(KvLink *link, const KvAnswer *answer, KvTime now)
{
    kv_session_answer(link->session, answer, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

static void
make_queue(KvLink *link, KvVniMode mode)
{
    uint8_t key[KV_FLOW_KEY_BYTES];

    kv_random_fill(link->context->random, key, sizeof key);
    link->queue = kv_queue_new(mode, kv_worker_get_pool(link->context->worker), QUEUE_BYTES, key);
}

gboolean
kv_link_attach(KvLink *link, KvTun *tun, KvTime now, GError **error)
{
    g_return_val_if_fail(link->tun == NULL && link->hub == NULL, FALSE);

    link->tun_watch.ready = tun_ready;
    link->tun = tun;
    make_queue(link, kv_tun_get_mode(tun));
    kv_tun_begin_use(tun, link->context->tx_buffer, KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX);
    if (!kv_worker_add_watch(link->context->worker, &link->tun_watch, kv_tun_get_fd(tun), EPOLLIN,
                             error)) {
        link->tun = NULL;
        return FALSE;
    }
    kv_session_open_vni(link->session, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
    return TRUE;
}

void
kv_link_join(KvLink *link, KvHub *hub, KvTime now)
{
    g_return_if_fail(link->tun == NULL && link->hub == NULL);

    link->hub = hub;
    link->port.send = port_send;
    make_queue(link, kv_tun_get_mode(kv_hub_get_tun(hub)));
    kv_hub_add_port(hub, &link->port);
    update_fit(link);
    kv_session_open_vni(link->session, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

KvHubPort *
kv_link_get_port(KvLink *link)
{
    return link->hub != NULL ? &link->port : NULL;
}

KvLink *
kv_link_from_port(KvHubPort *port)
{
    return (KvLink *) ((char *) port - G_STRUCT_OFFSET(KvLink, port));
}

KvTun *
kv_link_steal_tun(KvLink *link)
{
    if (link->tun != NULL)
        kv_worker_remove_watch(link->context->worker, &link->tun_watch);
    return g_steal_pointer(&link->tun);
}

void
kv_link_poke(KvLink *link, KvTime now)
{
    forget_local(link);
    kv_session_poke(link->session, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

void
kv_link_close(KvLink *link, KvCloseReason reason, KvTime now)
{
    KvNative *native = kv_link_get_native(link);

    if (native != NULL)
        kv_native_close(native, reason, now);
    else
        kv_session_close(link->session, now);
    kv_worker_add_idle(link->context->worker, &link->idle);
}

void
kv_link_replace(KvLink *link, KvTime now)
{
    kv_native_close(kv_link_get_native(link), KV_CLOSE_REPLACED, now);
    write_wire(link, now);
}

void
kv_link_get_snapshot(const KvLink *link, KvLinkSnapshot *snapshot)
{
    *snapshot = (KvLinkSnapshot){
        .id = link->id,
        .remote = link->entry.remote,
        .last_received = link->last_received,
    };
    kv_session_get_stats(link->session, &snapshot->stats);
    snapshot->stats.drops[KV_DROP_DEVICE] += link->device_drops;
    snapshot->stats.drops[KV_DROP_MALFORMED] += link->malformed;
    snapshot->stats.drops[KV_DROP_QUEUE] += link->queue_drops;
    for (guint i = 0; i < KV_N_DROPS; i++)
        snapshot->stats.drops[i] += link->port.drops[i];
    if (link->queue == NULL)
        return;
    snapshot->stats.drops[KV_DROP_QUEUE] += kv_queue_get_drops(link->queue);
    snapshot->stats.queue_packets = kv_queue_get_packets(link->queue);
    snapshot->stats.queue_bytes = kv_queue_get_bytes(link->queue);
}
