/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

/* File descriptors that a server full of clients has open: an interface for each, and what workers
 * and hooks need. */
#define KV_FILE_LIMIT_SERVER (KV_CLIENTS_MAX + 512)

/**
 * kv_file_limit_raise:
 * @needed: how many descriptors may be open at a time
 *
 * Raises the process's soft limit to the hard one (RLIMIT_NOFILE), and warns in the log if that is
 * less than @needed. Once, at start.
 */
void kv_file_limit_raise(guint needed);
