/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-responder.h"

#include "kv-cookie.h"
#include "native/kv-half-open.h"
#include "native/kv-rate-table.h"
#include "native/kv-reset-token.h"

#include <sodium.h>
#include <string.h>

/* When it is under load: docs/protocol.md, section 6. */
#define LOAD_ARRIVALS 50 /* within a second */
#define LOAD_WAITING  32
#define LOAD_HOLDS    KV_TIME_S

/* Initiations a second, and at once. */
#define ADDRESS_RATE  20
#define ADDRESS_BURST 5
#define KEY_RATE      50
#define KEY_BURST     10
#define REKEY_TIME    (5 * KV_TIME_S) /* between two sessions of an association */
#define ADDRESSES_MAX 4096
#define KEYS_MAX      KV_CLIENTS_MAX

/* One of the ways to reach this end; @secret is what its datagrams are opened with. */
typedef struct {
    const KvSecret *secret; /* (nullable): not this way */
    KvOuterKeys outer;
    uint8_t reset_key[KV_RESET_KEY_BYTES];
} Door;

struct _KvResponder {
    KvResponderConfig config;
    KvRandom random;
    Door doors[2]; /* by KvNoisePattern: keys are tried first */
    KvCookieJar jar;
    KvTime arrivals[LOAD_ARRIVALS]; /* a ring of the last */
    uint64_t n_arrivals;
    KvTime load_until;
    KvRateTable *addresses;
    KvRateTable *keys;
    KvRateTable *refusals; /* of numbers, by key */
    KvRateTable *rekeys;   /* by association */
    KvHalfOpenTable *half_open;
    uint64_t opened;
    uint64_t cookies;
};

/* What is known of an initiation on its way through the checks. */
typedef struct {
    KvNoisePattern pattern;
    const KvEndpoint *from;
    KvNoise *noise;
    KvHandshakeHead head;
    KvNativeConfig config;
    uint8_t who[KV_NATIVE_KEY_BYTES];
    size_t len;
    KvTime now;
} Initiation;

static void
open_door(Door *door, const KvSecret *secret, const uint8_t *outer)
{
    door->secret = secret;
    kv_outer_keys_derive(&door->outer, outer);
    kv_reset_key_derive(door->reset_key, kv_secret_get_data(secret));
}

KvResponder *
kv_responder_new(const KvResponderConfig *config, const KvRandom *random)
{
    KvResponder *responder = g_new0(KvResponder, 1);

    G_STATIC_ASSERT(KV_NOISE_IKPSK2 == 0 && KV_NOISE_NNPSK0 == 1);
    g_assert(config->private_key != NULL || config->psk != NULL);
    responder->config = *config;
    responder->random = *random;
    if (config->private_key != NULL) {
        uint8_t public[KV_NATIVE_KEY_BYTES];

        crypto_scalarmult_base(public, kv_secret_get_data(config->private_key));
        open_door(&responder->doors[KV_NOISE_IKPSK2], config->private_key, public);
    }
    if (config->psk != NULL)
        open_door(&responder->doors[KV_NOISE_NNPSK0], config->psk, kv_secret_get_data(config->psk));
    responder->addresses =
        kv_rate_table_new(ADDRESSES_MAX, KV_TIME_S / ADDRESS_RATE, ADDRESS_BURST, random);
    responder->keys = kv_rate_table_new(KEYS_MAX, KV_TIME_S / KEY_RATE, KEY_BURST, random);
    responder->refusals = kv_rate_table_new(KEYS_MAX, KV_TIME_S, 1, random);
    responder->rekeys = kv_rate_table_new(KEYS_MAX, REKEY_TIME, 1, random);
    responder->half_open = kv_half_open_table_new();
    return responder;
}

void
kv_responder_free(KvResponder *responder)
{
    if (responder == NULL)
        return;
    kv_half_open_table_free(responder->half_open);
    kv_rate_table_free(responder->rekeys);
    kv_rate_table_free(responder->refusals);
    kv_rate_table_free(responder->keys);
    kv_rate_table_free(responder->addresses);
    sodium_memzero(responder, sizeof *responder);
    g_free(responder);
}

/* --- before anything is opened --------------------------------------------------------------- */

