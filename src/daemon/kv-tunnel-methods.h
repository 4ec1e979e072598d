/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-tunnel-object.h"

/* Answers the methods of org.kcpvpn.Tunnel1: checks arguments, asks the gate, then acts. To be
 * called once, before the object is on the bus. Main thread. */
void kv_tunnel_methods_connect(KvTunnelObject *tunnel);
