/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-native-door.h"

#include "kv-key.h"
#include "kv-session-table.h"
#include "native/kv-resets.h"

#include <sodium.h>
#include <string.h>

/* One of the ways to reach this end. */
typedef struct {
    gboolean is_open;
    KvOuterKeys outer;
    uint8_t reset_key[KV_RESET_KEY_BYTES];
} Way;

/* Who is admitted with keys. */
typedef struct {
    uint8_t public[KV_NATIVE_KEY_BYTES];
    uint8_t psk[KV_NATIVE_KEY_BYTES]; /* zeros: none */
    uint64_t last_number;
} Peer;

/* A request that is being thought about. */
typedef struct {
    KvUdpPath path;
    KvNoisePattern pattern;
    uint8_t remote_public[KV_NATIVE_KEY_BYTES];
    gboolean goes_on; /* with @association, if that still lives */
    uint8_t association[KV_NATIVE_ID_BYTES];
} Pending;

struct _KvNativeDoor {
    const KvRandom *random;
    KvResponder *responder;
    KvResponderOutcome outcome; /* of the last datagram */
    KvResets resets;
    Way ways[2]; /* by KvNoisePattern */
    KvSessionTable *sessions;
    GHashTable *peers;        /* public key → Peer */
    GHashTable *pending;      /* id → Pending */
    GHashTable *associations; /* id → KvNativeDoorEntry */
    GHashTable *living;       /* public key → KvNativeDoorEntry */
    GHashTable *places;       /* KvEndpoint → KvNativeDoorEntry */
};

static gboolean
equal_ids(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, KV_NATIVE_ID_BYTES) == 0;
}

static guint
hash_endpoint(gconstpointer data)
{
    const KvEndpoint *endpoint = data;
    guint hash = endpoint->port;

    for (guint i = 0; i < sizeof endpoint->ip; i++)
        hash = hash * 31 + endpoint->ip[i];
    return hash;
}

static gboolean
equal_endpoints(gconstpointer a, gconstpointer b)
{
    return kv_endpoint_equal(a, b);
}

static void
peer_free(gpointer peer)
{
    sodium_memzero(peer, sizeof(Peer));
    g_free(peer);
}

/* --- what the responder asks ------------------------------------------------------------------ */

static gboolean
find_peer(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES], uint8_t psk[KV_NATIVE_KEY_BYTES])
{
    KvNativeDoor *door = ctx;
    const Peer *peer = g_hash_table_lookup(door->peers, public);

    if (peer != NULL)
        memcpy(psk, peer->psk, sizeof peer->psk);
    return peer != NULL;
}

static gboolean
take_number(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES], uint64_t number, uint64_t *last)
{
    KvNativeDoor *door = ctx;
    Peer *peer = g_hash_table_lookup(door->peers, public);

    if (number <= peer->last_number) {
        *last = peer->last_number;
        return FALSE;
    }
    peer->last_number = number;
    return TRUE;
}

/* --- life ------------------------------------------------------------------------------------ */

static void
open_way(Way *way, const KvSecret *secret, const uint8_t outer[KV_OUTER_KEY_BYTES])
{
    way->is_open = TRUE;
    kv_outer_keys_derive(&way->outer, outer);
    kv_reset_key_derive(way->reset_key, kv_secret_get_data(secret));
}

KvNativeDoor *
kv_native_door_new(const KvTunnelNative *native, KvIndexTable *indexes, const KvRandom *random)
{
    KvNativeDoor *door = g_new0(KvNativeDoor, 1);
    KvResponderConfig config = {
        .private_key = native->private_key,
        .psk = native->psk,
        .peers = {find_peer, take_number, door},
        .indexes = indexes,
    };

    memcpy(config.ciphers, native->ciphers, sizeof config.ciphers);
    door->random = random;
    door->responder = kv_responder_new(&config, random);
    if (native->private_key != NULL) {
        uint8_t public[KV_NATIVE_KEY_BYTES];

        kv_key_get_public(kv_secret_get_data(native->private_key), public);
        open_way(&door->ways[KV_NOISE_IKPSK2], native->private_key, public);
    }
    if (native->psk != NULL)
        open_way(&door->ways[KV_NOISE_NNPSK0], native->psk, kv_secret_get_data(native->psk));
    door->sessions = kv_session_table_new();
    door->peers = g_hash_table_new_full(kv_key_hash, kv_key_equal, NULL, peer_free);
    door->pending = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    door->associations = g_hash_table_new(kv_key_hash, equal_ids);
    door->living = g_hash_table_new(kv_key_hash, kv_key_equal);
    door->places = g_hash_table_new(hash_endpoint, equal_endpoints);
    return door;
}

void
kv_native_door_free(KvNativeDoor *door)
{
    if (door == NULL)
        return;
    kv_responder_free(door->responder);
    g_hash_table_unref(door->places);
    g_hash_table_unref(door->living);
    g_hash_table_unref(door->associations);
    g_hash_table_unref(door->pending);
    g_hash_table_unref(door->peers);
    kv_session_table_free(door->sessions);
    sodium_memzero(door, sizeof *door);
    g_free(door);
}

