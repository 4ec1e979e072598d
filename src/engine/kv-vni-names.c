/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-vni-names.h"

#include "kv-error.h"
#include "kv-setting-check.h"
#include "kv-types.h"

#include <string.h>

/* With all but the longest prefixes, every client finds one. */
G_STATIC_ASSERT(KV_VNI_NUMBERS_MAX > KV_CLIENTS_MAX);

/* How many numbers make a name with @prefix that the kernel takes. */
static guint
count_numbers(const char *prefix)
{
    guint n = 1;

    for (size_t len = strlen(prefix); len < KV_INTERFACE_NAME_MAX && n < KV_VNI_NUMBERS_MAX; len++)
        n *= 10;
    return n;
}

char *
kv_vni_names_take(KvVniNames *names, const char *prefix, KvVniNameIsTaken is_taken, gpointer data,
                  GError **error)
{
    guint n = count_numbers(prefix);

    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", prefix, names->next);

        names->next = (names->next + 1) % n;
        if (!is_taken(data, name))
            return g_steal_pointer(&name);
    }
    g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                "every name from %s0 to %s%u belongs to an interface", prefix, prefix, n - 1);
    return NULL;
}