/* (nullable): the door that @datagram knocks at; one hash for each that there is. */
static const Door *
find_door(const KvResponder *responder, const uint8_t *datagram, size_t len)
{
    for (guint i = 0; i < G_N_ELEMENTS(responder->doors); i++) {
        const Door *door = &responder->doors[i];

        if (door->secret != NULL && kv_outer_check(&door->outer, datagram, len))
            return door;
    }
    return NULL;
}

/* Whether it is under load, counting this one. */
static gboolean
note_arrival(KvResponder *responder, KvTime now)
{
    KvTime *slot = &responder->arrivals[responder->n_arrivals % LOAD_ARRIVALS];

    if (responder->n_arrivals >= LOAD_ARRIVALS && kv_time_elapsed(now, *slot) < KV_TIME_S)
        responder->load_until = kv_time_add(now, LOAD_HOLDS);
    *slot = now;
    responder->n_arrivals++;
    return now < responder->load_until ||
           kv_half_open_table_get_waiting(responder->half_open) > LOAD_WAITING;
}

/* An address as a key of tables: of IPv6 the network, all of which one machine may have. */
static void
get_address_key(const KvEndpoint *from, uint8_t key[KV_NATIVE_KEY_BYTES])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    gboolean is_ip4 = memcmp(from->ip, mapped, sizeof mapped) == 0;

    memset(key, 0, KV_NATIVE_KEY_BYTES);
    memcpy(key, from->ip, is_ip4 ? sizeof from->ip : 8);
}

static void
reply_with_cookie(KvResponder *responder, const Door *door, const uint8_t *datagram, size_t len,
                  const KvEndpoint *from, KvTime now, KvResponderOutcome *outcome)
{
    size_t spare = MIN(len, KV_OUTER_REPLY_MAX) - KV_OUTER_REPLY_MIN;
    uint8_t cookie[KV_OUTER_COOKIE_BYTES];
    uint8_t drawn;

    G_STATIC_ASSERT(KV_HANDSHAKE_MIN >= KV_OUTER_REPLY_MIN);
    kv_cookie_jar_bake(&responder->jar, from, now, &responder->random, cookie);
    kv_random_fill(&responder->random, &drawn, sizeof drawn);
    responder->cookies++;
    outcome->reply_len =
        kv_outer_write_reply(&door->outer, datagram, cookie, (guint) (drawn % (spare + 1)),
                             outcome->reply, &responder->random);
}

/* Whether an initiation may be opened, though there are many. */
static gboolean
passes_load(KvResponder *responder, const Door *door, const uint8_t *datagram, size_t len,
            const KvEndpoint *from, KvTime now, KvResponderOutcome *outcome)
{
    uint8_t key[KV_NATIVE_KEY_BYTES];

    if (!kv_cookie_jar_check(&responder->jar, from, now, datagram, len)) {
        reply_with_cookie(responder, door, datagram, len, from, now, outcome);
        return FALSE;
    }
    get_address_key(from, key);
    return kv_rate_table_take(responder->addresses, key, now);
}

/* --- opening -------------------------------------------------------------------------------- */

static KvNoise *
begin_noise(KvResponder *responder, const Door *door, KvNoisePattern pattern)
{
    uint8_t ephemeral[KV_NATIVE_KEY_BYTES];
    const uint8_t *secret = kv_secret_get_data(door->secret);
    KvNoiseKeys keys = {.ephemeral = ephemeral};
    KvNoise *noise;

    if (pattern == KV_NOISE_IKPSK2)
        keys.local = secret;
    else
        keys.psk = secret;
    kv_random_fill(&responder->random, ephemeral, sizeof ephemeral);
    noise = kv_noise_new(pattern, FALSE, KV_NATIVE_PROLOGUE, strlen(KV_NATIVE_PROLOGUE), &keys);
    sodium_memzero(ephemeral, sizeof ephemeral);
    return noise;
}

/* Keys of what goes to the initiator. */
static void
derive_remote_outer(const KvResponder *responder, const Initiation *initiation, KvOuterKeys *outer)
{
    if (initiation->pattern == KV_NOISE_IKPSK2)
        kv_outer_keys_derive(outer, kv_noise_get_remote_public(initiation->noise));
    else
        *outer = responder->doors[KV_NOISE_NNPSK0].outer;
}

