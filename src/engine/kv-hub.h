/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-fit.h"
#include "kv-forwarder.h"
#include "kv-random.h"
#include "kv-tun.h"
#include "kv-worker.h"

/**
 * KvHub:
 *
 * One TUN or TAP device that many sessions share: reads it once, cuts what is read, and gives each
 * packet to the port that it is for; takes what ports received, and gives it to the device, or to
 * another port, by the rules of #KvForwarder. Belongs to a pump and lives on its worker; every
 * function is called there.
 *
 * It keeps no packet: what a session cannot take at once waits with its port, so a slow one holds
 * up nobody.
 */
typedef struct _KvHub KvHub;

typedef struct _KvHubPort KvHubPort;

/* One session's place at the hub; embedded by what has the session, which fills in @send
 * and @fit. */
struct _KvHubPort {
    KvForwarderPort forwarder_port; /* the hub's */
    KvFit fit;                      /* what the session has room for, kept up to date */

    /**
     * send:
     * @slices: (array length=n): one inner packet, gathered; valid within the call
     * @ethertype: host byte order
     * @flow: the same for all packets of a flow, salted
     *
     * Takes a packet for the session, or queues or drops it.
     */
    void (*send)(KvHubPort *port, const KvSlice *slices, guint n, uint16_t ethertype, uint64_t flow,
                 KvTime now);
    /* What the hub dropped of what came from here, or of what was for it. */
    uint64_t drops[KV_N_DROPS];
};

typedef struct {
    KvWorker *worker;
    const KvRandom *random;
    uint8_t *tx_buffer; /* KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX, used within one call */
    KvBetweenPorts between_ports;
    /* The device is gone, and nothing comes from it any more; called once. */
    void (*lost)(gpointer owner);
    /* @winner was given a network that @loser had. */
    void (*taken)(gpointer owner, KvHubPort *loser, KvHubPort *winner, const KvNetwork *network);
    gpointer owner;
} KvHubConfig;

/**
 * kv_hub_new:
 * @config: copied; what it points to outlives the hub
 * @tun: the device; outlives the hub
 *
 * Errors: the device cannot be watched, or has no address.
 */
KvHub *kv_hub_new(const KvHubConfig *config, KvTun *tun, GError **error) KV_MUST_USE;

/* What becomes of packets from one port to another, from the next one on. */
void kv_hub_set_between_ports(KvHub *hub, KvBetweenPorts between_ports);

/* Its ports must have been removed. The device stays open. */
void kv_hub_free(KvHub *hub);

/* (transfer none) */
KvTun *kv_hub_get_tun(KvHub *hub);

/* A port without networks: in tap mode it learns who is there, in
 * tun mode it waits for networks.
 */
void kv_hub_add_port(KvHub *hub, KvHubPort *port);
void kv_hub_remove_port(KvHub *hub, KvHubPort *port);

/* Tun: @networks (array length=n) replace at once all that @port had. A network that another has
 * moves here, and @taken is told. In tap mode they mean nothing. */
void kv_hub_set_networks(KvHub *hub, KvHubPort *port, const KvNetwork *networks, guint n);

/**
 * kv_hub_receive:
 * @data: (array length=len): an inner packet that came in by @port, hostile; stays where it is, and
 *   may be changed, until kv_hub_flush()
 */
void kv_hub_receive(KvHub *hub, KvHubPort *port, uint8_t *data, size_t len, uint16_t ethertype,
                    KvTime now);

/* Writes to the device what was received. After it no packet is referred to any more. */
void kv_hub_flush(KvHub *hub);

/* Adds what was dropped that no port is charged for to @drops. */
void kv_hub_add_drops(const KvHub *hub, uint64_t drops[KV_N_DROPS]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvHub, kv_hub_free)
