/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/* The user that the daemon runs as. */
#define KV_PRIVILEGES_USER "kcpvpn"

/**
 * kv_privileges_drop:
 *
 * Does nothing unless the process is root, which it is when a bus without systemd started it:
 * then it becomes the user kcpvpn for good, keeps CAP_NET_ADMIN and no other right, and can win
 * none back by running a program. The folder of saved tunnels becomes that user's before. Once,
 * at start, before there is another thread.
 *
 * Returns: FALSE: it is still root and must end: the user is missing (%KV_ERROR_NOT_FOUND), or a
 * right (%KV_ERROR_PERMISSION_DENIED).
 */
gboolean kv_privileges_drop(GError **error) KV_MUST_USE;
