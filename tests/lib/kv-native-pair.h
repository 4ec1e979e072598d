/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-test.h"
#include "native/kv-resets.h"
#include "native/kv-transport.h"

#define KV_PAIR_HALF_OPEN_MAX 8
#define KV_PAIR_NUMBERS       200000 /* data datagrams of one end in one run, at most */

typedef struct _KvPair KvPair;

/* One end of an association: the transport, and what its owner does around it. */
typedef struct {
    KvPair *pair;
    KvTransport *transport;
    KvTransportConfig config;
    KvEndpoint address;
    KvOuterKeys outer;
    uint8_t public[KV_OUTER_KEY_BYTES];
    uint8_t reset_key[KV_RESET_KEY_BYTES];
    KvResets resets;
    KvLiveSession *half_open[KV_PAIR_HALF_OPEN_MAX];
    KvEndpoint answered[KV_PAIR_HALF_OPEN_MAX];
    KvLiveSession *last; /* the last session it added, which may be gone */

    /* the way from this end to the other */
    KvTime delay;
    guint loss; /* per cent */
    gboolean down;
    guint limit; /* longest datagram that passes */

    /* data this end sends while @interval is not 0: numbered datagrams of @data_len or more */
    KvTime interval;
    KvTime next_data;
    size_t data_len;
    uint32_t numbers;
    uint8_t *came; /* how often each number of the other end came */
    KvTime last_came;

    /* what happened */
    guint begins;
    guint spared;
    guint moves;
    guint expiries;
    guint sent; /* datagrams of any kind */
    guint empties;
    guint pings;
    guint drops[KV_N_DROPS];
    guint resets_sent;
    guint resets_taken;
} KvPairEnd;

/* A datagram on its way. */
typedef struct {
    KvTime at;
    KvEndpoint from;
    KvEndpoint to;
    size_t len;
    uint8_t data[1600];
} KvPairFlight;

/**
 * KvPair:
 *
 * Two ends in virtual time with a path that loses, delays, cuts and renumbers. Handshakes are made
 * of nothing: a round trip after an end asks for one it has the keys, and the other a half-open
 * session.
 */
struct _KvPair {
    KvTestRandom state;
    KvRandom random;
    KvTime now;
    KvPairEnd ends[2];
    GQueue flights;        /* of KvPairFlight, in the order of their arrival */
    gboolean handshakes;   /* are made when asked for */
    gboolean data_answers; /* data of one end answers that of the other */
    KvTime handshake_at[2];
    guint astray; /* datagrams to addresses that nobody has */
    size_t astray_bytes;
    /* (nullable): sees each datagram as it leaves; may add others with kv_pair_fly() */
    void (*tap)(KvPair *pair, KvPairEnd *sender, const KvPairFlight *flight);
    void *tap_data;
};

/* A client (end 0) and a server (end 1), no session yet, no keepalive. */
void kv_pair_init(KvPair *pair);
void kv_pair_clear(KvPair *pair);

/* Forgets what the end had, as by a restart, with @config of the end as it is now. */
void kv_pair_restart(KvPair *pair, guint end);

/* A handshake that @initiator began ends now. */
void kv_pair_handshake(KvPair *pair, guint initiator);

/* Lets time pass. Fails the test if a deadline does not move. */
void kv_pair_run(KvPair *pair, KvTime time);

/* Sends one data datagram now. */
void kv_pair_send(KvPair *pair, guint end);

void kv_pair_fly(KvPair *pair, const KvPairFlight *flight);

/* Gives a datagram to whoever has its address. */
void kv_pair_arrive(KvPair *pair, const KvPairFlight *flight);

/* How many different data datagrams of the other end came to @end; fails if any came twice. */
guint kv_pair_count(const KvPair *pair, guint end);

/* How many sessions @end has. */
guint kv_pair_sessions(const KvPair *pair, guint end);
