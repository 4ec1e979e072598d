/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-forwarder.h"
#include "kv-fuzz.h"

#include <string.h>

#define N_PORTS 4

static const uint8_t own_mac[KV_SWITCH_MAC_BYTES] = {2, 0, 0, 0, 0, 0xff};
static const uint8_t key[KV_SWITCH_KEY_BYTES] = {1};

/* What goes to a port goes nowhere else, and never back; nothing is dropped without a reason. */
static void
check(const KvForwarding *forwarding, const KvForwarderPort *from, KvBetweenPorts between_ports)
{
    gboolean goes =
        forwarding->port != NULL || forwarding->to_interface || forwarding->to_other_ports;

    g_assert(forwarding->drop < KV_N_DROPS);
    g_assert(goes || forwarding->drop != KV_DROP_NONE);
    if (forwarding->port != NULL)
        g_assert(!forwarding->to_interface && !forwarding->to_other_ports);
    if (from == NULL)
        g_assert(!forwarding->to_interface);
    else
        g_assert(forwarding->port != from);
    if (from != NULL && between_ports != KV_BETWEEN_PORTS_DIRECT)
        g_assert(forwarding->port == NULL && !forwarding->to_other_ports);
}

/* The mode and whether ports may meet, then packets: where each comes from, its length, its bytes.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const networks[N_PORTS] = {"10.0.0.0/8", "10.1.0.0/16", "::/0", "0.0.0.0/0"};
    KvVniMode mode = size > 0 && (data[0] & 1) ? KV_VNI_MODE_TAP : KV_VNI_MODE_TUN;
    KvBetweenPorts between_ports = size > 0 ? (data[0] >> 1) % 3 : KV_BETWEEN_PORTS_NEVER;
    g_autoptr(KvForwarder) forwarder = kv_forwarder_new(mode, own_mac, between_ports, key);
    KvForwarderPort ports[N_PORTS];
    KvTime now = 0;

    for (guint i = 0; i < N_PORTS; i++) {
        KvNetwork network;

        kv_forwarder_add_port(forwarder, &ports[i]);
        g_assert(kv_network_parse(&network, networks[i]));
        kv_forwarder_set_networks(forwarder, &ports[i], &network, 1, NULL, NULL);
    }
    for (size_t at = 1; at + 2 <= size;) {
        KvForwarderPort *from = data[at] % 5 < N_PORTS ? &ports[data[at] % 5] : NULL;
        size_t len = MIN(data[at + 1], size - at - 2);
        g_autofree uint8_t *packet = g_memdup2(data + at + 2, len);
        KvForwarding forwarding = kv_forwarder_decide(forwarder, from, packet, len, now);

        check(&forwarding, from, between_ports);
        now += data[at] * KV_TIME_S;
        at += 2 + len;
    }
    return 0;
}
