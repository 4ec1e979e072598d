/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/**
 * KvOwnerWatch:
 *
 * Tells when a caller leaves the bus, so that what belongs to it can end. When the bus goes, all
 * have left it. Main thread.
 */
typedef struct _KvOwnerWatch KvOwnerWatch;

/**
 * kv_owner_watch_new:
 * @name: a unique name (":1.5"), which the bus never gives out again
 * @left: called once, from the main loop, also if the caller had left before; not after
 *     kv_owner_watch_free(), which it may call itself
 */
KvOwnerWatch *kv_owner_watch_new(GDBusConnection *bus, const char *name,
                                 void (*left)(gpointer data), gpointer data) KV_MUST_USE;
void kv_owner_watch_free(KvOwnerWatch *watch);

/* (transfer none) */
const char *kv_owner_watch_get_name(const KvOwnerWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvOwnerWatch, kv_owner_watch_free)
