/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-options.h"

static const KvOption known[] = {
    {"transient", "b"}, {"name", "s"}, {"secrets", "a{sv}"}, {"unset", "as"}};

/* What was accepted holds known options only, each of its type; what was not is told why. */
static void
check(GVariant *options, gsize n_known)
{
    g_autoptr(GError) error = NULL;

    if (kv_options_check(options, known, n_known, &error)) {
        g_assert(g_variant_n_children(options) <= n_known);
        for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
            g_autoptr(GVariant) any = g_variant_lookup_value(options, known[i].name, NULL);
            g_autoptr(GVariant) typed =
                g_variant_lookup_value(options, known[i].name, G_VARIANT_TYPE(known[i].type));

            g_assert((any != NULL) == (typed != NULL));
            g_assert(i < n_known || any == NULL);
        }
    } else {
        g_assert(error != NULL && g_utf8_validate(error->message, -1, NULL));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    g_autoptr(GVariant) options = NULL;

    if (size > 65536)
        return 0;
    options = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    if (options == NULL) {
        g_autoptr(GBytes) bytes = g_bytes_new(data, size);
        g_autoptr(GVariant) raw =
            g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));

        options = g_variant_get_normal_form(raw);
    }
    for (gsize n_known = 0; n_known <= G_N_ELEMENTS(known); n_known++)
        check(options, n_known);
    return 0;
}
