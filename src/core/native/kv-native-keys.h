/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-endpoint.h"
#include "kv-noise.h"
#include "kv-outer.h"
#include "kv-secret.h"
#include "native/kv-index-table.h"
#include "native/kv-native-config.h"

#define KV_NATIVE_KEY_BYTES KV_NOISE_KEY_BYTES

/* What both ends bind into each handshake. */
#define KV_NATIVE_PROLOGUE "kcpvpn native 1"

/**
 * KvNativeKeys:
 *
 * What a handshake gives: the keys of one session and what the peer said. A visible struct that
 * owns what it points to: moved by assignment, and wiped with kv_native_keys_clear().
 */
typedef struct {
    gboolean initiator;                /* this end began */
    KvNoisePattern pattern;            /* keys or a secret */
    KvAead aead;                       /* of both directions */
    KvIndexTable *indexes;             /* (nullable): where @local_index goes back to */
    uint32_t local_index;              /* stands in what comes in */
    uint32_t remote_index;             /* stands in what goes out */
    uint8_t send[KV_NATIVE_KEY_BYTES]; /* traffic secrets, for kv_seal_new() */
    uint8_t receive[KV_NATIVE_KEY_BYTES];
    uint8_t local_token[KV_NATIVE_ID_BYTES];  /* reset tokens: of @local_index */
    uint8_t remote_token[KV_NATIVE_ID_BYTES]; /* of @remote_index; random if it gave none */
    uint8_t association[KV_NATIVE_ID_BYTES];
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* with keys: who the peer is; else zeros */
    KvOuterKeys remote_outer;                   /* for what goes out */
    KvEndpoint answered;                        /* responder: where its answer goes */
    KvNativeConfig remote;                      /* what the peer said */
    KvNativeConfig local;                       /* responder: what it granted */
    uint32_t left_out; /* KV_RECORD_BIT() of what this end's message had no room for */
} KvNativeKeys;

/* Wipes and frees all that is in @keys, and gives back the index; it may be cleared again. */
void kv_native_keys_clear(KvNativeKeys *keys);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvNativeKeys, kv_native_keys_clear)
