/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-live.h"
#include "kv-property.h"
#include "kv-test.h"

#include <string.h>

static GVariant *
make_statistics(guint64 rx_bytes, guint64 retransmits, guint64 dropped)
{
    GVariantDict dict;
    GVariantBuilder drops;

    g_variant_builder_init(&drops, G_VARIANT_TYPE("a{st}"));
    g_variant_builder_add(&drops, "{st}", "checksum", dropped);
    g_variant_builder_add(&drops, "{st}", "queue", (guint64) 0);
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "rx-bytes", "t", rx_bytes);
    g_variant_dict_insert(&dict, "rx-packets", "t", rx_bytes / 1000);
    g_variant_dict_insert(&dict, "retransmits", "t", retransmits);
    g_variant_dict_insert(&dict, "rtt-us", "u", 41500);
    g_variant_dict_insert(&dict, "loss-tx", "d", 0.052);
    g_variant_dict_insert(&dict, "queue-packets", "u", 9);
    g_variant_dict_insert_value(&dict, "drops", g_variant_builder_end(&drops));
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static void
look(KvLive *live, guint64 rx_bytes, guint64 retransmits, gint64 now_us)
{
    g_autoptr(GVariant) statistics = make_statistics(rx_bytes, retransmits, 3);

    kv_live_update(live, statistics, now_us);
}

/* Proves: rates are by the time that really went by, and a new start tells none. */
static void
test_rates(void)
{
    g_autoptr(KvLive) live = kv_live_new();
    KvLiveRates rates;

    kv_live_update(live, NULL, 0);
    g_assert_false(kv_live_get_rates(live, &rates));
    look(live, 1000, 0, G_USEC_PER_SEC);
    g_assert_true(kv_live_get_rates(live, &rates));
    look(live, 501000, 10, 3 * G_USEC_PER_SEC);
    g_assert_true(kv_live_get_rates(live, &rates));
    g_assert_cmpfloat(rates.rx_bits, ==, 2000000);
    g_assert_cmpfloat(rates.rx_packets, ==, 250);
    g_assert_cmpfloat(rates.retransmits, ==, 5);
    g_assert_cmpfloat(rates.drops, ==, 0);
    look(live, 0, 0, 4 * G_USEC_PER_SEC);
    g_assert_false(kv_live_get_rates(live, &rates));
    look(live, 1000, 0, 4 * G_USEC_PER_SEC);
    g_assert_false(kv_live_get_rates(live, &rates));
}

/* Proves: the view has what it is for, and what comes from outside cannot steer the terminal. */
static void
test_format(void)
{
    static const KvLiveTitle title = {"ho\x1bme", "waiting", "no\x9b answer"};
    static const char *const expected[] = {"ho\\x1bme", "waiting",   "2.0 Mbit/s", "▁█",
                                           "41.5 ms",   "out 5.2 %", "9 packets",  "checksum 3"};
    g_autoptr(KvLive) live = kv_live_new();
    g_autofree char *text = NULL;
    g_autofree char *line = NULL;

    look(live, 0, 0, 0);
    look(live, 0, 0, G_USEC_PER_SEC);
    look(live, 250000, 0, 2 * G_USEC_PER_SEC);
    text = kv_live_format(live, &title, FALSE, TRUE);
    line = kv_live_format_line(live, &title);
    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
        if (strstr(text, expected[i]) == NULL)
            g_error("no \"%s\" in:\n%s", expected[i], text);
    }
    g_assert_null(strchr(text, '\x1b'));
    g_assert_null(strstr(text, "queue 0"));
    g_assert_nonnull(strstr(line, "in 2.0 Mbit/s"));
    g_assert_null(strchr(line, '\n'));
}

/* Proves: the sparkline keeps the last minute of looks and no more. */
static void
test_history(void)
{
    static const KvLiveTitle title = {"home", "connected", ""};
    g_autoptr(KvLive) live = kv_live_new();
    g_autofree char *text = NULL;
    guint blocks = 0;

    for (guint i = 0; i < 200; i++)
        look(live, (guint64) i * i, 0, (gint64) i * G_USEC_PER_SEC);
    text = kv_live_format(live, &title, FALSE, FALSE);
    for (const char *at = strstr(text, "packets/s"); *at != '\n'; at++)
        blocks += strchr("_.:-=+*#", *at) != NULL;
    g_assert_cmpuint(blocks, ==, 60);
}

/* Proves: properties of the wrong type are left out, not trusted. */
static void
test_hostile_properties(void)
{
    g_autoptr(GVariant) wrong = g_variant_ref_sink(g_variant_new_parsed(
        "{'rx-bytes': <'x'>, 'drops': <5>, 'loss-rx': <'y'>, 'rtt-us': <-1>}"));
    g_autoptr(GVariant) number = g_variant_ref_sink(g_variant_new_uint32(5));
    g_autoptr(GVariant) list =
        g_variant_ref_sink(g_variant_new_parsed("[{'address': <5>}, {'prefix': <uint32 3>}]"));
    double share;

    g_assert_cmpuint(kv_property_get_counter(wrong, "rx-bytes"), ==, 0);
    g_assert_cmpuint(kv_property_get_counter(wrong, "rtt-us"), ==, 0);
    g_assert_false(kv_property_get_share(wrong, "loss-rx", &share));
    g_assert_null(kv_property_format_drops(wrong));
    g_assert_null(kv_property_format_addresses(number));
    g_assert_null(kv_property_format_addresses(list));
    g_assert_null(kv_property_format_addresses(NULL));
    g_assert_null(kv_property_format_dns(number));
}

/* Proves: how properties read. */
static void
test_properties(void)
{
    static const struct {
        char *(*format)(GVariant *value);
        const char *value;
        const char *text;
    } cases[] = {
        {kv_property_format_addresses,
         "[{'address': <'10.0.0.2'>, 'prefix': <uint32 24>}, {'address': <'fd00::2'>}]",
         "10.0.0.2/24, fd00::2"},
        {kv_property_format_routes,
         "[{'destination': <'10.0.0.0'>, 'prefix': <uint32 8>, 'gateway': <'10.0.0.1'>}]",
         "10.0.0.0/8 via 10.0.0.1"},
        {kv_property_format_dns, "{'servers': <['a', 'b']>, 'search': <['c.example']>}",
         "a, b, search c.example"},
        {kv_property_format_setting, "['a', 'b']", "a,b"},
        {kv_property_format_setting, "uint32 7", "7"},
        {kv_property_format_setting, "true", "true"},
        {kv_property_format_setting, "'x y'", "x y"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_parsed(cases[i].value));
        g_autofree char *text = cases[i].format(value);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/live/rates", test_rates);
    g_test_add_func("/live/format", test_format);
    g_test_add_func("/live/history", test_history);
    g_test_add_func("/property/hostile", test_hostile_properties);
    g_test_add_func("/property/text", test_properties);
    return kv_test_main(&argc, &argv);
}
