/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * KvTestBus:
 *
 * A message bus of the test's own, which stands where the system bus would: in
 * DBUS_SYSTEM_BUS_ADDRESS. Any user may connect, call and own names.
 */
typedef struct _KvTestBus KvTestBus;

/* (nullable): NULL, and a message on stderr, when there is no dbus-daemon. */
KvTestBus *kv_test_bus_new(void);

/* Ends the bus; every connection to it must be gone, or not mind. */
void kv_test_bus_free(KvTestBus *bus);

const char *kv_test_bus_get_address(KvTestBus *bus);

/* (transfer full): a new connection, made as user @uid, which only root can be for others. */
GDBusConnection *kv_test_bus_connect(KvTestBus *bus, uid_t uid);

/* Runs the main loop until @flag points to TRUE; fails the test after 20 seconds. */
void kv_test_bus_wait(const gboolean *flag);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTestBus, kv_test_bus_free)
