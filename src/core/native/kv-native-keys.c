/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-keys.h"

#include <sodium.h>

void
kv_native_keys_clear(KvNativeKeys *keys)
{
    if (keys->indexes != NULL)
        kv_index_table_give_back(keys->indexes, keys->local_index);
    kv_native_config_clear(&keys->remote);
    kv_native_config_clear(&keys->local);
    sodium_memzero(keys, sizeof *keys);
}
