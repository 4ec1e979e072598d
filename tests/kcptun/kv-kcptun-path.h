/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-time.h"

#include <glib.h>

/**
 * KvKcptunPath:
 *
 * A UDP socket on loopback that is as bad as it is told to be: it loses a share of the datagrams of
 * either direction, by a seeded dice, and holds up the others. One thread.
 */
typedef struct _KvKcptunPath KvKcptunPath;

typedef struct {
    const char *address; /* of the other end */
    uint16_t port;       /* 0: of whoever sends first */
    double loss;         /* 0 to 1, of each direction */
    KvTime delay;        /* of each direction */
    uint64_t seed;
} KvKcptunPathConfig;

KvKcptunPath *kv_kcptun_path_new(const KvKcptunPathConfig *config, GError **error);
void kv_kcptun_path_free(KvKcptunPath *path);

/* The port of this end. */
uint16_t kv_kcptun_path_get_port(const KvKcptunPath *path);

/* The next datagram that has arrived, into @buf; 0: none. */
size_t kv_kcptun_path_receive(KvKcptunPath *path, uint8_t *buf, size_t cap, KvTime now);

/* Sends @data, or what of it is not lost leaves after the delay with kv_kcptun_path_advance(). */
void kv_kcptun_path_send(KvKcptunPath *path, const uint8_t *data, size_t len, KvTime now);
void kv_kcptun_path_advance(KvKcptunPath *path, KvTime now);

/* Sleeps until @until, or until there is something to receive or to advance. */
void kv_kcptun_path_wait(KvKcptunPath *path, KvTime until, KvTime now);

guint kv_kcptun_path_get_lost(const KvKcptunPath *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvKcptunPath, kv_kcptun_path_free)
