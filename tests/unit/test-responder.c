/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-handshake-pair.h"

#include <string.h>

#define START (7 * KV_TIME_S)

/* So far apart that they are no load. */
#define GAP (25 * KV_TIME_MS)

typedef struct {
    KvHandshakePair pair;
    uint8_t there[KV_INITIATION_MAX];
    uint8_t back[KV_INITIATION_MAX];
    size_t len; /* of what is in @there */
} World;

static void
world_init(World *world, KvNoisePattern pattern)
{
    kv_handshake_pair_init(&world->pair, pattern, FALSE, kv_test_get_seed());
}

static void
world_clear(World *world)
{
    kv_handshake_pair_clear(&world->pair);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static void
begin(World *world, KvTime now)
{
    world->len = kv_handshake_pair_begin(&world->pair, now, world->there);
}

static size_t
respond(World *world, KvTime now)
{
    return kv_handshake_pair_respond(&world->pair, world->there, world->len, now, world->back);
}

/* One that knows the outer key and nothing else, shows @cookie if there is one. */
static void
begin_junk(World *world, size_t len, const uint8_t *cookie)
{
    KvOuterKeys outer;

    kv_outer_keys_derive(&outer, world->pair.private_keys[1] != NULL
                                     ? world->pair.public_keys[1]
                                     : kv_secret_get_data(world->pair.psk));
    memset(world->there, 1, sizeof world->there);
    kv_outer_seal(&outer, world->there, len, cookie, &world->pair.random);
    world->len = len;
}

/* Proves: without the key or the secret nobody gets an answer, and nothing is opened. */
static void
test_stranger(void)
{
    static const KvNoisePattern patterns[] = {KV_NOISE_IKPSK2, KV_NOISE_NNPSK0};

    for (guint i = 0; i < G_N_ELEMENTS(patterns); i++) {
        g_auto(World) world = {0};
        g_auto(World) other = {0};

        world_init(&world, patterns[i]);
        kv_handshake_pair_init(&other.pair, patterns[i], FALSE, kv_test_get_seed() + 1);
        for (size_t len = 0; len <= sizeof world.there; len++) {
            kv_test_random_bytes(&world.pair.state, world.there, len);
            world.len = len;
            g_assert_cmpuint(respond(&world, START), ==, 0);
            g_assert_cmpint(world.pair.drop, ==, len <= 56 ? KV_DROP_SHORT : KV_DROP_CHECKSUM);
        }
        begin(&other, START);
        memcpy(world.there, other.there, other.len);
        world.len = other.len;
        g_assert_cmpuint(respond(&world, START), ==, 0);
        g_assert_cmpint(world.pair.drop, ==, KV_DROP_CHECKSUM);
        g_assert_cmpuint(world.pair.found, ==, 0);
        /* None of that counted as load. */
        begin(&world, START);
        g_assert_cmpuint(respond(&world, START), >, 0);
        g_assert_cmpint(world.pair.drop, ==, KV_DROP_NONE);
    }
}

/* Proves: who knows the outer key alone, or has another key, gets no answer either. */
static void
test_not_admitted(void)
{
    g_auto(World) world = {0};

    world_init(&world, KV_NOISE_IKPSK2);
    for (size_t len = 57; len <= 96; len++) {
        begin_junk(&world, len, NULL);
        g_assert_cmpuint(respond(&world, START + len * GAP), ==, 0);
        g_assert_cmpint(world.pair.drop, !=, KV_DROP_NONE);
    }
    world.pair.is_admitted = FALSE;
    begin(&world, 2 * START);
    g_assert_cmpuint(respond(&world, 2 * START), ==, 0);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_STRANGER);
    g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 0);
    g_assert_cmpuint(world.pair.last_taken, ==, 0);
}

/* Proves: with another preshared key at either end there is no session. */
static void
test_wrong_psk(void)
{
    g_auto(World) world = {0};
    size_t len;

    world_init(&world, KV_NOISE_IKPSK2);
    world.pair.peer_psk[5] ^= 1;
    begin(&world, START);
    len = respond(&world, START);
    g_assert_cmpuint(len, >, 0);
    g_assert_false(kv_initiator_input(world.pair.initiator, world.back, len, START));
    g_assert_cmpint(kv_initiator_get_state(world.pair.initiator), ==, KV_INITIATOR_WAITING);
}

