/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/* One option that a method knows. */
typedef struct {
    const char *name;
    const char *type; /* a GVariant type string */
} KvOption;

/**
 * kv_options_check:
 * @options: a{sv}, the last argument of a method
 * @known: (array length=n_known) (nullable): what the method knows
 *
 * Whether nothing but known options are there, each once and of its type, so that
 * g_variant_lookup() finds the rest. Else %KV_ERROR_INVALID_ARGUMENT names the option and what is
 * allowed. Pure.
 */
gboolean kv_options_check(GVariant *options, const KvOption *known, gsize n_known,
                          GError **error) KV_MUST_USE;
