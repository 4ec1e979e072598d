/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

/* One saved tunnel. */
typedef struct {
    KvSettings *settings; /* with the name, which no other entry has; may lack a secret */
    char *path;
    gboolean read_only; /* the administrator's */
} KvStoreEntry;

/* One file, or a folder, that could not be read. */
typedef struct {
    char *path;
    guint line; /* 0: none in particular */
    char *message;
} KvStoreProblem;

/**
 * KvStoreContents:
 *
 * What one reading of the folders of saved tunnels found. One thread at a time.
 */
typedef struct {
    GPtrArray *entries;  /* (element-type KvStoreEntry): the administrator's first, by file name */
    GPtrArray *problems; /* (element-type KvStoreProblem) */
} KvStoreContents;

KvStoreContents *kv_store_contents_new(void) KV_MUST_USE;
void kv_store_contents_free(KvStoreContents *contents);

/* @settings: (transfer full). */
void kv_store_contents_add_entry(KvStoreContents *contents, KvSettings *settings, const char *path,
                                 gboolean read_only);

/* @message: (transfer full). Bytes of @path and @message that are not UTF-8 are replaced. */
void kv_store_contents_add_problem(KvStoreContents *contents, const char *path, guint line,
                                   char *message);

/* (transfer none) (nullable): the tunnel of that name. */
const KvStoreEntry *kv_store_contents_find(const KvStoreContents *contents, const char *name);

gboolean kv_store_contents_has_problem(const KvStoreContents *contents, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvStoreContents, kv_store_contents_free)
