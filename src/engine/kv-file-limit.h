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

/**
 * kv_file_limit_lend:
 *
 * Around the start of a program, that it inherits the soft limit that we had before it was raised:
 * a program that uses select() fails with more. What is open stays open, but no thread of ours can
 * count on opening a file in between, so nothing but the start may be. Without
 * kv_file_limit_raise() both do nothing. Main thread.
 */
void kv_file_limit_lend(void);
void kv_file_limit_take_back(void);
