/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-services.h"

/**
 * kv_autostart_run:
 * @services: must outlive the tunnels' start; once its engine shuts down none is started any more
 * @tunnels: (transfer full) (element-type KvTunnelObject): with references of its own
 *
 * Starts those of @tunnels that have the setting autostart, a few at a time: a start costs a thread
 * and the making of a key, and there may be a thousand. What cannot be started is logged. Main
 * thread.
 */
void kv_autostart_run(const KvServices *services, GPtrArray *tunnels);
