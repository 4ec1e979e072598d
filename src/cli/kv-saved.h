/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bus.h"
#include "kv-settings.h"

/* What the commands that make and change saved tunnels share. Main thread. */

/**
 * kv_saved_report:
 * @path: object path of a tunnel that a call has just made
 * @text: what was done, for people
 *
 * Says that it was done: "NAME: text", or the object as JSON.
 */
KvExit kv_saved_report(const KvBus *bus, const KvArgs *args, const char *path, const char *text);
