/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-demux.h"
#include "kv-gso.h"
#include "kv-hub.h"
#include "kv-native-door.h"
#include "kv-pump.h"

/**
 * KvLink:
 *
 * A session joined to the address it talks to and to its device. Belongs to a pump and lives on
 * its worker; every function is called there.
 */
typedef struct _KvLink KvLink;

/* What links of one pump share; scratch memory is used within one call only. */
typedef struct {
    KvWorker *worker;
    KvUdp *udp;
    KvV1Crypt *crypt;
    KvGsoMerger *merger;
    const KvRandom *random;
    KvRole role;
    uint8_t *tx_buffer; /* KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX */
    uint8_t *rx_arena;  /* KV_LINK_RX_ARENA_BYTES */
    /* Something was put into the socket's arena: flush it at the end of the wake-up. */
    void (*wrote)(gpointer pump);
    void (*event)(gpointer pump, KvLink *link, const KvEvent *event);
    /* The session is over; free the link when it suits, but not inside this call. */
    void (*ended)(gpointer pump, KvLink *link, KvReason reason);
    gpointer pump;
} KvLinkContext;

#define KV_LINK_RX_ARENA_BYTES (288 * 1024)

/* @session: (transfer full) */
KvLink *kv_link_new(const KvLinkContext *context, KvLinkId id, KvSession *session,
                    const KvUdpPath *path, KvTime now) KV_MUST_USE;

/* Takes the link off its worker and frees it. Its device must have been stolen before. */
void kv_link_free(KvLink *link);

KvLinkId kv_link_get_id(const KvLink *link);
KvDemuxEntry *kv_link_get_entry(KvLink *link);
/* (transfer none): the link of a demux entry. */
KvLink *kv_link_from_entry(KvDemuxEntry *entry);
KvNativeDoorEntry *kv_link_get_door_entry(KvLink *link);
KvLink *kv_link_from_door_entry(KvNativeDoorEntry *entry);

/* (transfer none): where the peer is. */
const KvSockaddr *kv_link_get_remote(const KvLink *link);

/* (transfer none) (nullable): of a link that speaks the native protocol. */
KvNative *kv_link_get_native(const KvLink *link);

/* What the main thread is to learn of a native link, however often the peer has news: one message
 * is under way at a time, and what came meanwhile goes with the next. */
typedef struct {
    gboolean is_under_way;
    guint events; /* bits 1 << KvEventType that no message has taken along yet */
} KvLinkNews;

/* (transfer none): for the pump alone. */
KvLinkNews *kv_link_get_news(KvLink *link);

/* Whether the context's @ended was called. */
gboolean kv_link_has_ended(const KvLink *link);
KvTime kv_link_get_last_received(const KvLink *link);

/* A datagram from the link's peer; @path is where answers go from now on if it was good. */
KvDrop kv_link_input(KvLink *link, const KvUdpDatagram *datagram, KvTime now);

/* Native server: the peer made new keys, which @datagram confirmed. */
void kv_link_add_keys(KvLink *link, KvNativeKeys *keys, const KvUdpDatagram *datagram, KvTime now);

/* Peer: @preshared_key: (nullable) (transfer full): of the session, which it outlives */
void kv_link_keep_secret(KvLink *link, KvSecret *preshared_key);

/* Client and peer: where the other is to be called: kv_native_call(). */
void kv_link_call(KvLink *link, const KvSockaddr *remote, KvTime now);

/* Native: tells the peer what is different now: kv_native_say(). */
void kv_link_say(KvLink *link, KvNativeConfig *config, KvTime now);

void kv_link_answer(KvLink *link, const KvAnswer *answer, KvTime now);

/* Gives it a device of its own. */
gboolean kv_link_attach(KvLink *link, KvTun *tun, KvTime now, GError **error) KV_MUST_USE;

/* Native: makes it a port of @hub, which outlives it. Once. */
void kv_link_join(KvLink *link, KvHub *hub, KvTime now);

/* (transfer none) (nullable): if it joined a hub. */
KvHubPort *kv_link_get_port(KvLink *link);
/* (transfer none): the link of a port of the hub. */
KvLink *kv_link_from_port(KvHubPort *port);

/* (transfer full) (nullable): the device, taken off the link. */
KvTun *kv_link_steal_tun(KvLink *link);

/* Makes the peer say something, and asks for nothing else; between equals by the way that the
 * routes are now. */
void kv_link_poke(KvLink *link, KvTime now);
/* @reason: for the peer, if the protocol can tell it. */
void kv_link_close(KvLink *link, KvCloseReason reason, KvTime now);

/* Native: tells the peer, once, that a newer session took the place of this one; to be freed
 * then. */
void kv_link_replace(KvLink *link, KvTime now);
void kv_link_get_snapshot(const KvLink *link, KvLinkSnapshot *snapshot);
