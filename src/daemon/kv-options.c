/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-options.h"

#include "kv-error.h"
#include "kv-log.h"
#include "kv-text.h"

#include <string.h>

static gboolean
fail_unknown(const char *name, const KvOption *known, gsize n_known, GError **error)
{
    g_autoptr(GString) allowed = g_string_new(n_known == 0 ? "no option" : NULL);
    g_autofree char *shown = kv_text_quote(name);

    for (gsize i = 0; i < n_known; i++)
        g_string_append_printf(allowed, "%s%s", i > 0 ? ", " : "", known[i].name);
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                "\"%s\" is not an option of this method; allowed: %s", shown, allowed->str);
    return FALSE;
}

static gboolean
check_option(const char *name, GVariant *value, const KvOption *known, gsize n_known, guint *seen,
             GError **error)
{
    for (gsize i = 0; i < n_known; i++) {
        if (strcmp(known[i].name, name) != 0)
            continue;
        if ((*seen & (1u << i)) != 0) {
            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT, "option %s was given twice",
                        name);
            return FALSE;
        }
        *seen |= 1u << i;
        if (g_variant_is_of_type(value, G_VARIANT_TYPE(known[i].type)))
            return TRUE;
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT,
                    "option %s: a value of type \"%s\" is not allowed; allowed: type \"%s\"", name,
                    g_variant_get_type_string(value), known[i].type);
        return FALSE;
    }
    return fail_unknown(name, known, n_known, error);
}

gboolean
kv_options_check(GVariant *options, const KvOption *known, gsize n_known, GError **error)
{
    GVariantIter iter;
    const char *name;
    GVariant *value;
    guint seen = 0;

    g_return_val_if_fail(n_known <= 32, FALSE);
    g_variant_iter_init(&iter, options);
    while (g_variant_iter_next(&iter, "{&sv}", &name, &value)) {
        gboolean ok = check_option(name, value, known, n_known, &seen, error);

        g_variant_unref(value);
        if (!ok)
            return FALSE;
    }
    return TRUE;
}
