/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#define KV_ECN_MASK 3

/* The two bits of the IP header that say whether a packet met congestion (RFC 3168). */
typedef enum {
    KV_ECN_NOT_ECT = 0, /* its sender takes no marks */
    KV_ECN_ECT1 = 1,
    KV_ECN_ECT0 = 2,
    KV_ECN_CE = 3, /* congestion was met */
} KvEcn;
