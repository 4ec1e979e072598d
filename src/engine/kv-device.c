/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-device.h"

#include "kv-error.h"
#include "kv-ip4.h"

static gboolean
add_address(KvNetlink *netlink, const KvDevicePlan *plan, GError **error)
{
    if (plan->local == 0)
        return TRUE;
    if (plan->mode == KV_VNI_MODE_TUN)
        return kv_netlink_add_peer_address(netlink, plan->name, plan->local, plan->peer, error);
    return kv_netlink_add_address(netlink, plan->name, plan->local, plan->netmask, error);
}

/* An interface that stood before has the address of the last run, which makes room as in the Go
 * program. Those that somebody added later stay, and so do all of another prefix length. */
static gboolean
remove_former_address(KvNetlink *netlink, const KvDevicePlan *plan, GError **error)
{
    KvIp4 peer = plan->peer != 0 ? plan->peer : plan->local;
    guint prefix = plan->netmask != 0 ? kv_ip4_mask_to_prefix(plan->netmask) : 32;
    KvNetlinkAddress former;

    if (plan->local == 0)
        return TRUE;
    if (!kv_netlink_find_address(netlink, plan->name, prefix, &former, error))
        return FALSE;
    if (former.local == 0 || (former.local == plan->local && former.peer == peer))
        return TRUE;
    return kv_netlink_remove_address(netlink, plan->name, former.local, error);
}

static gboolean
configure(KvNetlink *netlink, const KvDevicePlan *plan, GError **error)
{
    if (!kv_netlink_set_mtu(netlink, plan->name, plan->mtu, error))
        return FALSE;
    if (plan->mode == KV_VNI_MODE_TUN && !kv_netlink_set_tun_flags(netlink, plan->name, error))
        return FALSE;
    if (!add_address(netlink, plan, error))
        return FALSE;
    if (plan->bridge != NULL && !kv_netlink_set_bridge(netlink, plan->name, plan->bridge, error))
        return FALSE;
    return kv_netlink_set_up(netlink, plan->name, TRUE, error);
}

KvTun *
kv_device_create(KvNetlink *netlink, const KvDevicePlan *plan, GError **error)
{
    gboolean existed = kv_netlink_link_exists(netlink, plan->name);
    g_autoptr(KvTun) tun = kv_tun_open(plan->mode, plan->name, plan->persistent, error);

    if (tun == NULL)
        return NULL;
    if ((!existed || remove_former_address(netlink, plan, error)) &&
        configure(netlink, plan, error))
        return g_steal_pointer(&tun);
    /* A persistent interface would outlive the close. */
    if (plan->persistent && !existed) {
        g_autoptr(GError) ignored = NULL;

        g_clear_pointer(&tun, kv_tun_close);
        if (!kv_netlink_delete_link(netlink, plan->name, &ignored))
            g_prefix_error(error, "%s (and it is left behind: %s): ", plan->name, ignored->message);
    }
    return NULL;
}

static gboolean
same_address(const KvDevicePlan *a, const KvDevicePlan *b)
{
    return a->local == b->local && a->peer == b->peer && a->netmask == b->netmask;
}

gboolean
kv_device_reconfigure(KvNetlink *netlink, const KvDevicePlan *old, const KvDevicePlan *plan,
                      GError **error)
{
    if (old->mtu != plan->mtu && !kv_netlink_set_mtu(netlink, plan->name, plan->mtu, error))
        return FALSE;
    if (!same_address(old, plan)) {
        if (old->local != 0 && !kv_netlink_remove_address(netlink, plan->name, old->local, error))
            return FALSE;
        if (!add_address(netlink, plan, error))
            return FALSE;
    }
    if (plan->bridge != NULL && kv_netlink_lacks_bridge(netlink, plan->name) &&
        !kv_netlink_set_bridge(netlink, plan->name, plan->bridge, error))
        return FALSE;
    return kv_netlink_set_up(netlink, plan->name, TRUE, error);
}

/* What the kernel does not tell just now is no reason to end a tunnel. */
static gboolean
is_bridge_gone(KvNetlink *netlink, const char *bridge)
{
    g_autoptr(GError) error = NULL;

    return !kv_netlink_bridge_exists(netlink, bridge, &error) &&
           (g_error_matches(error, KV_ERROR, KV_ERROR_NOT_FOUND) ||
            g_error_matches(error, KV_ERROR, KV_ERROR_INVALID_SETTING));
}

gboolean
kv_device_check_bridge(KvNetlink *netlink, const char *bridge, const char *name, GError **error)
{
    if (bridge == NULL)
        return TRUE;
    if (is_bridge_gone(netlink, bridge)) {
        g_set_error(error, KV_ERROR, KV_ERROR_CONNECTION_LOST,
                    "another program removed the bridge %s", bridge);
        return FALSE;
    }
    if (name == NULL || !kv_netlink_lacks_bridge(netlink, name))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_CONNECTION_LOST,
                "another program took the interface %s out of the bridge %s", name, bridge);
    return FALSE;
}
