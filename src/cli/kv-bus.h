/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-args.h"
#include "kv-cmd.h"
#include "kv-dbus-generated.h"
#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvBus:
 *
 * A command's way to kcpvpnd: the system bus, the daemon's objects, and the agent that asks for
 * passwords. Objects keep themselves up to date while the main context runs. Main thread.
 */
typedef struct _KvBus KvBus;

typedef enum {
    KV_BUS_READ = 0,
    KV_BUS_CHANGE = 1 << 0,   /* polkit may want a password: have an agent ready on a terminal */
    KV_BUS_OPTIONAL = 1 << 1, /* the daemon may be away with --no-start, and come later */
} KvBusFlags;

/**
 * kv_bus_open:
 * @args: its options --ask, --no-ask and --no-start are obeyed
 *
 * Has the daemon started if need be.
 * Returns: (transfer full) (nullable): NULL: it has been complained about, @status tells how to
 * end.
 */
KvBus *kv_bus_open(const KvArgs *args, KvBusFlags flags, KvExit *status) KV_MUST_USE;
void kv_bus_free(KvBus *bus);

/* (transfer none): the system bus. */
GDBusConnection *kv_bus_get_connection(const KvBus *bus);

/* (transfer none): the daemon's objects and their comings and goings. */
GDBusObjectManager *kv_bus_get_objects(const KvBus *bus);

/* (transfer none): the manager; without properties while the daemon is away. */
KvDbusManager1 *kv_bus_get_manager(const KvBus *bus);

/* Whether the daemon is there. */
gboolean kv_bus_is_connected(const KvBus *bus);

/* (transfer full) (element-type KvDbusTunnel1): every tunnel, by name. */
GPtrArray *kv_bus_list_tunnels(const KvBus *bus);

/* (transfer full) (nullable): the tunnel @name; NULL: complained about. */
KvDbusTunnel1 *kv_bus_find_tunnel(const KvBus *bus, const char *name);

/* (transfer full) (nullable): the tunnel at object path @path. */
KvDbusTunnel1 *kv_bus_get_tunnel(const KvBus *bus, const char *path);

/* (transfer full) (element-type KvDbusClient1): the clients of @tunnel, oldest first. */
GPtrArray *kv_bus_list_clients(const KvBus *bus, KvDbusTunnel1 *tunnel);

/* How to call a method: whether polkit may ask, and how long a person may take to answer. */
GDBusCallFlags kv_bus_get_call_flags(const KvBus *bus);
gint kv_bus_get_timeout_ms(const KvBus *bus);

/* (transfer floating): an empty a{sv}, for a method's options. */
GVariant *kv_bus_no_options(void);

/**
 * kv_bus_complain:
 * @what: (nullable): what it was about, such as a tunnel's name
 * @error: what a call said
 *
 * Returns: the exit status that fits.
 */
KvExit kv_bus_complain(const char *what, GError *error);

/**
 * kv_bus_refresh:
 * @proxies: (element-type GDBusProxy): tunnels or clients
 *
 * Reads all their properties anew. What is counted all the time is told nobody without being asked,
 * so what a proxy has from its beginning may be old. An object that has gone keeps what it had.
 */
void kv_bus_refresh(GPtrArray *proxies);

/**
 * kv_bus_describe:
 * @proxy: an object's proxy
 *
 * Returns: (transfer floating): all properties by their names, and "Path", as a{sv}: what --json
 * prints.
 */
GVariant *kv_bus_describe(GDBusProxy *proxy);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvBus, kv_bus_free)
