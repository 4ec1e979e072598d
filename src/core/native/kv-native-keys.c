/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-keys.h"

#include <sodium.h>

void
kv_native_keys_clear(KvNativeKeys *keys)
{
    kv_native_config_clear(&keys->remote);
    kv_native_config_clear(&keys->local);
    sodium_memzero(keys, sizeof *keys);
}
