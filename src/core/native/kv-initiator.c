/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-initiator.h"

#include "native/kv-reset-token.h"

#include <sodium.h>
#include <string.h>

#define ATTEMPTS_MAX 8

/* When the first initiations leave, after the start; then one each period and a random bit more. */
static const KvTime timetable[] = {
    0, 250 * KV_TIME_MS, 600 * KV_TIME_MS, 1200 * KV_TIME_MS, 2000 * KV_TIME_MS, 3000 * KV_TIME_MS};
#define PERIOD (5 * KV_TIME_S)
#define JITTER (KV_TIME_S / 3)

#define COOKIE_FRESH (60 * KV_TIME_S)

/* A responder that keeps calling numbers too low does not make this end send faster than that. */
#define RAISE_PAUSE KV_TIME_S

/* One initiation that may still be answered. */
typedef struct {
    KvNoise *noise; /* (nullable): the place is free */
    uint32_t index;
    uint32_t left_out; /* as in KvNativeKeys */
    uint8_t mac1[KV_OUTER_MAC_BYTES];
} Attempt;

struct _KvInitiator {
    KvInitiatorConfig config;
    KvRandom random;
    KvNoisePattern pattern;
    KvOuterKeys local_outer;
    KvOuterKeys remote_outer;
    uint8_t reset_key[KV_RESET_KEY_BYTES];

    KvInitiatorState state;
    KvTime started;
    KvTime next_send;  /* after the timetable */
    guint step;        /* of the timetable, that @next_send is */
    gboolean send_now; /* one out of turn */
    Attempt attempts[ATTEMPTS_MAX];
    guint next_attempt;

    uint8_t cookie[KV_OUTER_COOKIE_BYTES];
    KvTime cookie_until; /* 0: there was none */
    uint64_t above;      /* greatest number that the responder told of */
    KvTime next_raise;

    KvNativeKeys keys;
    KvNativeConfig refusal;
};

KvInitiator *
kv_initiator_new(const KvInitiatorConfig *config, const KvRandom *random)
{
    KvInitiator *initiator = g_new0(KvInitiator, 1);
    const KvSecret *own = config->private_key != NULL ? config->private_key : config->psk;
    uint8_t public[KV_NATIVE_KEY_BYTES];

    g_assert(own != NULL && kv_secret_get_length(own) == KV_NATIVE_KEY_BYTES);
    initiator->config = *config;
    initiator->random = *random;
    if (config->private_key != NULL) {
        initiator->pattern = KV_NOISE_IKPSK2;
        crypto_scalarmult_base(public, kv_secret_get_data(own));
        kv_outer_keys_derive(&initiator->local_outer, public);
        kv_outer_keys_derive(&initiator->remote_outer, config->remote_public);
    } else {
        initiator->pattern = KV_NOISE_NNPSK0;
        kv_outer_keys_derive(&initiator->local_outer, kv_secret_get_data(own));
        initiator->remote_outer = initiator->local_outer;
    }
    kv_reset_key_derive(initiator->reset_key, kv_secret_get_data(own));
    kv_native_config_init(&initiator->refusal);
    return initiator;
}

/* Its index is nobody's any more. */
static void
clear_attempt(KvInitiator *initiator, Attempt *attempt)
{
    if (attempt->noise == NULL)
        return;
    kv_index_table_give_back(initiator->config.indexes, attempt->index);
    g_clear_pointer(&attempt->noise, kv_noise_free);
}

/* Every way out of waiting: what was sent is not answered any more. */
static void
settle(KvInitiator *initiator, KvInitiatorState state)
{
    initiator->state = state;
    initiator->send_now = FALSE;
    for (guint i = 0; i < ATTEMPTS_MAX; i++)
        clear_attempt(initiator, &initiator->attempts[i]);
}

void
kv_initiator_free(KvInitiator *initiator)
{
    if (initiator == NULL)
        return;
    settle(initiator, KV_INITIATOR_IDLE);
    kv_native_config_clear(&initiator->refusal);
    kv_native_keys_clear(&initiator->keys);
    sodium_memzero(initiator, sizeof *initiator);
    g_free(initiator);
}

void
kv_initiator_start(KvInitiator *initiator, KvTime now)
{
    settle(initiator, KV_INITIATOR_WAITING);
    kv_native_keys_clear(&initiator->keys);
    kv_native_config_clear(&initiator->refusal);
    kv_native_config_init(&initiator->refusal);
    initiator->started = now;
    initiator->next_send = now;
    initiator->step = 0;
}

void
kv_initiator_stop(KvInitiator *initiator)
{
    settle(initiator, KV_INITIATOR_IDLE);
}

/* --- sending -------------------------------------------------------------------------------- */

static gboolean
is_due(const KvInitiator *initiator, KvTime now)
{
    return initiator->state == KV_INITIATOR_WAITING &&
           (initiator->send_now || now >= initiator->next_send);
}

