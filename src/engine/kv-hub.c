/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hub.h"

#include "kv-flow.h"
#include "kv-gso.h"

#include <errno.h>
#include <sys/epoll.h>

/* How much is read in one wake-up before the sessions get their turn. */
#define SUPER_PACKETS_PER_TURN 16

/* An inner packet on its way, or the super-packet that it is cut out of. */
typedef struct {
    uint8_t *data;
    size_t len;
    KvGsoCutter *cutter; /* (nullable): of a packet from the device */
    uint16_t ethertype;
    uint64_t flow;
    KvHubPort *from; /* (nullable): the port that it came from; NULL: the device */
    KvForwarding forwarding;
    KvTime now;
} Packet;

struct _KvHub {
    KvHubConfig config;
    KvTun *tun;
    KvWatch watch;
    KvForwarder *forwarder;
    KvGsoMerger *merger;
    uint64_t drops[KV_N_DROPS];
    uint8_t flow_key[KV_FLOW_KEY_BYTES];
};

static KvHubPort *
get_port(KvForwarderPort *port)
{
    return (KvHubPort *) ((char *) port - G_STRUCT_OFFSET(KvHubPort, forwarder_port));
}

/* --- to the ports --------------------------------------------------------------------------- */

/* Returns to where the packet came from. Whoever cannot take it has not asked for it. */
static void
answer_sender(KvHub *hub, const Packet *packet, const uint8_t *answer, size_t len)
{
    KvSlice slice = {answer, len};

    if (packet->from != NULL)
        packet->from->send(packet->from, &slice, 1, packet->ethertype, packet->flow, packet->now);
    else if (!kv_tun_write_packet(hub->tun, answer, len))
        hub->drops[KV_DROP_DEVICE]++;
}

static gboolean
fits(KvHub *hub, KvHubPort *port, const Packet *packet)
{
    KvVniMode mode = kv_tun_get_mode(hub->tun);
    uint8_t answer[KV_TOO_BIG_ANSWER_MAX];
    size_t answer_len;
    KvDrop drop;

    if (packet->cutter != NULL)
        drop = kv_fit_send_super(&port->fit, mode, packet->cutter, packet->data, packet->len,
                                 packet->now, answer, &answer_len);
    else
        drop = kv_fit_send(&port->fit, mode, packet->data, packet->len, packet->now, answer,
                           &answer_len);
    if (drop == KV_DROP_NONE)
        return TRUE;
    port->drops[drop]++;
    if (answer_len > 0)
        answer_sender(hub, packet, answer, answer_len);
    return FALSE;
}

static void
send_to(KvHub *hub, KvHubPort *port, const Packet *packet)
{
    KvSlice slices[2] = {{packet->data, packet->len}};
    KvGsoCutter cutter;
    guint n;

    if (!fits(hub, port, packet))
        return;
    if (packet->cutter == NULL) {
        port->send(port, slices, 1, packet->ethertype, packet->flow, packet->now);
        return;
    }
    /* Each port begins anew; hardly ever are there several. */
    cutter = *packet->cutter;
    while ((n = kv_gso_cutter_next(&cutter, slices)) > 0)
        port->send(port, slices, n, packet->ethertype, packet->flow, packet->now);
}

/* All parts of a super-packet go the same way and are of one flow. */
static void
send_to_ports(KvHub *hub, Packet *packet)
{
    KvForwarderPort *port;

    if (packet->forwarding.port == NULL && !packet->forwarding.to_other_ports)
        return;
    packet->flow =
        kv_flow_hash(kv_tun_get_mode(hub->tun), packet->data, packet->len, hub->flow_key);
    if (packet->forwarding.port != NULL) {
        send_to(hub, get_port(packet->forwarding.port), packet);
        return;
    }
    for (port = kv_forwarder_get_first(hub->forwarder); port != NULL;
         port = kv_forwarder_get_next(port)) {
        if (get_port(port) != packet->from)
            send_to(hub, get_port(port), packet);
    }
}

/* --- from the device ------------------------------------------------------------------------ */

static void
send_super_packet(KvHub *hub, uint8_t *buf, size_t len, KvTime now)
{
    KvGsoCutter cutter;
    Packet packet = {.data = buf + KV_VNET_HDR_BYTES, .cutter = &cutter, .now = now};

    if (len > KV_VNET_HDR_BYTES)
        packet.len = len - KV_VNET_HDR_BYTES;
    if (!kv_gso_cutter_init(&cutter, kv_tun_get_mode(hub->tun), buf, packet.data, packet.len)) {
        hub->drops[KV_DROP_MALFORMED]++;
        return;
    }
    packet.ethertype = cutter.ethertype;
    packet.forwarding = kv_forwarder_decide(hub->forwarder, NULL, packet.data, packet.len, now);
    if (packet.forwarding.drop != KV_DROP_NONE)
        hub->drops[packet.forwarding.drop]++;
    send_to_ports(hub, &packet);
}

static void
device_lost(KvHub *hub)
{
    /* Level-triggered: a device that is gone would wake us for ever. */
    kv_worker_set_watch_events(hub->config.worker, &hub->watch, 0);
    hub->config.lost(hub->config.owner);
}