/* Proves: a replay makes no session, and is told the last number once a second at most. */
static void
test_replay(void)
{
    g_auto(World) world = {0};
    guint told = 0;

    world_init(&world, KV_NOISE_IKPSK2);
    begin(&world, START);
    g_assert_cmpuint(respond(&world, START), >, 0);
    for (guint i = 1; i <= 200; i++) {
        told += respond(&world, START + i * GAP) > 0 ? 1 : 0;
        g_assert_cmpint(world.pair.drop, ==, KV_DROP_REPLAY);
        g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 1);
    }
    g_assert_cmpuint(told, ==, 5);
}

/* Proves: an older initiation that was overtaken makes no session. */
static void
test_overtaken(void)
{
    g_auto(World) world = {0};
    uint8_t older[KV_INITIATION_MAX];
    size_t len;

    world_init(&world, KV_NOISE_IKPSK2);
    len = kv_handshake_pair_begin(&world.pair, START, older);
    begin(&world, START);
    respond(&world, START);
    memcpy(world.there, older, len);
    world.len = len;
    respond(&world, START);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_REPLAY);
}

/* Brings the responder under load at @now with what opens to nothing. */
static void
flood(World *world, KvTime now)
{
    for (guint i = 0; i < 50; i++) {
        begin_junk(world, 80, NULL);
        g_assert_cmpuint(respond(world, now), ==, 0);
        g_assert_cmpint(world->pair.drop, ==, KV_DROP_CHECKSUM);
    }
}

/* Proves: the 51st initiation within a second is answered with a cookie and not opened; with the
 * cookie the true client comes in at once; a second after the flood there are no cookies. */
static void
test_load(void)
{
    g_auto(World) world = {0};
    KvStats stats = {0};
    size_t len;

    world_init(&world, KV_NOISE_IKPSK2);
    flood(&world, START);
    begin(&world, START);
    len = respond(&world, START);
    g_assert_cmpuint(len, >=, KV_OUTER_REPLY_MIN);
    g_assert_cmpuint(len, <=, KV_OUTER_REPLY_MAX);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_RATE);
    g_assert_cmpuint(world.pair.found, ==, 0);
    g_assert_true(kv_initiator_input(world.pair.initiator, world.back, len, START));
    g_assert_cmpuint(kv_initiator_deadline(world.pair.initiator), <=, START);

    world.len = kv_initiator_output(world.pair.initiator, world.there, START);
    world.pair.from.port++;
    len = respond(&world, START);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_RATE);
    g_assert_cmpuint(len, >, 0);
    world.pair.from.port--;
    len = respond(&world, START);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_NONE);
    g_assert_true(kv_initiator_input(world.pair.initiator, world.back, len, START));
    g_assert_cmpint(kv_initiator_get_state(world.pair.initiator), ==, KV_INITIATOR_DONE);

    begin_junk(&world, 80, NULL);
    g_assert_cmpuint(respond(&world, START + KV_TIME_S - 1), >, 0);
    kv_responder_add_stats(world.pair.responder, &stats);
    g_assert_cmpuint(stats.cookie_replies, ==, 3);
    g_assert_cmpuint(stats.handshakes_opened, ==, 50 + 1);
    g_assert_cmpuint(respond(&world, START + 2 * KV_TIME_S), ==, 0);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_CHECKSUM);
}

