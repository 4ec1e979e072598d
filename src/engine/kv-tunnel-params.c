/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-params.h"

#include "kv-error.h"
#include "kv-ip4.h"
#include "kv-leases.h"
#include "kv-peer-list.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <string.h>

/* A server gives up on a handshake earlier than a client, whose user is waiting for it. */
#define SERVER_HANDSHAKE_TIMEOUT (10 * KV_TIME_S)
#define CLIENT_HANDSHAKE_TIMEOUT (15 * KV_TIME_S)

/* A dead peer is noticed after this many silent heartbeats. */
#define PEER_TIMEOUT_KEEPALIVES 3

/* Fewer segments than this and a peer cannot fill one flush. */
#define RCV_WND_MIN 2

/* Packet information (4), Ethernet header (14) and VLAN tag (4) around a full packet. */
#define FULL_FRAME_EXTRA_BYTES 22

/* The Go program's table, section 3.3 of the wire facts. */
static const struct {
    const char *name;
    guint interval, resend;
    gboolean nodelay, nc;
} kcp_modes[] = {
    {"normal", 40, 2, FALSE, TRUE},
    {"fast", 30, 2, FALSE, TRUE},
    {"fast2", 20, 2, TRUE, TRUE},
    {"fast3", 10, 2, TRUE, TRUE},
};

static KvIp4
get_ip(const KvSettings *settings, KvSettingId id)
{
    const char *text = kv_settings_get_string(settings, id);
    struct in_addr addr;

    if (text == NULL || inet_pton(AF_INET, text, &addr) != 1)
        return 0;
    return ntohl(addr.s_addr);
}

static char *
get_string(const KvSettings *settings, KvSettingId id)
{
    const char *text = kv_settings_get_string(settings, id);

    return text != NULL && *text != '\0' ? g_strdup(text) : NULL;
}

static guint
get_uint(const KvSettings *settings, KvSettingId id)
{
    return (guint) kv_settings_get_uint(settings, id);
}

static void
fill_kcp(KvKcpConfig *kcp, const KvSettings *settings)
{
    const char *mode = kv_settings_get_string(settings, KV_SETTING_KCP_MODE);

    /* Anything but a named mode is "manual". */
    kcp->nodelay = get_uint(settings, KV_SETTING_NODELAY) != 0;
    kcp->interval = get_uint(settings, KV_SETTING_INTERVAL);
    kcp->resend = get_uint(settings, KV_SETTING_RESEND);
    kcp->nc = get_uint(settings, KV_SETTING_NC) != 0;
    for (gsize i = 0; i < G_N_ELEMENTS(kcp_modes); i++) {
        if (g_strcmp0(kcp_modes[i].name, mode) != 0)
            continue;
        kcp->nodelay = kcp_modes[i].nodelay;
        kcp->interval = kcp_modes[i].interval;
        kcp->resend = kcp_modes[i].resend;
        kcp->nc = kcp_modes[i].nc;
    }
    kcp->ack_nodelay = kv_settings_get_boolean(settings, KV_SETTING_ACKNODELAY);
    kcp->snd_wnd = get_uint(settings, KV_SETTING_SNDWND);
    kcp->rcv_wnd = get_uint(settings, KV_SETTING_RCVWND);
    kcp->stream = TRUE;
    kcp->tuning = KV_KCP_TUNING_PRODUCT;
}

static void
fill_client_info(KvTunnelParams *params, const KvSettings *settings)
{
    KvClientInfo *client = &params->v1.client;
    const char *id = kv_settings_get_string(settings, KV_SETTING_CLIENT_ID);

    if (id != NULL)
        g_strlcpy(client->id, id, sizeof client->id);
    client->mtu = params->vni_mtu;
    client->ip = params->local_ip;
    client->address_mode = params->address_mode;
}

