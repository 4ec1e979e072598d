/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* Why a datagram or an inner packet was dropped. A bad packet is counted, never logged. */
typedef enum {
    KV_DROP_NONE,      /* it was not dropped */
    KV_DROP_SHORT,     /* too short to be a datagram */
    KV_DROP_CHECKSUM,  /* wrong secret or cipher, or damaged */
    KV_DROP_REPLAY,    /* a nonce seen before */
    KV_DROP_CONV,      /* of another conversation */
    KV_DROP_FEC,       /* a FEC header that makes no sense */
    KV_DROP_KCP,       /* a segment that makes no sense */
    KV_DROP_STRANGER,  /* unknown sender whose first segment does not start a session */
    KV_DROP_RATE,      /* unknown sender above the rate or the number of half-open sessions */
    KV_DROP_NO_MEMORY, /* pool or table at its bound */
    KV_DROP_MALFORMED, /* an inner packet that is not IP (tun) or no Ethernet frame (tap) */
    KV_DROP_DEVICE,    /* the TUN or TAP device refused it */
    KV_DROP_SOCKET,    /* the UDP socket refused it */
    KV_DROP_QUEUE,     /* dropped on purpose from a queue that stood too long */
    KV_N_DROPS,
} KvDrop;

/**
 * KvStats:
 *
 * Counters of a session since its start. Written by its worker only; another thread reads a
 * copy that the worker has put down.
 */
typedef struct {
    uint64_t wire_rx_datagrams;
    uint64_t wire_rx_bytes;
    uint64_t wire_tx_datagrams;
    uint64_t wire_tx_bytes;
    uint64_t inner_rx_packets; /* out of the tunnel, into the device */
    uint64_t inner_rx_bytes;
    uint64_t inner_tx_packets; /* out of the device, into the tunnel */
    uint64_t inner_tx_bytes;
    uint64_t kcp_segments_sent; /* first transmissions */
    uint64_t kcp_retransmits_timeout;
    uint64_t kcp_retransmits_fast;
    uint64_t kcp_retransmits_probe; /* tail repair */
    uint64_t kcp_duplicates;        /* segments received twice */
    uint64_t fec_parity_sent;
    uint64_t fec_padding_sent;
    uint64_t fec_recovered;
    uint64_t drops[KV_N_DROPS];
    uint32_t rtt_us;     /* smoothed, 0: no sample yet */
    uint32_t rtt_var_us; /* its variation */
    uint32_t send_window;
    uint32_t send_waiting; /* segments not yet acknowledged cumulatively */
} KvStats;

/* (transfer none): a short, stable, English word for @drop, such as "checksum". */
const char *kv_drop_to_string(KvDrop drop);