/* What should have left while the machine slept is not made up for. */
static void
schedule(KvInitiator *initiator, KvTime now)
{
    uint32_t jitter;

    while (initiator->next_send <= now && initiator->step + 1 < G_N_ELEMENTS(timetable)) {
        initiator->step++;
        initiator->next_send = kv_time_add(initiator->started, timetable[initiator->step]);
    }
    if (initiator->next_send > now)
        return;
    kv_random_fill(&initiator->random, &jitter, sizeof jitter);
    initiator->next_send = kv_time_add(now, PERIOD + jitter % JITTER);
}

static KvNoise *
begin_noise(KvInitiator *initiator)
{
    static const uint8_t no_psk[KV_NATIVE_KEY_BYTES];
    const KvInitiatorConfig *config = &initiator->config;
    uint8_t ephemeral[KV_NATIVE_KEY_BYTES];
    KvNoiseKeys keys = {.ephemeral = ephemeral, .psk = no_psk};
    KvNoise *noise;

    kv_random_fill(&initiator->random, ephemeral, sizeof ephemeral);
    if (config->psk != NULL)
        keys.psk = kv_secret_get_data(config->psk);
    if (config->private_key != NULL) {
        keys.local = kv_secret_get_data(config->private_key);
        keys.remote_public = config->remote_public;
    }
    noise = kv_noise_new(initiator->pattern, TRUE, KV_NATIVE_PROLOGUE, strlen(KV_NATIVE_PROLOGUE),
                         &keys);
    sodium_memzero(ephemeral, sizeof ephemeral);
    return noise;
}

size_t
kv_initiator_output(KvInitiator *initiator, uint8_t *buf, KvTime now)
{
    const KvInitiatorConfig *config = &initiator->config;
    Attempt *attempt = &initiator->attempts[initiator->next_attempt];
    KvHandshakeHead head = {.type = KV_HANDSHAKE_INITIATION};
    KvNativeConfig say = *config->say;
    size_t len;

    if (!is_due(initiator, now))
        return 0;
    initiator->send_now = FALSE;
    schedule(initiator, now);
    clear_attempt(initiator, attempt);
    attempt->noise = begin_noise(initiator);
    attempt->index = kv_index_table_draw(config->indexes);
    head.sender = attempt->index;
    if (initiator->pattern == KV_NOISE_IKPSK2)
        head.number = config->numbers.next(config->numbers.ctx, initiator->above);
    say.said |= KV_SAID_RESET;
    kv_reset_token_derive(initiator->reset_key, attempt->index, say.reset);

    len = kv_handshake_write(attempt->noise, &initiator->remote_outer, &head, &say,
                             now < initiator->cookie_until ? initiator->cookie : NULL,
                             &initiator->random, buf, KV_INITIATION_MAX, &attempt->left_out);
    if (len == 0) {
        clear_attempt(initiator, attempt);
        return 0;
    }
    memcpy(attempt->mac1, kv_outer_get_mac1(buf), sizeof attempt->mac1);
    initiator->next_attempt = (initiator->next_attempt + 1) % ATTEMPTS_MAX;
    return len;
}

KvTime
kv_initiator_deadline(const KvInitiator *initiator)
{
    if (initiator->state != KV_INITIATOR_WAITING)
        return KV_TIME_NEVER;
    if (initiator->send_now)
        return 0;
    return MIN(initiator->next_send, kv_time_add(initiator->started, KV_INITIATOR_PATIENCE));
}

void
kv_initiator_advance(KvInitiator *initiator, KvTime now)
{
    if (initiator->state == KV_INITIATOR_WAITING &&
        kv_time_elapsed(now, initiator->started) >= KV_INITIATOR_PATIENCE)
        settle(initiator, KV_INITIATOR_GAVE_UP);
}

/* --- answers -------------------------------------------------------------------------------- */

/* A first cookie is used at once; with one in hand the timetable goes on, so that nobody who sees
 * the path can drive this end. */
static gboolean
take_cookie(KvInitiator *initiator, const uint8_t *datagram, size_t len, KvTime now)
{
    for (guint i = 0; i < ATTEMPTS_MAX; i++) {
        const Attempt *attempt = &initiator->attempts[i];

        if (attempt->noise == NULL || !kv_outer_read_reply(&initiator->remote_outer, attempt->mac1,
                                                           datagram, len, initiator->cookie))
            continue;
        initiator->send_now = now >= initiator->cookie_until;
        initiator->cookie_until = kv_time_add(now, COOKIE_FRESH);
        return TRUE;
    }
    return FALSE;
}

static Attempt *
find_attempt(KvInitiator *initiator, uint32_t index)
{
    for (guint i = 0; i < ATTEMPTS_MAX; i++) {
        if (initiator->attempts[i].noise != NULL && initiator->attempts[i].index == index)
            return &initiator->attempts[i];
    }
    return NULL;
}

static void
refuse(KvInitiator *initiator, KvNativeConfig *said)
{
    kv_native_config_clear(&initiator->refusal);
    initiator->refusal = *said;
    kv_native_config_init(said);
    settle(initiator, KV_INITIATOR_REFUSED);
}

