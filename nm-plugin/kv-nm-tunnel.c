/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "nm-kcpvpn"

#include "kv-nm-tunnel.h"

#include "kv-dbus-error.h"
#include "kv-dbus-generated.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-settings-variant.h"

#include <net/if.h>
#include <string.h>

/* None: what a daemon that hangs makes in the end must not be there unknown, and if it dies, or
 * cannot be started, the bus answers. NetworkManager has a limit of its own for connecting. */
#define CALL_TIMEOUT_MS  G_MAXINT
#define CLOSE_TIMEOUT_MS 5000

/* Between two tries to make it anew. */
#define REMAKE_FIRST_MS 200
#define REMAKE_MAX_MS   30000

/* Interface names that are tried: another connection may be as fast. */
#define NAME_PREFIX "kvc"
#define NAMES_MAX   256

struct _KvNmTunnel {
    grefcount refs;
    GDBusConnection *bus;
    KvSettings *settings;
    KvNmTunnelEvents events;
    gpointer data;
    gboolean closed;
    gboolean established; /* it was connected before, maybe by another daemon */
    guint next_name;      /* the number of the interface name to try next */
    char *owner;          /* the daemon that has it, by the bus name no other one can have */
    char *path;           /* NULL: there is none at present */
    KvDbusTunnel1 *proxy;
    gboolean moved; /* out of "stopped", where it began */
    guint remake_ms;
    guint remake_id;
};

static void begin(KvNmTunnel *self);

static KvNmTunnel *
tunnel_ref(KvNmTunnel *self)
{
    g_ref_count_inc(&self->refs);
    return self;
}

static void
tunnel_unref(KvNmTunnel *self)
{
    if (!g_ref_count_dec(&self->refs))
        return;
    g_object_unref(self->bus);
    kv_settings_free(self->settings);
    g_free(self->owner);
    g_free(self->path);
    g_free(self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmTunnel, tunnel_unref)

/* --- the end --------------------------------------------------------------------------------- */

/* Forgets what the daemon has, or had. */
static void
drop(KvNmTunnel *self)
{
    if (self->proxy != NULL)
        g_signal_handlers_disconnect_by_data(self->proxy, self);
    g_clear_object(&self->proxy);
    g_clear_pointer(&self->path, g_free);
    g_clear_pointer(&self->owner, g_free);
    self->moved = FALSE;
}

/* To the very daemon that made it: at the same path the next one may have somebody else's tunnel.
 */
static void
call_delete(KvNmTunnel *self, gboolean wait)
{
    GVariant *arguments = g_variant_new("(a{sv})", NULL);
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GError) error = NULL;

    if (!wait) {
        g_dbus_connection_call(self->bus, self->owner, self->path, KV_DBUS_TUNNEL_INTERFACE,
                               "Delete", arguments, NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START,
                               CALL_TIMEOUT_MS, NULL, NULL, NULL);
        return;
    }
    reply = g_dbus_connection_call_sync(
        self->bus, self->owner, self->path, KV_DBUS_TUNNEL_INTERFACE, "Delete", arguments, NULL,
        G_DBUS_CALL_FLAGS_NO_AUTO_START, CLOSE_TIMEOUT_MS, NULL, &error);
    if (reply == NULL)
        g_debug("the tunnel was not deleted: %s", error->message);
}

void
kv_nm_tunnel_close(KvNmTunnel *self)
{
    self->closed = TRUE;
    g_clear_handle_id(&self->remake_id, g_source_remove);
    if (self->path != NULL)
        call_delete(self, TRUE);
    drop(self);
    tunnel_unref(self);
}

static void
fail(KvNmTunnel *self, const GError *error)
{
    if (!self->closed)
        self->events.failed(error, self->data);
}

/* --- making it anew -------------------------------------------------------------------------- */

static gboolean
remake_due(gpointer data)
{
    KvNmTunnel *self = data;

    self->remake_id = 0;
    begin(self);
    return G_SOURCE_REMOVE;
}

static void
schedule_remake(KvNmTunnel *self)
{
    /* One that is there, but could not be started, has the name. */
    if (self->path != NULL)
        call_delete(self, FALSE);
    drop(self);
    self->next_name = 0;
    self->remake_id = g_timeout_add(self->remake_ms, remake_due, self);
    self->remake_ms = MIN(2 * self->remake_ms, REMAKE_MAX_MS);
}

/* Whether another try, with nothing changed, may do better. */
static gboolean
may_pass(const GError *error)
{
    return error->domain != KV_ERROR || error->code == KV_ERROR_EXISTS ||
           error->code == KV_ERROR_CANCELLED || error->code == KV_ERROR_WRONG_STATE;
}

