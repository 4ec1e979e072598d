/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* Called on the thread of the source's context; %G_SOURCE_REMOVE ends the source. */
typedef gboolean (*KvFdSourceFunc)(gpointer data);

/**
 * kv_fd_source_new:
 * @fd: watched, not owned; must outlive the source
 *
 * Returns: (transfer full): a source that calls @func whenever @fd is readable or failed; @func
 * must not iterate the source's context.
 */
GSource *kv_fd_source_new(int fd, KvFdSourceFunc func, gpointer data);