static void
refuse_records(KvInitiator *initiator, KvNativeConfig *said)
{
    said->refusal = KV_REFUSED_RECORD;
    g_free(said->refusal_text);
    said->refusal_text = g_strdup("the answer breaks the protocol");
    refuse(initiator, said);
}

/* The clock was set back or the last number is lost: nobody else can say so, so it is believed. */
static void
raise_number(KvInitiator *initiator, Attempt *attempt, KvNativeConfig *said, KvTime now)
{
    if (said->number == UINT64_MAX) {
        refuse(initiator, said);
        return;
    }
    clear_attempt(initiator, attempt);
    initiator->above = MAX(initiator->above, said->number);
    if (now < initiator->next_raise)
        return;
    initiator->next_raise = kv_time_add(now, RAISE_PAUSE);
    initiator->send_now = TRUE;
}

/* Whether the answer has what no session can do without, of what was offered. */
static gboolean
is_usable(const KvInitiator *initiator, const KvHandshakeHead *head, const KvNativeConfig *said)
{
    const KvNativeConfig *say = initiator->config.say;

    return head->sender != 0 && (said->said & KV_SAID_ASSOCIATION) && said->ciphers[0] != 0 &&
           said->ciphers[1] == 0 && memchr(say->ciphers, said->ciphers[0], sizeof say->ciphers);
}

static void
finish(KvInitiator *initiator, Attempt *attempt, const KvHandshakeHead *head, KvNativeConfig *said)
{
    KvNativeKeys *keys = &initiator->keys;

    keys->initiator = TRUE;
    keys->pattern = initiator->pattern;
    keys->aead = said->ciphers[0];
    keys->indexes = initiator->config.indexes;
    keys->local_index = attempt->index;
    keys->remote_index = head->sender;
    keys->left_out = attempt->left_out;
    kv_noise_split(attempt->noise, keys->send, keys->receive);
    g_clear_pointer(&attempt->noise, kv_noise_free); /* the index is the keys' now */
    kv_reset_token_derive(initiator->reset_key, attempt->index, keys->local_token);
    kv_random_fill(&initiator->random, keys->remote_token, sizeof keys->remote_token);
    if (said->said & KV_SAID_RESET)
        memcpy(keys->remote_token, said->reset, sizeof keys->remote_token);
    memcpy(keys->association, said->association, sizeof keys->association);
    memcpy(keys->remote_public, initiator->config.remote_public, sizeof keys->remote_public);
    keys->remote_outer = initiator->remote_outer;
    keys->remote = *said;
    kv_native_config_init(said);
    settle(initiator, KV_INITIATOR_DONE);
}

static gboolean
take_response(KvInitiator *initiator, const uint8_t *datagram, size_t len, KvTime now)
{
    g_auto(KvNativeConfig) said = {0};
    KvHandshakeResult result;
    KvHandshakeBody body;
    KvHandshakeHead head;
    Attempt *attempt;

    if (!kv_handshake_unmask(&initiator->local_outer, datagram, len, &body) ||
        body.type != KV_HANDSHAKE_RESPONSE)
        return FALSE;
    attempt = find_attempt(initiator, body.receiver);
    if (attempt == NULL)
        return FALSE;
    kv_native_config_init(&said);
    result = kv_handshake_open(attempt->noise, &body, &head, &said);
    if (result == KV_HANDSHAKE_FORGED)
        return FALSE;

    if (result == KV_HANDSHAKE_NOT_ALLOWED)
        refuse_records(initiator, &said);
    else if (said.refusal == KV_REFUSED_NUMBER && (said.said & KV_SAID_NUMBER))
        raise_number(initiator, attempt, &said, now);
    else if (said.refusal != KV_REFUSED_NOT)
        refuse(initiator, &said);
    else if (!is_usable(initiator, &head, &said))
        refuse_records(initiator, &said);
    else
        finish(initiator, attempt, &head, &said);
    return TRUE;
}

gboolean
kv_initiator_input(KvInitiator *initiator, const uint8_t *datagram, size_t len, KvTime now)
{
    if (initiator->state != KV_INITIATOR_WAITING)
        return FALSE;
    if (take_cookie(initiator, datagram, len, now))
        return TRUE;
    return kv_outer_check(&initiator->local_outer, datagram, len) &&
           take_response(initiator, datagram, len, now);
}

KvInitiatorState
kv_initiator_get_state(const KvInitiator *initiator)
{
    return initiator->state;
}

const KvNativeConfig *
kv_initiator_get_refusal(const KvInitiator *initiator)
{
    return &initiator->refusal;
}

void
kv_initiator_take_keys(KvInitiator *initiator, KvNativeKeys *keys)
{
    g_return_if_fail(initiator->state == KV_INITIATOR_DONE);
    *keys = initiator->keys;
    sodium_memzero(&initiator->keys, sizeof initiator->keys);
    initiator->state = KV_INITIATOR_IDLE;
}
