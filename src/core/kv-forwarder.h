/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-allowed-ips.h"
#include "kv-stats.h"
#include "kv-switch.h"
#include "kv-token-bucket.h"
#include "kv-types.h"

/**
 * KvForwarder:
 *
 * Decides where an inner packet goes when many sessions, its ports, share one interface. In tun
 * mode the networks of a port say what is sent there and what sources are believed from there, as
 * WireGuard's allowed-ips; in tap mode the ports and the interface are those of a learning switch.
 * It moves nothing itself: whoever asks does that.
 *
 * The time to live is left alone, which lets no packet go round: what comes from a port never goes
 * back there, and the hosts behind the ports are routers that count it.
 *
 * A decision costs no memory and no lock. One thread at a time.
 */
typedef struct _KvForwarder KvForwarder;

typedef struct _KvForwarderPort KvForwarderPort;

/* One port; embedded by what is behind it, zero at first. Nobody else looks inside. */
struct _KvForwarderPort {
    KvForwarderPort *next;
    KvForwarderPort **link; /* what points here */
    KvSwitchPort addresses;
    KvTokenBucket flood; /* copies of what comes from here */
};

/* Copies that the frames of one port, or of the interface, may become in others, beyond one
 * each: a port that floods costs itself, not the others. */
#define KV_FORWARDER_FLOOD_RATE  20000 /* a second */
#define KV_FORWARDER_FLOOD_BURST 2000

typedef struct {
    KvForwarderPort *port;   /* (nullable): goes there */
    gboolean to_interface;   /* goes to the interface */
    gboolean to_other_ports; /* goes to every port but the one that it came from */
    KvDrop drop;             /* why it goes nowhere, or not to all that it was for */
} KvForwarding;

/* What becomes of a packet that comes from one port and is for another. */
typedef enum {
    KV_BETWEEN_PORTS_NEVER,  /* it is dropped */
    KV_BETWEEN_PORTS_DIRECT, /* it goes there */
    /* Tun: it goes to the interface, and it is for the kernel, which forwards or not, filters, and
     * counts the time to live, to bring it back. Tap: as never. */
    KV_BETWEEN_PORTS_KERNEL,
} KvBetweenPorts;

/**
 * kv_forwarder_new:
 * @own_mac: (array fixed-size=6): tap: the interface's address, which no port may use; else %NULL
 * @key: (array fixed-size=16): random, of the table of addresses
 */
KvForwarder *kv_forwarder_new(KvVniMode mode, const uint8_t *own_mac, KvBetweenPorts between_ports,
                              const uint8_t key[KV_SWITCH_KEY_BYTES]) KV_MUST_USE;

/* As @between_ports of kv_forwarder_new(), from the next packet on. */
void kv_forwarder_set_between_ports(KvForwarder *forwarder, KvBetweenPorts between_ports);

/* Its ports need not be removed before. */
void kv_forwarder_free(KvForwarder *forwarder);

/* @port is known from now on, without networks and addresses. */
void kv_forwarder_add_port(KvForwarder *forwarder, KvForwarderPort *port);

/* Forgets @port, with its networks and addresses; what it had is nobody's. */
void kv_forwarder_remove_port(KvForwarder *forwarder, KvForwarderPort *port);

/* Told of each network that a port takes from another. */
typedef void (*KvForwarderTaken)(KvForwarderPort *loser, KvForwarderPort *winner,
                                 const KvNetwork *network, gpointer data);

/**
 * kv_forwarder_set_networks:
 * @networks: (array length=n): replace all that @port had; host bits are cleared
 * @taken: (nullable): told of networks that were another's, and are @port's now
 *
 * Tun only; in tap mode it does nothing. O(networks of all ports).
 */
void kv_forwarder_set_networks(KvForwarder *forwarder, KvForwarderPort *port,
                               const KvNetwork *networks, guint n, KvForwarderTaken taken,
                               gpointer data);

/* (transfer none) (nullable): to walk over all ports. */
KvForwarderPort *kv_forwarder_get_first(const KvForwarder *forwarder);
KvForwarderPort *kv_forwarder_get_next(const KvForwarderPort *port);

/**
 * kv_forwarder_decide:
 * @from: (nullable): the port that the packet came from; %NULL: the interface
 * @packet: (array length=len): an inner packet, hostile; a super-packet counts as one
 */
KvForwarding kv_forwarder_decide(KvForwarder *forwarder, KvForwarderPort *from,
                                 const uint8_t *packet, size_t len, KvTime now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvForwarder, kv_forwarder_free)