/* A call failed, or the daemon went. */
static void
trouble(KvNmTunnel *self, GError *error)
{
    g_dbus_error_strip_remote_error(error);
    if (self->established && may_pass(error)) {
        g_message("the tunnel is made anew, kcpvpnd could not keep it: %s", error->message);
        schedule_remake(self);
        return;
    }
    if (error->domain != KV_ERROR)
        g_prefix_error(&error, "the system service kcpvpnd cannot be reached: ");
    fail(self, error);
}

static void
went_away(KvNmTunnel *self)
{
    g_autoptr(GError) error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_CLOSED, "it went away");

    trouble(self, error);
}

static void
owner_changed(GDBusProxy *proxy, GParamSpec *pspec, gpointer data)
{
    g_autoptr(KvNmTunnel) self = tunnel_ref(data);

    went_away(self);
}

/* --- what the daemon says -------------------------------------------------------------------- */

/* (transfer full): why it is as it is. */
static GError *
get_reason(KvNmTunnel *self)
{
    const char *name = kv_dbus_tunnel1_get_reason_error(self->proxy);
    const char *reason = kv_dbus_tunnel1_get_reason(self->proxy);
    GError *error;

    if (name == NULL || name[0] == '\0')
        return g_error_new_literal(KV_ERROR, KV_ERROR_CANCELLED,
                                   "the tunnel was stopped by somebody else");
    error = g_dbus_error_new_for_dbus_error(name, reason != NULL ? reason : "");
    g_dbus_error_strip_remote_error(error);
    return error;
}

/* Another one has the interface's name by now: with the next name it can be had. */
static gboolean
try_next_name(KvNmTunnel *self, const GError *error)
{
    if (!g_error_matches(error, KV_ERROR, KV_ERROR_EXISTS) ||
        kv_settings_is_set(self->settings, KV_SETTING_VNI_NAME) || self->next_name >= NAMES_MAX)
        return FALSE;
    g_debug("%s", error->message);
    call_delete(self, FALSE);
    drop(self);
    begin(self);
    return TRUE;
}

static void
tell_configured(KvNmTunnel *self)
{
    g_auto(GStrv) names = g_dbus_proxy_get_cached_property_names(G_DBUS_PROXY(self->proxy));
    g_autoptr(GVariant) properties = NULL;
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; names != NULL && names[i] != NULL; i++) {
        g_autoptr(GVariant) value =
            g_dbus_proxy_get_cached_property(G_DBUS_PROXY(self->proxy), names[i]);

        g_variant_builder_add(&builder, "{sv}", names[i], value);
    }
    properties = g_variant_ref_sink(g_variant_builder_end(&builder));
    self->events.configured(properties, self->data);
}

/* Without an interface there is nothing to configure: another program took it away, and the daemon
 * is about to make another one. */
static gboolean
has_interface(KvNmTunnel *self)
{
    const char *interface = kv_dbus_tunnel1_get_interface(self->proxy);

    return interface != NULL && interface[0] != '\0';
}

static void
look(KvNmTunnel *self)
{
    const char *state = kv_dbus_tunnel1_get_state(self->proxy);
    gboolean stopped = g_strcmp0(state, KV_DBUS_STATE_STOPPED) == 0;
    g_autoptr(GError) error = NULL;

    self->moved |= !stopped;
    if (!self->moved)
        return;
    if (g_strcmp0(state, KV_DBUS_STATE_CONNECTED) == 0) {
        self->established = TRUE;
        self->remake_ms = REMAKE_FIRST_MS;
    }
    if (stopped || g_strcmp0(state, KV_DBUS_STATE_FAILED) == 0 ||
        (!self->established && g_strcmp0(state, KV_DBUS_STATE_WAITING) == 0)) {
        error = get_reason(self);
        if (!try_next_name(self, error))
            fail(self, error);
    } else if (self->established && has_interface(self)) {
        tell_configured(self);
    }
}

static void
properties_changed(GDBusProxy *proxy, GVariant *changed, GStrv invalidated, gpointer data)
{
    g_autoptr(KvNmTunnel) self = tunnel_ref(data);

    look(self);
}

static void
state_changed(KvDbusTunnel1 *proxy, const char *state, const char *old_state, const char *reason,
              gpointer data)
{
    g_autoptr(KvNmTunnel) self = tunnel_ref(data);

    if (reason[0] != '\0')
        g_message("%s: %s", state, reason);
    else
        g_debug("%s", state);
    if (self->established && (g_strcmp0(state, KV_DBUS_STATE_WAITING) == 0 ||
                              (g_strcmp0(old_state, KV_DBUS_STATE_CONNECTED) == 0 &&
                               g_strcmp0(state, KV_DBUS_STATE_CONNECTING) == 0)))
        self->events.lost(self->data);
}

/* --- making it ------------------------------------------------------------------------------- */

static void
started(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(KvNmTunnel) self = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    /* That the daemon is gone has been told already if there is no proxy any more. */
    if (reply == NULL && !self->closed && self->proxy != NULL)
        trouble(self, error);
}

