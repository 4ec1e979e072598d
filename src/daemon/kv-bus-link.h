/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvBusLink:
 *
 * The connection to the system bus. When the bus goes it is made anew as soon as the bus is back,
 * which is tried after a tenth of a second and then after longer and longer, but each second at
 * least. It is nobody else's: what GLib shares ends the process with the bus. Main thread.
 */
typedef struct _KvBusLink KvBusLink;

/**
 * KvBusLinkChanged:
 * @bus: (nullable): the new connection; %NULL: the last one is closed
 *
 * From the main loop. All names and objects on the new connection are still to be made.
 */
typedef void (*KvBusLinkChanged)(gpointer data, GDBusConnection *bus);

/* Waits for the first connection, and fails if it cannot be made. @changed: not for that one. */
KvBusLink *kv_bus_link_new(KvBusLinkChanged changed, gpointer data, GError **error) KV_MUST_USE;
void kv_bus_link_free(KvBusLink *link);

/* (transfer none) (nullable): the connection while there is one. */
GDBusConnection *kv_bus_link_get_bus(const KvBusLink *link);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvBusLink, kv_bus_link_free)
