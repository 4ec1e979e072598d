/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-stats-variant.h"

#include <stddef.h>

static const struct {
    const char *key;
    gsize offset;
} counters[] = {
    {"rx-bytes", offsetof(KvStats, inner_rx_bytes)},
    {"tx-bytes", offsetof(KvStats, inner_tx_bytes)},
    {"rx-packets", offsetof(KvStats, inner_rx_packets)},
    {"tx-packets", offsetof(KvStats, inner_tx_packets)},
    {"wire-rx-bytes", offsetof(KvStats, wire_rx_bytes)},
    {"wire-tx-bytes", offsetof(KvStats, wire_tx_bytes)},
    {"wire-rx-datagrams", offsetof(KvStats, wire_rx_datagrams)},
    {"wire-tx-datagrams", offsetof(KvStats, wire_tx_datagrams)},
    {"segments-sent", offsetof(KvStats, kcp_segments_sent)},
    {"retransmits-timeout", offsetof(KvStats, kcp_retransmits_timeout)},
    {"retransmits-fast", offsetof(KvStats, kcp_retransmits_fast)},
    {"retransmits-probe", offsetof(KvStats, kcp_retransmits_probe)},
    {"duplicates", offsetof(KvStats, kcp_duplicates)},
    {"fec-parity-sent", offsetof(KvStats, fec_parity_sent)},
    {"fec-recovered", offsetof(KvStats, fec_recovered)},
    {"congestion-marks", offsetof(KvStats, path_rx_marked)},
};

static GVariant *
drops_to_variant(const KvStats *stats)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{st}"));
    for (KvDrop drop = KV_DROP_NONE + 1; drop < KV_N_DROPS; drop++) {
        if (stats->drops[drop] > 0)
            g_variant_builder_add(&builder, "{st}", kv_drop_to_string(drop),
                                  (guint64) stats->drops[drop]);
    }
    return g_variant_builder_end(&builder);
}

static void
add_loss(GVariantDict *dict, const char *key, double loss)
{
    if (loss >= 0)
        g_variant_dict_insert(dict, key, "d", loss);
}

static void
fill(GVariantDict *dict, const KvStats *stats)
{
    for (gsize i = 0; i < G_N_ELEMENTS(counters); i++) {
        uint64_t value = *(const uint64_t *) ((const char *) stats + counters[i].offset);

        g_variant_dict_insert(dict, counters[i].key, "t", (guint64) value);
    }
    g_variant_dict_insert(dict, "retransmits", "t",
                          (guint64) (stats->kcp_retransmits_timeout + stats->kcp_retransmits_fast +
                                     stats->kcp_retransmits_probe));
    g_variant_dict_insert_value(dict, "drops", drops_to_variant(stats));
    g_variant_dict_insert(dict, "rtt-us", "u", stats->rtt_us);
    g_variant_dict_insert(dict, "rtt-variation-us", "u", stats->rtt_var_us);
    g_variant_dict_insert(dict, "send-window", "u", stats->send_window);
    g_variant_dict_insert(dict, "send-waiting", "u", stats->send_waiting);
    g_variant_dict_insert(dict, "queue-packets", "u", stats->queue_packets);
    g_variant_dict_insert(dict, "queue-bytes", "t", (guint64) stats->queue_bytes);
    add_loss(dict, "loss-rx", kv_stats_get_rx_loss(stats));
    add_loss(dict, "loss-tx", kv_stats_get_tx_loss(stats));
}

GVariant *
kv_stats_to_variant(const KvStats *stats)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    fill(&dict, stats);
    return g_variant_dict_end(&dict);
}

GVariant *
kv_stats_to_server_variant(const KvStats *stats, guint clients)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    fill(&dict, stats);
    g_variant_dict_insert(&dict, "clients", "u", clients);
    g_variant_dict_insert(&dict, "handshakes-opened", "t", (guint64) stats->handshakes_opened);
    g_variant_dict_insert(&dict, "cookie-replies", "t", (guint64) stats->cookie_replies);
    return g_variant_dict_end(&dict);
}