/* Nothing is kept of who is refused at once. */
static void
reply_with_refusal(KvResponder *responder, const Initiation *initiation, KvRefusal refusal,
                   const char *text, uint64_t last, KvResponderOutcome *outcome)
{
    KvHandshakeHead head = {.type = KV_HANDSHAKE_RESPONSE, .receiver = initiation->head.sender};
    g_auto(KvNativeConfig) say = {0};
    KvOuterKeys outer;
    uint32_t left_out;

    kv_native_config_init(&say);
    say.refusal = refusal;
    say.refusal_text = g_strdup(text);
    if (refusal == KV_REFUSED_NUMBER) {
        say.said = KV_SAID_NUMBER;
        say.number = last;
    }
    derive_remote_outer(responder, initiation, &outer);
    outcome->reply_len =
        kv_handshake_write(initiation->noise, &outer, &head, &say, NULL, &responder->random,
                           outcome->reply, MIN(initiation->len, KV_INITIATION_MAX), &left_out);
}

/* With keys: whether the initiation's owner is admitted, and what it sent is no replay. */
static KvDrop
check_peer(KvResponder *responder, Initiation *initiation, KvResponderOutcome *outcome)
{
    const KvResponderPeers *peers = &responder->config.peers;
    const uint8_t *public = kv_noise_get_remote_public(initiation->noise);
    uint8_t psk[KV_NATIVE_KEY_BYTES];
    uint64_t last;

    memcpy(initiation->who, public, sizeof initiation->who);
    if (!peers->find(peers->ctx, public, psk))
        return KV_DROP_STRANGER;
    kv_noise_set_psk(initiation->noise, psk);
    sodium_memzero(psk, sizeof psk);
    if (!kv_rate_table_take(responder->keys, public, initiation->now))
        return KV_DROP_RATE;
    if (peers->take_number(peers->ctx, public, initiation->head.number, &last))
        return KV_DROP_NONE;
    if (kv_rate_table_take(responder->refusals, public, initiation->now))
        reply_with_refusal(responder, initiation, KV_REFUSED_NUMBER, "the number is not greater",
                           last, outcome);
    return KV_DROP_REPLAY;
}

/* The first of the initiator's that this end wants too; 0: none. */
static uint8_t
choose_cipher(const KvResponder *responder, const KvNativeConfig *config)
{
    const uint8_t *wanted = responder->config.ciphers;

    for (guint i = 0; i < KV_NATIVE_CIPHERS_MAX && config->ciphers[i] != 0; i++) {
        if (memchr(wanted, config->ciphers[i], KV_NATIVE_CIPHERS_MAX) != NULL)
            return config->ciphers[i];
    }
    return 0;
}

/* Moves what is known of the initiation into the table, for somebody to answer. */
static void
keep(KvResponder *responder, Initiation *initiation, uint8_t cipher, KvResponderOutcome *outcome)
{
    uint32_t index = kv_index_table_draw(responder->config.indexes);
    KvNativeRequest *request = &outcome->request;
    KvNativeKeys *keys;
    KvHalfOpen *half;

    half = kv_half_open_table_add(responder->half_open, initiation->who, index,
                                  g_steal_pointer(&initiation->noise), initiation->now);
    half->max = MIN(initiation->len, KV_INITIATION_MAX);
    keys = &half->keys;
    keys->indexes = responder->config.indexes;
    keys->pattern = initiation->pattern;
    keys->answered = *initiation->from;
    keys->aead = cipher;
    keys->remote_index = initiation->head.sender;
    keys->remote = initiation->config;
    kv_native_config_init(&initiation->config);

    *request = (KvNativeRequest){
        .id = index, .pattern = keys->pattern, .from = *initiation->from, .config = &keys->remote};
    if (keys->pattern == KV_NOISE_IKPSK2) {
        memcpy(keys->remote_public, initiation->who, sizeof keys->remote_public);
        memcpy(request->remote_public, initiation->who, sizeof request->remote_public);
    }
    outcome->asks = TRUE;
}

static void
get_association_key(const uint8_t association[KV_NATIVE_ID_BYTES], uint8_t key[KV_RATE_KEY_BYTES])
{
    memset(key, 0, KV_RATE_KEY_BYTES);
    memcpy(key, association, KV_NATIVE_ID_BYTES);
}

/* Whether the last session of its association has just begun. Whoever asks again and again, as any
 * initiator does, is answered when the time is up. */
