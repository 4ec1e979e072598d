/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-client-plan.h"

#include "kv-error.h"
#include "kv-ip4.h"
#include "kv-log.h"

gboolean
kv_client_plan_check_start(const KvTunnelParams *params, KvNetlink *netlink, GError **error)
{
    if (params->bridge != NULL && !kv_netlink_bridge_exists(netlink, params->bridge, error))
        return FALSE;
    /* One that was made for this user takes no right. */
    if (!kv_netlink_link_exists(netlink, params->vni_name))
        return kv_tun_check_rights(error);
    if (!kv_netlink_tun_is_in_use(netlink, params->vni_name))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_EXISTS,
                "vni-name: give this tunnel another one than %s: another tunnel or program uses it",
                params->vni_name);
    return FALSE;
}

gboolean
kv_client_plan_wants_addresses(const KvTunnelParams *params, const KvEvent *configured)
{
    gboolean is_tap = configured->config.vni_mode == KV_VNI_MODE_TAP;

    return (!is_tap || params->bridge == NULL) && params->address_mode != KV_ADDRESS_MODE_OTHER;
}

/* Without an address from the server the user's own netmask stands; a server that names none does
 * not undo it either. */
static KvIp4
get_netmask(const KvTunnelParams *params, const KvEvent *configured)
{
    KvIp4 netmask = configured->config.netmask;

    if ((params->address_mode == KV_ADDRESS_MODE_OTHER && params->netmask != 0) || netmask == 0)
        return params->netmask;
    return netmask;
}

void
kv_client_plan_make(const KvTunnelParams *params, const KvEvent *configured, gboolean with_address,
                    KvDevicePlan *plan)
{
    const KvNetworkConfig *config = &configured->config;
    gboolean is_tap = config->vni_mode == KV_VNI_MODE_TAP;

    *plan = (KvDevicePlan){
        .mode = config->vni_mode,
        .name = params->vni_name,
        .persistent = params->persistent_vni,
        .mtu = MIN(config->mtu, KV_VNI_MTU_MAX),
        .bridge = is_tap ? params->bridge : NULL,
    };
    if (params->vni_mtu != 0)
        plan->mtu = MIN(plan->mtu, params->vni_mtu);
    if (params->native != NULL || !with_address)
        return;
    plan->local = configured->ip;
    plan->peer = is_tap || plan->local == 0 ? 0 : config->server_ip;
    plan->netmask = is_tap ? get_netmask(params, configured) : 0;
}

void
kv_client_plan_add_address(const KvTunnelParams *params, const KvEvent *configured,
                           KvTunnelDetails *details)
{
    const KvNetworkConfig *config = &configured->config;
    gboolean is_tap = config->vni_mode == KV_VNI_MODE_TAP;
    gboolean is_own = params->address_mode == KV_ADDRESS_MODE_OTHER;
    KvIp4 netmask = get_netmask(params, configured);

    kv_tunnel_details_add_ip4(details, is_own ? params->local_ip : configured->ip,
                              is_tap ? kv_ip4_mask_to_prefix(netmask) : 32, config->server_ip);
}

gboolean
kv_client_plan_check(const KvDevicePlan *plan, const KvSockaddr *address, GError **error)
{
    g_autofree char *remote = kv_sockaddr_to_string(address);
    char netmask[KV_IP4_TEXT_BYTES];

    if (plan->mtu < KV_VNI_MTU_MIN) {
        g_set_error(error, KV_ERROR, KV_ERROR_PROTOCOL,
                    "%s announced MTU %u, an interface needs %d at least", remote, plan->mtu,
                    KV_VNI_MTU_MIN);
        return FALSE;
    }
    if (!kv_ip4_is_netmask(plan->netmask)) {
        g_set_error(error, KV_ERROR, KV_ERROR_PROTOCOL, "%s announced netmask %s, which has holes",
                    remote, kv_ip4_to_string(plan->netmask, netmask));
        return FALSE;
    }
    return TRUE;
}

void
kv_client_plan_warn(const KvDevicePlan *plan, const KvTunnelParams *params)
{
    if (plan->mode == KV_VNI_MODE_TAP)
        return;
    if (params->bridge != NULL)
        kv_log(KV_LOG_WARNING, NULL, plan->name, NULL,
               "bridge: the server is in tun mode, %s is not put into %s", plan->name,
               params->bridge);
    if (params->netmask != 0)
        kv_log(KV_LOG_WARNING, NULL, plan->name, NULL,
               "netmask: the server is in tun mode, where none is used");
}
