/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-handshake-pair.h"

#include <string.h>

#define START (7 * KV_TIME_S)

typedef struct {
    KvNoisePattern pattern;
    gboolean has_psk;
} Mode;

static const Mode modes[] = {
    {KV_NOISE_IKPSK2, FALSE}, {KV_NOISE_IKPSK2, TRUE}, {KV_NOISE_NNPSK0, TRUE}};

static void
init(KvHandshakePair *pair, const Mode *mode)
{
    kv_handshake_pair_init(pair, mode->pattern, mode->has_psk, kv_test_get_seed());
}

/* Proves: in every mode both ends come to the same keys, names, tokens and words. */
static void
test_keys(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_auto(KvHandshakePair) pair = {0};
        g_auto(KvNativeKeys) a = {0};
        g_auto(KvNativeKeys) b = {0};

        init(&pair, &modes[i]);
        kv_handshake_pair_finish(&pair, START, &a, &b);
        g_assert_true(a.initiator && !b.initiator);
        g_assert_cmpint(a.pattern, ==, modes[i].pattern);
        g_assert_cmpint(b.pattern, ==, modes[i].pattern);
        g_assert_cmpint(a.aead, ==, KV_AEAD_CHACHA20_POLY1305);
        g_assert_cmpint(b.aead, ==, KV_AEAD_CHACHA20_POLY1305);
        g_assert_cmpuint(a.local_index, ==, b.remote_index);
        g_assert_cmpuint(b.local_index, ==, a.remote_index);
        g_assert_cmpmem(a.send, sizeof a.send, b.receive, sizeof b.receive);
        g_assert_cmpmem(b.send, sizeof b.send, a.receive, sizeof a.receive);
        g_assert_true(memcmp(a.send, a.receive, sizeof a.send) != 0);
        g_assert_cmpmem(a.local_token, 16, b.remote_token, 16);
        g_assert_cmpmem(b.local_token, 16, a.remote_token, 16);
        g_assert_cmpmem(a.association, 16, b.association, 16);
        g_assert_cmpmem(a.remote_public, 32, pair.public_keys[1], 32);
        g_assert_cmpmem(b.remote_public, 32, pair.public_keys[0], 32);
        g_assert_cmpuint(a.remote.mtu, ==, 1400);
        g_assert_cmpuint(b.remote.mtu, ==, 1400);
        g_assert_cmpuint(b.local.mtu, ==, 1400);
        g_assert_cmpuint(kv_responder_get_length(pair.responder), ==, 0);
        g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_IDLE);
    }
}

/* Proves: initiations leave after the timetable, and after 90 s no more. */
static void
test_timetable(void)
{
    static const KvTime first[] = {0, 250, 600, 1200, 2000, 3000};
    g_auto(KvHandshakePair) pair = {0};
    uint8_t buf[KV_INITIATION_MAX];
    KvTime last = 0;
    guint n = 0;

    init(&pair, &modes[0]);
    g_assert_cmpuint(kv_initiator_deadline(pair.initiator), ==, KV_TIME_NEVER);
    g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, START), ==, 0);
    kv_initiator_start(pair.initiator, START);
    for (;;) {
        KvTime due = kv_initiator_deadline(pair.initiator);

        if (due == KV_TIME_NEVER)
            break;
        g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, due - 1), ==, 0);
        kv_initiator_advance(pair.initiator, due);
        if (kv_initiator_output(pair.initiator, buf, due) == 0)
            break;
        g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, due), ==, 0);
        if (n < G_N_ELEMENTS(first)) {
            g_assert_cmpuint(due, ==, START + first[n] * KV_TIME_MS);
        } else {
            g_assert_cmpuint(due - last, >=, 5 * KV_TIME_S);
            g_assert_cmpuint(due - last, <, 5 * KV_TIME_S + KV_TIME_S / 3);
        }
        last = due;
        n++;
    }
    g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_GAVE_UP);
    g_assert_cmpuint(kv_initiator_deadline(pair.initiator), ==, KV_TIME_NEVER);
    g_assert_cmpuint(last, <, START + KV_INITIATOR_PATIENCE);
    g_assert_cmpuint(n, >=, 22);
    g_assert_cmpuint(n, <=, 23);
}

/* Proves: a machine that slept sends one initiation when it wakes, not all it missed. */
static void
test_sleep(void)
{
    g_auto(KvHandshakePair) pair = {0};
    uint8_t buf[KV_INITIATION_MAX];

    init(&pair, &modes[0]);
    kv_handshake_pair_begin(&pair, START, buf);
    g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, START + 1300 * KV_TIME_MS), >, 0);
    g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, START + 1300 * KV_TIME_MS), ==, 0);
    g_assert_cmpuint(kv_initiator_deadline(pair.initiator), ==, START + 2 * KV_TIME_S);
    g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, START + 50 * KV_TIME_S), >, 0);
    g_assert_cmpuint(kv_initiator_output(pair.initiator, buf, START + 50 * KV_TIME_S), ==, 0);
}

