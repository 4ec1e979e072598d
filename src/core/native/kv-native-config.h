/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-network.h"
#include "kv-seal.h"
#include "kv-types.h"
#include "native/kv-record.h"

#define KV_NATIVE_CLIENT_ID_MAX 64
#define KV_NATIVE_TEXT_MAX      512 /* bytes of a banner, or of why it was refused */
#define KV_NATIVE_DOMAIN_MAX    253 /* RFC 1035, as text */
#define KV_NATIVE_LIST_MAX      4096
#define KV_NATIVE_CIPHERS_MAX   8
#define KV_NATIVE_ID_BYTES      16 /* associations, reset tokens */

/* The least an end may say: bytes. */
#define KV_NATIVE_DATAGRAM_MIN 1232

typedef enum {
    KV_REFUSED_NOT = 0,
    KV_REFUSED_NUMBER = 1, /* the initiation's number is not greater than the last */
    KV_REFUSED_RECORD = 2,
    KV_REFUSED_EXHAUSTED = 3,
    KV_REFUSED_ADDRESS = 4,
    KV_REFUSED_MODE = 5,
    KV_REFUSED_CIPHER = 6,
    KV_REFUSED_FULL = 7,
    KV_REFUSED_NOW = 8,
} KvRefusal;

/* Which of the fields without a "none" of their own were said. */
typedef enum {
    KV_SAID_MODE = 1 << 0,
    KV_SAID_KEEPALIVE = 1 << 1,
    KV_SAID_ASSOCIATION = 1 << 2,
    KV_SAID_RESET = 1 << 3,
    KV_SAID_NUMBER = 1 << 4,
    KV_SAID_MORE = 1 << 5,
} KvSaid;

/* A bit of KvNativeConfig.capabilities. */
#define KV_CAPABILITY_PARITY (1u << 0)

/**
 * KvNativeConfig:
 *
 * What one end says of itself, or gives the other: the records of a handshake, each within the
 * bounds of docs/protocol.md, section 5. No list is longer than %KV_NATIVE_LIST_MAX, texts are
 * UTF-8 without control characters but the line ends of a banner. Whether addresses make sense
 * is not looked at. A visible struct: moved by assignment, not copied.
 */
typedef struct {
    guint said;    /* KvSaid bits */
    uint32_t none; /* KV_RECORD_BIT() of lists that are taken back; written only */
    char client_id[KV_NATIVE_CLIENT_ID_MAX + 1]; /* empty: none */
    KvVniMode mode;
    uint16_t mtu;                           /* 0: no word of it */
    uint8_t ciphers[KV_NATIVE_CIPHERS_MAX]; /* KvAead, in order of wish; 0: no more */
    uint32_t window;                        /* segments, 0: no word of it */
    uint16_t datagram;                      /* bytes, 0: no word of it */
    uint16_t keepalive;                     /* s */
    uint8_t association[KV_NATIVE_ID_BYTES];
    uint8_t reset[KV_NATIVE_ID_BYTES];
    uint32_t capabilities; /* those that are known */
    uint64_t number;
    GArray *wants;      /* of KvNetwork, whole addresses */
    GArray *addresses;  /* of KvNetwork */
    GArray *gateways;   /* of KvNetwork, whole addresses, one of each family at most */
    GArray *routes;     /* of KvNetwork, no bit below the prefix */
    GArray *dns;        /* of KvNetwork, whole addresses */
    GPtrArray *domains; /* of text; those for routing only begin with "~" */
    char *banner;       /* (nullable) */
    guint refusal;      /* KvRefusal, or what a later program may say */
    char *refusal_text; /* (nullable) */
} KvNativeConfig;

void kv_native_config_init(KvNativeConfig *config);
void kv_native_config_clear(KvNativeConfig *config);

/* Makes @copy, which is initialised, say the same as @config. */
void kv_native_config_copy(const KvNativeConfig *config, KvNativeConfig *copy);

/**
 * kv_native_config_read:
 * @config: initialised
 * @bad: (out): type of the record that is not allowed, if any
 *
 * Reads records on top of what @config has: the first of a type in @data replaces what was there,
 * of a list every further one adds to it, and an empty one takes back what was there. Unknown types
 * are skipped.
 *
 * Returns: whether all were allowed; if not, @config is of no use but to be cleared.
 */
gboolean kv_native_config_read(KvNativeConfig *config, const uint8_t *data, size_t len,
                               uint8_t *bad) KV_MUST_USE;

/* Writes what @config says: what each session needs first, texts last. Whole records that have no
 * room are left out. */
void kv_native_config_write(const KvNativeConfig *config, KvRecordWriter *writer);

/* Has @config say which of the addresses, gateways, routes, DNS servers and domains that @before
 * had are no more. */
void kv_native_config_take_back(KvNativeConfig *config, const KvNativeConfig *before);

/* Whether all that @config says has room in one batch of a control stream. */
gboolean kv_native_config_fits(const KvNativeConfig *config);

/* Whether @len bytes may be a client id: 1 to 64 of A-Z a-z 0-9 _ and -. */
gboolean kv_native_client_id_is_valid(const char *id, size_t len);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvNativeConfig, kv_native_config_clear)