/* Proves: a second cookie does not make the initiator hurry, and an old one is not shown. */
static void
test_cookie_use(void)
{
    g_auto(World) world = {0};
    uint8_t first[KV_INITIATION_MAX];
    size_t len;

    world_init(&world, KV_NOISE_IKPSK2);
    flood(&world, START);
    begin(&world, START);
    len = respond(&world, START);
    memcpy(first, world.back, len);
    g_assert_true(kv_initiator_input(world.pair.initiator, first, len, START));
    kv_initiator_output(world.pair.initiator, world.there, START);
    g_assert_true(kv_initiator_input(world.pair.initiator, first, len, START));
    g_assert_cmpuint(kv_initiator_output(world.pair.initiator, world.there, START), ==, 0);
    g_assert_cmpuint(kv_initiator_deadline(world.pair.initiator), >, START);

    for (KvTime ago = 59; ago <= 60; ago++) {
        KvTime now = START + ago * KV_TIME_S;

        kv_initiator_start(world.pair.initiator, now);
        flood(&world, now);
        world.len = kv_initiator_output(world.pair.initiator, world.there, now);
        respond(&world, now);
        g_assert_cmpint(world.pair.drop, ==, ago == 59 ? KV_DROP_NONE : KV_DROP_RATE);
    }
}

/* The cookie of the address that asks now. */
static void
ask_for_cookie(World *world, KvTime now, uint8_t cookie[KV_OUTER_COOKIE_BYTES])
{
    KvOuterKeys outer;
    size_t len;

    kv_outer_keys_derive(&outer, world->pair.public_keys[1]);
    begin_junk(world, 200, NULL);
    len = respond(world, now);
    g_assert_true(
        kv_outer_read_reply(&outer, kv_outer_get_mac1(world->there), world->back, len, cookie));
}

/* Proves: under load an address that proved itself has five initiations and then twenty a second,
 * whichever of its ports it takes, and others have theirs. */
static void
test_address_rate(void)
{
    g_auto(World) world = {0};
    uint8_t cookie[KV_OUTER_COOKIE_BYTES];
    guint opened = 0;

    world_init(&world, KV_NOISE_IKPSK2);
    flood(&world, START);
    for (KvTime t = 0; t < 2 * KV_TIME_S; t += 2 * KV_TIME_MS) {
        world.pair.from.port = (uint16_t) (1024 + t % 7);
        ask_for_cookie(&world, START + t, cookie);
        begin_junk(&world, 200, cookie);
        g_assert_cmpuint(respond(&world, START + t), ==, 0);
        opened += world.pair.drop == KV_DROP_CHECKSUM ? 1 : 0;
    }
    g_assert_cmpuint(opened, >=, 44);
    g_assert_cmpuint(opened, <=, 45);
    world.pair.from.ip[15]++;
    ask_for_cookie(&world, START + 2 * KV_TIME_S, cookie);
    begin_junk(&world, 200, cookie);
    respond(&world, START + 2 * KV_TIME_S);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_CHECKSUM);
}

/* Proves: a key that is admitted can have no more than its burst opened for a request. */
static void
test_key_rate(void)
{
    g_auto(World) world = {0};

    world_init(&world, KV_NOISE_IKPSK2);
    for (guint i = 0; i < 20; i++) {
        begin(&world, START);
        respond(&world, START);
        g_assert_cmpint(world.pair.drop, ==, i < 10 ? KV_DROP_NONE : KV_DROP_RATE);
    }
    begin(&world, START + 20 * KV_TIME_MS);
    respond(&world, START + 20 * KV_TIME_MS);
    g_assert_cmpint(world.pair.drop, ==, KV_DROP_NONE);
}

/* Proves: of one key eight are half open at most, the newest; others' stay. */
static void
test_half_open_each(void)
{
    g_auto(World) world = {0};
    uint8_t proofs[10][KV_SEAL_OVERHEAD];

    world_init(&world, KV_NOISE_IKPSK2);
    for (guint i = 0; i < 10; i++) {
        g_auto(KvNativeKeys) keys = {0};
        KvTime now = START + i * GAP;
        size_t len;

        begin(&world, now);
        len = respond(&world, now);
        g_assert_true(kv_initiator_input(world.pair.initiator, world.back, len, now));
        kv_initiator_take_keys(world.pair.initiator, &keys);
        kv_handshake_pair_prove(&keys, proofs[i]);
    }
    g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 8);
    for (guint i = 0; i < 10; i++) {
        g_auto(KvNativeKeys) keys = {0};

        g_assert_cmpint(kv_responder_confirm(world.pair.responder, proofs[i], sizeof proofs[i],
                                             START + KV_TIME_S, &keys),
                        ==, i >= 2);
    }
}

