/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer-settings.h"

#include "kv-i18n.h"
#include "kv-peer-settings-private.h"
#include "kv-setting-check.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <string.h>

static const KvSetting table[] = {
    [KV_PEER_SETTING_PUBLIC_KEY] =
        {
            .id = KV_PEER_SETTING_PUBLIC_KEY,
            .key = "public-key",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER | KV_SIDE_PEER,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_public_key,
            .allowed = KV_SETTING_PUBLIC_KEY_ALLOWED,
            .description = N_("Public key by which the peer is known; required"),
        },
    [KV_PEER_SETTING_PRESHARED_KEY] =
        {
            .id = KV_PEER_SETTING_PRESHARED_KEY,
            .key = "preshared-key",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_SERVER | KV_SIDE_PEER,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_key,
            .allowed = KV_SETTING_KEY_ALLOWED,
            .description = N_("Key that both ends share beside their key pairs"),
        },
    [KV_PEER_SETTING_ALLOWED_IPS] =
        {
            .id = KV_PEER_SETTING_ALLOWED_IPS,
            .key = "allowed-ips",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER | KV_SIDE_PEER,
            .flags = KV_SETTING_FLAG_LIST,
            .min = 1,
            .max = KV_SETTING_LIST_MAX,
            .value_name = "NETWORK;...",
            .check = kv_check_network,
            .allowed = KV_SETTING_NETWORKS_ALLOWED,
            .description = N_("Networks that packets may come from and are sent to through the "
                              "peer; of a client beside its own addresses"),
        },
    [KV_PEER_SETTING_LOCAL_IP] =
        {
            .id = KV_PEER_SETTING_LOCAL_IP,
            .key = "local-ip",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .min = 7,
            .max = 15,
            .value_name = "ADDRESS",
            .check = kv_check_ip4,
            .allowed = N_("an IPv4 address other than 0.0.0.0"),
            .description = N_("IPv4 tunnel address that this client always gets, and no other"),
        },
    [KV_PEER_SETTING_LOCAL_IP6] =
        {
            .id = KV_PEER_SETTING_LOCAL_IP6,
            .key = "local-ip6",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .min = 3,
            .max = 39,
            .value_name = "ADDRESS",
            .check = kv_check_address6,
            .allowed = N_("an IPv6 address for one computer such as 2001:db8::1"),
            .description = N_("IPv6 tunnel address that this client always gets, and no other"),
        },
    [KV_PEER_SETTING_ROUTES] =
        {
            .id = KV_PEER_SETTING_ROUTES,
            .key = "routes",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER | KV_SIDE_PEER,
            .flags = KV_SETTING_FLAG_LIST,
            .min = 1,
            .max = KV_SETTING_LIST_MAX,
            .value_name = "NETWORK;...",
            .check = kv_check_network,
            .allowed = KV_SETTING_NETWORKS_ALLOWED,
            .description = N_("Networks behind the peer that this computer gets routes to; they "
                              "are among its allowed-ips without being named there"),
        },
    [KV_PEER_SETTING_ENDPOINT] =
        {
            .id = KV_PEER_SETTING_ENDPOINT,
            .key = "endpoint",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_PEER,
            .min = 3,
            .max = 320,
            .value_name = "HOST:PORT",
            .check = kv_check_endpoint,
            .allowed = N_("HOST:PORT with an IPv4 address, an IPv6 address in brackets or a host "
                          "name, and a port from 1 to 65535"),
            .description = N_("Where the peer is; without it the peer must begin"),
        },
    [KV_PEER_SETTING_KEEPALIVE] =
        {
            .id = KV_PEER_SETTING_KEEPALIVE,
            .key = "keepalive",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_SERVER | KV_SIDE_PEER,
            .max = 65535,
            .value_name = "SECONDS",
            .description = N_("Seconds of silence after which a heartbeat is sent, in place of "
                              "the tunnel's keepalive; 0 is never"),
        },
};
G_STATIC_ASSERT(G_N_ELEMENTS(table) == KV_N_PEER_SETTINGS);

const KvSetting *
kv_peer_setting_get(KvPeerSettingId id)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS, NULL);
    return &table[id];
}

const KvSetting *
kv_peer_setting_find(const char *key)
{
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        if (strcmp(table[i].key, key) == 0)
            return &table[i];
    }
    return NULL;
}

static gboolean
check_role(KvRole role, const char *shown, GError **error)
{
    if (role != KV_ROLE_CLIENT)
        return TRUE;
    return kv_settings_fail(
        error, _("peer %s: a client has no peers; its server is the one of public-key"), shown);
}

KvPeerSettings *
kv_peer_settings_new(KvRole role, const char *name, GError **error)
{
    g_autofree char *shown = kv_text_quote(name);
    KvPeerSettings *peer;

    if (name[0] == '\0' || strlen(name) > KV_PEER_NAME_MAX || !kv_check_client_id(name)) {
        kv_settings_fail(
            error,
            _("peer: \"%s\" is not allowed as a name; allowed: 1 to %u characters of A-Z, "
              "a-z, 0-9, _ and -"),
            shown, KV_PEER_NAME_MAX);
        return NULL;
    }
    if (!check_role(role, shown, error))
        return NULL;
    peer = g_new0(KvPeerSettings, 1);
    peer->role = role;
    peer->name = g_strdup(name);
    return peer;
}

KvPeerSettings *
kv_peer_settings_copy(const KvPeerSettings *peer)
{
    KvPeerSettings *copy = g_new0(KvPeerSettings, 1);

    copy->role = peer->role;
    copy->name = g_strdup(peer->name);
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++)
        kv_setting_value_copy(&copy->values[i], &peer->values[i]);
    return copy;
}

