/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-macros.h"
#include "kv-test.h"
#include "kv-time.h"
#include "kv-types.h"

/**
 * KvKcptunLink:
 *
 * The lower layers of v1 joined as kcptun has them: crypt with its salt, FEC, KCP, up to the byte
 * stream; and a seeded dice that loses datagrams in both directions. A machine like those of
 * core, one thread.
 */
typedef struct _KvKcptunLink KvKcptunLink;

#define KV_KCPTUN_MTU 1350 /* bytes of a UDP payload, kcptun's default */

typedef struct {
    KvCipher cipher;
    const char *secret;
    guint data_shards, parity_shards; /* 0: no FEC layer */
    uint32_t conv;                    /* 0: the one of the first datagram (server) */
    double loss;                      /* 0 to 1, of each direction */
    KvTestRandom *random;             /* outlives the link */
} KvKcptunConfig;

KvKcptunLink *kv_kcptun_link_new(const KvKcptunConfig *config, KvTime now, GError **error);
void kv_kcptun_link_free(KvKcptunLink *link);

/* One datagram from the peer. Returns: whether it made sense (a lost one does). */
gboolean kv_kcptun_link_input(KvKcptunLink *link, const uint8_t *datagram, size_t len, KvTime now);

/* The next datagram into @buf of at least %KV_KCPTUN_MTU bytes; 0: none. Losing is done inside. */
size_t kv_kcptun_link_output(KvKcptunLink *link, uint8_t *buf, KvTime now);

KvTime kv_kcptun_link_deadline(const KvKcptunLink *link);
void kv_kcptun_link_advance(KvKcptunLink *link, KvTime now);

/* The byte stream; the same as in kv-kcp.h. */
gboolean kv_kcptun_link_can_send(const KvKcptunLink *link);
gboolean kv_kcptun_link_send(KvKcptunLink *link, const KvSlice *slices, guint n) KV_MUST_USE;
void kv_kcptun_link_flush(KvKcptunLink *link, KvTime now);
size_t kv_kcptun_link_peek(KvKcptunLink *link, const uint8_t **data);
void kv_kcptun_link_consume(KvKcptunLink *link, size_t n);

/* Segments the peer has not acknowledged. */
guint kv_kcptun_link_get_waiting(const KvKcptunLink *link);

/* Shards that FEC rebuilt, and datagrams lost on purpose. */
guint kv_kcptun_link_get_recovered(const KvKcptunLink *link);
guint kv_kcptun_link_get_lost(const KvKcptunLink *link);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvKcptunLink, kv_kcptun_link_free)
