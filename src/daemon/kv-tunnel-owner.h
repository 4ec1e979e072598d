/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvTunnelOwner:
 *
 * The caller to whom a transient tunnel belongs, until it is gone: when it leaves the bus. Once the
 * bus itself goes that says nothing of the caller any more, who may run on; then it is gone when
 * its process ends. Main thread.
 */
typedef struct _KvTunnelOwner KvTunnelOwner;

/**
 * kv_tunnel_owner_new:
 * @name: its unique name on @bus
 * @gone: called once, from the main loop, not after kv_tunnel_owner_free(), which it may call
 */
KvTunnelOwner *kv_tunnel_owner_new(GDBusConnection *bus, const char *name,
                                   void (*gone)(gpointer data), gpointer data) KV_MUST_USE;
void kv_tunnel_owner_free(KvTunnelOwner *owner);

/* Whether a caller of this name is the owner. A later bus may give its name to others, so there
 * nobody is. */
gboolean kv_tunnel_owner_is(const KvTunnelOwner *owner, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTunnelOwner, kv_tunnel_owner_free)
