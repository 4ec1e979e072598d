/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Enums and limits that two or more layers share. Values marked (wire) are sent by v1. */

typedef enum {
    KV_ROLE_CLIENT,
    KV_ROLE_SERVER,
    KV_ROLE_PEER, /* one of equals that know each other's keys */
} KvRole;

typedef enum {
    KV_PROTOCOL_V1, /* of the Go program */
    KV_PROTOCOL_NATIVE,
} KvProtocol;

/* (wire) Layer of the inner packets. */
typedef enum {
    KV_VNI_MODE_TUN = 0,
    KV_VNI_MODE_TAP = 1,
} KvVniMode;

/* (wire) Who decides on the client's address. */
typedef enum {
    KV_ADDRESS_MODE_ASSIGNED = 0,   /* the server, out of its pool */
    KV_ADDRESS_MODE_CLIENT_SET = 1, /* the client; the server may refuse */
    KV_ADDRESS_MODE_OTHER = 2,      /* nobody here: a bridge, DHCP or a hook */
} KvAddressMode;

/* In the order of the Go program's usage text. */
typedef enum {
    KV_CIPHER_AES,
    KV_CIPHER_AES_128,
    KV_CIPHER_AES_192,
    KV_CIPHER_SALSA20,
    KV_CIPHER_BLOWFISH,
    KV_CIPHER_TWOFISH,
    KV_CIPHER_CAST5,
    KV_CIPHER_3DES,
    KV_CIPHER_TEA,
    KV_CIPHER_XTEA,
    KV_CIPHER_XOR,
    KV_CIPHER_SM4,
    KV_CIPHER_NONE,
    KV_N_CIPHERS,
} KvCipher;

/* Data ciphers of the native protocol, as it sends them. */
typedef enum {
    KV_AEAD_CHACHA20_POLY1305 = 1,
    KV_AEAD_AES_256_GCM = 2,
} KvAead;

typedef enum {
    KV_TUNNEL_STATE_STOPPED,
    KV_TUNNEL_STATE_STARTING,   /* resolving, binding, making devices */
    KV_TUNNEL_STATE_CONNECTING, /* client: handshake under way */
    KV_TUNNEL_STATE_CONNECTED,  /* client: packets flow; server: listening */
    KV_TUNNEL_STATE_WAITING,    /* client: lost or refused, trying again later */
    KV_TUNNEL_STATE_STOPPING,
    KV_TUNNEL_STATE_FAILED,
} KvTunnelState;

#define KV_CLIENT_ID_MAX 16   /* bytes, of A-Z a-z 0-9 _ - */
#define KV_CLIENTS_MAX   4096 /* of a server, over all of its workers */
#define KV_WORKERS_MAX   16

#define KV_VNI_MTU_MIN 68 /* RFC 791 */

/* Largest interface MTU in bytes: a v1 frame of 32768 holds one packet, its Ethernet header, VLAN
 * tag and packet information; what does not fit arrives in pieces that no kernel takes. */
#define KV_VNI_MTU_MAX (32768 - 22)

/* An IPv4 address or netmask in host byte order, first octet most significant; 0 is "none". */
typedef uint32_t KvIp4;

/* What the server tells a client about the network, v1 configuration block. */
typedef struct {
    KvVniMode vni_mode;
    uint16_t mtu;            /* bytes, of the server's interfaces */
    uint16_t full_frame_mtu; /* bytes, buffer for one frame on either side; 0: mtu + 22 */
    KvIp4 server_ip;         /* the server's own tunnel address */
    KvIp4 netmask;
} KvNetworkConfig;
