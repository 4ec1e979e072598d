/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* Why a datagram or an inner packet was dropped. A bad packet is counted, never logged. */
typedef enum {
    KV_DROP_NONE,      /* it was not dropped */
    KV_DROP_SHORT,     /* too short to be a datagram */
    KV_DROP_CHECKSUM,  /* wrong secret or cipher, or damaged */
    KV_DROP_REPLAY,    /* a nonce or number seen before */
    KV_DROP_CONV,      /* of another conversation */
    KV_DROP_FEC,       /* a FEC header that makes no sense */
    KV_DROP_KCP,       /* a segment that makes no sense, or an acknowledgement of one that was never
                          sent */
    KV_DROP_STRANGER,  /* unknown sender whose first segment does not start a session, or whose key
                          is not admitted */
    KV_DROP_RATE,      /* sender above the rate or the number of half-open sessions */
    KV_DROP_NO_MEMORY, /* pool or table at its bound */
    KV_DROP_MALFORMED, /* an inner packet that is not IP (tun) or no Ethernet frame (tap), or a
                          handshake that breaks the protocol */
    KV_DROP_DEVICE,    /* the TUN or TAP device refused it */
    KV_DROP_SOCKET,    /* the UDP socket refused it */
    KV_DROP_QUEUE,     /* dropped on purpose from a queue that stood too long */
    KV_DROP_SOURCE,    /* an inner packet from an address that its sender may not use */
    KV_DROP_DESTINATION, /* an inner packet for nobody, or for whom its sender may not reach */
    KV_DROP_CONGESTION,  /* an inner packet that met congestion, whose sender takes no marks */
    KV_DROP_TOO_BIG,     /* an inner packet longer than the other end's interface takes */
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
    uint64_t path_rx_expected;  /* datagrams the peer numbered; FEC layer only */
    uint64_t path_rx_arrived;   /* of these */
    uint64_t path_rx_marked;    /* datagrams that came with a congestion mark; native */
    uint64_t handshakes_opened; /* initiations that were worth public-key work; of no session */
    uint64_t cookie_replies;    /* to those that had to prove their address first; of no session */
    uint64_t drops[KV_N_DROPS];

    /* As things stand now, not sums over time. */
    uint32_t rtt_us;     /* smoothed, 0: no sample yet */
    uint32_t rtt_var_us; /* its variation */
    uint32_t send_window;
    uint32_t send_waiting;  /* segments not yet acknowledged cumulatively */
    uint32_t queue_packets; /* inner packets that wait in front of the session */
    uint64_t queue_bytes;   /* their bytes */
} KvStats;

/* Adds the sums of @stats to those of @total; what stands now is left as it is in @total. */
void kv_stats_add(KvStats *total, const KvStats *stats);

/**
 * kv_stats_get_tx_loss:
 *
 * How much of what is sent goes lost on the way, as seen by KCP: the share of its transmissions
 * that were repeats. What FEC or an early copy repaired does not show.
 *
 * Returns: 0 to 1; < 0: nothing was sent yet.
 */
double kv_stats_get_tx_loss(const KvStats *stats);

/**
 * kv_stats_get_rx_loss:
 *
 * How much of what the peer sends goes lost on the way, before any repair but by a copy that came
 * a few ms after. It is known with a FEC layer only, which numbers datagrams.
 *
 * Returns: 0 to 1; < 0: not known.
 */
double kv_stats_get_rx_loss(const KvStats *stats);

/* (transfer none): a short, stable, English word for @drop, such as "checksum". */
const char *kv_drop_to_string(KvDrop drop);
