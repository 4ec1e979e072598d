/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/* GetManagedObjects that may wait for their answer, each as large as all objects together: of one
 * connection, and of all. */
#define KV_LISTINGS_OF_ONE 2
#define KV_LISTINGS_OF_ALL 16

/**
 * kv_listings_bound:
 * @bus: before anything is exported on it
 *
 * Answers calls of GetManagedObjects beyond the bounds with LimitsExceeded, before they cost
 * anything. GDBus answers that call itself, past all quotas, and everybody may make it. Main
 * thread; what it sets up runs on GDBus's, and ends with @bus.
 */
void kv_listings_bound(GDBusConnection *bus);
