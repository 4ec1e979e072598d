/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-device.h"
#include "kv-event.h"
#include "kv-sockaddr.h"
#include "kv-tunnel-details.h"
#include "kv-tunnel-params.h"

/* What a client's interface is to be like, out of its settings and of what the server said, as v1
 * would say it: %KV_EVENT_CONFIGURED. */

/* Finds what would fail for certain once a server has answered: by then it would have taken the
 * same client's other tunnel for a former one. Main thread. */
gboolean kv_client_plan_check_start(const KvTunnelParams *params, KvNetlink *netlink,
                                    GError **error) KV_MUST_USE;

/* A bridge port carries no address of its own; neither does "no IP configuration". */
gboolean kv_client_plan_wants_addresses(const KvTunnelParams *params, const KvEvent *configured);

/* @with_address: in v1; of native, whose grant may have more than one, none is in the plan.
 * @plan: (out): borrows from @params */
void kv_client_plan_make(const KvTunnelParams *params, const KvEvent *configured,
                         gboolean with_address, KvDevicePlan *plan);

/* v1: adds the address that this end has, whoever sets it. */
void kv_client_plan_add_address(const KvTunnelParams *params, const KvEvent *configured,
                                KvTunnelDetails *details);

/* What the user set has been checked long ago, so that a plan that cannot be is the server's
 * doing, which is at @remote. */
gboolean kv_client_plan_check(const KvDevicePlan *plan, const KvSockaddr *remote,
                              GError **error) KV_MUST_USE;

/* Logs what was set for tap mode, and means nothing in the mode of @plan. */
void kv_client_plan_warn(const KvDevicePlan *plan, const KvTunnelParams *params);
