/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-stats.h"

#include <glib.h>

static const char *const drop_names[] = {
    "none",   "short",    "checksum", "replay",      "conv",       "fec",
    "kcp",    "stranger", "rate",     "no-memory",   "malformed",  "device",
    "socket", "queue",    "source",   "destination", "congestion", "too-big",
};

G_STATIC_ASSERT(G_N_ELEMENTS(drop_names) == KV_N_DROPS);

void
kv_stats_add(KvStats *total, const KvStats *stats)
{
    total->wire_rx_datagrams += stats->wire_rx_datagrams;
    total->wire_rx_bytes += stats->wire_rx_bytes;
    total->wire_tx_datagrams += stats->wire_tx_datagrams;
    total->wire_tx_bytes += stats->wire_tx_bytes;
    total->inner_rx_packets += stats->inner_rx_packets;
    total->inner_rx_bytes += stats->inner_rx_bytes;
    total->inner_tx_packets += stats->inner_tx_packets;
    total->inner_tx_bytes += stats->inner_tx_bytes;
    total->kcp_segments_sent += stats->kcp_segments_sent;
    total->kcp_retransmits_timeout += stats->kcp_retransmits_timeout;
    total->kcp_retransmits_fast += stats->kcp_retransmits_fast;
    total->kcp_retransmits_probe += stats->kcp_retransmits_probe;
    total->kcp_duplicates += stats->kcp_duplicates;
    total->fec_parity_sent += stats->fec_parity_sent;
    total->fec_padding_sent += stats->fec_padding_sent;
    total->fec_recovered += stats->fec_recovered;
    total->path_rx_expected += stats->path_rx_expected;
    total->path_rx_arrived += stats->path_rx_arrived;
    total->path_rx_marked += stats->path_rx_marked;
    total->handshakes_opened += stats->handshakes_opened;
    total->cookie_replies += stats->cookie_replies;
    for (guint i = 0; i < KV_N_DROPS; i++)
        total->drops[i] += stats->drops[i];
}

double
kv_stats_get_tx_loss(const KvStats *stats)
{
    uint64_t repeats = stats->kcp_retransmits_timeout + stats->kcp_retransmits_fast;
    uint64_t sent = stats->kcp_segments_sent + repeats + stats->kcp_retransmits_probe;

    return sent > 0 ? (double) repeats / (double) sent : -1;
}

double
kv_stats_get_rx_loss(const KvStats *stats)
{
    if (stats->path_rx_expected == 0)
        return -1;
    /* What came late was taken for lost in the meantime, and may even come twice. */
    if (stats->path_rx_arrived >= stats->path_rx_expected)
        return 0;
    return 1 - (double) stats->path_rx_arrived / (double) stats->path_rx_expected;
}

const char *
kv_drop_to_string(KvDrop drop)
{
    g_return_val_if_fail(drop < KV_N_DROPS, "unknown");
    return drop_names[drop];
}
