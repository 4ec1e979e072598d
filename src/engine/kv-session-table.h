/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>
#include <stdint.h>

/**
 * KvSessionTable:
 *
 * Whose session an index names: numbers that this end drew at random, so they are their own hash,
 * and nobody outside can crowd them. Open addressing, a lookup for each datagram. One thread at a
 * time.
 */
typedef struct _KvSessionTable KvSessionTable;

KvSessionTable *kv_session_table_new(void) KV_MUST_USE;
void kv_session_table_free(KvSessionTable *table);

/* (transfer none) (nullable) */
gpointer kv_session_table_find(const KvSessionTable *table, uint32_t index);

/* @index: not 0, and not in the table. @owner: not NULL */
void kv_session_table_add(KvSessionTable *table, uint32_t index, gpointer owner);

/* Nothing happens if it is not there. */
void kv_session_table_remove(KvSessionTable *table, uint32_t index);
guint kv_session_table_get_size(const KvSessionTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSessionTable, kv_session_table_free)
