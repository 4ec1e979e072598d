/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-private.h"

/* Writes what @config says, and what of @before is no more. Returns: bytes. @ok: (out): %FALSE: it
 * is more than a batch takes, or what the protocol does not allow. */
static size_t
write_news(KvNativeConfig *config, const KvNativeConfig *before, uint8_t *records, gboolean *ok)
{
    g_auto(KvNativeConfig) probe = {0};
    KvRecordWriter writer;
    uint8_t bad;

    kv_native_config_take_back(config, before);
    kv_record_writer_init(&writer, records, KV_RECORDS_MAX);
    kv_native_config_write(config, &writer);
    kv_native_config_init(&probe);
    *ok = writer.left_out == 0 && kv_native_config_read(&probe, records, writer.len, &bad);
    return *ok ? writer.len : 0;
}

static gboolean
say_now(KvNative *native, KvNativeConfig *config)
{
    g_autofree uint8_t *records = g_malloc(KV_RECORDS_MAX);
    gboolean ok;
    size_t len = write_news(config, &native->say, records, &ok);
    uint8_t bad;

    if (len == 0)
        return ok;
    /* This end's own copy follows as the peer's does. */
    return kv_control_stream_send(native->control, records, len) &&
           kv_native_config_read(&native->say, records, len, &bad);
}

/* More waits for the peer than it takes at once: of what comes now the last word counts. */
static gboolean
say_later(KvNative *native, KvNativeConfig *config)
{
    g_autofree uint8_t *records = g_malloc(KV_RECORDS_MAX);
    g_auto(KvNativeConfig) news = {0};
    gboolean ok;
    size_t len;
    uint8_t bad;

    kv_native_config_init(&news);
    if (native->has_news)
        kv_native_config_copy(&native->news, &news);
    len = write_news(config, &news, records, &ok);
    if (!ok || !kv_native_config_read(&news, records, len, &bad))
        return FALSE;
    news.none = 0;
    kv_native_config_take_back(&news, &native->say);
    if (!kv_native_config_fits(&news))
        return FALSE;
    kv_native_forget_news(native);
    native->news = news;
    native->has_news = TRUE;
    kv_native_config_init(&news);
    return TRUE;
}

gboolean
kv_native_say(KvNative *native, KvNativeConfig *config)
{
    if (native->control == NULL || native->state >= KV_NATIVE_CLOSING)
        return FALSE;
    if (native->has_news || !kv_control_stream_has_room(native->control))
        return say_later(native, config);
    return say_now(native, config);
}

void
kv_native_say_rest(KvNative *native)
{
    if (!native->has_news || !kv_control_stream_has_room(native->control))
        return;
    if (!say_now(native, &native->news))
        g_assert_not_reached(); /* it fits, and there is room */
    kv_native_forget_news(native);
}

void
kv_native_forget_news(KvNative *native)
{
    native->has_news = FALSE;
    kv_native_config_clear(&native->news);
}
