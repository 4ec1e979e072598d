/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-live.h"

#include "kv-i18n.h"
#include "kv-print.h"
#include "kv-property.h"

#include <inttypes.h>
#include <string.h>

/* Looks that the sparklines show. */
#define HISTORY 60

/* The counters that rates are made of, in the order of KvLiveRates. */
enum {
    RX_BYTES,
    TX_BYTES,
    RX_PACKETS,
    TX_PACKETS,
    RETRANSMITS,
    FEC_RECOVERED,
    FEC_SENT,
    N_COUNTERS,
};
static const char *const counter_keys[] = {
    "rx-bytes",    "tx-bytes",      "rx-packets",      "tx-packets",
    "retransmits", "fec-recovered", "fec-parity-sent",
};
G_STATIC_ASSERT(G_N_ELEMENTS(counter_keys) == N_COUNTERS);

typedef struct {
    guint64 counters[N_COUNTERS];
    guint64 drops;
    gint64 time_us;
} Look;

/* The last values, oldest first. */
typedef struct {
    double values[HISTORY];
    guint n;
} History;

struct _KvLive {
    GVariant *statistics; /* (nullable): of the last look */
    Look last;
    gboolean has_last;
    gboolean has_rates;
    KvLiveRates rates;
    History rx;
    History tx;
};

KvLive *
kv_live_new(void)
{
    return g_new0(KvLive, 1);
}

void
kv_live_free(KvLive *live)
{
    if (live == NULL)
        return;
    g_clear_pointer(&live->statistics, g_variant_unref);
    g_free(live);
}

static void
history_add(History *history, double value)
{
    if (history->n == HISTORY) {
        memmove(history->values, history->values + 1, (HISTORY - 1) * sizeof *history->values);
        history->n--;
    }
    history->values[history->n++] = value;
}

static void
take_look(Look *look, GVariant *statistics, gint64 now_us)
{
    for (guint i = 0; i < N_COUNTERS; i++)
        look->counters[i] = kv_property_get_counter(statistics, counter_keys[i]);
    look->drops = kv_property_sum_drops(statistics);
    look->time_us = now_us;
}

static gboolean
went_back(const Look *before, const Look *now)
{
    for (guint i = 0; i < N_COUNTERS; i++) {
        if (now->counters[i] < before->counters[i])
            return TRUE;
    }
    return now->drops < before->drops || now->time_us <= before->time_us;
}

static double
get_rate(const Look *before, const Look *now, guint counter)
{
    double seconds = (double) (now->time_us - before->time_us) / G_USEC_PER_SEC;

    return (double) (now->counters[counter] - before->counters[counter]) / seconds;
}

static void
make_rates(KvLive *live, const Look *now)
{
    const Look *before = &live->last;
    double seconds = (double) (now->time_us - before->time_us) / G_USEC_PER_SEC;

    live->rates = (KvLiveRates){
        .rx_bits = get_rate(before, now, RX_BYTES) * 8,
        .tx_bits = get_rate(before, now, TX_BYTES) * 8,
        .rx_packets = get_rate(before, now, RX_PACKETS),
        .tx_packets = get_rate(before, now, TX_PACKETS),
        .retransmits = get_rate(before, now, RETRANSMITS),
        .fec_recovered = get_rate(before, now, FEC_RECOVERED),
        .fec_sent = get_rate(before, now, FEC_SENT),
        .drops = (double) (now->drops - before->drops) / seconds,
    };
    history_add(&live->rx, live->rates.rx_bits);
    history_add(&live->tx, live->rates.tx_bits);
}

void
kv_live_update(KvLive *live, GVariant *statistics, gint64 now_us)
{
    Look now = {0};

    take_look(&now, statistics, now_us);
    live->has_rates = live->has_last && !went_back(&live->last, &now);
    if (live->has_rates)
        make_rates(live, &now);
    live->last = now;
    live->has_last = TRUE;
    g_clear_pointer(&live->statistics, g_variant_unref);
    if (statistics != NULL)
        live->statistics = g_variant_ref(statistics);
}

gboolean
kv_live_get_rates(const KvLive *live, KvLiveRates *rates)
{
    *rates = live->rates;
    return live->has_rates;
}

/* --- text ------------------------------------------------------------------------------------ */

static void
append_title(GString *out, const KvLiveTitle *title, gboolean colour)
{
    kv_print_append(out, KV_STYLE_STRONG, colour, title->name);
    g_string_append(out, "  ");
    kv_print_append(out, kv_print_get_state_style(title->state), colour, title->state);
    if (title->reason[0] != '\0') {
        g_string_append(out, "  ");
        kv_print_append(out, KV_STYLE_PLAIN, colour, title->reason);
    }
    g_string_append_c(out, '\n');
}

