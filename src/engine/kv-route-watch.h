/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/**
 * KvRouteWatch:
 *
 * Tells that links, addresses or routes of this machine changed, and of no more than links that
 * were set down. Changes
 * that come in a row are told of once, a tenth of a second after the first. Hundreds of them at a
 * time (every client of a server is an interface) may overflow what the kernel queues for us; that
 * is a change like any other. Main thread.
 */
typedef struct _KvRouteWatch KvRouteWatch;

KvRouteWatch *kv_route_watch_new(GError **error) KV_MUST_USE;
void kv_route_watch_free(KvRouteWatch *watch);

/* Calls @func from the main loop from now on. One call for each @data. */
void kv_route_watch_add(KvRouteWatch *watch, void (*func)(gpointer data), gpointer data);

/* Does nothing if @data was not added. May be called by @func. */
void kv_route_watch_remove(KvRouteWatch *watch, gpointer data);

/* For a @func: whether one of the changes that it is told of left @interface down, be it up again
 * by now. */
gboolean kv_route_watch_was_down(const KvRouteWatch *watch, const char *interface);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvRouteWatch, kv_route_watch_free)
