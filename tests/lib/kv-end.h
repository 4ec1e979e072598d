/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-session.h"
#include "kv-sim.h"
#include "kv-test.h"

/**
 * KvEnd:
 *
 * A session with what an engine does around it: answers, opens the device, reads and writes
 * inner packets. Those it writes are numbered and their content follows from the number, so the
 * other end can tell that each one arrives whole, once and in order.
 */
typedef struct {
    KvSession *session;
    KvV1Config config;
    KvV1Crypt *crypt;
    KvPacketPool *pool;
    KvTestRandom generator;
    KvRandom random;

    /* what it does by itself; all on at first */
    gboolean answers;
    gboolean opens;
    KvAnswer answer;

    /* what happened */
    guint n_events[KV_EVENT_CLOSED + 1];
    KvEvent last_event[KV_EVENT_CLOSED + 1];
    guint drops[KV_N_DROPS];
    KvTime closed_at;

    /* numbered inner packets */
    guint to_send;
    guint sent;
    guint received;
    size_t size_min;
    size_t size_max;
    /* (nullable): what arrives, instead of the check of numbers: GBytes of the ethertype (two
     * bytes, big-endian) and the packet */
    GPtrArray *inner;

    uint8_t *buf; /* for one inner packet */
} KvEnd;

/* A configuration as the product has it; conv 0x4b56, no FEC. */
KvV1Config kv_end_default_config(KvRole role);

/* A session of @config under @cipher, with a pool of its own. */
KvEnd *kv_end_new(const KvV1Config *config, KvCipher cipher, uint64_t seed, KvTime now);

/* The same with a secret and a salt of one's choice. */
KvEnd *kv_end_new_with_secret(const KvV1Config *config, KvCipher cipher, const char *secret,
                              const char *salt, uint64_t seed, KvTime now);

/* Keeps what arrives in @inner from now on. */
void kv_end_keep_inner(KvEnd *end);

/* Frees it and checks that every packet came back to the pool. */
void kv_end_free(KvEnd *end);

/* Acts on events, then reads and writes inner packets. */
void kv_end_work(KvEnd *end, KvTime now);

/* Sends one inner packet that is not numbered. */
gboolean kv_end_send(KvEnd *end, const void *data, size_t len, uint16_t ethertype, KvTime now);

/* For kv_sim_attach(), with the end as the machine's self. */
extern const KvSimMachine kv_end_machine;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvEnd, kv_end_free)
