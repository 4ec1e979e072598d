/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-gso.h"
#include "kv-stats.h"
#include "kv-too-big.h"

/**
 * KvFit:
 *
 * What a session has room for, and what is done to inner packets so that they fit: a SYN's MSS is
 * lowered to what goes into one datagram, and who sends a packet longer than the far interface
 * takes is told so. Embedded. One thread at a time.
 */
typedef struct {
    guint mtu;        /* of the interface at the other end, bytes of an IP packet; 0: not known */
    guint packet_max; /* longest inner packet that goes into one datagram now, with its Ethernet
                         header in TAP; 0: not known */
    KvTokenBucket answers;
} KvFit;

#define KV_FIT_ANSWERS_RATE  50 /* a second */
#define KV_FIT_ANSWERS_BURST 20

/* Nothing known: everything fits. */
void kv_fit_init(KvFit *fit);

/**
 * kv_fit_send:
 * @packet: (array length=len): an inner packet for the session, hostile, not a super-packet; its
 *   MSS may be lowered in place
 * @answer: (out caller-allocates) (array fixed-size=1302): what to tell its sender
 * @answer_len: (out): of @answer; 0: nothing
 *
 * Returns: %KV_DROP_NONE, or why it must not be sent.
 */
KvDrop kv_fit_send(KvFit *fit, KvVniMode mode, uint8_t *packet, size_t len, KvTime now,
                   uint8_t *answer, size_t *answer_len);

/* The same for all that @cutter will give: it was just made of @packet. */
KvDrop kv_fit_send_super(KvFit *fit, KvVniMode mode, const KvGsoCutter *cutter, uint8_t *packet,
                         size_t len, KvTime now, uint8_t *answer, size_t *answer_len);

/* An inner packet that came in by the session: what answers it must fit, too. */
void kv_fit_receive(const KvFit *fit, KvVniMode mode, uint8_t *packet, size_t len);
