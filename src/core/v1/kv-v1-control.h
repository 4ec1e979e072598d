/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-event.h"
#include "kv-macros.h"

#include <stddef.h>

/**
 * The messages of the v1 control stream: between two tags a type and what belongs to it, without
 * a length field: the type tells it. Encoding and decoding only, no state. Any thread.
 */

#define KV_V1_CONTROL_MAX 34 /* bytes of the longest message, tags included */

/* (wire) */
typedef enum {
    KV_V1_CONTROL_CLIENT_INFO = 0,   /* to the server: client */
    KV_V1_CONTROL_ACCEPTED = 1,      /* the client's own address is fine: config */
    KV_V1_CONTROL_REJECTED = 2,      /* the client's own address is not */
    KV_V1_CONTROL_ASSIGNED = 3,      /* ip, config */
    KV_V1_CONTROL_EXHAUSTED = 4,     /* no address left */
    KV_V1_CONTROL_CONFIGURATION = 5, /* nobody sets an address here: config */
    KV_V1_CONTROL_CLIENT_READY = 6,  /* to the server */
    KV_V1_CONTROL_SERVER_READY = 7,
} KvV1ControlType;

typedef struct {
    KvV1ControlType type;
    KvClientInfo client;
    KvIp4 ip;
    KvNetworkConfig config;
} KvV1Control;

/* Writes @message with its tags and returns its length. The client id must be a valid one. */
size_t kv_v1_control_encode(const KvV1Control *message, uint8_t buf[KV_V1_CONTROL_MAX]);

typedef enum {
    KV_V1_CONTROL_MORE, /* the beginning of a message */
    KV_V1_CONTROL_DONE,
    KV_V1_CONTROL_BAD,
} KvV1ControlResult;

/**
 * kv_v1_control_decode:
 * @data: (array length=len): what the control stream brought, from the beginning of a message
 * @used: (out): length of the message, when done
 *
 * Takes messages as a Go peer sends them, and only those: both tags, a known type, a client id of
 * allowed bytes, a known address or device mode.
 */
KvV1ControlResult kv_v1_control_decode(const uint8_t *data, size_t len, KvV1Control *message,
                                       size_t *used) KV_MUST_USE;

/* Whether @len bytes may be a client id: at most 16, each of A-Z a-z 0-9 _ and -. */
gboolean kv_v1_client_id_is_valid(const char *id, size_t len);