static gboolean
is_too_soon(const KvResponder *responder, const Initiation *initiation)
{
    const KvNativeConfig *config = &initiation->config;
    uint8_t key[KV_RATE_KEY_BYTES];

    get_association_key(config->association, key);
    return (config->said & KV_SAID_ASSOCIATION) != 0 &&
           !kv_rate_table_may(responder->rekeys, key, initiation->now);
}

static KvDrop
consider(KvResponder *responder, Initiation *initiation, const KvHandshakeBody *body,
         KvResponderOutcome *outcome)
{
    KvHandshakeResult result;
    KvDrop drop = KV_DROP_NONE;
    uint8_t cipher;

    responder->opened++;
    result = kv_handshake_open(initiation->noise, body, &initiation->head, &initiation->config);
    if (result == KV_HANDSHAKE_FORGED)
        return KV_DROP_CHECKSUM;
    if (initiation->pattern == KV_NOISE_IKPSK2)
        drop = check_peer(responder, initiation, outcome);
    else
        get_address_key(initiation->from, initiation->who);
    if (drop != KV_DROP_NONE)
        return drop;

    if (result == KV_HANDSHAKE_NOT_ALLOWED || initiation->head.sender == 0) {
        reply_with_refusal(responder, initiation, KV_REFUSED_RECORD,
                           "the initiation breaks the protocol", 0, outcome);
        return KV_DROP_MALFORMED;
    }
    if (is_too_soon(responder, initiation))
        return KV_DROP_RATE;
    cipher = choose_cipher(responder, &initiation->config);
    if (cipher != 0) {
        keep(responder, initiation, cipher, outcome);
        return KV_DROP_NONE;
    }
    reply_with_refusal(responder, initiation, KV_REFUSED_CIPHER, "no common cipher", 0, outcome);
    return KV_DROP_MALFORMED;
}

KvDrop
kv_responder_input(KvResponder *responder, const uint8_t *datagram, size_t len,
                   const KvEndpoint *from, KvTime now, KvResponderOutcome *outcome)
{
    const Door *door = find_door(responder, datagram, len);
    Initiation initiation = {.from = from, .len = len, .now = now};
    KvHandshakeBody body;
    KvDrop drop;

    outcome->reply_len = 0;
    outcome->asks = FALSE;
    if (door == NULL)
        return len < KV_HANDSHAKE_MIN ? KV_DROP_SHORT : KV_DROP_CHECKSUM;
    kv_half_open_table_expire(responder->half_open, now);
    if (note_arrival(responder, now) &&
        !passes_load(responder, door, datagram, len, from, now, outcome))
        return KV_DROP_RATE;
    if (!kv_handshake_unmask(&door->outer, datagram, len, &body) ||
        body.type != KV_HANDSHAKE_INITIATION)
        return KV_DROP_MALFORMED;

    initiation.pattern = (KvNoisePattern) (door - responder->doors);
    initiation.noise = begin_noise(responder, door, initiation.pattern);
    kv_native_config_init(&initiation.config);
    drop = consider(responder, &initiation, &body, outcome);
    kv_native_config_clear(&initiation.config);
    kv_noise_free(initiation.noise);
    return drop;
}

/* --- answering ------------------------------------------------------------------------------ */

/* What this end says beside what the grant says. */
static void
complete_grant(KvResponder *responder, KvHalfOpen *half, KvNativeConfig *grant)
{
    KvNativeKeys *keys = &half->keys;
    const Door *door = &responder->doors[keys->pattern];

    if (!(grant->said & KV_SAID_ASSOCIATION))
        kv_random_fill(&responder->random, grant->association, sizeof grant->association);
    memcpy(keys->association, grant->association, sizeof keys->association);
    kv_reset_token_derive(door->reset_key, keys->local_index, keys->local_token);
    memcpy(grant->reset, keys->local_token, sizeof grant->reset);
    memset(grant->ciphers, 0, sizeof grant->ciphers);
    grant->ciphers[0] = (uint8_t) keys->aead;
    grant->said |= KV_SAID_ASSOCIATION | KV_SAID_RESET;
}

static void
complete_keys(KvResponder *responder, KvHalfOpen *half, KvNativeConfig *grant)
{
    KvNativeKeys *keys = &half->keys;

    kv_noise_split(half->noise, keys->receive, keys->send);
    kv_random_fill(&responder->random, keys->remote_token, sizeof keys->remote_token);
    if (keys->remote.said & KV_SAID_RESET)
        memcpy(keys->remote_token, keys->remote.reset, sizeof keys->remote_token);
    keys->local = *grant;
    kv_native_config_init(grant);
}

