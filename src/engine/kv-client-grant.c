/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-client-grant.h"

#include "kv-addressing.h"
#include "kv-log.h"

#include <string.h>

/* Of a server that says nothing of it: what every path takes, with all that comes around it. */
#define MTU_UNSAID 1280

struct _KvClientGrant {
    KvNativeConfig said;
    KvAddressing *addressing;
    char *interface;
    gboolean told_no_ip6; /* the log was, once */
};

KvClientGrant *
kv_client_grant_new(KvNetlink *netlink, const char *interface)
{
    KvClientGrant *self = g_new0(KvClientGrant, 1);

    kv_native_config_init(&self->said);
    self->addressing = kv_addressing_new(netlink, interface);
    self->interface = g_strdup(interface);
    return self;
}

void
kv_client_grant_free(KvClientGrant *self)
{
    if (self == NULL)
        return;
    kv_native_config_clear(&self->said);
    kv_addressing_free(self->addressing);
    g_free(self->interface);
    g_free(self);
}

void
kv_client_grant_take(KvClientGrant *self, const KvNativeConfig *said)
{
    kv_native_config_copy(said, &self->said);
}

const KvNativeConfig *
kv_client_grant_get(const KvClientGrant *self)
{
    return &self->said;
}

/* (transfer none) (nullable) */
static const KvNetwork *
find_ip4(const GArray *networks)
{
    for (guint i = 0; i < networks->len; i++) {
        const KvNetwork *network = &g_array_index(networks, KvNetwork, i);

        if (!network->is_ip6)
            return network;
    }
    return NULL;
}

void
kv_client_grant_fill_event(const KvClientGrant *self, KvEvent *event)
{
    const KvNetwork *address = find_ip4(self->said.addresses);
    const KvNetwork *gateway = find_ip4(self->said.gateways);
    KvNetworkConfig *config = &event->config;

    *event = (KvEvent){.type = KV_EVENT_CONFIGURED};
    config->vni_mode = self->said.mode;
    config->mtu = self->said.mtu != 0 ? self->said.mtu : MTU_UNSAID;
    if (gateway != NULL)
        config->server_ip = kv_get_be32(gateway->ip);
    if (address == NULL)
        return;
    event->ip = kv_get_be32(address->ip);
    config->netmask = address->prefix > 0 ? ~UINT32_C(0) << (32 - address->prefix) : 0;
}

static guint
drop_ip6(GArray *networks)
{
    guint n = networks->len;

    for (guint i = networks->len; i-- > 0;) {
        if (g_array_index(networks, KvNetwork, i).is_ip6)
            g_array_remove_index(networks, i);
    }
    return n - networks->len;
}

void
kv_client_grant_fit_machine(KvClientGrant *self)
{
    if (find_ip4(self->said.addresses) == NULL || kv_netlink_has_ip6() ||
        drop_ip6(self->said.addresses) == 0)
        return;
    drop_ip6(self->said.gateways);
    drop_ip6(self->said.routes);
    drop_ip6(self->said.dns);
    if (!self->told_no_ip6)
        kv_log(KV_LOG_WARNING, NULL, self->interface, NULL,
               "IPv6 is switched off on this machine: what the server grants of it is left out");
    self->told_no_ip6 = TRUE;
}

static void
fill_endpoint(const KvSockaddr *remote, KvNetwork *endpoint)
{
    KvEndpoint address;

    kv_sockaddr_to_endpoint(remote, &address);
    if (remote->sa.sa_family == AF_INET6) {
        *endpoint = (KvNetwork){.is_ip6 = TRUE, .prefix = 128};
        memcpy(endpoint->ip, address.ip, sizeof endpoint->ip);
    } else {
        kv_network_set_ip4(endpoint, kv_get_be32(address.ip + 12), 32);
    }
}

gboolean
kv_client_grant_apply(KvClientGrant *self, const KvSockaddr *remote, gboolean with_routes,
                      GError **error)
{
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    g_autoptr(GArray) endpoints = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    KvNetwork endpoint;
    KvAddressingPlan plan = {
        .mode = self->said.mode,
        .addresses = self->said.addresses,
        .gateways = self->said.gateways,
        .routes = with_routes ? self->said.routes : none,
        .endpoints = endpoints,
    };

    fill_endpoint(remote, &endpoint);
    g_array_append_val(endpoints, endpoint);
    return kv_addressing_apply(self->addressing, &plan, error);
}

gboolean
kv_client_grant_has_returned(KvClientGrant *self, gboolean was_down)
{
    return kv_addressing_has_returned(self->addressing, was_down);
}

void
kv_client_grant_clear(KvClientGrant *self)
{
    g_autoptr(GError) error = NULL;

    if (!kv_addressing_clear(self->addressing, &error))
        kv_log(KV_LOG_WARNING, NULL, self->interface, NULL, "%s", error->message);
}
