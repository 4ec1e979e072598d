/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-auth.h"
#include "kv-callers.h"
#include "kv-engine.h"
#include "kv-quota.h"
#include "kv-store.h"

#include <gio/gio.h>

/**
 * KvServices:
 *
 * What every object on the bus needs. Belongs to KvDaemon, which outlives the objects; nothing in
 * it changes but the bus, on which callers and objects are. Main thread.
 */
typedef struct {
    GDBusConnection *bus; /* NULL while it is gone */
    GDBusObjectManagerServer *objects;
    KvEngine *engine;
    KvCallers *callers;
    KvAuth *auth;
    KvQuota *quota;
    KvStore *store;
} KvServices;
