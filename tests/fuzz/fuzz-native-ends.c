/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-handshake-pair.h"

#include <string.h>

#define START (7 * KV_TIME_S)

/* The input as records in a true message of the initiator's or, to its true initiation, of the
 * responder's: whatever a peer with the right keys says. */
static size_t
write_message(KvHandshakePair *pair, KvNoise *noise, const KvOuterKeys *outer,
              const KvHandshakeHead *head, const uint8_t *data, size_t size, uint8_t *datagram)
{
    gboolean initiation = head->type == KV_HANDSHAKE_INITIATION;
    size_t fields = initiation ? 12 : 4;
    uint8_t payload[KV_INITIATION_MAX] = {0};
    uint8_t *body = datagram + KV_OUTER_HEAD_BYTES;
    size_t body_head = initiation ? 4 : 8;
    size_t len;

    size = MIN(size, 1000);
    kv_put_le32(payload, head->sender);
    if (initiation)
        kv_put_le64(payload + 4, head->number);
    memcpy(payload + fields, data, size);
    kv_put_le32(body, head->type);
    if (!initiation)
        kv_put_le32(body + 4, head->receiver);
    len = kv_noise_write(noise, payload, fields + size, body + body_head);
    g_assert(len > 0);
    len += KV_OUTER_HEAD_BYTES + body_head;
    kv_outer_seal(outer, datagram, len, NULL, &pair->random);
    return len;
}

static KvNoise *
make_noise(const KvHandshakePair *pair, gboolean initiator)
{
    static const uint8_t ephemeral[KV_NATIVE_KEY_BYTES] = {3, 9};
    KvNoiseKeys keys = {.ephemeral = ephemeral,
                        .psk = pair->peer_psk,
                        .local = kv_secret_get_data(pair->private_keys[initiator ? 0 : 1]),
                        .remote_public = initiator ? pair->public_keys[1] : NULL};

    return kv_noise_new(KV_NOISE_IKPSK2, initiator, KV_NATIVE_PROLOGUE, strlen(KV_NATIVE_PROLOGUE),
                        &keys);
}

/* A peer that says anything is answered with no more than it sent, and leaves one request at most.
 */
static void
ask(KvHandshakePair *pair, const uint8_t *data, size_t size)
{
    g_autoptr(KvNoise) noise = make_noise(pair, TRUE);
    KvHandshakeHead head = {
        .type = KV_HANDSHAKE_INITIATION, .sender = data[0], .number = (uint64_t) data[1] + 1};
    uint8_t there[KV_INITIATION_MAX];
    uint8_t back[KV_INITIATION_MAX];
    KvOuterKeys outer;
    size_t len;

    kv_outer_keys_derive(&outer, pair->public_keys[1]);
    len = write_message(pair, noise, &outer, &head, data, size, there);
    len = kv_handshake_pair_respond(pair, there, len, START, back);
    g_assert(len > 0 && pair->drop != KV_DROP_CHECKSUM);
    g_assert(kv_responder_get_length(pair->responder) == (pair->drop == KV_DROP_NONE ? 1 : 0));
}

/* A responder that says anything ends the handshake, or calls the number too low. */
static void
answer(KvHandshakePair *pair, const uint8_t *data, size_t size)
{
    g_autoptr(KvNoise) noise = make_noise(pair, FALSE);
    g_auto(KvNativeConfig) said = {0};
    KvHandshakeHead head = {.type = KV_HANDSHAKE_RESPONSE, .sender = data[0]};
    KvHandshakeHead asked;
    KvHandshakeBody body;
    KvOuterKeys outer;
    uint8_t buf[KV_INITIATION_MAX];
    KvInitiatorState state;
    size_t len;

    kv_native_config_init(&said);
    len = kv_handshake_pair_begin(pair, START, buf);
    kv_outer_keys_derive(&outer, pair->public_keys[1]);
    g_assert(kv_outer_check(&outer, buf, len) && kv_handshake_unmask(&outer, buf, len, &body));
    g_assert(kv_handshake_open(noise, &body, &asked, &said) == KV_HANDSHAKE_TRUE);
    head.receiver = asked.sender;
    kv_outer_keys_derive(&outer, pair->public_keys[0]);
    len = write_message(pair, noise, &outer, &head, data, size, buf);
    g_assert(kv_initiator_input(pair->initiator, buf, len, START));
    state = kv_initiator_get_state(pair->initiator);
    g_assert(state == KV_INITIATOR_DONE || state == KV_INITIATOR_REFUSED ||
             state == KV_INITIATOR_WAITING);
    if (state == KV_INITIATOR_DONE) {
        g_auto(KvNativeKeys) keys = {0};

        kv_initiator_take_keys(pair->initiator, &keys);
        g_assert(keys.aead == KV_AEAD_CHACHA20_POLY1305 && keys.remote_index != 0);
    }
}

/* The input laid over the body of a true datagram: what knows the outer key only. */
static void
forge(KvHandshakePair *pair, const uint8_t *data, size_t size)
{
    uint8_t buf[KV_INITIATION_MAX] = {0};
    uint8_t back[KV_INITIATION_MAX];
    size_t len = KV_OUTER_HEAD_BYTES + MIN(size, sizeof buf - KV_OUTER_HEAD_BYTES);
    KvOuterKeys outer;

    for (guint i = 0; i < 2; i++) {
        kv_outer_keys_derive(&outer, pair->public_keys[i]);
        memcpy(buf + KV_OUTER_HEAD_BYTES, data, len - KV_OUTER_HEAD_BYTES);
        kv_outer_seal(&outer, buf, len, NULL, &pair->random);
        g_assert(kv_handshake_pair_respond(pair, buf, len, START, back) == 0);
        g_assert(!kv_initiator_input(pair->initiator, buf, len, START));
    }
}

static void
send_raw(KvHandshakePair *pair, const uint8_t *data, size_t size)
{
    g_auto(KvNativeKeys) keys = {0};
    uint8_t back[KV_INITIATION_MAX];

    g_assert(kv_handshake_pair_respond(pair, data, size, START, back) == 0);
    g_assert(!kv_initiator_input(pair->initiator, data, size, START));
    g_assert(!kv_responder_confirm(pair->responder, data, size, START, &keys));
}

/* Both ends of a handshake against whoever has no key, the outer key, and all keys. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(KvHandshakePair) pair = {0};
    uint8_t initiation[KV_INITIATION_MAX];

    if (size < 2)
        return 0;
    kv_handshake_pair_init(&pair, KV_NOISE_IKPSK2, FALSE, 1);
    kv_handshake_pair_begin(&pair, START, initiation);
    send_raw(&pair, data, size);
    forge(&pair, data, size);
    ask(&pair, data, size);
    answer(&pair, data, size);
    return 0;
}
