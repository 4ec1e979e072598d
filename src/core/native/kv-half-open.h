/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"
#include "native/kv-native-keys.h"

/* Limits: docs/protocol.md, sections 4 and 13. */
#define KV_HALF_OPEN_MAX  512
#define KV_HALF_OPEN_EACH 8 /* of one key or address */
#define KV_HALF_OPEN_TIME (10 * KV_TIME_S)

/* One handshake between its initiation and the proof that the initiator has the answer. */
typedef struct {
    uint8_t who[KV_NATIVE_KEY_BYTES]; /* its key, or its address and zeros */
    KvNoise *noise;                   /* (nullable): it was answered */
    size_t max;                       /* bytes of the initiation */
    KvTime expires;
    KvNativeKeys keys; /* whole once it was answered; local_index names it, and goes back with it */
    GList link;
} KvHalfOpen;

/**
 * KvHalfOpenTable:
 *
 * The handshakes that a responder keeps: bounded in all and for each who, the oldest leaves.
 * One thread at a time.
 */
typedef struct _KvHalfOpenTable KvHalfOpenTable;

KvHalfOpenTable *kv_half_open_table_new(void) KV_MUST_USE;
void kv_half_open_table_free(KvHalfOpenTable *table);

/* (transfer none): a new one of @who under @index, which none has, not answered yet. Takes over
 * @noise. */
KvHalfOpen *kv_half_open_table_add(KvHalfOpenTable *table, const uint8_t *who, uint32_t index,
                                   KvNoise *noise, KvTime now);

/* (transfer none) (nullable) */
KvHalfOpen *kv_half_open_table_find(const KvHalfOpenTable *table, uint32_t index);

/* It was answered: its time begins again, and the handshake's state is wiped. */
void kv_half_open_table_answered(KvHalfOpenTable *table, KvHalfOpen *half, KvTime now);
void kv_half_open_table_remove(KvHalfOpenTable *table, KvHalfOpen *half);
void kv_half_open_table_remove_who(KvHalfOpenTable *table, const uint8_t *who);
/* Those that were answered with that association. */
void kv_half_open_table_remove_association(KvHalfOpenTable *table, const uint8_t *association);

/* Drops those whose time is over. */
void kv_half_open_table_expire(KvHalfOpenTable *table, KvTime now);
KvTime kv_half_open_table_deadline(const KvHalfOpenTable *table);

guint kv_half_open_table_get_length(const KvHalfOpenTable *table);

/* Of those not answered yet. */
guint kv_half_open_table_get_waiting(const KvHalfOpenTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHalfOpenTable, kv_half_open_table_free)