/* Proves: whoever knows the secret, from any address, 512 are half open at most. */
static void
test_half_open_all(void)
{
    g_auto(World) world = {0};

    world_init(&world, KV_NOISE_NNPSK0);
    for (guint i = 0; i < 560; i++) {
        KvTime now = START + i * 5 * KV_TIME_MS;
        size_t len;

        world.pair.from.ip[14] = (uint8_t) (i >> 8);
        world.pair.from.ip[15] = (uint8_t) i;
        do { /* once more with the cookie, if one is wanted */
            begin(&world, now);
            len = respond(&world, now);
            g_assert_cmpuint(len, >, 0);
            (void) kv_initiator_input(world.pair.initiator, world.back, len, now);
        } while (world.pair.drop != KV_DROP_NONE);
        g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, MIN(i + 1, 512));
    }
}

/* Proves: of one IPv6 network eight are half open at most, whatever addresses it takes. */
static void
test_half_open_network(void)
{
    g_auto(World) world = {0};

    world_init(&world, KV_NOISE_NNPSK0);
    world.pair.from = (KvEndpoint){.ip = {0x20, 0x01, 0x0d, 0xb8}};
    for (guint i = 0; i < 20; i++) {
        world.pair.from.ip[8 + i % 8]++;
        begin(&world, START + i * GAP);
        respond(&world, START + i * GAP);
    }
    g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 8);
    world.pair.from.ip[7]++;
    begin(&world, START + KV_TIME_S);
    respond(&world, START + KV_TIME_S);
    g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 9);
}

/* Proves: ten seconds after the answer, and no sooner, its keys are gone. */
static void
test_expiry(void)
{
    for (guint late = 0; late <= 1; late++) {
        g_auto(World) world = {0};
        g_auto(KvNativeKeys) a = {0};
        g_auto(KvNativeKeys) b = {0};
        KvTime then = START + 10 * KV_TIME_S;
        size_t len;

        world_init(&world, KV_NOISE_IKPSK2);
        g_assert_cmpuint(kv_responder_deadline(world.pair.responder), ==, KV_TIME_NEVER);
        begin(&world, START);
        len = respond(&world, START);
        g_assert_cmpuint(kv_responder_deadline(world.pair.responder), ==, then);
        g_assert_true(kv_initiator_input(world.pair.initiator, world.back, len, START));
        kv_initiator_take_keys(world.pair.initiator, &a);
        len = kv_handshake_pair_prove(&a, world.there);
        g_assert_cmpint(
            kv_responder_confirm(world.pair.responder, world.there, len, then - 1 + late, &b), ==,
            late == 0);
        kv_responder_advance(world.pair.responder, then);
        g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 0);
    }
}

/* Proves: only a true datagram of the peer's makes a session, and that once. */
static void
test_confirm(void)
{
    g_auto(World) world = {0};
    g_auto(KvNativeKeys) a = {0};
    g_auto(KvNativeKeys) b = {0};
    g_auto(KvNativeKeys) again = {0};
    KvResponder *responder;
    size_t len;

    world_init(&world, KV_NOISE_IKPSK2);
    responder = world.pair.responder;
    begin(&world, START);
    len = respond(&world, START);
    g_assert_true(kv_initiator_input(world.pair.initiator, world.back, len, START));
    kv_initiator_take_keys(world.pair.initiator, &a);
    len = kv_handshake_pair_prove(&a, world.there);
    for (size_t at = 0; at < len; at++) {
        /* The check before the tag is for ends that forgot the session. */
        if (at >= 12 && at < 16)
            continue;
        world.there[at] ^= 4;
        g_assert_false(kv_responder_confirm(responder, world.there, len, START, &b));
        world.there[at] ^= 4;
        g_assert_false(kv_responder_confirm(responder, world.there, at, START, &b));
    }
    g_assert_true(kv_responder_confirm(responder, world.there, len, START, &b));
    g_assert_cmpuint(b.local_index, ==, a.remote_index);
    g_assert_false(kv_responder_confirm(responder, world.there, len, START, &again));
}

