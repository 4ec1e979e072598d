/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "nm-kcpvpn"

#include "kv-nm-service.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-ip-config.h"
#include "kv-nm-profile.h"
#include "kv-nm-tunnel.h"

#include <net/if.h>
#include <string.h>

/* NetworkManager changes routes when it is idle. */
#define ROUTE_GONE_MS 300

struct _KvNmService {
    NMVpnServicePlugin parent_instance;
    KvNmTunnel *tunnel;
    guint n_tunnels;
    KvNmIpConfig *told; /* NetworkManager, last */
    guint told_index;   /* of the interface then: another one of the same name has nothing yet */
    guint tell_id;      /* while NetworkManager is to take the way to the server away */
    gboolean wants_dns4, wants_dns6;
    gboolean may_ask; /* for another secret: a person is there who gave this one */
    KvSecret *tried;
};

G_DEFINE_FINAL_TYPE(KvNmService, kv_nm_service, NM_TYPE_VPN_SERVICE_PLUGIN)

/* Before a failed secret is asked for again, its tunnel is gone. */
static void
close_tunnel(KvNmService *self)
{
    g_clear_handle_id(&self->tell_id, g_source_remove);
    g_clear_pointer(&self->tunnel, kv_nm_tunnel_close);
    g_clear_pointer(&self->told, kv_nm_ip_config_free);
    self->told_index = 0;
}

static void
kv_nm_service_dispose(GObject *object)
{
    KvNmService *self = KV_NM_SERVICE_PLUGIN(object);

    close_tunnel(self);
    g_clear_pointer(&self->tried, kv_secret_free);
    G_OBJECT_CLASS(kv_nm_service_parent_class)->dispose(object);
}

/* --- what the tunnel tells ------------------------------------------------------------------- */

/* A server of protocol v1 refuses an address: the one asked for, or any, as none is left. That is
 * not a failed login, which NetworkManager's clients call wrong secrets. */
static NMVpnPluginFailure
failure_from_error(const GError *error)
{
    if (g_error_matches(error, KV_ERROR, KV_ERROR_REFUSED))
        return NM_VPN_PLUGIN_FAILURE_BAD_IP_CONFIG;
    return NM_VPN_PLUGIN_FAILURE_CONNECT_FAILED;
}

/* What libnm stops before it was connected it calls a failure to connect, too, and NetworkManager
 * believes the reason that it hears last. So it is stopping already. */
static void
give_up(KvNmService *self, NMVpnPluginFailure reason)
{
    close_tunnel(self);
    g_clear_pointer(&self->tried, kv_secret_free);
    g_object_set(self, NM_VPN_SERVICE_PLUGIN_STATE, NM_VPN_SERVICE_STATE_STOPPING, NULL);
    nm_vpn_service_plugin_failure(NM_VPN_SERVICE_PLUGIN(self), reason);
    g_object_set(self, NM_VPN_SERVICE_PLUGIN_STATE, NM_VPN_SERVICE_STATE_STOPPED, NULL);
}

/* In protocol v1 a server is silent when the secret is wrong, as if it were not there. */
static void
ask_again(KvNmService *self)
{
    const char *hints[] = {kv_setting_get(KV_SETTING_SECRET)->key, NULL};

    close_tunnel(self);
    nm_vpn_service_plugin_secrets_required(NM_VPN_SERVICE_PLUGIN(self),
                                           _("The server does not answer. It cannot be reached, or "
                                             "its secret is another one: a server "
                                             "does not tell. Enter the secret again."),
                                           hints);
}

static void
tunnel_failed(const GError *error, gpointer data)
{
    KvNmService *self = data;

    g_warning("%s", error->message);
    if (self->may_ask && self->told == NULL && g_error_matches(error, KV_ERROR, KV_ERROR_TIMEOUT))
        ask_again(self);
    else
        give_up(self, failure_from_error(error));
}

