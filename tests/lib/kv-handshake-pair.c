/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-handshake-pair.h"

#include <sodium.h>
#include <string.h>

static void
fill(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static uint64_t
next_number(void *ctx, uint64_t above)
{
    KvHandshakePair *pair = ctx;

    pair->last_sent = MAX(MAX(pair->last_sent, above) + 1, pair->wall_clock);
    return pair->last_sent;
}

static gboolean
find_peer(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES], uint8_t psk[KV_NATIVE_KEY_BYTES])
{
    KvHandshakePair *pair = ctx;

    pair->found++;
    memcpy(psk, pair->peer_psk, KV_NATIVE_KEY_BYTES);
    return pair->is_admitted && memcmp(public, pair->public_keys[0], KV_NATIVE_KEY_BYTES) == 0;
}

static gboolean
take_number(void *ctx, const uint8_t public[KV_NATIVE_KEY_BYTES] G_GNUC_UNUSED, uint64_t number,
            uint64_t *last)
{
    KvHandshakePair *pair = ctx;

    *last = pair->last_taken;
    if (number <= pair->last_taken)
        return FALSE;
    pair->last_taken = number;
    return TRUE;
}

static KvSecret *
draw_secret(KvHandshakePair *pair)
{
    uint8_t bytes[KV_NATIVE_KEY_BYTES];

    kv_test_random_bytes(&pair->state, bytes, sizeof bytes);
    return kv_secret_new(bytes, sizeof bytes);
}

static KvInitiatorConfig
get_initiator_config(KvHandshakePair *pair)
{
    KvInitiatorConfig config = {.private_key = pair->private_keys[0],
                                .psk = pair->psk,
                                .say = &pair->say,
                                .indexes = pair->indexes[0],
                                .numbers = {next_number, pair}};

    memcpy(config.remote_public, pair->public_keys[1], sizeof config.remote_public);
    return config;
}

void
kv_handshake_pair_restart_initiator(KvHandshakePair *pair)
{
    KvInitiatorConfig config = get_initiator_config(pair);

    kv_initiator_free(pair->initiator);
    pair->initiator = kv_initiator_new(&config, &pair->random);
}

void
kv_handshake_pair_restart_responder(KvHandshakePair *pair)
{
    gboolean with_keys = pair->private_keys[1] != NULL;
    KvResponderConfig config = {.private_key = pair->private_keys[1],
                                .psk = with_keys ? NULL : pair->psk,
                                .peers = pair->peers,
                                .ciphers = {KV_AEAD_CHACHA20_POLY1305},
                                .indexes = pair->indexes[1]};

    kv_responder_free(pair->responder);
    pair->responder = kv_responder_new(&config, &pair->random);
}

void
kv_handshake_pair_init(KvHandshakePair *pair, KvNoisePattern pattern, gboolean has_psk,
                       uint64_t seed)
{
    gboolean with_keys = pattern == KV_NOISE_IKPSK2;

    memset(pair, 0, sizeof *pair);
    kv_test_random_init(&pair->state, seed);
    pair->random = (KvRandom){fill, &pair->state};
    for (guint i = 0; i < 2; i++)
        pair->indexes[i] = kv_index_table_new(&pair->random);
    for (guint i = 0; with_keys && i < 2; i++) {
        pair->private_keys[i] = draw_secret(pair);
        crypto_scalarmult_base(pair->public_keys[i], kv_secret_get_data(pair->private_keys[i]));
    }
    if (!with_keys || has_psk)
        pair->psk = draw_secret(pair);
    if (with_keys && has_psk)
        memcpy(pair->peer_psk, kv_secret_get_data(pair->psk), sizeof pair->peer_psk);
    pair->is_admitted = TRUE;
    pair->peers = (KvResponderPeers){find_peer, take_number, pair};
    pair->wall_clock = UINT64_C(1780000000) * KV_TIME_S;
    pair->from = (KvEndpoint){.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 7}, .port = 4096};
    kv_native_config_init(&pair->say);
    pair->say.ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    pair->say.mtu = 1400;
    kv_handshake_pair_restart_initiator(pair);
    kv_handshake_pair_restart_responder(pair);
}

void
kv_handshake_pair_clear(KvHandshakePair *pair)
{
    g_clear_pointer(&pair->initiator, kv_initiator_free);
    g_clear_pointer(&pair->responder, kv_responder_free);
    for (guint i = 0; i < 2 && pair->indexes[i] != NULL; i++)
        g_clear_pointer(&pair->indexes[i], kv_index_table_free);
    for (guint i = 0; i < 2; i++)
        g_clear_pointer(&pair->private_keys[i], kv_secret_free);
    g_clear_pointer(&pair->psk, kv_secret_free);
    kv_native_config_clear(&pair->say);
}

size_t
kv_handshake_pair_begin(KvHandshakePair *pair, KvTime now, uint8_t *buf)
{
    size_t len;

    kv_initiator_start(pair->initiator, now);
    len = kv_initiator_output(pair->initiator, buf, now);
    g_assert_cmpuint(len, >=, KV_INITIATION_MIN);
    g_assert_cmpuint(len, <=, KV_INITIATION_MAX);
    return len;
}

size_t
kv_handshake_pair_respond(KvHandshakePair *pair, const uint8_t *datagram, size_t len, KvTime now,
                          uint8_t *buf)
{
    g_auto(KvNativeConfig) grant = {0};
    KvResponderOutcome outcome;
    size_t reply = 0;

    pair->drop = kv_responder_input(pair->responder, datagram, len, &pair->from, now, &outcome);
    g_assert_cmpint(outcome.asks, ==, pair->drop == KV_DROP_NONE);
    if (outcome.asks) {
        g_assert_cmpuint(outcome.reply_len, ==, 0);
        kv_native_config_init(&grant);
        grant.mtu = outcome.request.config->mtu;
        reply = kv_responder_answer(pair->responder, outcome.request.id, &grant, now, buf);
    } else if (outcome.reply_len > 0) {
        reply = outcome.reply_len;
        memcpy(buf, outcome.reply, reply);
    }
    g_assert_cmpuint(reply, <=, len);
    return reply;
}

size_t
kv_handshake_pair_prove(const KvNativeKeys *keys, uint8_t *buf)
{
    g_autoptr(KvSeal) seal = kv_seal_new(keys->aead, keys->send);
    KvSealHead head = {.index = keys->remote_index};

    return kv_seal_write(seal, &keys->remote_outer, &head, keys->remote_token, buf, 0);
}

void
kv_handshake_pair_finish(KvHandshakePair *pair, KvTime now, KvNativeKeys *initiator,
                         KvNativeKeys *responder)
{
    uint8_t there[KV_INITIATION_MAX];
    uint8_t back[KV_INITIATION_MAX];
    size_t len = kv_handshake_pair_begin(pair, now, there);

    len = kv_handshake_pair_respond(pair, there, len, now, back);
    g_assert_cmpint(pair->drop, ==, KV_DROP_NONE);
    g_assert_true(kv_initiator_input(pair->initiator, back, len, now));
    g_assert_cmpint(kv_initiator_get_state(pair->initiator), ==, KV_INITIATOR_DONE);
    kv_initiator_take_keys(pair->initiator, initiator);
    len = kv_handshake_pair_prove(initiator, there);
    g_assert_true(kv_responder_confirm(pair->responder, there, len, now, responder));
}
