/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-text.h"
#include "native/kv-native-config.h"

#include <string.h>

static void
check_list(const GArray *list)
{
    g_assert(list->len <= KV_NATIVE_LIST_MAX);
    for (guint i = 0; i < list->len; i++) {
        const KvNetwork *network = &g_array_index(list, KvNetwork, i);

        g_assert(network->prefix <= kv_network_get_bits(network));
    }
}

static void
check(const KvNativeConfig *config)
{
    size_t id = strlen(config->client_id);

    g_assert(id == 0 || kv_native_client_id_is_valid(config->client_id, id));
    check_list(config->wants);
    check_list(config->addresses);
    check_list(config->gateways);
    check_list(config->routes);
    check_list(config->dns);
    g_assert(config->gateways->len <= 2);
    g_assert(config->domains->len <= KV_NATIVE_LIST_MAX);
    g_assert(config->banner == NULL || g_utf8_validate(config->banner, -1, NULL));
}

/* What is read must be written to records that read as the same, which one writes as the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(KvNativeConfig) config = {0};
    g_auto(KvNativeConfig) back = {0};
    g_autofree uint8_t *first = g_malloc(size + 1);
    g_autofree uint8_t *second = g_malloc(size + 1);
    KvRecordWriter writer, again;
    uint8_t bad;

    kv_native_config_init(&config);
    kv_native_config_init(&back);
    if (size > KV_RECORDS_MAX || !kv_native_config_read(&config, data, size, &bad))
        return 0;
    check(&config);
    kv_record_writer_init(&writer, first, size);
    kv_native_config_write(&config, &writer);
    g_assert(writer.left_out == 0);
    g_assert(kv_native_config_read(&back, first, writer.len, &bad));
    kv_record_writer_init(&again, second, size);
    kv_native_config_write(&back, &again);
    g_assert(again.len == writer.len && memcmp(first, second, again.len) == 0);
    return 0;
}
