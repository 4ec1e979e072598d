/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-pump-message.h"

#include "kv-pump-private.h"

KvPumpMessage *
kv_pump_message_new(KvPump *pump, KvLinkId link)
{
    KvPumpMessage *message = g_new0(KvPumpMessage, 1);

    message->pump = kv_pump_ref(pump);
    message->link = link;
    kv_native_config_init(&message->config);
    return message;
}

void
kv_pump_message_free(KvPumpMessage *message)
{
    kv_native_config_clear(&message->config);
    kv_secret_free(message->psk);
    g_free(message->networks);
    g_clear_error(&message->error);
    kv_pump_unref(message->pump);
    g_free(message);
}