/* Proves: before it was answered a request has no keys, so that zeros are none. */
static void
test_confirm_early(void)
{
    g_auto(World) world = {0};
    g_auto(KvNativeKeys) forged = {.aead = KV_AEAD_CHACHA20_POLY1305};
    g_auto(KvNativeKeys) keys = {0};
    KvResponderOutcome outcome;
    size_t len;

    world_init(&world, KV_NOISE_IKPSK2);
    begin(&world, START);
    kv_responder_input(world.pair.responder, world.there, world.len, &world.pair.from, START,
                       &outcome);
    g_assert_true(outcome.asks);
    forged.remote_index = outcome.request.id;
    kv_outer_keys_derive(&forged.remote_outer, world.pair.public_keys[1]);
    len = kv_handshake_pair_prove(&forged, world.there);
    g_assert_false(kv_responder_confirm(world.pair.responder, world.there, len, START, &keys));
}

/* Proves: a request is answered once, waits no longer than 10 s, and a refused one leaves nothing.
 */
static void
test_answer(void)
{
    g_auto(World) world = {0};
    g_auto(KvNativeConfig) grant = {0};
    g_auto(KvNativeConfig) no = {0};
    KvResponder *responder;
    KvResponderOutcome outcome;
    uint32_t id;

    world_init(&world, KV_NOISE_IKPSK2);
    responder = world.pair.responder;
    kv_native_config_init(&grant);
    kv_native_config_init(&no);
    begin(&world, START);
    kv_responder_input(responder, world.there, world.len, &world.pair.from, START, &outcome);
    id = outcome.request.id;
    g_assert_true(outcome.asks);
    g_assert_cmpuint(outcome.request.config->mtu, ==, 1400);
    g_assert_cmpmem(outcome.request.remote_public, 32, world.pair.public_keys[0], 32);
    g_assert_true(kv_endpoint_equal(&outcome.request.from, &world.pair.from));
    g_assert_cmpuint(kv_responder_answer(responder, id + 1, &grant, START, world.back), ==, 0);
    g_assert_cmpuint(kv_responder_answer(responder, id, &grant, START, world.back), >, 0);
    g_assert_cmpuint(kv_responder_answer(responder, id, &grant, START, world.back), ==, 0);

    begin(&world, START);
    kv_responder_input(responder, world.there, world.len, &world.pair.from, START, &outcome);
    g_assert_cmpuint(kv_responder_get_length(responder), ==, 2);
    no.refusal = KV_REFUSED_NOW;
    g_assert_cmpuint(kv_responder_answer(responder, outcome.request.id, &no, START, world.back), >,
                     0);
    g_assert_cmpuint(kv_responder_get_length(responder), ==, 1);

    begin(&world, START);
    kv_responder_input(responder, world.there, world.len, &world.pair.from, START, &outcome);
    kv_responder_advance(responder, START + 10 * KV_TIME_S);
    g_assert_cmpuint(kv_responder_answer(responder, outcome.request.id, &grant, START, world.back),
                     ==, 0);
}

/* Proves: while more than 32 requests wait to be answered, others get cookies. */
static void
test_waiting(void)
{
    g_auto(World) world = {0};
    g_auto(KvNativeConfig) grant = {0};
    KvResponderOutcome outcome;
    uint32_t first = 0;

    world_init(&world, KV_NOISE_NNPSK0);
    kv_native_config_init(&grant);
    for (guint i = 0; i < 34; i++) {
        world.pair.from.ip[15] = (uint8_t) i;
        begin(&world, START + i * GAP);
        kv_responder_input(world.pair.responder, world.there, world.len, &world.pair.from,
                           START + i * GAP, &outcome);
        g_assert_cmpint(outcome.asks, ==, i < 33);
        g_assert_cmpint(outcome.reply_len > 0, ==, i == 33);
        first = i == 0 ? outcome.request.id : first;
    }
    g_assert_cmpuint(
        kv_responder_answer(world.pair.responder, first, &grant, START + KV_TIME_S, world.back), >,
        0);
    kv_responder_input(world.pair.responder, world.there, world.len, &world.pair.from,
                       START + KV_TIME_S, &outcome);
    g_assert_true(outcome.asks);
}

