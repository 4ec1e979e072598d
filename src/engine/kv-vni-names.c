/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-vni-names.h"

#include "kv-error.h"
#include "kv-setting-check.h"
#include "kv-types.h"

G_STATIC_ASSERT(KV_INTERFACE_NUMBER_DIGITS == 5 && KV_VNI_NUMBERS == 100000);
G_STATIC_ASSERT(KV_VNI_NUMBERS > KV_CLIENTS_MAX);

char *
kv_vni_names_take(KvVniNames *names, const char *prefix, KvVniNameIsTaken is_taken, gpointer data,
                  GError **error)
{
    for (guint i = 0; i < KV_VNI_NUMBERS; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", prefix, names->next);

        names->next = (names->next + 1) % KV_VNI_NUMBERS;
        if (!is_taken(data, name))
            return g_steal_pointer(&name);
    }
    g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED,
                "every name from %s0 to %s%d belongs to an interface", prefix, prefix,
                KV_VNI_NUMBERS - 1);
    return NULL;
}
