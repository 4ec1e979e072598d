/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

#define KV_ECN_MASK 3

/* The two bits of the IP header that say whether a packet met congestion (RFC 3168). */
typedef enum {
    KV_ECN_NOT_ECT = 0, /* its sender takes no marks */
    KV_ECN_ECT1 = 1,
    KV_ECN_ECT0 = 2,
    KV_ECN_CE = 3, /* congestion was met */
} KvEcn;

/* The ECN fields of the inner packets in one datagram. */
typedef guint KvEcnSet;

static inline KvEcnSet
kv_ecn_add(KvEcnSet set, KvEcn ecn)
{
    return set | 1u << ecn;
}

/* With which a datagram of such packets leaves: docs/protocol.md, section 12. */
static inline KvEcn
kv_ecn_choose(KvEcnSet set)
{
    if (set == 0 || (set & 1u << KV_ECN_NOT_ECT) != 0)
        return KV_ECN_NOT_ECT;
    /* The other end would turn ECT(0) into ECT(1), but not the reverse. */
    return (set & 1u << KV_ECN_ECT1) != 0 && (set & 1u << KV_ECN_ECT0) == 0 ? KV_ECN_ECT1
                                                                            : KV_ECN_ECT0;
}
