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
 * What every object on the bus needs. Belongs to KvDaemon, which outlives the objects; what is in
 * it does not change. Main thread.
 */
typedef struct {
    GDBusConnection *bus;
    GDBusObjectManagerServer *objects;
    KvEngine *engine;
    KvCallers *callers;
    KvAuth *auth;
    KvQuota *quota;
    KvStore *store;
} KvServices;