static void
fill_v1(KvTunnelParams *params, const KvSettings *settings)
{
    KvV1Config *v1 = &params->v1;

    v1->role = params->role;
    v1->udp_mtu = get_uint(settings, KV_SETTING_UDP_MTU);
    v1->data_shards = get_uint(settings, KV_SETTING_DATASHARD);
    v1->parity_shards = get_uint(settings, KV_SETTING_PARITYSHARD);
    v1->rapid_fec = kv_settings_get_boolean(settings, KV_SETTING_RAPID_FEC);
    v1->keepalive = kv_settings_get_uint(settings, KV_SETTING_KEEPALIVE) * KV_TIME_S;
    v1->peer_timeout = PEER_TIMEOUT_KEEPALIVES * v1->keepalive;
    v1->handshake_timeout =
        params->role == KV_ROLE_SERVER ? SERVER_HANDSHAKE_TIMEOUT : CLIENT_HANDSHAKE_TIMEOUT;
    fill_kcp(&v1->kcp, settings);
    /* Received data waits in KCP's window, so that is what the buffer's size bounds; a default must
     * not undo a window somebody asked for. */
    if (kv_settings_is_set(settings, KV_SETTING_SMUXBUF))
        v1->kcp.rcv_wnd = CLAMP(get_uint(settings, KV_SETTING_SMUXBUF) / v1->udp_mtu, RCV_WND_MIN,
                                v1->kcp.rcv_wnd);
}

