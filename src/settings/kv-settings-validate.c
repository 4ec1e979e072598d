/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-ip4.h"
#include "kv-key.h"
#include "kv-settings-private.h"

#include <sodium.h>
#include <string.h>

/* What Reed-Solomon over GF(256) can hold, and what a group of the native protocol can. */
#define SHARDS_MAX        256
#define NATIVE_SHARDS_MAX 192
#define NATIVE_PARITY_MAX 64

/* RFC 8200: the kernel takes no IPv6 address or route for an interface with less. */
#define MTU6_MIN 1280

static gboolean
require(const KvSettings *settings, KvSettingId id, GError **error)
{
    g_autofree char *allowed = NULL;

    if (kv_settings_is_set(settings, id))
        return TRUE;
    allowed = kv_setting_format_allowed(kv_setting_get(id));
    return kv_settings_fail(error, _("%s: required, but not given; allowed: %s"),
                            kv_setting_get(id)->key, allowed);
}

/* Whether this end has a key pair, or must have one. */
static gboolean
has_keys(const KvSettings *settings)
{
    return settings->role == KV_ROLE_PEER || kv_settings_is_set(settings, KV_SETTING_PRIVATE_KEY) ||
           kv_settings_is_set(settings, KV_SETTING_PUBLIC_KEY) ||
           kv_peer_list_get_length(settings->peers) > 0;
}

static gboolean
require_peers(const KvSettings *settings, GError **error)
{
    if (settings->role == KV_ROLE_CLIENT || kv_peer_list_get_length(settings->peers) > 0)
        return TRUE;
    return kv_settings_fail(error, _("peer: required with private-key, but none was given; "
                                     "allowed: a group [peer NAME] for each"));
}

/* Somebody copied the wrong key, or one key file to both ends: they would never find each other. */
static gboolean
validate_own_key(const KvSettings *settings, GError **error)
{
    uint8_t private_key[KV_KEY_BYTES];
    uint8_t own[KV_KEY_BYTES];
    uint8_t remote[KV_KEY_BYTES];
    const KvPeerSettings *peer;

    if (!kv_settings_get_key(settings, KV_SETTING_PRIVATE_KEY, private_key))
        return TRUE;
    kv_key_get_public(private_key, own);
    sodium_memzero(private_key, sizeof private_key);
    if (kv_settings_get_key(settings, KV_SETTING_PUBLIC_KEY, remote) &&
        memcmp(remote, own, sizeof own) == 0)
        return kv_settings_fail(error, _("public-key: belongs to this end's own private-key; "
                                         "allowed: the other end's"));
    peer = kv_peer_list_find_key(settings->peers, own);
    if (peer != NULL)
        return kv_settings_fail(error,
                                _("peer %s: public-key: belongs to this end's own private-key; "
                                  "allowed: the other end's"),
                                kv_peer_settings_get_name(peer));
    return TRUE;
}

/* Without keys, and for what else a server admits, there must be a secret. */
static gboolean
validate_secrets(const KvSettings *settings, GError **error)
{
    if (has_keys(settings)) {
        if (!require(settings, KV_SETTING_PRIVATE_KEY, error) || !require_peers(settings, error) ||
            !validate_own_key(settings, error))
            return FALSE;
        if (kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE)
            return TRUE;
    }
    if (kv_settings_is_set(settings, KV_SETTING_SECRET))
        return TRUE;
    return kv_settings_fail(error, _("secret: required, but not given; allowed: secret, "
                                     "secret-file or the environment variable KCPVPN_KEY"));
}