/* --- who may come --------------------------------------------------------------------------- */

void
kv_native_door_admit(KvNativeDoor *door, const uint8_t public[KV_NATIVE_KEY_BYTES],
                     const KvSecret *psk)
{
    Peer *peer = g_hash_table_lookup(door->peers, public);

    if (peer == NULL) {
        peer = g_new0(Peer, 1);
        memcpy(peer->public, public, sizeof peer->public);
        g_hash_table_insert(door->peers, peer->public, peer);
    }
    memset(peer->psk, 0, sizeof peer->psk);
    if (psk != NULL)
        memcpy(peer->psk, kv_secret_get_data(psk), sizeof peer->psk);
}

KvNativeDoorEntry *
kv_native_door_forget(KvNativeDoor *door, const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    g_hash_table_remove(door->peers, public);
    kv_responder_forget_peer(door->responder, public);
    return kv_native_door_find_peer(door, public);
}

/* --- datagrams ------------------------------------------------------------------------------ */

KvNativeDoorEntry *
kv_native_door_find(const KvNativeDoor *door, const uint8_t *datagram, size_t len)
{
    for (guint i = 0; i < G_N_ELEMENTS(door->ways); i++) {
        KvNativeDoorEntry *entry;
        KvSealHead head;

        if (!door->ways[i].is_open ||
            !kv_seal_read_head(&door->ways[i].outer, datagram, len, &head))
            continue;
        entry = kv_session_table_find(door->sessions, head.index);
        if (entry != NULL && entry->pattern == i)
            return entry;
    }
    return NULL;
}

/* (nullable): the association that a peer names, if it is its own. */
static KvNativeDoorEntry *
find_association(const KvNativeDoor *door, const uint8_t association[KV_NATIVE_ID_BYTES],
                 KvNoisePattern pattern, const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    KvNativeDoorEntry *entry = g_hash_table_lookup(door->associations, association);

    if (entry == NULL || entry->pattern != pattern || !kv_key_equal(entry->remote_public, public))
        return NULL;
    return entry;
}

static void
note_request(KvNativeDoor *door, const KvUdpPath *path, KvNativeDoorNews *news)
{
    const KvNativeRequest *request = &door->outcome.request;
    Pending *pending = g_new0(Pending, 1);

    pending->path = *path;
    pending->pattern = request->pattern;
    memcpy(pending->remote_public, request->remote_public, sizeof pending->remote_public);
    pending->goes_on = (request->config->said & KV_SAID_ASSOCIATION) != 0;
    memcpy(pending->association, request->config->association, sizeof pending->association);
    g_hash_table_insert(door->pending, GUINT_TO_POINTER(request->id), pending);
    news->request = request;
    if (pending->goes_on)
        news->entry =
            find_association(door, pending->association, pending->pattern, pending->remote_public);
}

/* (nullable): of a peer, whatever its association. */
static KvNativeDoorEntry *
find_staying(const KvNativeDoor *door, const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    KvNativeDoorEntry *entry = kv_native_door_find_peer(door, public);

    return entry != NULL && entry->stays ? entry : NULL;
}

/* The datagram is no initiation: maybe it is the first under new keys. */
static void
confirm(KvNativeDoor *door, const KvUdpDatagram *datagram, KvTime now, KvNativeDoorNews *news)
{
    KvNativeKeys *keys = &news->keys;

    if (!kv_responder_confirm(door->responder, datagram->data, datagram->len, now, keys))
        return;
    news->entry = find_association(door, keys->association, keys->pattern, keys->remote_public);
    if (news->entry == NULL && keys->pattern == KV_NOISE_IKPSK2)
        news->entry = find_staying(door, keys->remote_public);
    /* What was to go on has ended since: the peer must hear of it, and begin anew. */
    if (news->entry == NULL && (keys->remote.said & KV_SAID_ASSOCIATION) != 0 &&
        equal_ids(keys->remote.association, keys->association)) {
        kv_native_keys_clear(keys);
        return;
    }
    news->is_confirmed = TRUE;
    news->drop = KV_DROP_NONE;
}

void
kv_native_door_input(KvNativeDoor *door, const KvUdpDatagram *datagram, KvTime now,
                     KvNativeDoorNews *news)
{
    KvEndpoint from;

    *news = (KvNativeDoorNews){0};
    kv_sockaddr_to_endpoint(&datagram->path->remote, &from);
    news->drop = kv_responder_input(door->responder, datagram->data, datagram->len, &from, now,
                                    &door->outcome);
    news->reply = door->outcome.reply;
    news->reply_len = door->outcome.reply_len;
    if (door->outcome.asks) {
        note_request(door, datagram->path, news);
        return;
    }
    if (news->drop != KV_DROP_NONE && news->reply_len == 0)
        confirm(door, datagram, now, news);
}

