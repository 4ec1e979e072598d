/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <gio/gio.h>

/*
 * Questions to polkit, as org.freedesktop.PolicyKit1.Authority describes them. Spoken here and not
 * by libpolkit, which knows one connection only, the one that a process shares: GLib ends the
 * process with it, and makes no other while anybody still holds the dead one. Main thread.
 */

typedef enum {
    KV_POLKIT_NO,
    KV_POLKIT_YES,
    KV_POLKIT_CHALLENGE, /* a password would do it, but nobody could be asked for it */
    KV_POLKIT_DISMISSED, /* who was asked for it did not want to */
} KvPolkitAnswer;

/**
 * kv_polkit_ask_async:
 * @caller: its unique name on @bus
 * @details: a{ss}; floating
 * @interactive: whether polkit may ask a person, which takes as long as that takes
 * @cancellable: (nullable): polkit is told, too
 *
 * Asks whether @caller may do @action.
 */
void kv_polkit_ask_async(GDBusConnection *bus, const char *caller, const char *action,
                         GVariant *details, gboolean interactive, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer data);
gboolean kv_polkit_ask_finish(GAsyncResult *result, KvPolkitAnswer *answer,
                              GError **error) KV_MUST_USE;
