/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-pump.h"

/**
 * KvPumpMessage:
 *
 * What a #KvPump's main thread and its worker send each other; which fields count depends on the
 * function that is sent with it. It holds a reference of the pump.
 */
typedef struct {
    KvPump *pump;
    KvLinkId link;
    KvSockaddr remote;
    KvEvent event;
    guint events; /* bits 1 << KvEventType: news */
    KvAnswer answer;
    KvReason reason;
    KvCloseReason close_reason;
    KvTun *tun;

    /* native */
    uint32_t id; /* of a request */
    KvPumpRequest request;
    KvNativeConfig config;
    KvPumpPeer peer;
    uint8_t key[KV_NATIVE_KEY_BYTES];
    KvSecret *psk; /* (nullable) */
    gboolean client_to_client;
    KvNetwork *networks; /* (nullable) */
    guint n_networks;
    GError *error; /* (nullable) */
} KvPumpMessage;

/* @link: 0: of none. Any thread. */
KvPumpMessage *kv_pump_message_new(KvPump *pump, KvLinkId link) KV_MUST_USE;

/* Frees what the message owns, but not its device. Any thread. */
void kv_pump_message_free(KvPumpMessage *message);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvPumpMessage, kv_pump_message_free)
