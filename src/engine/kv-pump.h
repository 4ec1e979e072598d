/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-event.h"
#include "kv-macros.h"
#include "kv-session.h"
#include "kv-tun.h"
#include "kv-tunnel-params.h"
#include "kv-udp.h"
#include "kv-worker.h"

/**
 * KvPump:
 *
 * A tunnel's part on one worker: its socket, its cipher state, and its links (a session, the
 * address it talks to, and its device). In one wake-up it reads, feeds the sessions, lets time
 * pass, and writes both ways.
 *
 * Functions are called on the main thread and act on the worker by message, in order. What the
 * pump has to say arrives on the main thread through #KvPumpCallbacks, in order too.
 */
typedef struct _KvPump KvPump;

/* A link's name across threads: unique within a pump, never reused, never 0. */
typedef uint64_t KvLinkId;

typedef struct {
    KvLinkId id;
    KvSockaddr remote;
    KvStats stats;
    KvTime last_received; /* CLOCK_BOOTTIME */
} KvLinkSnapshot;

/* What a pump has counted since it was made, at one moment of its worker. */
typedef struct {
    const KvLinkSnapshot *links; /* (array length=n_links) */
    guint n_links;
    KvStats past;               /* of links that are gone, and of handshakes */
    uint64_t drops[KV_N_DROPS]; /* datagrams of no link */
} KvPumpSnapshot;

/* Somebody asks to come in, natively. What it says is proved with keys only; its address never
 * is. */
typedef struct {
    uint32_t id;                                /* for kv_pump_grant() */
    KvNoisePattern pattern;                     /* keys or a secret */
    uint8_t remote_public[KV_NATIVE_KEY_BYTES]; /* with keys; else zeros */
    KvSockaddr from;
    KvLinkId link;                /* whose living association is to go on; 0: a new one */
    const KvNativeConfig *config; /* (transfer none): what it says of itself */
} KvPumpRequest;

typedef struct {
    /* A session's event; CLOSED and REFUSED come as @ended instead. */
    void (*event)(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
                  const KvEvent *event);
    /* (nullable): native server: kv_pump_grant() must follow, once. */
    void (*requested)(gpointer owner, KvPump *pump, const KvPumpRequest *request);
    /* (nullable): native server: the peer whose request @id was granted has proved itself, as
     * @link: a new one, whose event READY comes next, or the one that was to go on. Of other
     * requests nothing more is heard; ten seconds after the grant they are nothing any more. */
    void (*confirmed)(gpointer owner, KvPump *pump, KvLinkId link, uint32_t id);
    /* (nullable): native: what the peer says, all that it said before included: comes before the
     * events CONFIGURED, READY and RECONFIGURED, and with a refusal before @ended. However often
     * it says something new: RECONFIGURED comes again only when the last was taken. */
    void (*configured)(gpointer owner, KvPump *pump, KvLinkId link, const KvNativeConfig *remote);
    /* (nullable): native: the peer is elsewhere. */
    void (*moved)(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote);
    /* (nullable): native server: the device of kv_pump_set_hub() is of no use, or of no use any
     * more; what is left of it comes by @ended. */
    void (*hub_failed)(gpointer owner, KvPump *pump, const GError *error);
    /* The link is gone. @tun: (transfer full) (nullable): the device it had. %KV_REASON_NONE: only
     * a device comes back, one that the link could not take, which is told of apart, or that of the
     * hub, with @link 0. */
    void (*ended)(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun);
    /* The answer to kv_pump_snapshot(). */
    void (*snapshot)(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot);
    /* (nullable): the answer to kv_pump_query_link(). */
    void (*link_state)(gpointer owner, KvPump *pump, const KvLinkSnapshot *snapshot);
    /* The last word, after kv_pump_shutdown() or a failure: no callback follows, and @pump is
     * not used again. @last: what it has counted in its life. */
    void (*gone)(gpointer owner, KvPump *pump, const KvPumpSnapshot *last);
} KvPumpCallbacks;

/**
 * kv_pump_new:
 * @udp: (transfer full): the open socket
 * @owner: given to the callbacks; must live until @callbacks->gone
 *
 * Errors: the cipher is not available, or the socket cannot be watched (then @udp is closed).
 */
KvPump *kv_pump_new(KvWorker *worker, KvTunnelParams *params, KvUdp *udp,
                    const KvPumpCallbacks *callbacks, gpointer owner, GError **error) KV_MUST_USE;

/* (transfer none) (nullable): why the pump ends by itself, as its socket has failed; valid until
 * @callbacks->gone has returned. */
const GError *kv_pump_get_failure(KvPump *pump);