/* (transfer full) (nullable): of v1. */
static KvSecret *
derive_key(const KvSettings *settings, GError **error)
{
    const KvSecret *secret = kv_settings_get_secret(settings, KV_SETTING_SECRET);
    uint8_t bytes[KV_V1_KEY_BYTES];
    KvSecret *key = NULL;

    if (secret == NULL) {
        g_set_error_literal(error, KV_ERROR, KV_ERROR_INVALID_SETTING, "no secret was given");
        return NULL;
    }
    if (kv_v1_derive_key(kv_secret_get_data(secret), kv_secret_get_length(secret), KV_V1_SALT,
                         bytes, error))
        key = kv_secret_new(bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    return key;
}

static gboolean
make_v1_keys(KvTunnelParams *params, const KvSettings *settings, GError **error)
{
    if (kv_settings_get_protocol(settings) == KV_PROTOCOL_V1) {
        params->key = derive_key(settings, error);
        return params->key != NULL;
    }
    if (params->role != KV_ROLE_SERVER || !kv_settings_is_set(settings, KV_SETTING_SECRET))
        return TRUE;
    params->knock_key = derive_key(settings, error);
    return params->knock_key != NULL;
}

/* Whether anybody may come who speaks it. */
static gboolean
is_native(const KvSettings *settings)
{
    return kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE ||
           (kv_settings_get_role(settings) == KV_ROLE_SERVER &&
            kv_settings_is_set(settings, KV_SETTING_PRIVATE_KEY));
}

/* A client speaks one protocol. A server with a cipher of v1 speaks that, and native with clients
 * that have keys: its secret is as good as v1 keeps it, whose datagrams let it be guessed fast. */
static gboolean
make_keys(KvTunnelParams *params, const KvSettings *settings, GError **error)
{
    if (!make_v1_keys(params, settings, error))
        return FALSE;
    if (!is_native(settings))
        return TRUE;
    params->native = kv_tunnel_native_new(settings, params->vni_mode, error);
    return params->native != NULL;
}

static void
fill_server(KvTunnelParams *params, const KvSettings *settings)
{
    params->vni_mode = kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TAP
                           ? KV_VNI_MODE_TAP
                           : KV_VNI_MODE_TUN;
    if (params->vni_mode == KV_VNI_MODE_TUN)
        g_clear_pointer(&params->bridge, g_free);
    params->full_frame_mtu = (uint16_t) get_uint(settings, KV_SETTING_FULL_FRAME_MTU);
    if (params->full_frame_mtu == 0)
        params->full_frame_mtu =
            (uint16_t) MIN(params->vni_mtu + FULL_FRAME_EXTRA_BYTES, G_MAXUINT16);
    params->vni_name_prefix = get_string(settings, KV_SETTING_VNI_NAME_PREFIX);
    params->assignable_ips = get_string(settings, KV_SETTING_ASSIGNABLE_IPS);
    params->assignable_ips6 = get_string(settings, KV_SETTING_ASSIGNABLE_IPS6);
    params->hook_dir = get_string(settings, KV_SETTING_HOOK_DIR);
    params->clients_max = KV_CLIENTS_MAX;
    params->workers = get_uint(settings, KV_SETTING_WORKERS);
    if (params->workers == 0)
        params->workers = g_get_num_processors();
    params->workers = CLAMP(params->workers, 1, KV_WORKERS_MAX);
    if (is_native(settings))
        params->workers = 1;
}

static void
fill_client(KvTunnelParams *params, const KvSettings *settings)
{
    params->vni_name = get_string(settings, KV_SETTING_VNI_NAME);
    params->on_connected_hook = get_string(settings, KV_SETTING_ON_CONNECTED_HOOK);
    params->persistent_vni = kv_settings_get_boolean(settings, KV_SETTING_PERSISTENT_VNI);
    params->auto_reconnect = kv_settings_get_boolean(settings, KV_SETTING_AUTO_RECONNECT);
    params->workers = 1;
    if (kv_settings_get_boolean(settings, KV_SETTING_NO_IP_CONFIGURATION))
        params->address_mode = KV_ADDRESS_MODE_OTHER;
    else if (params->local_ip != 0)
        params->address_mode = KV_ADDRESS_MODE_CLIENT_SET;
    else
        params->address_mode = KV_ADDRESS_MODE_ASSIGNED;
    fill_client_info(params, settings);
}

static void
fill_peer(KvTunnelParams *params, const KvSettings *settings)
{
    params->vni_mode = kv_settings_get_choice(settings, KV_SETTING_VNI_MODE) == KV_VNI_MODE_TAP
                           ? KV_VNI_MODE_TAP
                           : KV_VNI_MODE_TUN;
    if (params->vni_mode == KV_VNI_MODE_TUN)
        g_clear_pointer(&params->bridge, g_free);
    params->vni_name = get_string(settings, KV_SETTING_VNI_NAME);
    params->persistent_vni = kv_settings_get_boolean(settings, KV_SETTING_PERSISTENT_VNI);
    params->workers = 1;
}

/* Settings that nothing reads yet. */
static gboolean
check_supported(const KvSettings *settings, GError **error)
{
    if (kv_settings_get_boolean(settings, KV_SETTING_TCP)) {
        g_set_error_literal(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED,
                            "tcp: imitating TCP is not supported by this version yet; leave it "
                            "out on both ends to use UDP");
        return FALSE;
    }
    return TRUE;
}

KvTunnelParams *
kv_tunnel_params_new(const KvSettings *settings, GError **error)
{
    g_autoptr(KvTunnelParams) params = g_new0(KvTunnelParams, 1);

    params->refs = 1;
    if (!check_supported(settings, error))
        return NULL;
    params->role = kv_settings_get_role(settings);
    params->host = get_string(settings, KV_SETTING_IP);
    params->port = (uint16_t) get_uint(settings, KV_SETTING_PORT);
    params->dscp = get_uint(settings, KV_SETTING_DSCP);
    params->socket_buffer = get_uint(settings, KV_SETTING_SOCKBUF);
    if (kv_settings_get_protocol(settings) == KV_PROTOCOL_V1)
        params->cipher = kv_settings_get_v1_cipher(settings);
    params->local_ip = get_ip(settings, KV_SETTING_LOCAL_IP);
    params->netmask = get_ip(settings, KV_SETTING_NETMASK);
    if (kv_settings_is_set(settings, KV_SETTING_LOCAL_IP6))
        params->has_local_ip6 = kv_network_parse(
            &params->local_ip6, kv_settings_get_string(settings, KV_SETTING_LOCAL_IP6));
    params->terms = kv_tunnel_terms_new(settings);
    params->peers = kv_peer_list_ref(kv_settings_get_peers(settings));
    params->vni_mtu = (uint16_t) MIN(get_uint(settings, KV_SETTING_VNI_MTU), KV_VNI_MTU_MAX);
    params->bridge = get_string(settings, KV_SETTING_BRIDGE);
    params->name = get_string(settings, KV_SETTING_NAME);
    params->up = get_string(settings, KV_SETTING_UP);
    params->down = get_string(settings, KV_SETTING_DOWN);
    fill_v1(params, settings);
    if (params->role == KV_ROLE_SERVER)
        fill_server(params, settings);
    else if (params->role == KV_ROLE_PEER)
        fill_peer(params, settings);
    else
        fill_client(params, settings);
    params->warnings = kv_settings_list_warnings(settings);
    if (!make_keys(params, settings, error))
        return NULL;
    return g_steal_pointer(&params);
}

gboolean
kv_tunnel_params_open_hooks(const KvTunnelParams *params, KvHookRunner *runner, KvHooks **hooks,
                            GError **error)
{
    const KvHooksConfig config = {
        .log_name = params->name,
        .dir = params->hook_dir,
        .connected_program = params->on_connected_hook,
        .up = params->up,
        .down = params->down,
    };

    if (config.dir == NULL && config.connected_program == NULL && config.up == NULL &&
        config.down == NULL)
        return TRUE;
    *hooks = kv_hooks_new(runner, &config, error);
    return *hooks != NULL;
}

gboolean
kv_tunnel_params_check(const KvTunnelParams *params, GError **error)
{
    g_autoptr(KvHookRunner) runner = kv_hook_runner_new(NULL);
    g_autoptr(KvHooks) hooks = NULL;
    g_autoptr(KvLeases) leases = NULL;

    if (params->role == KV_ROLE_SERVER) {
        leases = kv_leases_new(params->assignable_ips, params->assignable_ips6, error);
        if (leases == NULL)
            return FALSE;
    }
    return kv_tunnel_params_open_hooks(params, runner, &hooks, error);
}

const char *
kv_tunnel_params_get_cipher_name(const KvTunnelParams *params)
{
    if (params->key != NULL)
        return kv_cipher_to_string(params->cipher);
    if (params->native->takes_any)
        return "auto";
    return kv_tunnel_native_aead_to_string(params->native->ciphers[0]);
}

const char *
kv_tunnel_params_get_cipher_why(const KvTunnelParams *params)
{
    if (params->key == NULL && params->native->takes_any)
        return "what suits the processors of both ends";
    return "as crypt says";
}

GArray *
kv_tunnel_params_list_locals(const KvTunnelParams *params)
{
    GArray *locals = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    KvNetwork local;

    kv_network_set_ip4(&local, params->local_ip,
                       params->netmask != 0 ? kv_ip4_mask_to_prefix(params->netmask) : 32);
    if (params->local_ip != 0)
        g_array_append_val(locals, local);
    if (params->has_local_ip6)
        g_array_append_val(locals, params->local_ip6);
    return locals;
}

const char *
kv_tunnel_params_get_log_name(const KvTunnelParams *params, const char *interface)
{
    return params->name != NULL ? params->name : interface;
}

KvTunnelParams *
kv_tunnel_params_ref(KvTunnelParams *params)
{
    g_atomic_int_inc(&params->refs);
    return params;
}

void
kv_tunnel_params_unref(KvTunnelParams *params)
{
    if (params == NULL || !g_atomic_int_dec_and_test(&params->refs))
        return;
    kv_secret_free(params->key);
    kv_secret_free(params->knock_key);
    kv_tunnel_native_free(params->native);
    g_strfreev(params->warnings);
    g_free(params->host);
    g_free(params->vni_name_prefix);
    g_free(params->assignable_ips);
    g_free(params->assignable_ips6);
    kv_tunnel_terms_free(params->terms);
    kv_peer_list_unref(params->peers);
    g_free(params->hook_dir);
    g_free(params->bridge);
    g_free(params->name);
    g_free(params->up);
    g_free(params->down);
    g_free(params->vni_name);
    g_free(params->on_connected_hook);
    g_free(params);
}
