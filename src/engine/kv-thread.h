/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/**
 * kv_thread_run:
 * @run: called in a thread of its own; what it uses is nobody else's meanwhile
 * @done: called from the main loop once @run has returned
 *
 * For what may wait for a disk or a user database, and is rare. Returns: FALSE and
 * %KV_ERROR_EXHAUSTED if no thread is to be had, and then nothing is called; GLib's task pool would
 * keep the work back without a word. Main thread.
 */
gboolean kv_thread_run(void (*run)(gpointer data), void (*done)(gpointer data), gpointer data,
                       GError **error) KV_MUST_USE;
