/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-forwarder.h"

#include "kv-gso-layout.h"

#include <string.h>

struct _KvForwarder {
    KvVniMode mode;
    KvBetweenPorts between_ports;
    KvAllowedIps *ips;   /* tun: of KvForwarderPort */
    KvSwitch *addresses; /* tap */
    KvForwarderPort interface;
    KvForwarderPort *ports;
    guint n_ports;
    uint8_t own_mac[KV_SWITCH_MAC_BYTES];
};

static void
init_port(KvForwarderPort *port)
{
    *port = (KvForwarderPort){
        .flood = {.interval = KV_TIME_S / KV_FORWARDER_FLOOD_RATE,
                  .burst = KV_FORWARDER_FLOOD_BURST},
    };
}

KvForwarder *
kv_forwarder_new(KvVniMode mode, const uint8_t *own_mac, KvBetweenPorts between_ports,
                 const uint8_t key[KV_SWITCH_KEY_BYTES])
{
    KvForwarder *forwarder = g_new0(KvForwarder, 1);

    forwarder->mode = mode;
    forwarder->between_ports = between_ports;
    forwarder->ips = kv_allowed_ips_new();
    forwarder->addresses = kv_switch_new(key);
    init_port(&forwarder->interface);
    forwarder->interface.addresses.may_take = TRUE;
    if (own_mac != NULL)
        memcpy(forwarder->own_mac, own_mac, sizeof forwarder->own_mac);
    return forwarder;
}

void
kv_forwarder_set_between_ports(KvForwarder *forwarder, KvBetweenPorts between_ports)
{
    forwarder->between_ports = between_ports;
}

void
kv_forwarder_free(KvForwarder *forwarder)
{
    if (forwarder == NULL)
        return;
    kv_allowed_ips_free(forwarder->ips);
    kv_switch_free(forwarder->addresses);
    g_free(forwarder);
}

/* --- ports ---------------------------------------------------------------------------------- */

void
kv_forwarder_add_port(KvForwarder *forwarder, KvForwarderPort *port)
{
    init_port(port);
    port->next = forwarder->ports;
    port->link = &forwarder->ports;
    if (port->next != NULL)
        port->next->link = &port->next;
    forwarder->ports = port;
    forwarder->n_ports++;
}

void
kv_forwarder_remove_port(KvForwarder *forwarder, KvForwarderPort *port)
{
    kv_allowed_ips_remove(forwarder->ips, port);
    kv_switch_remove_port(forwarder->addresses, &port->addresses);
    *port->link = port->next;
    if (port->next != NULL)
        port->next->link = port->link;
    forwarder->n_ports--;
}

void
kv_forwarder_set_networks(KvForwarder *forwarder, KvForwarderPort *port, const KvNetwork *networks,
                          guint n, KvForwarderTaken taken, gpointer data)
{
    if (forwarder->mode == KV_VNI_MODE_TAP)
        return;
    kv_allowed_ips_remove(forwarder->ips, port);
    for (guint i = 0; i < n; i++) {
        KvNetwork network = networks[i];
        KvForwarderPort *before;

        kv_network_make_base(&network);
        before = kv_allowed_ips_get(forwarder->ips, &network);
        kv_allowed_ips_add(forwarder->ips, &network, port);
        if (before != NULL && before != port && taken != NULL)
            taken(before, port, &network, data);
    }
}

KvForwarderPort *
kv_forwarder_get_first(const KvForwarder *forwarder)
{
    return forwarder->ports;
}

KvForwarderPort *
kv_forwarder_get_next(const KvForwarderPort *port)
{
    return port->next;
}

/* --- tun ------------------------------------------------------------------------------------ */

static KvForwarding
dropped(KvDrop drop)
{
    return (KvForwarding){.drop = drop};
}

static KvForwarding
route(const KvForwarder *forwarder, KvForwarderPort *from, const uint8_t *packet, size_t len)
{
    KvForwarderPort *to = kv_allowed_ips_find_destination(forwarder->ips, packet, len);

    if (from == NULL)
        return to != NULL ? (KvForwarding){.port = to} : dropped(KV_DROP_DESTINATION);
    if (kv_allowed_ips_find_source(forwarder->ips, packet, len) != from)
        return dropped(KV_DROP_SOURCE);
    /* Who is the way to everywhere has every address; what is this host's own the kernel knows. */
    if (to == NULL || to == from || forwarder->between_ports == KV_BETWEEN_PORTS_KERNEL)
        return (KvForwarding){.to_interface = TRUE};
    if (forwarder->between_ports == KV_BETWEEN_PORTS_NEVER)
        return dropped(KV_DROP_DESTINATION);
    return (KvForwarding){.port = to};
}

/* --- tap ------------------------------------------------------------------------------------ */

static KvForwarderPort *
port_of_addresses(KvSwitchPort *addresses)
{
    return (KvForwarderPort *) ((char *) addresses - G_STRUCT_OFFSET(KvForwarderPort, addresses));
}

/* To everybody else, as far as @origin may. What comes from a port goes to the interface in any
 * case, and one copy of what comes from there is no flood either. */
static KvForwarding
flood(const KvForwarder *forwarder, KvForwarderPort *origin, gboolean from_interface, KvTime now)
{
    KvForwarding all = {.to_interface = !from_interface};
    guint copies = forwarder->n_ports - MIN(forwarder->n_ports, 1);

    if (!from_interface && forwarder->between_ports != KV_BETWEEN_PORTS_DIRECT)
        return all;
    if (copies == 0 || kv_token_bucket_take(&origin->flood, copies, now))
        all.to_other_ports = TRUE;
    else
        all.drop = KV_DROP_RATE;
    return all;
}

static KvForwarding
forward_frame(KvForwarder *forwarder, KvForwarderPort *from, const uint8_t *frame, size_t len,
              KvTime now)
{
    KvForwarderPort *origin = from != NULL ? from : &forwarder->interface;
    const uint8_t *source = frame + KV_SWITCH_MAC_BYTES;
    KvForwarderPort *to;
    KvSwitchPort *found;

    if (len < KV_ETH_HEADER_BYTES)
        return dropped(KV_DROP_MALFORMED);
    if (from != NULL && (kv_switch_is_group(source) ||
                         memcmp(source, forwarder->own_mac, KV_SWITCH_MAC_BYTES) == 0))
        return dropped(KV_DROP_SOURCE);
    if (!kv_switch_learn(forwarder->addresses, &origin->addresses, source, now))
        return dropped(KV_DROP_SOURCE);
    if (from != NULL && memcmp(frame, forwarder->own_mac, KV_SWITCH_MAC_BYTES) == 0)
        return (KvForwarding){.to_interface = TRUE};
    found = kv_switch_find(forwarder->addresses, frame, now);
    if (found == NULL)
        return flood(forwarder, origin, from == NULL, now);
    to = port_of_addresses(found);
    if (to == origin)
        return dropped(KV_DROP_DESTINATION);
    if (to == &forwarder->interface)
        return (KvForwarding){.to_interface = TRUE};
    if (from != NULL && forwarder->between_ports != KV_BETWEEN_PORTS_DIRECT)
        return dropped(KV_DROP_DESTINATION);
    return (KvForwarding){.port = to};
}

KvForwarding
kv_forwarder_decide(KvForwarder *forwarder, KvForwarderPort *from, const uint8_t *packet,
                    size_t len, KvTime now)
{
    if (forwarder->mode == KV_VNI_MODE_TAP)
        return forward_frame(forwarder, from, packet, len, now);
    return route(forwarder, from, packet, len);
}
