/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-link.h"
#include "kv-pump.h"
#include "kv-v1-knock.h"

/* The inside of KvPump, for the files that make it up: kv-pump.c has its life, its sockets and its
 * messages, kv-pump-native.c what only the native protocol needs, kv-pump-message.h what a message
 * has. */

/* Each message under way holds a reference, as either thread may still have something to say when
 * the other has heard the last word. */
struct _KvPump {
    gint refs; /* atomic; not gatomicrefcount, which the thread sanitizer cannot see into */
    KvWorker *worker;
    KvTunnelParams *params;
    const KvPumpCallbacks *callbacks;
    gpointer owner;
    gboolean is_over; /* main thread: the owner has been told so and may not exist any more */
    KvLinkId next_id; /* main thread, and the worker of a server */

    /* The worker's from here on. */
    KvUdp *udp;
    KvWatch udp_watch;
    KvIdle receive_idle;
    KvIdle flush_idle;
    KvIdle reap_idle;
    KvTimer shutdown_timer;
    KvRandom random;
    KvLinkContext context;
    KvDemux *demux;
    GHashTable *links;     /* KvLinkId → KvLink */
    GPtrArray *ended;      /* what has ended, freed outside of the links' own calls */
    KvIndexTable *indexes; /* (nullable): native: names of the sessions */
    KvNativeDoor *door;    /* (nullable): a server's that admits native */
    KvTimer door_timer;
    KvV1Knock *knock; /* (nullable) */
    KvHub *hub;       /* (nullable): the device that the native links share */
    KvStats past;     /* of links that are gone */
    uint64_t drops[KV_N_DROPS];
    KvTime bulk_since; /* the window in which large datagrams are counted */
    guint n_bulk;
    gboolean is_bulk;       /* there were many in the window before */
    guint n_receive_errors; /* in a row */
    GError *failure;        /* atomic: set once by the worker, read by the main thread */
    gboolean shutting_down;
    gboolean gone; /* nothing is counted from here on */
};

/* --- kv-pump.c -------------------------------------------------------------------------------- */

/* A reference of a message under way. Any thread. */
KvPump *kv_pump_ref(KvPump *pump);
void kv_pump_unref(KvPump *pump);

/* [worker] (transfer none) (nullable) */
KvLink *kv_pump_find_link(KvPump *pump, KvLinkId id);

/* [worker] Makes a link of @session (transfer full). */
KvLink *kv_pump_add_link(KvPump *pump, KvLinkId id, KvSession *session, const KvUdpPath *path,
                         KvTime now);

/* [worker] Frees it at once, and says so to the main thread. */
void kv_pump_remove_link(KvPump *pump, KvLink *link, KvReason reason);

/* [worker] Sends a datagram that is no link's. */
void kv_pump_send(KvPump *pump, const KvUdpPath *path, const uint8_t *data, size_t len);

/* [worker] Gives back a device that no link has, to the main thread. */
void kv_pump_return_tun(KvPump *pump, KvTun *tun);

/* --- kv-pump-native.c ------------------------------------------------------------------------- */

/* [worker] A server that admits native opens its door. */
void kv_pump_native_start(KvPump *pump);
void kv_pump_native_stop(KvPump *pump);

/* [worker] (transfer full): what a client dials @remote with. */
KvSession *kv_pump_native_dial(KvPump *pump, const KvSockaddr *remote, KvTime now);

/* [worker] (transfer none) (nullable): the native link that a datagram is said to be for. */
KvLink *kv_pump_native_find(KvPump *pump, const KvUdpDatagram *datagram);

/* [worker] A datagram of no session; %KV_DROP_NONE: it was a native one. */
KvDrop kv_pump_native_input(KvPump *pump, const KvUdpDatagram *datagram, KvTime now);

/* [worker] Acts on a native link's event. Returns: %FALSE if the pump itself is to tell it to the
 * main thread, as any other event. */
gboolean kv_pump_native_event(KvPump *pump, KvLink *link, const KvEvent *event);

/* [worker] Datagrams of the sessions that @link has now are found. */
void kv_pump_native_note_sessions(KvPump *pump, KvLink *link);

/* [worker] Ends what lives with the owner of @public, who is told, and has one session at most. */
void kv_pump_native_replace(KvPump *pump, const uint8_t public[KV_NATIVE_KEY_BYTES], KvTime now);

/* [worker] A native link has ended, and is about to be removed. */
void kv_pump_native_ended(KvPump *pump, KvLink *link, KvReason reason);

/* --- kv-pump-peers.c -------------------------------------------------------------------------- */

/* [worker] (transfer none) (nullable): the link of a peer that is where a datagram came from. */
KvLink *kv_pump_peers_find(KvPump *pump, const KvUdpDatagram *datagram);

/* [worker] A peer begins: it is answered at once. */
void kv_pump_peers_answer(KvPump *pump, const KvNativeRequest *request, KvTime now);

/* [worker] A peer has proved itself: its new keys move to its link. */
void kv_pump_peers_take_keys(KvPump *pump, KvNativeDoorNews *news, const KvUdpDatagram *datagram,
                             KvTime now);

/* [worker] Notes where a peer is now. */
void kv_pump_peers_note_place(KvPump *pump, KvLink *link);
