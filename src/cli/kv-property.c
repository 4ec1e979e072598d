/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-property.h"

#include "kv-i18n.h"
#include "kv-print.h"

#include <string.h>

static char *
end_list(GString *out)
{
    return g_string_free(out, out->len == 0);
}

/* Appends @word as the next of a list. */
static void
append_word(GString *out, const char *word)
{
    if (out->len > 0)
        g_string_append(out, ", ");
    g_string_append(out, word);
}

/* Whether @list is an array of dictionaries. */
static gboolean
is_dictionary_list(GVariant *list)
{
    return list != NULL && g_variant_is_of_type(list, G_VARIANT_TYPE("aa{sv}"));
}

/* (transfer full) (nullable): "NETWORK/PREFIX" of one entry. */
static char *
format_network(GVariant *entry, const char *key)
{
    const char *network;
    guint32 prefix;

    if (!g_variant_lookup(entry, key, "&s", &network))
        return NULL;
    if (!g_variant_lookup(entry, "prefix", "u", &prefix))
        return g_strdup(network);
    return g_strdup_printf("%s/%u", network, prefix);
}

char *
kv_property_format_addresses(GVariant *addresses)
{
    GString *out = g_string_new(NULL);

    for (gsize i = 0; is_dictionary_list(addresses) && i < g_variant_n_children(addresses); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(addresses, i);
        g_autofree char *network = format_network(entry, "address");

        if (network != NULL)
            append_word(out, network);
    }
    return end_list(out);
}

char *
kv_property_format_routes(GVariant *routes)
{
    GString *out = g_string_new(NULL);

    for (gsize i = 0; is_dictionary_list(routes) && i < g_variant_n_children(routes); i++) {
        g_autoptr(GVariant) entry = g_variant_get_child_value(routes, i);
        g_autofree char *network = format_network(entry, "destination");
        const char *gateway;

        if (network == NULL)
            continue;
        append_word(out, network);
        if (g_variant_lookup(entry, "gateway", "&s", &gateway))
            g_string_append_printf(out, _(" via %s"), gateway);
    }
    return end_list(out);
}

static void
append_words(GString *out, GVariant *dns, const char *key, const char *before)
{
    g_autofree const char **words = NULL;

    if (!g_variant_lookup(dns, key, "^a&s", &words) || words[0] == NULL)
        return;
    for (guint i = 0; words[i] != NULL; i++) {
        append_word(out, i == 0 ? before : "");
        g_string_append(out, words[i]);
    }
}

char *
kv_property_format_dns(GVariant *dns)
{
    GString *out = g_string_new(NULL);

    if (dns != NULL && g_variant_is_of_type(dns, G_VARIANT_TYPE_VARDICT)) {
        append_words(out, dns, "servers", "");
        append_words(out, dns, "search", _("search "));
    }
    return end_list(out);
}

char *
kv_property_format_since(guint64 since_us, gint64 now_us)
{
    guint64 now = (guint64) MAX(now_us, 0);

    if (since_us == 0)
        return NULL;
    return kv_print_format_span(now > since_us ? (now - since_us) / G_USEC_PER_SEC : 0);
}

char *
kv_property_format_setting(GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY)) {
        g_autofree const char **words = g_variant_get_strv(value, NULL);

        return g_strjoinv(",", (char **) words);
    }
    return g_variant_print(value, FALSE);
}

guint64
kv_property_get_counter(GVariant *statistics, const char *key)
{
    guint64 wide;
    guint32 narrow;

    if (statistics == NULL)
        return 0;
    if (g_variant_lookup(statistics, key, "t", &wide))
        return wide;
    return g_variant_lookup(statistics, key, "u", &narrow) ? narrow : 0;
}

gboolean
kv_property_get_share(GVariant *statistics, const char *key, double *share)
{
    return statistics != NULL && g_variant_lookup(statistics, key, "d", share);
}

char *
kv_property_format_loss(GVariant *statistics)
{
    double rx;
    double tx;
    gboolean has_rx = kv_property_get_share(statistics, "loss-rx", &rx);
    gboolean has_tx = kv_property_get_share(statistics, "loss-tx", &tx);

    if (has_rx && has_tx)
        return g_strdup_printf(_("in %.1f %%, out %.1f %%"), rx * 100, tx * 100);
    if (has_rx)
        return g_strdup_printf(_("in %.1f %%"), rx * 100);
    return has_tx ? g_strdup_printf(_("out %.1f %%"), tx * 100) : NULL;
}

static GVariant *
lookup_drops(GVariant *statistics)
{
    if (statistics == NULL)
        return NULL;
    return g_variant_lookup_value(statistics, "drops", G_VARIANT_TYPE("a{st}"));
}

char *
kv_property_format_drops(GVariant *statistics)
{
    g_autoptr(GVariant) drops = lookup_drops(statistics);
    GString *out = g_string_new(NULL);

    for (gsize i = 0; drops != NULL && i < g_variant_n_children(drops); i++) {
        g_autofree char *text = NULL;
        const char *reason;
        guint64 count;

        g_variant_get_child(drops, i, "{&st}", &reason, &count);
        if (count == 0)
            continue;
        text = g_strdup_printf("%s %" G_GUINT64_FORMAT, reason, count);
        append_word(out, text);
    }
    return end_list(out);
}

guint64
kv_property_sum_drops(GVariant *statistics)
{
    g_autoptr(GVariant) drops = lookup_drops(statistics);
    guint64 sum = 0;

    for (gsize i = 0; drops != NULL && i < g_variant_n_children(drops); i++) {
        const char *reason;
        guint64 count;

        g_variant_get_child(drops, i, "{&st}", &reason, &count);
        sum += count;
    }
    return sum;
}

char *
kv_property_format_problem(GVariant *problems, gsize i)
{
    const char *path;
    const char *text;
    guint32 line;

    g_variant_get_child(problems, i, "(&su&s)", &path, &line, &text);
    if (line == 0)
        return g_strdup_printf("%s: %s", path, text);
    return g_strdup_printf("%s:%u: %s", path, line, text);
}