static void
read_device(KvHub *hub, KvTime now)
{
    uint8_t *buf = hub->config.tx_buffer;

    for (guint i = 0; i < SUPER_PACKETS_PER_TURN; i++) {
        ssize_t len = kv_tun_read(hub->tun, buf, KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX);

        if (len == 0)
            return;
        /* A super-packet of a kind that no virtio header can tell, which the kernel has dropped. */
        if (len == -EINVAL) {
            hub->drops[KV_DROP_MALFORMED]++;
            continue;
        }
        if (len < 0) {
            device_lost(hub);
            return;
        }
        send_super_packet(hub, buf, (size_t) len, now);
    }
}

static void
device_ready(KvWatch *watch, uint32_t events, KvTime now)
{
    KvHub *hub = (KvHub *) ((char *) watch - G_STRUCT_OFFSET(KvHub, watch));

    if (events & EPOLLIN)
        read_device(hub, now);
    else if (events & (EPOLLERR | EPOLLHUP))
        device_lost(hub);
}

/* --- to the device -------------------------------------------------------------------------- */

/* Returns: FALSE when the merger holds nothing. */
static gboolean
write_one(KvHub *hub)
{
    guint n_iov;
    guint n_packets;
    const struct iovec *iov = kv_gso_merger_take(hub->merger, &n_iov, &n_packets);

    if (iov != NULL && !kv_tun_write(hub->tun, iov, n_iov))
        hub->drops[KV_DROP_DEVICE] += n_packets;
    return iov != NULL;
}

void
kv_hub_receive(KvHub *hub, KvHubPort *port, uint8_t *data, size_t len, uint16_t ethertype,
               KvTime now)
{
    Packet packet = {.data = data, .len = len, .ethertype = ethertype, .from = port, .now = now};

    packet.forwarding = kv_forwarder_decide(hub->forwarder, &port->forwarder_port, data, len, now);
    if (packet.forwarding.drop != KV_DROP_NONE)
        port->drops[packet.forwarding.drop]++;
    kv_fit_receive(&port->fit, kv_tun_get_mode(hub->tun), data, len);
    /* First the ports, which copy: the merger may change a packet that it has got. */
    send_to_ports(hub, &packet);
    if (!packet.forwarding.to_interface)
        return;
    while (!kv_gso_merger_add(hub->merger, data, len))
        write_one(hub);
}

void
kv_hub_flush(KvHub *hub)
{
    while (write_one(hub))
        ;
}

/* --- public --------------------------------------------------------------------------------- */

static KvForwarder *
make_forwarder(const KvHubConfig *config, KvTun *tun, GError **error)
{
    uint8_t key[KV_SWITCH_KEY_BYTES];
    uint8_t mac[KV_SWITCH_MAC_BYTES];
    gboolean is_tap = kv_tun_get_mode(tun) == KV_VNI_MODE_TAP;

    if (is_tap && !kv_tun_get_mac(tun, mac, error))
        return NULL;
    kv_random_fill(config->random, key, sizeof key);
    return kv_forwarder_new(kv_tun_get_mode(tun), is_tap ? mac : NULL, config->between_ports, key);
}

KvHub *
kv_hub_new(const KvHubConfig *config, KvTun *tun, GError **error)
{
    g_autoptr(KvHub) hub = g_new0(KvHub, 1);

    hub->config = *config;
    hub->tun = tun;
    hub->watch.fd = -1;
    hub->watch.ready = device_ready;
    kv_random_fill(config->random, hub->flow_key, sizeof hub->flow_key);
    hub->merger = kv_gso_merger_new(kv_tun_get_mode(tun), kv_tun_has_uso(tun));
    hub->forwarder = make_forwarder(config, tun, error);
    if (hub->forwarder == NULL ||
        !kv_worker_add_watch(config->worker, &hub->watch, kv_tun_get_fd(tun), EPOLLIN, error))
        return NULL;
    return g_steal_pointer(&hub);
}

void
kv_hub_set_between_ports(KvHub *hub, KvBetweenPorts between_ports)
{
    kv_forwarder_set_between_ports(hub->forwarder, between_ports);
}

void
kv_hub_free(KvHub *hub)
{
    if (hub == NULL)
        return;
    g_return_if_fail(hub->forwarder == NULL || kv_forwarder_get_first(hub->forwarder) == NULL);

    kv_worker_remove_watch(hub->config.worker, &hub->watch);
    kv_forwarder_free(hub->forwarder);
    kv_gso_merger_free(hub->merger);
    g_free(hub);
}

KvTun *
kv_hub_get_tun(KvHub *hub)
{
    return hub->tun;
}

void
kv_hub_add_port(KvHub *hub, KvHubPort *port)
{
    memset(port->drops, 0, sizeof port->drops);
    kv_forwarder_add_port(hub->forwarder, &port->forwarder_port);
}

void
kv_hub_remove_port(KvHub *hub, KvHubPort *port)
{
    kv_forwarder_remove_port(hub->forwarder, &port->forwarder_port);
}

static void
tell_of_taken(KvForwarderPort *loser, KvForwarderPort *winner, const KvNetwork *network,
              gpointer data)
{
    KvHub *hub = data;

    hub->config.taken(hub->config.owner, get_port(loser), get_port(winner), network);
}

void
kv_hub_set_networks(KvHub *hub, KvHubPort *port, const KvNetwork *networks, guint n)
{
    kv_forwarder_set_networks(hub->forwarder, &port->forwarder_port, networks, n, tell_of_taken,
                              hub);
}

void
kv_hub_add_drops(const KvHub *hub, uint64_t drops[KV_N_DROPS])
{
    for (guint i = 0; i < KV_N_DROPS; i++)
        drops[i] += hub->drops[i];
}
