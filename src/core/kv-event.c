/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-event.h"

static const char *const reasons[] = {
    [KV_REASON_NONE] = "no reason",
    [KV_REASON_PEER_CLOSED] = "the peer ended the connection",
    [KV_REASON_TIMEOUT] = "the peer fell silent",
    [KV_REASON_HANDSHAKE_TIMEOUT] = "the handshake took too long",
    [KV_REASON_ADDRESS_REJECTED] = "the server does not grant the address asked for",
    [KV_REASON_EXHAUSTED] = "the server has no address left",
    [KV_REASON_PROTOCOL] = "the peer broke the protocol",
    [KV_REASON_LOCAL] = "ended by this side",
    [KV_REASON_NO_MEMORY] = "out of packet memory",
    [KV_REASON_REPLACED] = "the peer has a newer session",
    [KV_REASON_REMOVED] = "removed by an administrator",
    [KV_REASON_OUTDONE] = "replaced by a newer session of the same client",
    [KV_REASON_REFUSED] = "the server refused",
};

G_STATIC_ASSERT(G_N_ELEMENTS(reasons) == KV_REASON_REFUSED + 1);

const char *
kv_reason_to_string(KvReason reason)
{
    g_return_val_if_fail(reason < G_N_ELEMENTS(reasons), "unknown");
    return reasons[reason];
}
