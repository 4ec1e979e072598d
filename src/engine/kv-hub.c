/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hub.h"

#include "kv-flow.h"
#include "kv-gso.h"

#include <errno.h>
#include <sys/epoll.h>

/* How much is read in one wake-up before the sessions get their turn. */
#define SUPER_PACKETS_PER_TURN 16

/* An inner packet on its way, its pieces, and those who get a copy. */
typedef struct {
    const KvSlice *slices;
    guint n;
    uint16_t ethertype;
    uint64_t flow;
    KvHubPort *from; /* (nullable): the port that it came from */
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

static void
send_to(KvHubPort *port, const Packet *packet)
{
    port->send(port, packet->slices, packet->n, packet->ethertype, packet->flow, packet->now);
}

static void
send_to_ports(KvHub *hub, const Packet *packet)
{
    KvForwarderPort *port;

    if (packet->forwarding.port != NULL) {
        send_to(get_port(packet->forwarding.port), packet);
        return;
    }
    if (!packet->forwarding.to_other_ports)
        return;
    for (port = kv_forwarder_get_first(hub->forwarder); port != NULL;
         port = kv_forwarder_get_next(port)) {
        if (get_port(port) != packet->from)
            send_to(get_port(port), packet);
    }
}

static gboolean
goes_to_ports(const KvForwarding *forwarding)
{
    return forwarding->port != NULL || forwarding->to_other_ports;
}

/* --- from the device ------------------------------------------------------------------------ */

/* All parts of a super-packet go the same way and are of one flow. */
static void
send_super_packet(KvHub *hub, uint8_t *buf, size_t len, KvTime now)
{
    KvVniMode mode = kv_tun_get_mode(hub->tun);
    uint8_t *inner = buf + KV_VNET_HDR_BYTES;
    size_t inner_len = len - KV_VNET_HDR_BYTES;
    KvSlice slices[2];
    Packet packet = {.slices = slices, .now = now};
    KvGsoCutter cutter;

    if (len <= KV_VNET_HDR_BYTES || !kv_gso_cutter_init(&cutter, mode, buf, inner, inner_len)) {
        hub->drops[KV_DROP_MALFORMED]++;
        return;
    }
    packet.forwarding = kv_forwarder_decide(hub->forwarder, NULL, inner, inner_len, now);
    if (packet.forwarding.drop != KV_DROP_NONE)
        hub->drops[packet.forwarding.drop]++;
    if (!goes_to_ports(&packet.forwarding))
        return;
    packet.ethertype = cutter.ethertype;
    packet.flow = kv_flow_hash(mode, inner, inner_len, hub->flow_key);
    while ((packet.n = kv_gso_cutter_next(&cutter, slices)) > 0)
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
kv_hub_receive(KvHub *hub, KvHubPort *port, uint8_t *packet, size_t len, uint16_t ethertype,
               KvTime now)
{
    KvSlice slice = {packet, len};
    Packet forwarded = {.slices = &slice, .n = 1, .ethertype = ethertype, .from = port, .now = now};

    forwarded.forwarding =
        kv_forwarder_decide(hub->forwarder, &port->forwarder_port, packet, len, now);
    if (forwarded.forwarding.drop != KV_DROP_NONE)
        port->drops[forwarded.forwarding.drop]++;
    /* First the ports, which copy: the merger may change a packet that it has got. */
    if (goes_to_ports(&forwarded.forwarding)) {
        forwarded.flow = kv_flow_hash(kv_tun_get_mode(hub->tun), packet, len, hub->flow_key);
        send_to_ports(hub, &forwarded);
    }
    if (!forwarded.forwarding.to_interface)
        return;
    while (!kv_gso_merger_add(hub->merger, packet, len))
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
kv_hub_set_between_ports(KvHub *hub, gboolean between_ports)
{
    kv_forwarder_set_between_ports(hub->forwarder, between_ports);
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

    if (hub->config.taken != NULL)
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