/* Whether the interface that NetworkManager knows is still there. If it is told of one that is not,
 * it gives the connection up. */
static gboolean
has_told_interface(KvNmService *self)
{
    const char *interface = "";

    g_variant_lookup(self->told->config, NM_VPN_PLUGIN_CONFIG_TUNDEV, "&s", &interface);
    return self->told_index != 0 && if_nametoindex(interface) == self->told_index;
}

static void
tell(KvNmService *self, const KvNmIpConfig *config)
{
    NMVpnServicePlugin *plugin = NM_VPN_SERVICE_PLUGIN(self);

    nm_vpn_service_plugin_set_config(plugin, config->config);
    if (config->ip4 != NULL)
        nm_vpn_service_plugin_set_ip4_config(plugin, config->ip4);
    if (config->ip6 != NULL)
        nm_vpn_service_plugin_set_ip6_config(plugin, config->ip6);
}

/* Of the families whose name servers the profile wants: NetworkManager does not see the others. */
static gboolean
has_other_dns(const KvNmService *self, const KvNmIpConfig *config)
{
    return (self->wants_dns4 && !kv_nm_ip_config_equal_dns(config, self->told, TRUE)) ||
           (self->wants_dns6 && !kv_nm_ip_config_equal_dns(config, self->told, FALSE));
}

/* NetworkManager takes a VPN's name servers when it becomes active, and at no other time. So it is
 * for the moment that it takes to tell the others; in all other changes the VPN just stays active.
 */
static void
become_active_anew(KvNmService *self)
{
    g_object_set(self, NM_VPN_SERVICE_PLUGIN_STATE, NM_VPN_SERVICE_STATE_STARTING, NULL);
}

static void
tunnel_configured(GVariant *properties, gpointer data)
{
    KvNmService *self = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(KvNmIpConfig) config = kv_nm_ip_config_new(properties, &error);
    const char *interface = "";
    guint index;

    if (config == NULL) {
        g_warning("%s", error->message);
        /* What was told before still stands. */
        if (self->told == NULL)
            give_up(self, NM_VPN_PLUGIN_FAILURE_BAD_IP_CONFIG);
        return;
    }
    g_variant_lookup(properties, "Interface", "&s", &interface);
    index = if_nametoindex(interface);
    if (kv_nm_ip_config_equal(config, self->told) && index == self->told_index)
        return;
    /* Just removed: the daemon is about to say so, and to make another one. */
    if (index == 0 && self->told_index != 0)
        return;
    g_message("connected, interface %s", interface);
    g_clear_handle_id(&self->tell_id, g_source_remove);
    if (self->told != NULL && has_other_dns(self, config))
        become_active_anew(self);
    tell(self, config);
    g_clear_pointer(&self->told, kv_nm_ip_config_free);
    self->told = g_steal_pointer(&config);
    self->told_index = index;
}

static gboolean
tell_again(gpointer data)
{
    KvNmService *self = data;

    self->tell_id = 0;
    if (has_told_interface(self))
        tell(self, self->told);
    return G_SOURCE_REMOVE;
}

/* NetworkManager asks the kernel for the way to the server, and gets the host route that it made
 * for the network before, which may have had another gateway. So it is told of a gateway that needs
 * none, and once that route is gone, of the true one again. Nothing of it is of use to a tunnel
 * that is connected: the daemon connects meanwhile. */
static void
tunnel_lost(gpointer data)
{
    KvNmService *self = data;
    g_autoptr(GVariant) no_way = NULL;

    if (self->told == NULL || self->tell_id != 0 || !has_told_interface(self))
        return;
    no_way = g_variant_ref_sink(kv_nm_ip_config_without_way(self->told));
    nm_vpn_service_plugin_set_config(NM_VPN_SERVICE_PLUGIN(self), no_way);
    self->tell_id = g_timeout_add(ROUTE_GONE_MS, tell_again, self);
}