void
kv_peer_settings_free(KvPeerSettings *peer)
{
    if (peer == NULL)
        return;
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++)
        kv_setting_value_clear(&peer->values[i]);
    g_free(peer->name);
    g_free(peer);
}

static gboolean
set_value(KvPeerSettings *peer, const KvSetting *row, const char *text, GError **error)
{
    KvSettingValue value = {.is_set = TRUE};

    if ((row->side & kv_setting_side_of_role(peer->role)) == 0)
        return peer->role == KV_ROLE_SERVER
                   ? kv_settings_fail(error, _("%s: a server's peers do not have this setting"),
                                      row->key)
                   : kv_settings_fail(error, _("%s: only a server's peers have this setting"),
                                      row->key);
    if (row->type == KV_SETTING_TYPE_SECRET && text[0] == '\0')
        value = (KvSettingValue){.is_absent = TRUE};
    else if (!kv_setting_value_parse(&value, row, text))
        return kv_setting_value_fail(row, text, error);
    kv_setting_value_clear(&peer->values[row->id]);
    peer->values[row->id] = value;
    return TRUE;
}

gboolean
kv_peer_settings_set_text(KvPeerSettings *peer, KvPeerSettingId id, const char *text,
                          GError **error)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS, FALSE);
    if (set_value(peer, &table[id], text, error))
        return TRUE;
    g_prefix_error(error, _("peer %s: "), peer->name);
    return FALSE;
}

const char *
kv_peer_settings_get_name(const KvPeerSettings *peer)
{
    return peer->name;
}

gboolean
kv_peer_settings_is_set(const KvPeerSettings *peer, KvPeerSettingId id)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS, FALSE);
    return peer->values[id].is_set;
}

guint64
kv_peer_settings_get_uint(const KvPeerSettings *peer, KvPeerSettingId id)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS && table[id].type == KV_SETTING_TYPE_UINT, 0);
    return peer->values[id].number;
}

const char *
kv_peer_settings_get_string(const KvPeerSettings *peer, KvPeerSettingId id)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS && table[id].type == KV_SETTING_TYPE_STRING, NULL);
    return peer->values[id].text;
}

char *
kv_peer_settings_to_text(const KvPeerSettings *peer, KvPeerSettingId id)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS, NULL);
    if (peer->values[id].secret != NULL)
        return g_strdup("(set)");
    return g_strdup(peer->values[id].text);
}

gboolean
kv_peer_settings_get_key(const KvPeerSettings *peer, KvPeerSettingId id, uint8_t key[KV_KEY_BYTES])
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS, FALSE);
    return kv_setting_value_get_key(&peer->values[id], key);
}

GArray *
kv_peer_settings_list_networks(const KvPeerSettings *peer, KvPeerSettingId id)
{
    g_return_val_if_fail(id < KV_N_PEER_SETTINGS, NULL);
    return kv_setting_value_list_networks(&peer->values[id]);
}

gboolean
kv_peer_settings_get_endpoint(const KvPeerSettings *peer, char **host, uint16_t *port)
{
    const char *text = peer->values[KV_PEER_SETTING_ENDPOINT].text;
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;

    if (colon == NULL)
        return FALSE;
    *host = text[0] == '[' ? g_strndup(text + 1, (gsize) (colon - text) - 2)
                           : g_strndup(text, (gsize) (colon - text));
    *port = (uint16_t) g_ascii_strtoull(colon + 1, NULL, 10);
    return TRUE;
}

gboolean
kv_peer_settings_validate(const KvPeerSettings *peer, GError **error)
{
    const KvSetting *row = &table[KV_PEER_SETTING_PUBLIC_KEY];
    g_autofree char *allowed = NULL;

    if (peer->values[row->id].is_set)
        return TRUE;
    allowed = kv_setting_format_allowed(row);
    return kv_settings_fail(error, _("peer %s: %s: required, but not given; allowed: %s"),
                            peer->name, row->key, allowed);
}

gboolean
kv_peer_settings_equal(const KvPeerSettings *a, const KvPeerSettings *b)
{
    if (a->role != b->role || strcmp(a->name, b->name) != 0)
        return FALSE;
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        if (!kv_setting_value_equal(&a->values[i], &b->values[i]))
            return FALSE;
    }
    return TRUE;
}

void
kv_peer_settings_keep_secret(KvPeerSettings *peer, const KvPeerSettings *old)
{
    KvSettingValue *value = &peer->values[KV_PEER_SETTING_PRESHARED_KEY];

    if (!value->is_set && !value->is_absent)
        kv_setting_value_copy(value, &old->values[KV_PEER_SETTING_PRESHARED_KEY]);
}

/* --- key files ------------------------------------------------------------------------------- */

gsize
kv_peer_settings_measure(const KvPeerSettings *peer)
{
    gsize bytes = strlen("\n[peer ]\n") + strlen(peer->name);

    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        const KvSettingValue *value = &peer->values[i];

        if (table[i].type == KV_SETTING_TYPE_SECRET)
            bytes += strlen(table[i].key) + strlen("=\n") + KV_SETTING_KEY_LENGTH;
        else if (value->is_set)
            bytes += strlen(table[i].key) + strlen("=;\n") + strlen(value->text);
    }
    return bytes;
}

void
kv_peer_settings_append_group(GString *out, const KvPeerSettings *peer, gboolean with_secrets)
{
    g_string_append_printf(out, "\n[peer %s]\n", peer->name);
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        if (with_secrets || table[i].type != KV_SETTING_TYPE_SECRET)
            kv_setting_value_append_line(out, &table[i], &peer->values[i]);
    }
}