/* Client: starts a session with @remote. Returns: its id. */
KvLinkId kv_pump_connect(KvPump *pump, const KvSockaddr *remote);

/* Server: the answer to KV_EVENT_CLIENT_INFO. */
void kv_pump_answer(KvPump *pump, KvLinkId link, const KvAnswer *answer);

/**
 * kv_pump_attach:
 * @tun: (transfer full): the link's device; comes back with @callbacks->ended
 *
 * Packets flow from here on.
 */
void kv_pump_attach(KvPump *pump, KvLinkId link, KvTun *tun);

/* --- native -------------------------------------------------------------------------- */

/* One of those that a pump of role peer talks to. */
typedef struct {
    uint8_t public[KV_NATIVE_KEY_BYTES];
    const KvSecret *psk; /* (nullable) (transfer none): 32 bytes that both ends share */
    KvTime keepalive;    /* 0: silent when idle */
} KvPumpPeer;

/**
 * kv_pump_add_peer:
 *
 * Makes a link for a peer, which stays until kv_pump_forget_key(): its event READY follows at once.
 * CONFIGURED tells that the peer is there, LOST that it is not any more, UNANSWERED that it does
 * not answer. It may come from anywhere; it is called once kv_pump_call() says where. A link
 * of the same key that is about to end does so at once.
 *
 * Returns: the link's id
 */
KvLinkId kv_pump_add_peer(KvPump *pump, const KvPumpPeer *peer);

/* Client and peer: where the other end is called from now on, until it is heard from elsewhere.
 * @remote: of the family of the pump's socket, or mapped into that */
void kv_pump_call(KvPump *pump, KvLinkId link, const KvSockaddr *remote);

/* Admits the owner of @public. @psk: (nullable) (transfer none): 32 bytes that both ends share */
void kv_pump_admit_key(KvPump *pump, const uint8_t public[KV_NATIVE_KEY_BYTES],
                       const KvSecret *psk);

/* The owner of @public is admitted no more: its half-open requests go, its living association is
 * ended in good order. */
void kv_pump_forget_key(KvPump *pump, const uint8_t public[KV_NATIVE_KEY_BYTES]);

/**
 * kv_pump_grant:
 * @grant: moved from; a refusal, if it has one. What the association itself decides is put in:
 *     mode, window, longest datagram, keepalive, capabilities, cipher, association
 *
 * The answer to @callbacks->requested.
 */
void kv_pump_grant(KvPump *pump, uint32_t id, KvNativeConfig *grant);

/**
 * kv_pump_set_hub:
 * @tun: (transfer full): the device that the native links share; comes back
 * with @callbacks->ended, at the end
 * @client_to_client: of a server: whether packets may go from one link to another; what goes from
 *     one peer to another is left to the kernel
 *
 * Before the first kv_pump_join(), once.
 */
void kv_pump_set_hub(KvPump *pump, KvTun *tun, gboolean client_to_client);

/* The same of the device that is there; nothing happens if there is none. */
void kv_pump_set_client_to_client(KvPump *pump, gboolean client_to_client);

/**
 * kv_pump_join:
 * @networks: (array length=n): what packets from this link may come from, and which are for it:
 *     they replace those it had. A network of another link's moves here. In tap mode there are none
 *
 * Makes a native link a port of the hub, if it is none yet: packets flow from here on.
 */
void kv_pump_join(KvPump *pump, KvLinkId link, const KvNetwork *networks, guint n);

/* Tells the peer of a native link what is different now: @config, moved from, is as for
 * kv_native_say(). A peer that cannot be told is disconnected, and comes back to be told anew. */
void kv_pump_say(KvPump *pump, KvLinkId link, KvNativeConfig *config);

/* --------------------------------------------------------------------------------------------- */

/* Makes the peer show a sign of life, if it lives: see last_received later on. */
void kv_pump_poke_link(KvPump *pump, KvLinkId link);

/* Asks for @callbacks->link_state of one link; no answer if it is gone. O(1). */
void kv_pump_query_link(KvPump *pump, KvLinkId link);

/* Ends a session in good order; @callbacks->ended follows. @reason: which the peer of a native link
 * is told */
void kv_pump_close_link(KvPump *pump, KvLinkId link, KvCloseReason reason);

/* Ends a session at once, without a word to the peer; @callbacks->ended follows. */
void kv_pump_drop_link(KvPump *pump, KvLinkId link);

/* Asks for @callbacks->snapshot. O(links). */
void kv_pump_snapshot(KvPump *pump);

/* Ends every session in good order, then everything; at most two seconds. */
void kv_pump_shutdown(KvPump *pump);