static const KvNmTunnelEvents tunnel_events = {
    .configured = tunnel_configured,
    .lost = tunnel_lost,
    .failed = tunnel_failed,
};

/* --- what NetworkManager asks for ------------------------------------------------------------ */

/* The name shows in the daemon's list and log; the process and a number make it the only one. */
static gboolean
set_name(KvNmService *self, KvSettings *settings, NMConnection *connection, GError **error)
{
    const char *given = kv_settings_get_string(settings, KV_SETTING_NAME);
    const char *id = given != NULL ? given : nm_connection_get_id(connection);
    g_autofree char *clean = g_str_to_ascii(id != NULL ? id : "", "C");
    g_autofree char *name = NULL;

    for (char *c = clean; *c != '\0'; c++) {
        if (*c < ' ' || *c == '/' || *c == 0x7f)
            *c = '_';
    }
    name = g_strdup_printf("nm-%.32s-%d-%u", clean, getpid(), ++self->n_tunnels);
    return kv_settings_set_text(settings, KV_SETTING_NAME, name, error);
}

/* Defaults of the desktop, which the daemon does not know. */
static gboolean
set_defaults(KvSettings *settings, GError **error)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const char *text = kv_setting_get(i)->desktop_default_text;

        if (text != NULL && !kv_settings_is_set(settings, i) &&
            !kv_settings_set_text(settings, i, text, error))
            return FALSE;
    }
    return TRUE;
}

/* Whether a person gave the secret: one that lies in the profile nobody is there to correct. */
static gboolean
is_asked_for(NMSettingVpn *vpn)
{
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;

    return nm_setting_get_secret_flags(NM_SETTING(vpn), kv_setting_get(KV_SETTING_SECRET)->key,
                                       &flags, NULL) &&
           (flags & (NM_SETTING_SECRET_FLAG_AGENT_OWNED | NM_SETTING_SECRET_FLAG_NOT_SAVED)) != 0;
}

/* (transfer full) (nullable): settings that can be started. */
static KvSettings *
read_profile(KvNmService *self, NMConnection *connection, GError **error)
{
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
    g_autoptr(GError) wrong = NULL;
    g_autoptr(KvSettings) settings = NULL;

    if (vpn == NULL) {
        g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_INVALID_CONNECTION,
                            "the profile has no VPN setting");
        return NULL;
    }
    settings = kv_nm_profile_to_settings(vpn, &wrong);
    if (settings != NULL && !kv_settings_is_set(settings, KV_SETTING_PUBLIC_KEY) &&
        kv_settings_get_secret(settings, KV_SETTING_SECRET) == NULL)
        g_set_error(&wrong, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    _("%s: required, but not given; allowed: in the profile, or from its user's "
                      "agent, unless the profile says that it is not required"),
                    kv_setting_get(KV_SETTING_SECRET)->key);
    else if (settings != NULL && set_name(self, settings, connection, &wrong) &&
             set_defaults(settings, &wrong) && kv_settings_validate(settings, &wrong))
        return g_steal_pointer(&settings);
    g_warning("the profile is refused: %s", wrong->message);
    g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                        wrong->message);
    return NULL;
}

/* Whether a profile takes name servers from us for a family: others' are left out by
 * NetworkManager. */
static gboolean
wants_dns(NMSettingIPConfig *family)
{
    return family == NULL || (strcmp(nm_setting_ip_config_get_method(family),
                                     NM_SETTING_IP4_CONFIG_METHOD_AUTO) == 0 &&
                              !nm_setting_ip_config_get_ignore_auto_dns(family));
}