static void
assert_refused(World *world, guint refusal)
{
    size_t len;

    begin(world, START);
    len = respond(world, START);
    g_assert_cmpint(world->pair.drop, ==, KV_DROP_MALFORMED);
    g_assert_true(kv_initiator_input(world->pair.initiator, world->back, len, START));
    g_assert_cmpint(kv_initiator_get_state(world->pair.initiator), ==, KV_INITIATOR_REFUSED);
    g_assert_cmpuint(kv_initiator_get_refusal(world->pair.initiator)->refusal, ==, refusal);
    g_assert_cmpuint(kv_responder_get_length(world->pair.responder), ==, 0);
}

/* Proves: who says what is not allowed, or wants no cipher that is there, is told and forgotten. */
static void
test_refused(void)
{
    g_auto(World) world = {0};

    world_init(&world, KV_NOISE_NNPSK0);
    world.pair.say.mtu = 20;
    assert_refused(&world, KV_REFUSED_RECORD);
    world.pair.say.mtu = 0;
    world.pair.say.ciphers[0] = KV_AEAD_AES_256_GCM;
    assert_refused(&world, KV_REFUSED_CIPHER);
    world.pair.say.ciphers[0] = 0;
    assert_refused(&world, KV_REFUSED_CIPHER);
}

/* Proves: the initiator's order of wish decides, among what the responder wants too. */
static void
test_cipher(void)
{
    for (guint i = 0; i < 2; i++) {
        g_auto(World) world = {0};
        g_auto(KvNativeKeys) a = {0};
        g_auto(KvNativeKeys) b = {0};

        world_init(&world, KV_NOISE_IKPSK2);
        world.pair.say.ciphers[i] = KV_AEAD_CHACHA20_POLY1305;
        world.pair.say.ciphers[1 - i] = KV_AEAD_AES_256_GCM;
        kv_handshake_pair_finish(&world.pair, START, &a, &b);
        g_assert_cmpint(a.aead, ==, KV_AEAD_CHACHA20_POLY1305);
    }
}

/* Proves: one responder takes peers with keys and those that know a secret. */
static void
test_both_doors(void)
{
    g_auto(World) keys = {0};
    g_auto(World) secret = {0};
    g_autoptr(KvResponder) responder = NULL;
    KvResponderConfig config = {0};
    KvResponderOutcome outcome;

    world_init(&keys, KV_NOISE_IKPSK2);
    world_init(&secret, KV_NOISE_NNPSK0);
    config.private_key = keys.pair.private_keys[1];
    config.psk = secret.pair.psk;
    config.peers = keys.pair.peers;
    config.ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    config.indexes = keys.pair.indexes[1];
    responder = kv_responder_new(&config, &keys.pair.random);
    begin(&keys, START);
    kv_responder_input(responder, keys.there, keys.len, &keys.pair.from, START, &outcome);
    g_assert_true(outcome.asks);
    g_assert_cmpint(outcome.request.pattern, ==, KV_NOISE_IKPSK2);
    begin(&secret, START);
    kv_responder_input(responder, secret.there, secret.len, &secret.pair.from, START, &outcome);
    g_assert_true(outcome.asks);
    g_assert_cmpint(outcome.request.pattern, ==, KV_NOISE_NNPSK0);
}

/* Proves: a peer that is removed has nothing half open, others keep theirs. */
static void
test_forget(void)
{
    g_auto(World) world = {0};
    static const uint8_t other[KV_NATIVE_KEY_BYTES] = {9};

    world_init(&world, KV_NOISE_IKPSK2);
    begin(&world, START);
    respond(&world, START);
    kv_responder_forget_peer(world.pair.responder, other);
    g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 1);
    kv_responder_forget_peer(world.pair.responder, world.pair.public_keys[0]);
    g_assert_cmpuint(kv_responder_get_length(world.pair.responder), ==, 0);
}

