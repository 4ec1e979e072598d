/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <sys/stat.h>

/* Whether a file is one that only root (or who we are) can change: its owner and its mode. The
 * error says "@path must …". Pure. */
gboolean kv_trusted_check(const char *path, const struct stat *st, GError **error) KV_MUST_USE;

/**
 * kv_trusted_open_dir:
 * @path: absolute, without "." or ".." or a slash too many
 *
 * Opens a folder that only root (or who we are) can change, below folders where nobody else can
 * put another in its place; no symbolic link on the way. Returns: a descriptor that can be
 * listed; -1 and an error.
 */
int kv_trusted_open_dir(const char *path, GError **error) KV_MUST_USE;
