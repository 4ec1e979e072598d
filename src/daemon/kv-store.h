/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-store-contents.h"

#include <gio/gio.h>

/**
 * KvStore:
 *
 * Saved tunnels: a key file NAME.kcpvpn each, in two folders. The administrator's are read only
 * to the daemon: root's, and out of reach of everybody outside their group. The daemon's own are
 * mode 0600. Neither folder nor what lies above it may be open to other users' changes, no file
 * may be a symbolic link: what breaks a rule is reported and not read.
 *
 * Main thread; disks are waited for in a thread, one job after the other in the order they were
 * asked for.
 */
#define KV_TYPE_STORE (kv_store_get_type())
G_DECLARE_FINAL_TYPE(KvStore, kv_store, KV, STORE, GObject)

/* @admin_folder, @own_folder: absolute paths; they need not be there. */
KvStore *kv_store_new(const char *admin_folder, const char *own_folder) KV_MUST_USE;

/* (transfer full): the daemon's own folder, as kv_store_new_from_environment() takes it. */
char *kv_store_get_own_folder(void);

/* The folders that systemd names in CONFIGURATION_DIRECTORY and STATE_DIRECTORY, without it
 * /etc/kcpvpn and /var/lib/kcpvpn. */
KvStore *kv_store_new_from_environment(void) KV_MUST_USE;

/**
 * kv_store_load_async:
 *
 * Reads both folders. What cannot be read, wholly or in part, is in the problems: a file that was
 * read well before and is broken now is there by its path, also if all of its folder cannot be
 * read. Of two tunnels of one name the first is taken and the other one a problem. Also removes
 * what a crash left of an unfinished write.
 */
void kv_store_load_async(KvStore *store, GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer data);

/* (transfer full) (nullable): fails only when it was cancelled. */
KvStoreContents *kv_store_load_finish(KvStore *store, GAsyncResult *result,
                                      GError **error) KV_MUST_USE;

/**
 * kv_store_save_async:
 * @settings: copied; with a name. Secrets are saved with it
 *
 * Writes the tunnel of that name to its file, or a new one to the daemon's own folder. The change
 * is whole and on the disk when this is done; if it fails, the old file is as it was.
 */
void kv_store_save_async(KvStore *store, const KvSettings *settings, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer data);

/**
 * kv_store_save_finish:
 *
 * Returns: (transfer full): the file's path; or %NULL and %KV_ERROR_READ_ONLY (the file is the
 * administrator's), %KV_ERROR_EXISTS (a file is in the way that is no known tunnel's),
 * %KV_ERROR_WRONG_STATE (it is broken since it was edited by hand), %KV_ERROR_EXHAUSTED (disk
 * full), %KV_ERROR_PERMISSION_DENIED or %KV_ERROR_IO.
 */
char *kv_store_save_finish(KvStore *store, GAsyncResult *result, GError **error) KV_MUST_USE;

/**
 * kv_store_delete_async:
 * @name: of a tunnel
 *
 * Deletes its file. Errors as for kv_store_save_finish(), and %KV_ERROR_NOT_FOUND.
 */
void kv_store_delete_async(KvStore *store, const char *name, GCancellable *cancellable,
                           GAsyncReadyCallback callback, gpointer data);
gboolean kv_store_delete_finish(KvStore *store, GAsyncResult *result, GError **error) KV_MUST_USE;
