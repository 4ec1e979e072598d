/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-autostart.h"

#include "kv-error.h"
#include "kv-log.h"
#include "kv-tunnel-object.h"

/* As many threads are busy with keys meanwhile. */
#define AT_A_TIME 2

typedef struct {
    const KvServices *services;
    GPtrArray *tunnels;
    guint next;
    guint under_way;
} Autostart;

static void start_more(Autostart *self);

static void
started(GObject *source, GAsyncResult *result, gpointer data)
{
    Autostart *self = data;
    KvTunnelObject *tunnel = KV_TUNNEL_OBJECT(source);
    const char *name = kv_tunnel_object_get_name(tunnel);
    g_autoptr(GError) error = NULL;

    /* Somebody may have started it, or have begun to change it, before its turn came. */
    if (!kv_tunnel_object_start_finish(tunnel, result, &error) &&
        !g_error_matches(error, KV_ERROR, KV_ERROR_WRONG_STATE))
        kv_log(KV_LOG_ERROR, "failed", name, NULL, "tunnel %s: cannot start: %s", name,
               error->message);
    self->under_way--;
    start_more(self);
}

static gboolean
wants_start(KvTunnelObject *tunnel)
{
    return !kv_tunnel_object_is_removed(tunnel) &&
           kv_settings_get_boolean(kv_tunnel_object_get_settings(tunnel), KV_SETTING_AUTOSTART);
}

/* @self is gone once there is nothing left to start. */
static void
start_more(Autostart *self)
{
    if (kv_engine_is_shutting_down(self->services->engine))
        self->next = self->tunnels->len;
    while (self->next < self->tunnels->len && self->under_way < AT_A_TIME) {
        KvTunnelObject *tunnel = self->tunnels->pdata[self->next++];

        if (!wants_start(tunnel))
            continue;
        self->under_way++;
        kv_tunnel_object_start_async(tunnel, NULL, TRUE, started, self);
    }
    if (self->under_way > 0)
        return;
    g_ptr_array_unref(self->tunnels);
    g_free(self);
}

void
kv_autostart_run(const KvServices *services, GPtrArray *tunnels)
{
    Autostart *self = g_new0(Autostart, 1);

    self->services = services;
    self->tunnels = tunnels;
    start_more(self);
}
