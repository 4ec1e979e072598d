/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-noise.h"
#include "kv-vector.h"

#include <sodium.h>
#include <string.h>

typedef struct {
    KvNoise *initiator;
    KvNoise *responder;
} Ends;

static GBytes *
find_hex(JsonObject *one, const char *name)
{
    return json_object_has_member(one, name) ? kv_vector_get_hex(one, name) : NULL;
}

static const uint8_t *
get_data(GBytes *bytes)
{
    return bytes == NULL ? NULL : g_bytes_get_data(bytes, NULL);
}

static Ends
make_ends(JsonObject *one)
{
    KvNoisePattern pattern = strstr(kv_vector_get_string(one, "handshake"), "IKpsk2") != NULL
                                 ? KV_NOISE_IKPSK2
                                 : KV_NOISE_NNPSK0;
    g_autoptr(GBytes) prologue = find_hex(one, "prologue");
    g_autoptr(GBytes) psk = kv_vector_get_hex(one, "preshared_key");
    g_autoptr(GBytes) e_i = kv_vector_get_hex(one, "gen_init_ephemeral");
    g_autoptr(GBytes) e_r = kv_vector_get_hex(one, "gen_resp_ephemeral");
    g_autoptr(GBytes) s_i = find_hex(one, "init_static");
    g_autoptr(GBytes) s_r = find_hex(one, "resp_static");
    uint8_t public[KV_NOISE_KEY_BYTES];
    KvNoiseKeys first = {get_data(e_i), get_data(psk), get_data(s_i), NULL};
    KvNoiseKeys second = {get_data(e_r), NULL, get_data(s_r), NULL};
    size_t len = prologue == NULL ? 0 : g_bytes_get_size(prologue);
    Ends ends;

    if (s_r != NULL) {
        crypto_scalarmult_base(public, get_data(s_r));
        first.remote_public = public;
    }
    ends.initiator = kv_noise_new(pattern, TRUE, get_data(prologue), len, &first);
    ends.responder = kv_noise_new(pattern, FALSE, get_data(prologue), len, &second);
    /* The responder of IKpsk2 learns of the key last: it belongs to the peer that message 1 names.
     */
    if (pattern == KV_NOISE_NNPSK0)
        kv_noise_set_psk(ends.responder, get_data(psk));
    return ends;
}

/* A message in every length shorter, and with every bit changed, is refused and does no harm. */
static void
check_forgeries(KvNoise *reader, const uint8_t *message, size_t len)
{
    uint8_t payload[KV_NOISE_MESSAGE_MAX];
    uint8_t forged[KV_NOISE_MESSAGE_MAX];
    size_t payload_len;

    for (size_t cut = 0; cut < len; cut++)
        g_assert_false(kv_noise_read(reader, message, cut, payload, &payload_len));
    for (size_t bit = 0; bit < len * 8; bit += 5) {
        memcpy(forged, message, len);
        forged[bit / 8] ^= (uint8_t) (1 << bit % 8);
        /* X25519 ignores the topmost bit of a public key, but the transcript does not. */
        g_assert_false(kv_noise_read(reader, forged, len, payload, &payload_len));
    }
}

static void
check_message(JsonObject *one, guint number, KvNoise *writer, KvNoise *reader)
{
    g_autofree char *payload_name = g_strdup_printf("msg_%u_payload", number);
    g_autofree char *sealed_name = g_strdup_printf("msg_%u_ciphertext", number);
    g_autoptr(GBytes) payload = kv_vector_get_hex(one, payload_name);
    g_autoptr(GBytes) sealed = kv_vector_get_hex(one, sealed_name);
    size_t overhead = kv_noise_get_overhead(writer);
    uint8_t buf[KV_NOISE_MESSAGE_MAX];
    uint8_t back[KV_NOISE_MESSAGE_MAX];
    size_t back_len = 0;
    size_t len = kv_noise_write(writer, get_data(payload), g_bytes_get_size(payload), buf);

    g_assert_cmpuint(len, ==, g_bytes_get_size(payload) + overhead);
    kv_vector_assert_bytes(buf, len, sealed, sealed_name);
    check_forgeries(reader, buf, len);
    g_assert_true(kv_noise_read(reader, buf, len, back, &back_len));
    kv_vector_assert_bytes(back, back_len, payload, payload_name);
}

/* What travels under the keys of the handshake: the last two messages of a case. */
static void
check_key(JsonObject *one, guint number, const uint8_t *key)
{
    g_autofree char *payload_name = g_strdup_printf("msg_%u_payload", number);
    g_autofree char *sealed_name = g_strdup_printf("msg_%u_ciphertext", number);
    g_autoptr(GBytes) payload = kv_vector_get_hex(one, payload_name);
    g_autoptr(GBytes) sealed = kv_vector_get_hex(one, sealed_name);
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};
    uint8_t buf[256];

    crypto_aead_chacha20poly1305_ietf_encrypt(buf, NULL, get_data(payload),
                                              g_bytes_get_size(payload), NULL, 0, NULL, nonce, key);
    kv_vector_assert_bytes(buf, g_bytes_get_size(payload) + KV_NOISE_TAG_BYTES, sealed,
                           sealed_name);
}

static void
check_case(JsonObject *one)
{
    g_autoptr(GBytes) psk = kv_vector_get_hex(one, "preshared_key");
    Ends ends = make_ends(one);
    uint8_t keys[2][2][KV_NOISE_KEY_BYTES];

    check_message(one, 0, ends.initiator, ends.responder);
    kv_noise_set_psk(ends.responder, get_data(psk));
    check_message(one, 1, ends.responder, ends.initiator);
    kv_noise_split(ends.initiator, keys[0][0], keys[0][1]);
    kv_noise_split(ends.responder, keys[1][0], keys[1][1]);
    g_assert_cmpmem(keys[0], sizeof keys[0], keys[1], sizeof keys[1]);
    check_key(one, 2, keys[0][0]);
    check_key(one, 3, keys[0][1]);
    kv_noise_free(ends.initiator);
    kv_noise_free(ends.responder);
}

/* Proves: both patterns give the bytes that others published, read them, and nothing forged. */
static void
test_published(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("native/noise-published.json", "noise-published");
    JsonArray *cases = kv_vector_get_array(kv_vector_get_root(parser), "cases");

    for (guint i = 0; i < json_array_get_length(cases); i++)
        check_case(json_array_get_object_element(cases, i));
}

/* Proves: a public key of small order, with which anybody would know the outcome, is refused. */
static void
test_small_order(void)
{
    static const uint8_t zero[KV_NOISE_KEY_BYTES];
    uint8_t key[KV_NOISE_KEY_BYTES] = {1, 2, 3};
    KvNoiseKeys keys = {key, key, key, zero};
    g_autoptr(KvNoise) noise = kv_noise_new(KV_NOISE_IKPSK2, TRUE, "", 0, &keys);
    uint8_t buf[KV_NOISE_MESSAGE_MAX];

    g_assert_cmpuint(kv_noise_write(noise, zero, 0, buf), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/noise/published", test_published);
    g_test_add_func("/vectors/noise/small-order", test_small_order);
    return kv_test_main(&argc, &argv);
}