/* --- what an observer sees ---------------------------------------------------------------------
 */

#define SEEN_BYTES 128
#define SEEN       700

typedef struct {
    guint bits[SEEN_BYTES][8];
    guint n;
} Seen;

static void
look_at(Seen *seen, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < MIN(len, SEEN_BYTES); i++) {
        for (guint bit = 0; bit < 8; bit++)
            seen->bits[i][bit] += data[i] >> bit & 1;
    }
    seen->n++;
}

/* Within six deviations of half, as a fair coin is but once in 5e8. */
static void
assert_fair(const Seen *seen, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        for (guint bit = 0; bit < 8; bit++) {
            double off = seen->bits[i][bit] - seen->n / 2.0;

            g_assert_cmpfloat(off * off, <, 36 * seen->n / 4.0);
        }
    }
}

/* Proves: no bit of an initiation, an answer or a cookie reply is more often set than not. */
static void
test_uniform(void)
{
    static const KvNoisePattern patterns[] = {KV_NOISE_IKPSK2, KV_NOISE_NNPSK0};

    for (guint i = 0; i < G_N_ELEMENTS(patterns); i++) {
        g_auto(World) world = {0};
        Seen there = {0}, back = {0}, cookies = {0};

        world_init(&world, patterns[i]);
        for (guint j = 0; j < SEEN; j++) {
            begin(&world, START + j * GAP);
            look_at(&there, world.there, world.len);
            look_at(&back, world.back, respond(&world, START + j * GAP));
        }
        flood(&world, 100 * START);
        for (guint j = 0; j < SEEN; j++)
            look_at(&cookies, world.back, respond(&world, 100 * START));
        assert_fair(&there, SEEN_BYTES);
        assert_fair(&back, SEEN_BYTES);
        assert_fair(&cookies, KV_OUTER_REPLY_MIN);
    }
}

/* Proves: lengths say nothing, either: those of initiations reach from 600 to 1200, those of
 * answers up to their initiations'. */
static void
test_lengths(void)
{
    g_auto(World) world = {0};
    size_t least = SIZE_MAX, most = 0, shortest = SIZE_MAX;

    world_init(&world, KV_NOISE_NNPSK0);
    for (guint i = 0; i < 300; i++) {
        begin(&world, START + i * GAP);
        least = MIN(least, world.len);
        most = MAX(most, world.len);
        shortest = MIN(shortest, respond(&world, START + i * GAP));
    }
    g_assert_cmpuint(least, <, 630);
    g_assert_cmpuint(most, >, 1170);
    g_assert_cmpuint(shortest, <, 250);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/responder/stranger", test_stranger);
    g_test_add_func("/responder/not-admitted", test_not_admitted);
    g_test_add_func("/responder/wrong-psk", test_wrong_psk);
    g_test_add_func("/responder/replay", test_replay);
    g_test_add_func("/responder/overtaken", test_overtaken);
    g_test_add_func("/responder/load", test_load);
    g_test_add_func("/responder/cookie-use", test_cookie_use);
    g_test_add_func("/responder/address-rate", test_address_rate);
    g_test_add_func("/responder/key-rate", test_key_rate);
    g_test_add_func("/responder/half-open-each", test_half_open_each);
    g_test_add_func("/responder/half-open-all", test_half_open_all);
    g_test_add_func("/responder/half-open-network", test_half_open_network);
    g_test_add_func("/responder/expiry", test_expiry);
    g_test_add_func("/responder/confirm", test_confirm);
    g_test_add_func("/responder/confirm-early", test_confirm_early);
    g_test_add_func("/responder/answer", test_answer);
    g_test_add_func("/responder/waiting", test_waiting);
    g_test_add_func("/responder/refused", test_refused);
    g_test_add_func("/responder/cipher", test_cipher);
    g_test_add_func("/responder/both-doors", test_both_doors);
    g_test_add_func("/responder/forget", test_forget);
    g_test_add_func("/responder/uniform", test_uniform);
    g_test_add_func("/responder/lengths", test_lengths);
    return kv_test_main(&argc, &argv);
}