/* A client's keys: all that go together, and in the protocol that has them. */
static gboolean
validate_client_keys(const KvSettings *settings, GError **error)
{
    static const KvSettingId keys[] = {KV_SETTING_PRIVATE_KEY, KV_SETTING_PRIVATE_KEY_FILE,
                                       KV_SETTING_PUBLIC_KEY, KV_SETTING_PRESHARED_KEY};

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *key = kv_setting_get(keys[i])->key;

        if (!kv_settings_is_set(settings, keys[i]))
            continue;
        if (kv_settings_get_protocol(settings) == KV_PROTOCOL_V1)
            return kv_settings_fail(error,
                                    _("%s: protocol v1 has no keys, and crypt %s is one of its "
                                      "ciphers; allowed: with crypt auto, chacha20-poly1305 or "
                                      "aes-256-gcm"),
                                    key, kv_settings_get_string(settings, KV_SETTING_CRYPT));
        if (!kv_settings_is_set(settings, KV_SETTING_PUBLIC_KEY))
            return kv_settings_fail(error, _("public-key: required with %s, but not given"), key);
    }
    return TRUE;
}

static gboolean
validate_shards(const KvSettings *settings, GError **error)
{
    gboolean native = kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE;
    guint data = (guint) kv_settings_get_uint(settings, KV_SETTING_DATASHARD);
    guint parity = (guint) kv_settings_get_uint(settings, KV_SETTING_PARITYSHARD);
    guint max = native ? NATIVE_SHARDS_MAX : SHARDS_MAX;

    if (native && parity > NATIVE_PARITY_MAX)
        return kv_settings_fail(error,
                                _("parityshard: \"%u\" is not allowed with crypt %s; allowed: a "
                                  "whole number from 0 to %u"),
                                parity, kv_settings_get_string(settings, KV_SETTING_CRYPT),
                                NATIVE_PARITY_MAX);
    if (data + parity > max)
        return kv_settings_fail(
            error, _("datashard and parityshard: %u and %u make %u; allowed: at most %u together"),
            data, parity, data + parity, max);
    return TRUE;
}

static gboolean
validate_udp_mtu(const KvSettings *settings, GError **error)
{
    guint mtu = (guint) kv_settings_get_uint(settings, KV_SETTING_UDP_MTU);

    if (kv_settings_get_protocol(settings) == KV_PROTOCOL_V1 ||
        mtu >= KV_SETTING_NATIVE_UDP_MTU_MIN)
        return TRUE;
    return kv_settings_fail(
        error,
        _("udp-mtu: \"%u\" is not allowed with crypt %s; allowed: a whole number from %u to %u"),
        mtu, kv_settings_get_string(settings, KV_SETTING_CRYPT), KV_SETTING_NATIVE_UDP_MTU_MIN,
        (guint) kv_setting_get(KV_SETTING_UDP_MTU)->max);
}

static gboolean
validate_mtu(const KvSettings *settings, GError **error)
{
    guint mtu = (guint) kv_settings_get_uint(settings, KV_SETTING_VNI_MTU);
    guint frame = (guint) kv_settings_get_uint(settings, KV_SETTING_FULL_FRAME_MTU);
    guint mtu_max = G_MAXUINT16 - KV_SETTING_FRAME_OVERHEAD;

    /* The server tells its clients the frame size in 16 bits. */
    if (mtu == 0 || mtu > mtu_max)
        return kv_settings_fail(error,
                                _("vni-mtu: \"%u\" is not allowed for a %s; allowed: 68 to %u"),
                                mtu, kv_role_to_string(settings->role), mtu_max);
    if (frame != 0 && frame < mtu + KV_SETTING_FRAME_OVERHEAD)
        return kv_settings_fail(error,
                                _("full-frame-mtu: \"%u\" is too small for vni-mtu %u; allowed: 0 "
                                  "or at least %u"),
                                frame, mtu, mtu + KV_SETTING_FRAME_OVERHEAD);
    return TRUE;
}

/* One network of IPv6 is enough to need it. */
static gboolean
has_ip6(const KvPeerSettings *peer, KvPeerSettingId id)
{
    g_autoptr(GArray) networks = kv_peer_settings_list_networks(peer, id);

    for (guint i = 0; i < networks->len; i++) {
        if (g_array_index(networks, KvNetwork, i).is_ip6)
            return TRUE;
    }
    return FALSE;
}

