/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-kcp.h"
#include "kv-sim.h"

/**
 * KvSimKcp:
 *
 * Two KCP machines over a simulated path, with an application on each side that writes a known
 * stream of bytes and checks the one it reads. Any wrong, doubled or missing byte ends the test.
 * In the native packing each write is a packet, and the stream goes by one lane, or as many as
 * there are flows.
 */
typedef struct _KvSimKcp KvSimKcp;

typedef struct {
    KvKcpConfig config; /* of both ends; but the tuning of end 1 is @peer_tuning */
    KvKcpTuning peer_tuning;
    KvSimLink link;      /* both directions */
    uint64_t rate_back;  /* of the link from end 1; 0: that of @link */
    uint64_t bytes[2];   /* each end writes */
    KvTime write_every;  /* pause between two small writes; 0: as much as fits */
    uint32_t write_max;  /* bytes of such a write; 0: 1200 */
    guint turns;         /* end 0 first writes so many such, each when the last was acknowledged */
    uint32_t write_size; /* bytes of every write; 0: at random */
    guint flows;         /* native: end 0 writes to so many in turn, each in order; 0: a stream */
    KvTime slow_reader;  /* end 1 reads one segment in so much time; 0: at once */
    KvTime start;        /* of the clock */
} KvSimKcpSetup;

KvSimKcp *kv_sim_kcp_new(uint64_t seed, const KvSimKcpSetup *setup);
void kv_sim_kcp_free(KvSimKcp *pair);

/* (transfer none) */
KvSim *kv_sim_kcp_get_sim(KvSimKcp *pair);
KvKcp *kv_sim_kcp_get_machine(KvSimKcp *pair, guint end);

/* Runs until all bytes have arrived or @limit of virtual time has passed. TRUE: all arrived. */
gboolean kv_sim_kcp_run(KvSimKcp *pair, KvTime limit);

/* Bytes that end @end has read so far. */
uint64_t kv_sim_kcp_get_read(KvSimKcp *pair, guint end);

/* Native: parts that wait in the lanes of end @end. */
uint32_t kv_sim_kcp_get_kept(KvSimKcp *pair, guint end);

/* The time from a write of end 0 until end 1 has read it, below which @share of them stayed. */
KvTime kv_sim_kcp_get_delay(KvSimKcp *pair, double share);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSimKcp, kv_sim_kcp_free)
