/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-store-contents.h"

#define KV_STORE_SUFFIX ".kcpvpn"

/* Reading and writing a folder of key files, for kv-store. All of it may wait for a disk: any
 * thread, one at a time for each folder. */

/**
 * kv_store_folder_read:
 * @path: the folder; nothing happens if there is none
 * @read_only: it is the administrator's: its files must be root's; else they must be our own
 * @contents: gets what is found
 *
 * Returns: whether the folder itself could be read; if not, that is a problem in @contents.
 */
gboolean kv_store_folder_read(const char *path, gboolean read_only, KvStoreContents *contents);

/* @text: what the file shall hold; mode 0600. @must_be_new: nothing may be there before. */
gboolean kv_store_folder_write(const char *path, const char *text, gboolean must_be_new,
                               GError **error) KV_MUST_USE;

/* One that is not there is deleted already. */
gboolean kv_store_folder_delete(const char *path, GError **error) KV_MUST_USE;