/* A direction's rates and how they went. */
static void
add_direction(KvTable *table, const char *label, double bits, double packets,
              const History *history, gboolean unicode)
{
    g_autofree char *rate = kv_print_format_rate(bits);
    g_autofree char *text = g_strdup_printf(_("%-12s %6.0f packets/s"), rate, packets);
    g_autofree char *line = kv_print_format_sparkline(history->values, history->n, unicode);
    g_autofree char *both = g_strdup_printf("%s  %s", text, line);

    kv_table_add(table, KV_STYLE_FAINT, label);
    kv_table_add(table, KV_STYLE_PLAIN, both);
}

/* (transfer full) (nullable): the round trip and its variation. */
static char *
format_rtt(GVariant *statistics)
{
    guint64 rtt_us = kv_property_get_counter(statistics, "rtt-us");
    guint64 variation_us = kv_property_get_counter(statistics, "rtt-variation-us");

    if (rtt_us == 0)
        return NULL;
    return g_strdup_printf(_("%.1f ms, varies by %.1f ms"), (double) rtt_us / 1000,
                           (double) variation_us / 1000);
}

static void
add_row(KvTable *table, const char *label, const char *text)
{
    kv_table_add(table, KV_STYLE_FAINT, label);
    kv_table_add(table, KV_STYLE_PLAIN, text);
}

static void
add_repair(KvTable *table, const KvLive *live)
{
    const guint64 *counters = live->last.counters;
    g_autofree char *again = g_strdup_printf(_("%.0f/s, %" PRIu64 " in all"),
                                             live->rates.retransmits, counters[RETRANSMITS]);
    g_autofree char *fec = g_strdup_printf(
        _("%.0f/s sent, %.0f/s repaired; %" PRIu64 " and %" PRIu64 " in all"), live->rates.fec_sent,
        live->rates.fec_recovered, counters[FEC_SENT], counters[FEC_RECOVERED]);

    add_row(table, _("sent again"), again);
    add_row(table, _("FEC"), fec);
}

static void
add_queue(KvTable *table, const KvLive *live)
{
    g_autofree char *drops = kv_property_format_drops(live->statistics);
    g_autofree char *queue = g_strdup_printf(
        _("%" PRIu64 " packets"), kv_property_get_counter(live->statistics, "queue-packets"));

    add_row(table, _("queue"), queue);
    add_row(table, _("dropped"), drops != NULL ? drops : _("nothing"));
}

char *
kv_live_format(const KvLive *live, const KvLiveTitle *title, gboolean colour, gboolean unicode)
{
    g_autofree char *rtt = format_rtt(live->statistics);
    g_autofree char *loss = kv_property_format_loss(live->statistics);
    g_autoptr(KvTable) table = kv_table_new(2);
    g_autofree char *rows = NULL;
    GString *out = g_string_new(NULL);

    append_title(out, title, colour);
    add_direction(table, _("in"), live->has_rates ? live->rates.rx_bits : 0,
                  live->has_rates ? live->rates.rx_packets : 0, &live->rx, unicode);
    add_direction(table, _("out"), live->has_rates ? live->rates.tx_bits : 0,
                  live->has_rates ? live->rates.tx_packets : 0, &live->tx, unicode);
    add_row(table, _("round trip"), rtt);
    add_row(table, _("loss"), loss);
    add_repair(table, live);
    add_queue(table, live);
    rows = kv_table_format(table, colour);
    g_string_append(out, rows);
    return g_string_free(out, FALSE);
}

char *
kv_live_format_line(const KvLive *live, const KvLiveTitle *title)
{
    g_autofree char *in = kv_print_format_rate(live->has_rates ? live->rates.rx_bits : 0);
    g_autofree char *out = kv_print_format_rate(live->has_rates ? live->rates.tx_bits : 0);
    g_autofree char *rtt = format_rtt(live->statistics);
    g_autofree char *loss = kv_property_format_loss(live->statistics);
    GString *line = g_string_new(NULL);

    kv_print_append(line, KV_STYLE_PLAIN, FALSE, title->name);
    g_string_append_c(line, ' ');
    kv_print_append(line, KV_STYLE_PLAIN, FALSE, title->state);
    g_string_append_printf(line, _(": in %s, out %s"), in, out);
    if (rtt != NULL)
        g_string_append_printf(line, _("; round trip %s"), rtt);
    if (loss != NULL)
        g_string_append_printf(line, _("; loss %s"), loss);
    return g_string_free(line, FALSE);
}