/* Proves: the last eight initiations may be answered, in any order, and the first answer is taken.
 */
static void
test_attempts(void)
{
    for (guint answered = 0; answered < 10; answered++) {
        g_auto(KvHandshakePair) pair = {0};
        uint8_t answers[10][KV_INITIATION_MAX];
        size_t lens[10];
        KvTime now = START;

        init(&pair, &modes[0]);
        kv_initiator_start(pair.initiator, now);
        for (guint i = 0; i < G_N_ELEMENTS(answers); i++) {
            uint8_t buf[KV_INITIATION_MAX];
            size_t len = kv_initiator_output(pair.initiator, buf, now);

            lens[i] = kv_handshake_pair_respond(&pair, buf, len, now, answers[i]);
            g_assert_cmpuint(lens[i], >, 0);
            now = kv_initiator_deadline(pair.initiator);
        }
        g_assert_cmpint(kv_initiator_input(pair.initiator, answers[answered], lens[answered], now),
                        ==, answered >= 2);
        if (answered >= 2)
            g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_DONE);
        g_assert_cmpint(kv_initiator_input(pair.initiator, answers[9], lens[9], now), ==,
                        answered < 2);
    }
}

/* Proves: no changed, cut or foreign answer is taken, and the true one still is after them. */
static void
test_forged(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_auto(KvHandshakePair) pair = {0};
        uint8_t there[KV_INITIATION_MAX];
        uint8_t back[KV_INITIATION_MAX];
        size_t len;

        init(&pair, &modes[i]);
        len = kv_handshake_pair_begin(&pair, START, there);
        g_assert_false(kv_initiator_input(pair.initiator, there, len, START));
        len = kv_handshake_pair_respond(&pair, there, len, START, back);
        for (size_t at = 0; at < len; at++) {
            /* What would be a cookie is random and nothing anybody looks at. */
            if (at >= KV_OUTER_NONCE_BYTES + KV_OUTER_MAC_BYTES && at < KV_OUTER_HEAD_BYTES)
                continue;
            back[at] ^= (uint8_t) (1 << at % 8);
            g_assert_false(kv_initiator_input(pair.initiator, back, len, START));
            back[at] ^= (uint8_t) (1 << at % 8);
        }
        for (size_t cut = 0; cut < len; cut++)
            g_assert_false(kv_initiator_input(pair.initiator, back, cut, START));
        g_assert_true(kv_initiator_input(pair.initiator, back, len, START));
        g_assert_false(kv_initiator_input(pair.initiator, back, len, START));
    }
}

/* Proves: an answer whose frame is right and whose message is not changes nothing. */
static void
test_forged_inside(void)
{
    g_auto(KvHandshakePair) pair = {0};
    uint8_t there[KV_INITIATION_MAX];
    uint8_t back[KV_INITIATION_MAX];
    uint8_t forged[KV_INITIATION_MAX];
    KvOuterKeys outer;
    size_t len;

    init(&pair, &modes[0]);
    kv_outer_keys_derive(&outer, pair.public_keys[0]);
    len = kv_handshake_pair_begin(&pair, START, there);
    len = kv_handshake_pair_respond(&pair, there, len, START, back);
    for (guint i = 0; i < 200; i++) {
        size_t at = KV_OUTER_HEAD_BYTES + kv_test_random_below(&pair.state, 100);

        kv_outer_unmask(&outer, back, len, forged + KV_OUTER_HEAD_BYTES);
        forged[at] ^= 1;
        kv_outer_seal(&outer, forged, len, NULL, &pair.random);
        /* Three bytes are there for a later version, and nobody looks at them. */
        if (at < KV_OUTER_HEAD_BYTES + 1 || at > KV_OUTER_HEAD_BYTES + 3)
            g_assert_false(kv_initiator_input(pair.initiator, forged, len, START));
    }
    g_assert_true(kv_initiator_input(pair.initiator, back, len, START));
}

/* The initiator is refused, and says why. */
static void
assert_refused(const KvHandshakePair *pair, guint refusal)
{
    g_assert_cmpint(kv_initiator_get_state(pair->initiator), ==, KV_INITIATOR_REFUSED);
    g_assert_cmpuint(kv_initiator_get_refusal(pair->initiator)->refusal, ==, refusal);
    g_assert_nonnull(kv_initiator_get_refusal(pair->initiator)->refusal_text);
    g_assert_cmpuint(kv_initiator_deadline(pair->initiator), ==, KV_TIME_NEVER);
}

