/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-netlink.h"
#include "kv-tun.h"
#include "kv-types.h"

/**
 * KvDevicePlan: how one interface is to look. Strings are the caller's.
 */
typedef struct {
    KvVniMode mode;
    const char *name;
    gboolean persistent;
    guint mtu;          /* bytes */
    KvIp4 local;        /* 0: no address */
    KvIp4 peer;         /* tun: the other end, 0: none */
    KvIp4 netmask;      /* tap */
    const char *bridge; /* (nullable) tap */
} KvDevicePlan;

/**
 * kv_device_create:
 *
 * Opens the interface and configures it as planned, up at the end. All or nothing: on failure
 * nothing it made is left. Main thread.
 */
KvTun *kv_device_create(KvNetlink *netlink, const KvDevicePlan *plan, GError **error) KV_MUST_USE;

/* Returns: %FALSE if @bridge is gone, or @name (nullable: which is not there yet) is a port of none
 * any more; an error says what another program did. @bridge: (nullable): TRUE. */
gboolean kv_device_check_bridge(KvNetlink *netlink, const char *bridge, const char *name,
                                GError **error) KV_MUST_USE;

/**
 * kv_device_reconfigure:
 * @old: the plan @tun was made with
 *
 * Changes what differs, so that a reconnect with the same answer touches nothing.
 */
gboolean kv_device_reconfigure(KvNetlink *netlink, const KvDevicePlan *old,
                               const KvDevicePlan *plan, GError **error) KV_MUST_USE;
