/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook.h"
#include "kv-network.h"
#include "kv-peer-list.h"
#include "kv-settings.h"
#include "kv-tunnel-native.h"
#include "kv-tunnel-terms.h"
#include "kv-types.h"
#include "v1/kv-v1.h"

/**
 * KvTunnelParams:
 *
 * A tunnel's settings in the form the engine and core use: parsed once at start, never changed
 * after. Made on any thread, then read by any.
 */
typedef struct {
    gint refs; /* atomic */
    KvRole role;
    char *host; /* server: address to listen on; client: address or name of the server */
    uint16_t port;
    guint dscp;
    guint socket_buffer; /* bytes */
    guint workers;       /* 1 to KV_WORKERS_MAX */
    guint clients_max;   /* server: at once; KV_CLIENTS_MAX but in tests */

    KvCipher cipher; /* of v1 */
    KvSecret
        *key; /* (nullable): KV_V1_KEY_BYTES, derived from the secret; NULL: v1 is not spoken */
    /* (nullable): of a server with a secret but without v1: as @key, to know who comes with v1 */
    KvSecret *knock_key;
    KvV1Config v1;          /* conv is chosen for each session */
    KvTunnelNative *native; /* (nullable): NULL: the native protocol is not spoken */

    KvIp4 local_ip;
    KvIp4 netmask;
    gboolean has_local_ip6;
    KvNetwork local_ip6;     /* server: with the prefix of its network */
    uint16_t vni_mtu;        /* bytes; client: 0 = no wish */
    uint16_t full_frame_mtu; /* bytes; server: never 0 */
    KvVniMode vni_mode;      /* server */
    char *vni_name_prefix;   /* server */
    char *assignable_ips;    /* (nullable) server */
    char *assignable_ips6;   /* (nullable) server */
    KvTunnelTerms *terms;    /* server: those that it was started with, as */
    KvPeerList *peers;
    char *hook_dir; /* (nullable) server */
    char *bridge;   /* (nullable) */
    char *name;     /* (nullable) of the tunnel */
    char *up;       /* (nullable) command line, as @down */
    char *down;
    char **warnings; /* what of the settings does not count as given */

    char *vni_name;          /* client, as the ones below */
    char *on_connected_hook; /* (nullable) */
    KvAddressMode address_mode;
    gboolean persistent_vni;
    gboolean auto_reconnect;
} KvTunnelParams;

/**
 * kv_tunnel_params_new:
 * @settings: validated settings
 *
 * Derives the key, which takes some milliseconds. Errors name the key at fault.
 */
KvTunnelParams *kv_tunnel_params_new(const KvSettings *settings, GError **error) KV_MUST_USE;
KvTunnelParams *kv_tunnel_params_ref(KvTunnelParams *params);
void kv_tunnel_params_unref(KvTunnelParams *params);

/* Looks for the programs that the tunnel is to run. @hooks: (out) (transfer full): unchanged if
 * there are none. Main thread. */
gboolean kv_tunnel_params_open_hooks(const KvTunnelParams *params, KvHookRunner *runner,
                                     KvHooks **hooks, GError **error) KV_MUST_USE;

/* What a start would find wrong that takes neither rights nor the network to find out. Main thread.
 */
gboolean kv_tunnel_params_check(const KvTunnelParams *params, GError **error) KV_MUST_USE;

/* (transfer none): the data cipher as the setting crypt names it: "auto" if both ends are to
 * choose.
 */
const char *kv_tunnel_params_get_cipher_name(const KvTunnelParams *params);

/* (transfer none): why it is that one, as the end of a sentence. */
const char *kv_tunnel_params_get_cipher_why(const KvTunnelParams *params);

/* (transfer full) (element-type KvNetwork): a server's own addresses, with the prefixes of its
 * networks. */
GArray *kv_tunnel_params_list_locals(const KvTunnelParams *params);

/* (nullable): what the log calls the tunnel: its name, or @interface if it has none. */
const char *kv_tunnel_params_get_log_name(const KvTunnelParams *params, const char *interface);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTunnelParams, kv_tunnel_params_unref)