size_t
kv_native_door_reset(KvNativeDoor *door, const KvUdpDatagram *datagram, KvTime now, uint8_t *answer)
{
    for (guint i = 0; i < G_N_ELEMENTS(door->ways); i++) {
        const Way *way = &door->ways[i];
        KvSealHead head;
        size_t len;

        if (!way->is_open || datagram->len > KV_UDP_DATAGRAM_MAX ||
            !kv_seal_read_head(&way->outer, datagram->data, datagram->len, &head))
            continue;
        len = kv_resets_answer(&door->resets, way->reset_key, &head, datagram->data, datagram->len,
                               door->random, now, answer);
        if (len > 0)
            return len;
    }
    return 0;
}

size_t
kv_native_door_grant(KvNativeDoor *door, uint32_t id, KvNativeConfig *grant, KvTime now,
                     uint8_t *answer, KvUdpPath *path)
{
    g_autofree Pending *pending = NULL;

    if (!g_hash_table_steal_extended(door->pending, GUINT_TO_POINTER(id), NULL,
                                     (gpointer *) &pending))
        return 0;
    *path = pending->path;
    /* One that forgot its session meanwhile must not be told that it goes on. */
    if (pending->goes_on && find_association(door, pending->association, pending->pattern,
                                             pending->remote_public) != NULL) {
        grant->said |= KV_SAID_ASSOCIATION;
        memcpy(grant->association, pending->association, sizeof grant->association);
    }
    return kv_responder_answer(door->responder, id, grant, now, answer);
}

void
kv_native_door_add_stats(const KvNativeDoor *door, KvStats *stats)
{
    kv_responder_add_stats(door->responder, stats);
}

KvTime
kv_native_door_deadline(const KvNativeDoor *door)
{
    return kv_responder_deadline(door->responder);
}

void
kv_native_door_advance(KvNativeDoor *door, KvTime now)
{
    kv_responder_advance(door->responder, now);
}

/* --- living associations --------------------------------------------------------------------- */

KvNativeDoorEntry *
kv_native_door_find_peer(const KvNativeDoor *door, const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    return g_hash_table_lookup(door->living, public);
}

void
kv_native_door_add(KvNativeDoor *door, KvNativeDoorEntry *entry, const KvNativeKeys *keys)
{
    g_return_if_fail(!entry->is_known);

    entry->pattern = keys->pattern;
    memcpy(entry->remote_public, keys->remote_public, sizeof entry->remote_public);
    memcpy(entry->association, keys->association, sizeof entry->association);
    entry->is_known = TRUE;
    g_hash_table_insert(door->associations, entry->association, entry);
    if (entry->pattern == KV_NOISE_IKPSK2)
        g_hash_table_insert(door->living, entry->remote_public, entry);
}

void
kv_native_door_add_peer(KvNativeDoor *door, KvNativeDoorEntry *entry,
                        const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    g_return_if_fail(!entry->stays && kv_native_door_find_peer(door, public) == NULL);

    entry->stays = TRUE;
    entry->pattern = KV_NOISE_IKPSK2;
    memcpy(entry->remote_public, public, sizeof entry->remote_public);
    g_hash_table_insert(door->living, entry->remote_public, entry);
}

/* Whoever came after it to the same place stays there. */
static void
leave_place(KvNativeDoor *door, KvNativeDoorEntry *entry)
{
    if (entry->is_placed && g_hash_table_lookup(door->places, &entry->place) == entry)
        g_hash_table_remove(door->places, &entry->place);
    entry->is_placed = FALSE;
}

void
kv_native_door_place(KvNativeDoor *door, KvNativeDoorEntry *entry, const KvEndpoint *place)
{
    leave_place(door, entry);
    entry->place = *place;
    entry->is_placed = TRUE;
    g_hash_table_replace(door->places, &entry->place, entry);
}

KvNativeDoorEntry *
kv_native_door_find_at(const KvNativeDoor *door, const KvEndpoint *place)
{
    return g_hash_table_lookup(door->places, place);
}

void
kv_native_door_set_indexes(KvNativeDoor *door, KvNativeDoorEntry *entry, const uint32_t *indexes,
                           guint n)
{
    g_return_if_fail(n <= KV_TRANSPORT_SESSIONS_MAX);

    for (guint i = 0; i < entry->n_indexes; i++)
        kv_session_table_remove(door->sessions, entry->indexes[i]);
    entry->n_indexes = n;
    for (guint i = 0; i < n; i++) {
        entry->indexes[i] = indexes[i];
        kv_session_table_add(door->sessions, indexes[i], entry);
    }
}

void
kv_native_door_remove(KvNativeDoor *door, KvNativeDoorEntry *entry)
{
    kv_native_door_set_indexes(door, entry, NULL, 0);
    leave_place(door, entry);
    if (entry->stays)
        g_hash_table_remove(door->living, entry->remote_public);
    entry->stays = FALSE;
    if (!entry->is_known)
        return;
    entry->is_known = FALSE;
    g_hash_table_remove(door->associations, entry->association);
    if (entry->pattern == KV_NOISE_IKPSK2)
        g_hash_table_remove(door->living, entry->remote_public);
}
