/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-handshake-pair.h"
#include "native/kv-item.h"
#include "native/kv-native.h"

#define KV_SIM_HOSTILE_START (1000 * KV_TIME_S)

/**
 * KvSimHostile:
 *
 * One end of an association, the victim, and a peer that has its keys and says what it likes, in
 * virtual time.
 */
typedef struct {
    KvHandshakePair pair;
    KvPacketPool *pool;
    KvNative *native;
    KvLiveSession *hostile;
    KvOuterKeys hostile_outer;
    KvTime now;
    guint most_used;     /* packets of the pool */
    uint64_t wire_bytes; /* from the victim */
    uint32_t newest_sn;  /* that it sent, and one */
    guint n_pings;       /* that it sent */
    gboolean is_closed;
    KvReason reason; /* why */
} KvSimHostile;

/* The victim is a server. @parity: whether its groups have some; 0 or 1 */
void kv_sim_hostile_init(KvSimHostile *world, guint parity);

/* The victim is one of two peers, who can begin handshakes; it looks for no longer datagrams. */
void kv_sim_hostile_init_peer(KvSimHostile *world);
void kv_sim_hostile_clear(KvSimHostile *world);

/* Lets @time pass at the victim. */
void kv_sim_hostile_pass(KvSimHostile *world, KvTime time);

/* The peer sends one item, with its content from @content; it must open. */
void kv_sim_hostile_send(KvSimHostile *world, KvItem *item, const uint8_t *content, size_t len);
