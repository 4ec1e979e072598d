/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-random.h"

#include <glib.h>
#include <stdint.h>

/**
 * KvIndexTable:
 *
 * The names that all sessions of one worker have, in what the peers send: initiations that may
 * still be answered, half-open sessions and live ones. No two have the same. Whoever holds an index
 * gives it back when nobody can use it any more. One thread at a time; it outlives all who hold
 * one.
 */
typedef struct _KvIndexTable KvIndexTable;

/* @random outlives it. */
KvIndexTable *kv_index_table_new(const KvRandom *random) KV_MUST_USE;
void kv_index_table_free(KvIndexTable *table);

/* A new name: random, not 0, nobody's until it is given back. */
uint32_t kv_index_table_draw(KvIndexTable *table) KV_MUST_USE;
void kv_index_table_give_back(KvIndexTable *table, uint32_t index);

/* How many are held. */
guint kv_index_table_get_length(const KvIndexTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvIndexTable, kv_index_table_free)