static void
call_start(KvNmTunnel *self)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);

    g_variant_dict_insert_value(&options, KV_DBUS_OPTION_SECRETS,
                                kv_settings_secrets_to_variant(self->settings));
    g_variant_dict_insert(&options, KV_DBUS_OPTION_CONFIGURE, "b", FALSE);
    g_dbus_connection_call(self->bus, self->owner, self->path, KV_DBUS_TUNNEL_INTERFACE, "Start",
                           g_variant_new("(@a{sv})", g_variant_dict_end(&options)), NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_TIMEOUT_MS, NULL, started,
                           tunnel_ref(self));
}

static void
proxy_made(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(KvNmTunnel) self = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(KvDbusTunnel1) proxy = kv_dbus_tunnel1_proxy_new_finish(result, &error);
    g_autofree char *owner = NULL;

    if (self->closed)
        return;
    if (proxy == NULL) {
        trouble(self, error);
        return;
    }
    self->proxy = g_steal_pointer(&proxy);
    owner = g_dbus_proxy_get_name_owner(G_DBUS_PROXY(self->proxy));
    if (owner == NULL) {
        went_away(self);
        return;
    }
    g_signal_connect(self->proxy, "notify::g-name-owner", G_CALLBACK(owner_changed), self);
    g_signal_connect(self->proxy, "g-properties-changed", G_CALLBACK(properties_changed), self);
    g_signal_connect(self->proxy, "state-changed", G_CALLBACK(state_changed), self);
    call_start(self);
}

static void
created(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(KvNmTunnel) self = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusMessage) reply =
        g_dbus_connection_send_message_with_reply_finish(G_DBUS_CONNECTION(source), result, &error);
    GVariant *body = NULL;

    if (reply != NULL && !g_dbus_message_to_gerror(reply, &error))
        body = g_dbus_message_get_body(reply);
    if (body == NULL || !g_variant_is_of_type(body, G_VARIANT_TYPE("(o)"))) {
        if (error == NULL)
            error = g_error_new_literal(KV_ERROR, KV_ERROR_FAILED, "CreateTunnel gave no path");
        if (!self->closed)
            trouble(self, error);
        return;
    }
    self->owner = g_strdup(g_dbus_message_get_sender(reply));
    g_variant_get(body, "(o)", &self->path);
    if (self->closed) {
        call_delete(self, FALSE);
        return;
    }
    kv_dbus_tunnel1_proxy_new(self->bus, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, self->owner,
                              self->path, NULL, proxy_made, tunnel_ref(self));
}

/* (transfer full): the settings' own, or a name that is free and was not tried before. */
static char *
choose_interface(KvNmTunnel *self)
{
    const char *own = kv_settings_get_string(self->settings, KV_SETTING_VNI_NAME);
    char *name = NULL;

    if (kv_settings_is_set(self->settings, KV_SETTING_VNI_NAME))
        return g_strdup(own);
    do {
        g_free(name);
        name = g_strdup_printf(NAME_PREFIX "%u", self->next_name++);
    } while (if_nametoindex(name) != 0 && self->next_name < NAMES_MAX);
    return name;
}

/* (transfer floating): what the daemon gets, but for secrets. */
static GVariant *
make_settings(KvNmTunnel *self)
{
    g_autoptr(GVariant) given = g_variant_ref_sink(kv_settings_to_variant(self->settings));
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(given);
    g_autofree char *interface = choose_interface(self);

    g_variant_dict_insert(&dict, kv_setting_get(KV_SETTING_VNI_NAME)->key, "s", interface);
    return g_variant_dict_end(&dict);
}

/* As a message, since its reply tells which daemon made the tunnel. */
static void
begin(KvNmTunnel *self)
{
    g_auto(GVariantDict) options = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GDBusMessage) message = g_dbus_message_new_method_call(
        KV_DBUS_NAME, KV_DBUS_PATH, KV_DBUS_MANAGER_INTERFACE, "CreateTunnel");

    g_variant_dict_insert(&options, KV_DBUS_OPTION_TRANSIENT, "b", TRUE);
    g_dbus_message_set_body(message, g_variant_new("(@a{sv}@a{sv})", make_settings(self),
                                                   g_variant_dict_end(&options)));
    g_dbus_connection_send_message_with_reply(self->bus, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE,
                                              CALL_TIMEOUT_MS, NULL, NULL, created,
                                              tunnel_ref(self));
}

KvNmTunnel *
kv_nm_tunnel_new(GDBusConnection *bus, const KvSettings *settings, const KvNmTunnelEvents *events,
                 gpointer data)
{
    KvNmTunnel *self = g_new0(KvNmTunnel, 1);

    kv_dbus_error_init();
    g_ref_count_init(&self->refs);
    self->bus = g_object_ref(bus);
    self->settings = kv_settings_copy(settings);
    self->events = *events;
    self->data = data;
    self->remake_ms = REMAKE_FIRST_MS;
    begin(self);
    return self;
}