size_t
kv_responder_answer(KvResponder *responder, uint32_t id, KvNativeConfig *grant, KvTime now,
                    uint8_t *buf)
{
    KvHalfOpen *half = kv_half_open_table_find(responder->half_open, id);
    KvHandshakeHead head = {.type = KV_HANDSHAKE_RESPONSE};
    gboolean refused = grant->refusal != KV_REFUSED_NOT;
    size_t len;

    g_return_val_if_fail(kv_native_config_fits(grant), 0);
    if (half == NULL || half->noise == NULL)
        return 0;
    head.receiver = half->keys.remote_index;
    if (half->keys.pattern == KV_NOISE_IKPSK2)
        kv_outer_keys_derive(&half->keys.remote_outer, half->keys.remote_public);
    else
        half->keys.remote_outer = responder->doors[KV_NOISE_NNPSK0].outer;
    if (!refused) {
        head.sender = id;
        complete_grant(responder, half, grant);
    }
    len = kv_handshake_write(half->noise, &half->keys.remote_outer, &head, grant, NULL,
                             &responder->random, buf, half->max, &half->keys.left_out);
    if (refused || len == 0) {
        kv_half_open_table_remove(responder->half_open, half);
        return len;
    }
    complete_keys(responder, half, grant);
    kv_half_open_table_answered(responder->half_open, half, now);
    return len;
}

/* --- what comes of it ------------------------------------------------------------------------- */

/* (nullable): the answered request whose keys @datagram, with @head, is said to be under. */
static KvHalfOpen *
find_answered(const KvResponder *responder, const uint8_t *datagram, size_t len, KvSealHead *head)
{
    for (guint i = 0; i < G_N_ELEMENTS(responder->doors); i++) {
        const Door *door = &responder->doors[i];
        KvHalfOpen *half;

        if (door->secret == NULL || !kv_seal_read_head(&door->outer, datagram, len, head))
            continue;
        half = kv_half_open_table_find(responder->half_open, head->index);
        if (half != NULL && half->noise == NULL && half->keys.pattern == i)
            return half;
    }
    return NULL;
}

/* A session of @association is to begin: answers to it that were not used do not count any more.
 * Returns: whether it may, already. */
static gboolean
note_rekey(KvResponder *responder, const uint8_t association[KV_NATIVE_ID_BYTES], KvTime now)
{
    uint8_t key[KV_RATE_KEY_BYTES];

    get_association_key(association, key);
    kv_half_open_table_remove_association(responder->half_open, association);
    return kv_rate_table_take(responder->rekeys, key, now);
}

gboolean
kv_responder_confirm(KvResponder *responder, const uint8_t *datagram, size_t len, KvTime now,
                     KvNativeKeys *keys)
{
    g_autoptr(KvSeal) seal = NULL;
    g_autofree uint8_t *plain = NULL;
    KvSealHead head;
    KvHalfOpen *half;

    kv_half_open_table_expire(responder->half_open, now);
    half = find_answered(responder, datagram, len, &head);
    if (half == NULL)
        return FALSE;
    seal = kv_seal_new(half->keys.aead, half->keys.receive);
    plain = g_malloc(len);
    if (!kv_seal_read(seal, head.counter, datagram, len, plain))
        return FALSE;
    *keys = half->keys;
    /* The index stays, by which the table finds it. */
    half->keys = (KvNativeKeys){.local_index = keys->local_index};
    kv_half_open_table_remove(responder->half_open, half);
    if (note_rekey(responder, keys->association, now))
        return TRUE;
    kv_native_keys_clear(keys);
    return FALSE;
}

KvTime
kv_responder_deadline(const KvResponder *responder)
{
    return kv_half_open_table_deadline(responder->half_open);
}

void
kv_responder_advance(KvResponder *responder, KvTime now)
{
    kv_half_open_table_expire(responder->half_open, now);
}

void
kv_responder_forget_peer(KvResponder *responder, const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    kv_half_open_table_remove_who(responder->half_open, public);
}

guint
kv_responder_get_length(const KvResponder *responder)
{
    return kv_half_open_table_get_length(responder->half_open);
}

void
kv_responder_add_stats(const KvResponder *responder, KvStats *stats)
{
    stats->handshakes_opened += responder->opened;
    stats->cookie_replies += responder->cookies;
}
