/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-dbus-generated.h"
#include "kv-services.h"
#include "kv-settings.h"

/**
 * KvTunnelObject:
 *
 * org.kcpvpn.Tunnel1: a tunnel's settings on the bus, and while it runs a KvTunnel. Each start
 * makes a KvTunnel of the settings and secrets of that moment; it is dropped when it is down.
 * "removed" () tells that it has left the bus for good. Main thread.
 */
#define KV_TYPE_TUNNEL_OBJECT (kv_tunnel_object_get_type())
G_DECLARE_FINAL_TYPE(KvTunnelObject, kv_tunnel_object, KV, TUNNEL_OBJECT, GObject)

typedef struct {
    KvSettings *settings; /* (transfer none): copied */
    const char *file;     /* (nullable): where it is saved; NULL: transient */
    gboolean read_only;   /* the file is the administrator's */
    const char *owner;    /* (nullable): whose end ends it, a unique name; transient only */
    gboolean held;        /* it counts against the quota of @uid */
    guint32 uid;
} KvTunnelOrigin;

/**
 * kv_tunnel_object_new:
 * @number: for its path; never the same again
 *
 * Returns: (transfer full): it is on the bus already, with all its properties.
 */
KvTunnelObject *kv_tunnel_object_new(const KvServices *services, const KvTunnelOrigin *origin,
                                     guint64 number) KV_MUST_USE;

/* (transfer none) */
const KvServices *kv_tunnel_object_get_services(KvTunnelObject *tunnel);
KvDbusTunnel1 *kv_tunnel_object_get_skeleton(KvTunnelObject *tunnel);
const char *kv_tunnel_object_get_name(KvTunnelObject *tunnel); /* the same for life */
const char *kv_tunnel_object_get_path(KvTunnelObject *tunnel);
const KvSettings *kv_tunnel_object_get_settings(KvTunnelObject *tunnel);
/* (nullable): NULL if it is transient. */
const char *kv_tunnel_object_get_file(KvTunnelObject *tunnel);
gboolean kv_tunnel_object_is_read_only(KvTunnelObject *tunnel);
gboolean kv_tunnel_object_is_removed(KvTunnelObject *tunnel);
/* Whether it is transient and @name made it. */
gboolean kv_tunnel_object_is_owned_by(KvTunnelObject *tunnel, const char *name);

/* New settings of the same name and role; what runs goes on with the old ones, but for those that
 * count at once. @file: (nullable)
 * as of KvTunnelOrigin. */
void kv_tunnel_object_set_settings(KvTunnelObject *tunnel, const KvSettings *settings,
                                   const char *file, gboolean read_only);

/* One change of what is saved at a time: %KV_ERROR_WRONG_STATE if another is under way, or
 * %KV_ERROR_NOT_FOUND if it was removed. */
gboolean kv_tunnel_object_begin_change(KvTunnelObject *tunnel, GError **error) KV_MUST_USE;
void kv_tunnel_object_end_change(KvTunnelObject *tunnel);

/**
 * kv_tunnel_object_start_async:
 * @secrets: (nullable): a{sv}, for this start only
 * @configure: as for kv_tunnel_set_configure()
 *
 * Done when the start has begun, or cannot begin.
 */
void kv_tunnel_object_start_async(KvTunnelObject *tunnel, GVariant *secrets, gboolean configure,
                                  GAsyncReadyCallback callback, gpointer data);
gboolean kv_tunnel_object_start_finish(KvTunnelObject *tunnel, GAsyncResult *result,
                                       GError **error) KV_MUST_USE;

/* Stops it; @done is called once it is down, maybe before this returns. */
void kv_tunnel_object_stop(KvTunnelObject *tunnel, void (*done)(gpointer data), gpointer data);

/* Tells @name of statistics from now on; see kv_watchers_set(). */
gboolean kv_tunnel_object_watch(KvTunnelObject *tunnel, const char *name, guint32 uid,
                                guint interval_ms, GError **error) KV_MUST_USE;

/* Takes it off the bus. It must be down. Nothing happens if it was removed already. */
void kv_tunnel_object_remove(KvTunnelObject *tunnel);