static void
answer_with(KvHandshakePair *pair, KvNativeConfig *grant, gboolean forge_cipher)
{
    KvResponderOutcome outcome;
    uint8_t there[KV_INITIATION_MAX];
    uint8_t back[KV_INITIATION_MAX];
    size_t len = kv_handshake_pair_begin(pair, START, there);

    g_assert_cmpint(kv_responder_input(pair->responder, there, len, &pair->from, START, &outcome),
                    ==, KV_DROP_NONE);
    /* Meanwhile the initiator has come to want another one. */
    if (forge_cipher)
        pair->say.ciphers[0] = KV_AEAD_AES_256_GCM;
    len = kv_responder_answer(pair->responder, outcome.request.id, grant, START, back);
    g_assert_true(kv_initiator_input(pair->initiator, back, len, START));
}

/* Proves: a refusal is told with its reason and sentence; a cipher that was not offered is one,
 * too. */
static void
test_refused(void)
{
    g_auto(KvHandshakePair) pair = {0};
    g_auto(KvNativeConfig) no = {0};
    g_auto(KvNativeConfig) yes = {0};

    init(&pair, &modes[0]);
    kv_native_config_init(&no);
    kv_native_config_init(&yes);
    no.refusal = KV_REFUSED_FULL;
    no.refusal_text = g_strdup("no room");
    answer_with(&pair, &no, FALSE);
    assert_refused(&pair, KV_REFUSED_FULL);
    g_assert_cmpstr(kv_initiator_get_refusal(pair.initiator)->refusal_text, ==, "no room");
    g_assert_cmpuint(kv_responder_get_length(pair.responder), ==, 0);
    answer_with(&pair, &yes, TRUE);
    assert_refused(&pair, KV_REFUSED_RECORD);
}

/* Answers an initiation without a responder's manners. */
static void
answer_by_hand(KvHandshakePair *pair, const KvNativeConfig *say, uint32_t index)
{
    static const uint8_t ephemeral[KV_NATIVE_KEY_BYTES] = {3, 9};
    KvNoiseKeys keys = {.ephemeral = ephemeral,
                        .psk = pair->peer_psk,
                        .local = kv_secret_get_data(pair->private_keys[1])};
    g_autoptr(KvNoise) noise =
        kv_noise_new(KV_NOISE_IKPSK2, FALSE, KV_NATIVE_PROLOGUE, strlen(KV_NATIVE_PROLOGUE), &keys);
    KvHandshakeHead head = {.type = KV_HANDSHAKE_RESPONSE, .sender = index};
    g_auto(KvNativeConfig) said = {0};
    uint8_t buf[KV_INITIATION_MAX];
    KvHandshakeBody body;
    KvHandshakeHead asked;
    KvOuterKeys outer;
    uint32_t left_out;
    size_t len;

    kv_native_config_init(&said);
    len = kv_handshake_pair_begin(pair, START, buf);
    kv_outer_keys_derive(&outer, pair->public_keys[1]);
    g_assert_true(kv_handshake_unmask(&outer, buf, len, &body));
    g_assert_cmpint(kv_handshake_open(noise, &body, &asked, &said), ==, KV_HANDSHAKE_TRUE);
    head.receiver = asked.sender;
    kv_outer_keys_derive(&outer, pair->public_keys[0]);
    len = kv_handshake_write(noise, &outer, &head, say, NULL, &pair->random, buf, sizeof buf,
                             &left_out);
    g_assert_true(kv_initiator_input(pair->initiator, buf, len, START));
}

/* Proves: an answer without what no session can do without is none, and this end says so. */
static void
test_incomplete(void)
{
    for (guint what = 0; what < 6; what++) {
        g_auto(KvHandshakePair) pair = {0};
        g_auto(KvNativeConfig) say = {0};

        init(&pair, &modes[0]);
        kv_native_config_init(&say);
        say.said = what == 1 ? 0 : KV_SAID_ASSOCIATION;
        say.ciphers[0] = what == 2 ? 0 : KV_AEAD_CHACHA20_POLY1305;
        say.ciphers[1] = what == 3 ? KV_AEAD_AES_256_GCM : 0;
        say.mtu = what == 4 ? 67 : 0;
        answer_by_hand(&pair, &say, what == 5 ? 0 : 1);
        if (what == 0)
            g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_DONE);
        else
            assert_refused(&pair, KV_REFUSED_RECORD);
    }
}

/* Proves: a number that cannot be raised is a refusal like others. */
static void
test_last_number(void)
{
    g_auto(KvHandshakePair) pair = {0};
    g_auto(KvNativeConfig) say = {0};

    init(&pair, &modes[0]);
    kv_native_config_init(&say);
    say.refusal = KV_REFUSED_NUMBER;
    say.refusal_text = g_strdup("too low");
    say.said = KV_SAID_NUMBER;
    say.number = UINT64_MAX;
    answer_by_hand(&pair, &say, 0);
    assert_refused(&pair, KV_REFUSED_NUMBER);
}