static gboolean
begin(KvNmService *self, NMConnection *connection, gboolean interactive, GError **error)
{
    g_autoptr(KvSettings) settings = read_profile(self, connection, error);
    const KvSecret *secret;

    if (settings == NULL)
        return FALSE;
    self->wants_dns4 = wants_dns(nm_connection_get_setting_ip4_config(connection));
    self->wants_dns6 = wants_dns(nm_connection_get_setting_ip6_config(connection));
    /* With keys there is nothing that a person could have mistyped. */
    secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    /* An agent that gives the same secret again has no other. */
    self->may_ask = interactive && secret != NULL &&
                    !kv_settings_is_set(settings, KV_SETTING_PUBLIC_KEY) &&
                    is_asked_for(nm_connection_get_setting_vpn(connection)) &&
                    (self->tried == NULL || !kv_secret_equal(secret, self->tried));
    g_clear_pointer(&self->tried, kv_secret_free);
    self->tried = kv_secret_copy(secret);
    close_tunnel(self);
    self->tunnel =
        kv_nm_tunnel_new(nm_vpn_service_plugin_get_connection(NM_VPN_SERVICE_PLUGIN(self)),
                         settings, &tunnel_events, self);
    return TRUE;
}

static gboolean
begin_first(KvNmService *self, NMConnection *connection, gboolean interactive, GError **error)
{
    g_clear_pointer(&self->tried, kv_secret_free);
    return begin(self, connection, interactive, error);
}

static gboolean
connect_plain(NMVpnServicePlugin *plugin, NMConnection *connection, GError **error)
{
    return begin_first(KV_NM_SERVICE_PLUGIN(plugin), connection, FALSE, error);
}

static gboolean
connect_interactive(NMVpnServicePlugin *plugin, NMConnection *connection, GVariant *details,
                    GError **error)
{
    return begin_first(KV_NM_SERVICE_PLUGIN(plugin), connection, TRUE, error);
}

static gboolean
new_secrets(NMVpnServicePlugin *plugin, NMConnection *connection, GError **error)
{
    return begin(KV_NM_SERVICE_PLUGIN(plugin), connection, TRUE, error);
}

static gboolean
need_secrets(NMVpnServicePlugin *plugin, NMConnection *connection, const char **setting_name,
             GError **error)
{
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
    g_auto(GStrv) missing = NULL;

    if (vpn == NULL) {
        g_set_error_literal(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_INVALID_CONNECTION,
                            "the profile has no VPN setting");
        return FALSE;
    }
    missing = kv_nm_profile_list_missing_secrets(vpn);
    if (missing[0] == NULL)
        return FALSE;
    *setting_name = NM_SETTING_VPN_SETTING_NAME;
    return TRUE;
}

static gboolean
disconnect(NMVpnServicePlugin *plugin, GError **error)
{
    KvNmService *self = KV_NM_SERVICE_PLUGIN(plugin);

    close_tunnel(self);
    g_clear_pointer(&self->tried, kv_secret_free);
    g_message("disconnected");
    return TRUE;
}

/* --- life ------------------------------------------------------------------------------------ */

static void
kv_nm_service_class_init(KvNmServiceClass *klass)
{
    NMVpnServicePluginClass *plugin_class = NM_VPN_SERVICE_PLUGIN_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = kv_nm_service_dispose;
    plugin_class->connect = connect_plain;
    plugin_class->connect_interactive = connect_interactive;
    plugin_class->new_secrets = new_secrets;
    plugin_class->need_secrets = need_secrets;
    plugin_class->disconnect = disconnect;
}

static void
kv_nm_service_init(KvNmService *self)
{
}

KvNmService *
kv_nm_service_new(const char *bus_name, gboolean watch_peer, GError **error)
{
    return g_initable_new(KV_TYPE_NM_SERVICE, NULL, error, NM_VPN_SERVICE_PLUGIN_DBUS_SERVICE_NAME,
                          bus_name, NM_VPN_SERVICE_PLUGIN_DBUS_WATCH_PEER, watch_peer, NULL);
}

void
kv_nm_service_stop(KvNmService *self)
{
    /* An error says that nothing ran. */
    (void) nm_vpn_service_plugin_disconnect(NM_VPN_SERVICE_PLUGIN(self), NULL);
}
