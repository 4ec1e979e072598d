/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bus.h"

/**
 * kv_watch_run:
 *
 * "--watch": shows @tunnel live until it or the daemon goes, or a signal ends the program. On a
 * terminal in place, else a line for each look; with --json each is an object.
 * Returns: the exit status.
 */
KvExit kv_watch_run(const KvBus *bus, const KvArgs *args, KvDbusTunnel1 *tunnel);