static gboolean
validate_peer_mtu6(const KvPeerSettings *peer, guint mtu, GError **error)
{
    static const KvPeerSettingId ids[] = {KV_PEER_SETTING_LOCAL_IP6, KV_PEER_SETTING_ALLOWED_IPS,
                                          KV_PEER_SETTING_ROUTES};

    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (has_ip6(peer, ids[i]))
            return kv_settings_fail(
                error, _("peer %s: %s: IPv6 needs a vni-mtu of at least %u, and it is %u"),
                kv_peer_settings_get_name(peer), kv_peer_setting_get(ids[i])->key, MTU6_MIN, mtu);
    }
    return TRUE;
}

static gboolean
validate_mtu6(const KvSettings *settings, GError **error)
{
    static const KvSettingId ids[] = {KV_SETTING_LOCAL_IP6, KV_SETTING_ASSIGNABLE_IPS6};
    guint mtu = (guint) kv_settings_get_uint(settings, KV_SETTING_VNI_MTU);
    gboolean is_tun = kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TUN;

    if (mtu == 0 || mtu >= MTU6_MIN)
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (kv_settings_is_set(settings, ids[i]) && kv_settings_has_use_for(settings, ids[i]))
            return kv_settings_fail(error,
                                    _("%s: IPv6 needs a vni-mtu of at least %u, and it is %u"),
                                    kv_setting_get(ids[i])->key, MTU6_MIN, mtu);
    }
    for (guint i = 0; is_tun && i < kv_peer_list_get_length(settings->peers); i++) {
        if (!validate_peer_mtu6(kv_peer_list_get(settings->peers, i), mtu, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
validate_vni_mode(const KvSettings *settings, GError **error)
{
    static const KvSettingId need_netmask[] = {KV_SETTING_ASSIGNABLE_IPS, KV_SETTING_LOCAL_IP};
    gboolean tap = kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TAP;

    if (!tap || kv_settings_is_set(settings, KV_SETTING_NETMASK))
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(need_netmask); i++) {
        if (kv_settings_is_set(settings, need_netmask[i]))
            return kv_settings_fail(error, _("netmask: required with vni-mode tap and %s"),
                                    kv_setting_get(need_netmask[i])->key);
    }
    return TRUE;
}

static gboolean
validate_one_secret(const KvSettings *settings, GError **error)
{
    for (guint i = 0; i < KV_N_SECRET_FILES; i++) {
        const KvSecretFile *pair = &kv_secret_files[i];

        if (kv_settings_holds_secret(settings, pair->secret) &&
            kv_settings_is_set(settings, pair->file))
            return kv_settings_fail_both(pair, error);
    }
    return TRUE;
}

/* A server's prefix says which network its interface is in; a client learns that. */
static gboolean
validate_client_address(const KvSettings *settings, GError **error)
{
    const char *ip6 = kv_settings_get_string(settings, KV_SETTING_LOCAL_IP6);

    if (ip6 == NULL || strchr(ip6, '/') == NULL)
        return TRUE;
    return kv_settings_fail(
        error,
        _("local-ip6: \"%s\" is not allowed on a client; allowed: an address without a prefix"),
        ip6);
}

/* Whether it is the first address of the server's network, or the last one of IPv4, which no
 * computer has; there are none where the network has room for two only. v1 gives them away. */
static gboolean
is_end_of_network(const KvSettings *settings, const KvNetwork *own, const KvNetwork *address)
{
    guint bits = kv_network_get_bits(own);
    KvNetwork first = *own;
    gboolean is_last = TRUE;

    if (own->prefix + 2u > bits || !kv_network_contains(own, address) ||
        (!own->is_ip6 && kv_settings_get_protocol(settings) == KV_PROTOCOL_V1))
        return FALSE;
    kv_network_make_base(&first);
    for (guint bit = own->prefix; bit < bits; bit++)
        is_last &= (address->ip[bit / 8] & 0x80 >> bit % 8) != 0;
    return memcmp(first.ip, address->ip, sizeof first.ip) == 0 || (is_last && !own->is_ip6);
}

static gboolean
validate_fixed_address(const KvSettings *settings, const KvPeerSettings *peer, KvPeerSettingId id,
                       const KvNetwork *own, GError **error)
{
    g_autoptr(GArray) fixed = kv_peer_settings_list_networks(peer, id);
    const KvNetwork *address = &g_array_index(fixed, KvNetwork, 0);
    char text[KV_NETWORK_TEXT_BYTES];

    if (fixed->len == 0)
        return TRUE;
    kv_network_to_string(address, text);
    if (memcmp(address->ip, own->ip, sizeof own->ip) == 0)
        return kv_settings_fail(error, _("peer %s: %s: %s is the server's own address"),
                                kv_peer_settings_get_name(peer), kv_peer_setting_get(id)->key,
                                text);
    if (is_end_of_network(settings, own, address))
        return kv_settings_fail(
            error, _("peer %s: %s: %s is an end of the server's network, and no client's address"),
            kv_peer_settings_get_name(peer), kv_peer_setting_get(id)->key, text);
    return TRUE;
}

/* What a client could never have. */
static gboolean
validate_fixed_addresses(const KvSettings *settings, GError **error)
{
    static const struct {
        KvSettingId own;
        KvPeerSettingId fixed;
    } pairs[] = {{KV_SETTING_LOCAL_IP, KV_PEER_SETTING_LOCAL_IP},
                 {KV_SETTING_LOCAL_IP6, KV_PEER_SETTING_LOCAL_IP6}};

    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autoptr(GArray) own = kv_settings_list_networks(settings, pairs[i].own);
        const char *netmask = kv_settings_get_string(settings, KV_SETTING_NETMASK);
        KvNetwork *network = &g_array_index(own, KvNetwork, 0);
        KvNetwork mask;

        if (own->len == 0)
            continue;
        if (!network->is_ip6 && netmask != NULL && kv_network_parse(&mask, netmask))
            network->prefix = (uint8_t) kv_ip4_mask_to_prefix(kv_network_get_ip4(&mask));
        for (guint n = 0; n < kv_peer_list_get_length(settings->peers); n++) {
            if (!validate_fixed_address(settings, kv_peer_list_get(settings->peers, n),
                                        pairs[i].fixed, network, error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean
validate_client(const KvSettings *settings, GError **error)
{
    return require(settings, KV_SETTING_IP, error) && require(settings, KV_SETTING_PORT, error) &&
           validate_client_keys(settings, error) && validate_client_address(settings, error) &&
           validate_mtu6(settings, error);
}

static gboolean
validate_server(const KvSettings *settings, GError **error)
{
    return require(settings, KV_SETTING_IP, error) && require(settings, KV_SETTING_PORT, error) &&
           require(settings, KV_SETTING_VNI_MODE, error) && validate_mtu(settings, error) &&
           validate_mtu6(settings, error) && validate_vni_mode(settings, error) &&
           validate_fixed_addresses(settings, error);
}

/* Its socket has one address, or all. */
static gboolean
validate_peer_address(const KvSettings *settings, GError **error)
{
    const char *ip = kv_settings_get_string(settings, KV_SETTING_IP);

    if (ip == NULL || *ip == '\0' || g_hostname_is_ip_address(ip))
        return TRUE;
    return kv_settings_fail(
        error, _("ip: \"%s\" is not allowed for a peer; allowed: an IPv4 or IPv6 address"), ip);
}

/* One that only calls others needs neither address nor port. */
static gboolean
validate_peer(const KvSettings *settings, GError **error)
{
    if (kv_settings_get_protocol(settings) == KV_PROTOCOL_V1)
        return kv_settings_fail(error,
                                _("crypt: \"%s\" is not allowed for a peer; allowed: auto, "
                                  "chacha20-poly1305 or aes-256-gcm"),
                                kv_settings_get_string(settings, KV_SETTING_CRYPT));
    return validate_mtu(settings, error) && validate_mtu6(settings, error) &&
           validate_vni_mode(settings, error) && validate_peer_address(settings, error);
}

gboolean
kv_settings_validate_saved(const KvSettings *settings, GError **error)
{
    if (!validate_one_secret(settings, error) || !validate_shards(settings, error) ||
        !validate_udp_mtu(settings, error))
        return FALSE;
    switch (settings->role) {
    case KV_ROLE_CLIENT:
        return validate_client(settings, error);
    case KV_ROLE_SERVER:
        return validate_server(settings, error);
    case KV_ROLE_PEER:
        return validate_peer(settings, error);
    }
    g_return_val_if_reached(FALSE);
}

gboolean
kv_settings_has_use_for(const KvSettings *settings, KvSettingId id)
{
    gboolean is_native = kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE;
    KvSettingFlags flags = kv_setting_get(id)->flags;

    if ((flags & KV_SETTING_FLAG_V1) != 0)
        return !is_native;
    /* A server with a cipher of v1 speaks both if it has a key. */
    if ((flags & KV_SETTING_FLAG_NATIVE) != 0)
        return is_native || has_keys(settings);
    return TRUE;
}

/* (transfer full) (nullable) */
static char *
format_warning(const KvSettings *settings, const KvSetting *row)
{
    const KvSettingValue *value = &settings->values[row->id];
    gboolean is_native =
        kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE || has_keys(settings);
    gboolean is_tap_only =
        (row->id == KV_SETTING_NETMASK && !is_native) || row->id == KV_SETTING_BRIDGE;
    g_autofree char *allowed = NULL;

    if (value->given != NULL) {
        allowed = kv_setting_format_allowed(row);
        return g_strdup_printf(_("%s: %s cannot be had, %s is used; allowed: %s"), row->key,
                               value->given, value->text, allowed);
    }
    if (value->is_set && !kv_settings_has_use_for(settings, row->id))
        return g_strdup_printf((row->flags & KV_SETTING_FLAG_V1) != 0
                                   ? _("%s: of no use with crypt %s, which is the native protocol")
                                   : _("%s: of no use with crypt %s, which is protocol v1"),
                               row->key, kv_settings_get_string(settings, KV_SETTING_CRYPT));
    if (row->id == KV_SETTING_WORKERS && value->number > 1 && is_native)
        return g_strdup_printf(_("%s: the native protocol has one thread, %s is of no use"),
                               row->key, value->text);
    if (row->id == KV_SETTING_SECRET && value->is_set && has_keys(settings) &&
        settings->role == KV_ROLE_CLIENT)
        return g_strdup_printf(_("%s: of no use with %s"), row->key,
                               kv_setting_get(KV_SETTING_PUBLIC_KEY)->key);
    /* A client learns the mode from its server. */
    if (is_tap_only && value->is_set && settings->role != KV_ROLE_CLIENT &&
        kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TUN)
        return g_strdup_printf(_("%s: of no use with vni-mode tun, only with tap"), row->key);
    return NULL;
}

/* On a switch nobody is asked what may come from where, and who is behind which address. */
static void
warn_of_peers(const KvSettings *settings, GStrvBuilder *warnings)
{
    static const KvPeerSettingId of_tun[] = {KV_PEER_SETTING_ALLOWED_IPS, KV_PEER_SETTING_ROUTES};

    if (kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) != KV_VNI_MODE_TAP)
        return;
    for (guint i = 0; i < kv_peer_list_get_length(settings->peers); i++) {
        const KvPeerSettings *peer = kv_peer_list_get(settings->peers, i);

        for (guint j = 0; j < G_N_ELEMENTS(of_tun); j++) {
            g_autofree char *warning = g_strdup_printf(
                _("peer %s: %s: of no use with vni-mode tap, only with tun"),
                kv_peer_settings_get_name(peer), kv_peer_setting_get(of_tun[j])->key);

            if (kv_peer_settings_is_set(peer, of_tun[j]))
                g_strv_builder_add(warnings, warning);
        }
    }
}

char **
kv_settings_list_warnings(const KvSettings *settings)
{
    g_autoptr(GStrvBuilder) warnings = g_strv_builder_new();

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        g_autofree char *warning = format_warning(settings, kv_setting_get(i));

        if (warning != NULL)
            g_strv_builder_add(warnings, warning);
    }
    warn_of_peers(settings, warnings);
    return g_strv_builder_end(warnings);
}

gboolean
kv_settings_validate(const KvSettings *settings, GError **error)
{
    return kv_settings_validate_saved(settings, error) && validate_secrets(settings, error);
}
