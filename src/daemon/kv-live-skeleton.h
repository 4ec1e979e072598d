/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-dbus-generated.h"
#include "kv-macros.h"

/*
 * Skeletons whose properties are brought up to date before they are read, since what they tell
 * lies with other threads. Properties.Get and GetAll wait for that; GetManagedObjects gives what
 * was read last. Main thread.
 */

/**
 * KvLiveRefresh:
 * @owner: what was given to kv_live_skeleton_set_refresh(); it may go before it is done
 * @done: to be called once, when the properties are new
 */
typedef void (*KvLiveRefresh)(gpointer owner, void (*done)(gpointer data), gpointer data);

/* (transfer full): skeletons as those of gdbus-codegen. */
KvDbusTunnel1 *kv_live_tunnel_new(void) KV_MUST_USE;
KvDbusClient1 *kv_live_client_new(void) KV_MUST_USE;

/* @names: the properties that need it, NULL-terminated, static. @refresh: NULL: no longer. */
void kv_live_skeleton_set_refresh(gpointer skeleton, const char *const *names,
                                  KvLiveRefresh refresh, gpointer owner);
