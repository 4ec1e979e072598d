/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-services.h"

/**
 * KvManagerObject:
 *
 * org.kcpvpn.Manager1: all tunnels there are, by their names. Main thread.
 */
#define KV_TYPE_MANAGER_OBJECT (kv_manager_object_get_type())
G_DECLARE_FINAL_TYPE(KvManagerObject, kv_manager_object, KV, MANAGER_OBJECT, GObject)

/* @services: outlives it. */
KvManagerObject *kv_manager_object_new(const KvServices *services) KV_MUST_USE;

/**
 * kv_manager_object_load_async:
 *
 * Makes tunnels of what is saved, or brings them up to date. Broken files are logged and listed,
 * and are no error.
 */
void kv_manager_object_load_async(KvManagerObject *manager, GAsyncReadyCallback callback,
                                  gpointer data);
gboolean kv_manager_object_load_finish(KvManagerObject *manager, GAsyncResult *result,
                                       GError **error) KV_MUST_USE;

/* Puts it on the bus of now, and takes it off; its tunnels come and go by themselves. */
gboolean kv_manager_object_export(KvManagerObject *manager, GError **error) KV_MUST_USE;
void kv_manager_object_unexport(KvManagerObject *manager);

/* Starts every tunnel with the setting autostart. */
void kv_manager_object_autostart(KvManagerObject *manager);

/* Stops every tunnel; @done is called once they are down, maybe before this returns. */
void kv_manager_object_stop(KvManagerObject *manager, void (*done)(gpointer data), gpointer data);

/* Everything goes from the bus. All tunnels must be down. */
void kv_manager_object_remove(KvManagerObject *manager);
