/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-event.h"
#include "kv-kcp.h"
#include "kv-packet.h"
#include "kv-random.h"
#include "kv-stats.h"
#include "kv-time.h"
#include "v1/kv-v1-crypt.h"

/**
 * KvV1:
 *
 * A whole v1 session: crypt, FEC, KCP, smux and control handshake joined; the only file that
 * names them all. kv-session.h documents the verbs, which are the same.
 *
 * Nothing of v1 is authenticated beyond a CRC under the cipher. Each datagram passes its length
 * check, the CRC and the replay guard before it changes any state, and what it says is bounded
 * from there on.
 */
typedef struct _KvV1 KvV1;

typedef struct {
    KvRole role;
    KvKcpConfig kcp;   /* conv chosen by the client; mtu and reserved are filled in here */
    uint32_t udp_mtu;  /* bytes, 53 to 1500; another becomes 1400, as in the Go program */
    guint data_shards; /* 0 in either: no FEC layer */
    guint parity_shards;
    gboolean rapid_fec;
    KvTime keepalive;         /* between two heartbeats, 1 to 30 s */
    KvTime handshake_timeout; /* whole handshake, from the first datagram */
    KvTime peer_timeout;      /* silence after which the peer counts as dead */
    KvClientInfo client;      /* client role: what to say of oneself */
} KvV1Config;

/**
 * kv_v1_probe:
 * @conv: (out): the conversation the datagram would start
 *
 * Server: whether a datagram from an unknown address may start a session: the CRC holds, and its
 * first segment is a push with sn 0 and frg 0 that begins with a smux SYN. Stateless.
 *
 * Returns: %KV_DROP_NONE if so, else why not.
 */
KvDrop kv_v1_probe(const KvV1Config *config, KvV1Crypt *crypt, const uint8_t *datagram, size_t len,
                   uint32_t *conv);

/* The verbs of kv-session.h. */
KvV1 *kv_v1_new(const KvV1Config *config, KvV1Crypt *crypt, KvPacketPool *pool,
                const KvRandom *random, KvTime now) KV_MUST_USE;
void kv_v1_free(KvV1 *v1);
KvDrop kv_v1_input(KvV1 *v1, const uint8_t *datagram, size_t len, KvTime now);
size_t kv_v1_output(KvV1 *v1, uint8_t *buf, size_t cap, KvTime now);
KvTime kv_v1_deadline(const KvV1 *v1);
void kv_v1_advance(KvV1 *v1, KvTime now);
gboolean kv_v1_next_event(KvV1 *v1, KvEvent *event);
KvTime kv_v1_get_rtt(const KvV1 *v1);
gboolean kv_v1_can_send(const KvV1 *v1);
gboolean kv_v1_send(KvV1 *v1, const KvSlice *slices, guint n, uint16_t ethertype, KvTime now);
size_t kv_v1_recv(KvV1 *v1, uint8_t *buf, size_t cap, uint16_t *ethertype, KvTime now);
void kv_v1_answer(KvV1 *v1, const KvAnswer *answer, KvTime now);
void kv_v1_open_vni(KvV1 *v1, KvTime now);
void kv_v1_poke(KvV1 *v1, KvTime now);
void kv_v1_close(KvV1 *v1, KvTime now);
void kv_v1_get_stats(const KvV1 *v1, KvStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvV1, kv_v1_free)