/* Proves: with a clock a year back and the last number lost, one more round trip does it, with the
 * refusal and without a pause. */
static void
test_clock_back(void)
{
    g_auto(KvHandshakePair) pair = {0};
    g_auto(KvNativeKeys) a = {0};
    g_auto(KvNativeKeys) b = {0};
    uint8_t there[KV_INITIATION_MAX];
    uint8_t back[KV_INITIATION_MAX];
    uint64_t was;
    size_t len;

    init(&pair, &modes[0]);
    kv_handshake_pair_finish(&pair, START, &a, &b);
    was = pair.last_taken;
    pair.wall_clock -= UINT64_C(365) * 86400 * KV_TIME_S;
    pair.last_sent = 0;
    kv_handshake_pair_restart_initiator(&pair);
    len = kv_handshake_pair_begin(&pair, START, there);
    len = kv_handshake_pair_respond(&pair, there, len, START, back);
    g_assert_cmpint(pair.drop, ==, KV_DROP_REPLAY);
    g_assert_cmpuint(pair.last_taken, ==, was);
    g_assert_true(kv_initiator_input(pair.initiator, back, len, START));
    g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_WAITING);
    g_assert_cmpuint(kv_initiator_deadline(pair.initiator), <=, START);

    len = kv_initiator_output(pair.initiator, there, START);
    g_assert_cmpuint(pair.last_sent, ==, was + 1);
    len = kv_handshake_pair_respond(&pair, there, len, START, back);
    g_assert_cmpint(pair.drop, ==, KV_DROP_NONE);
    g_assert_true(kv_initiator_input(pair.initiator, back, len, START));
    g_assert_cmpint(kv_initiator_get_state(pair.initiator), ==, KV_INITIATOR_DONE);
}

/* Proves: a responder that calls every number too low cannot make the initiator hurry. */
static void
test_clock_liar(void)
{
    g_auto(KvHandshakePair) pair = {0};
    KvTime now = START;
    guint n = 0;

    init(&pair, &modes[0]);
    kv_initiator_start(pair.initiator, now);
    while (now < START + 10 * KV_TIME_S && n <= 20) {
        uint8_t there[KV_INITIATION_MAX];
        uint8_t back[KV_INITIATION_MAX];
        size_t len;

        now = MAX(now, kv_initiator_deadline(pair.initiator));
        len = kv_initiator_output(pair.initiator, there, now);
        g_assert_cmpuint(len, >, 0);
        n++;
        pair.last_taken = pair.last_sent + 10;
        /* One that forgets how often it said so. */
        kv_handshake_pair_restart_responder(&pair);
        len = kv_handshake_pair_respond(&pair, there, len, now, back);
        g_assert_true(kv_initiator_input(pair.initiator, back, len, now));
    }
    g_assert_cmpuint(n, <=, 20);
}

/* Proves: what has no room in an initiation is left out whole, and the peer is told so. */
static void
test_more(void)
{
    g_auto(KvHandshakePair) pair = {0};
    g_auto(KvNativeKeys) a = {0};
    g_auto(KvNativeKeys) b = {0};

    init(&pair, &modes[0]);
    for (guint i = 0; i < 500; i++) {
        KvNetwork route = {.ip = {10, (uint8_t) (i >> 8), (uint8_t) i}, .prefix = 24};

        g_array_append_val(pair.say.routes, route);
    }
    kv_handshake_pair_finish(&pair, START, &a, &b);
    g_assert_cmpuint(b.remote.said & KV_SAID_MORE, !=, 0);
    g_assert_cmpuint(b.remote.routes->len, >, 100);
    g_assert_cmpuint(b.remote.mtu, ==, 1400);
    g_assert_cmpuint(a.remote.said & KV_SAID_MORE, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/initiator/keys", test_keys);
    g_test_add_func("/initiator/timetable", test_timetable);
    g_test_add_func("/initiator/sleep", test_sleep);
    g_test_add_func("/initiator/attempts", test_attempts);
    g_test_add_func("/initiator/forged", test_forged);
    g_test_add_func("/initiator/forged-inside", test_forged_inside);
    g_test_add_func("/initiator/refused", test_refused);
    g_test_add_func("/initiator/incomplete", test_incomplete);
    g_test_add_func("/initiator/last-number", test_last_number);
    g_test_add_func("/initiator/clock-back", test_clock_back);
    g_test_add_func("/initiator/clock-liar", test_clock_liar);
    g_test_add_func("/initiator/more", test_more);
    return kv_test_main(&argc, &argv);
}
