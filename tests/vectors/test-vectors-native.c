/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-cookie.h"
#include "kv-key.h"
#include "kv-noise.h"
#include "kv-outer.h"
#include "kv-seal.h"
#include "kv-vector.h"
#include "native/kv-handshake.h"
#include "native/kv-reset-token.h"

#include <sodium.h>
#include <string.h>

#define INITIATION_HEAD 4 /* of the body, before the Noise message */
#define RESPONSE_HEAD   8

/* Gives out what a vector says, piece by piece. */
typedef struct {
    GPtrArray *pieces;
    guint next;
} Script;

static void
fill_from_script(void *ctx, void *buf, size_t len)
{
    Script *script = ctx;
    GBytes *piece = g_ptr_array_index(script->pieces, script->next++);

    g_assert_cmpuint(g_bytes_get_size(piece), ==, len);
    memcpy(buf, g_bytes_get_data(piece, NULL), len);
}

static const uint8_t *
get_data(GBytes *bytes)
{
    return bytes == NULL ? NULL : g_bytes_get_data(bytes, NULL);
}

static GBytes *
find_hex(JsonObject *one, const char *name)
{
    return json_object_has_member(one, name) ? kv_vector_get_hex(one, name) : NULL;
}

static JsonArray *
load_cases(const char *name, JsonParser **parser)
{
    g_autofree char *path = g_strdup_printf("native/%s.json", name);
    g_autofree char *format = g_strdup_printf("native-%s", name);

    *parser = kv_vector_load(path, format);
    return kv_vector_get_array(kv_vector_get_root(*parser), "cases");
}

static void
check_outer(JsonObject *one)
{
    g_autoptr(GBytes) outer = kv_vector_get_hex(one, "outer");
    g_autoptr(GBytes) mac1 = kv_vector_get_hex(one, "mac1");
    g_autoptr(GBytes) mask = kv_vector_get_hex(one, "mask");
    g_autoptr(GBytes) cookie = kv_vector_get_hex(one, "cookie");
    g_autoptr(GBytes) head = kv_vector_get_hex(one, "head");
    KvOuterKeys keys;

    kv_outer_keys_derive(&keys, get_data(outer));
    kv_vector_assert_bytes(keys.mac1, sizeof keys.mac1, mac1, "mac1 key");
    kv_vector_assert_bytes(keys.mask, sizeof keys.mask, mask, "mask key");
    kv_vector_assert_bytes(keys.cookie, sizeof keys.cookie, cookie, "cookie key");
    kv_vector_assert_bytes(keys.head, sizeof keys.head, head, "head key");
}

static void
check_reset_token(JsonObject *one)
{
    g_autoptr(GBytes) from = kv_vector_get_hex(one, "from");
    g_autoptr(GBytes) want = kv_vector_get_hex(one, "token");
    uint8_t key[KV_RESET_KEY_BYTES];
    uint8_t token[KV_RESET_TOKEN_BYTES];

    kv_reset_key_derive(key, get_data(from));
    kv_reset_token_derive(key, (uint32_t) kv_vector_get_int(one, "index"), token);
    kv_vector_assert_bytes(token, sizeof token, want, "reset token");
}

/* Proves: the keys that hide and filter datagrams are those of the document, and so are the tokens
 * of forgotten sessions. */
static void
test_keys(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("native/keys.json", "native-keys");
    JsonArray *outer = kv_vector_get_array(kv_vector_get_root(parser), "outer");
    JsonArray *reset = kv_vector_get_array(kv_vector_get_root(parser), "reset");

    for (guint i = 0; i < json_array_get_length(outer); i++)
        check_outer(json_array_get_object_element(outer, i));
    for (guint i = 0; i < json_array_get_length(reset); i++)
        check_reset_token(json_array_get_object_element(reset, i));
}

/* Proves: what a secret stands for is what the document says, of a key's text and of any other. */
static void
test_secrets(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("native/keys.json", "native-keys");
    JsonArray *secrets = kv_vector_get_array(kv_vector_get_root(parser), "secrets");

    for (guint i = 0; i < json_array_get_length(secrets); i++) {
        JsonObject *one = json_array_get_object_element(secrets, i);
        g_autoptr(GBytes) text = kv_vector_get_hex(one, "secret");
        g_autoptr(GBytes) want = kv_vector_get_hex(one, "psk");
        g_autoptr(KvSecret) secret = kv_secret_new(get_data(text), g_bytes_get_size(text));
        g_autoptr(GError) error = NULL;
        uint8_t key[KV_KEY_BYTES];

        g_assert_true(kv_key_stretch(key, secret, &error));
        g_assert_no_error(error);
        kv_vector_assert_bytes(key, sizeof key, want, "key of a secret");
    }
}

/* --- handshakes ----------------------------------------------------------------------------- */

/* Seals @body as @want was, reads it back, and finds every changed bit but those of mac2. */
static void
check_frame(JsonObject *one, const char *end, const char *want_name, const uint8_t *outer,
            const uint8_t *body, size_t len)
{
    g_autofree char *nonce_name = g_strconcat(end, "_nonce", NULL);
    g_autofree char *mac2_name = g_strconcat(end, "_mac2", NULL);
    g_autoptr(GBytes) want = kv_vector_get_hex(one, want_name);
    g_autoptr(GBytes) cookie = strcmp(end, "initiator") == 0 ? find_hex(one, "cookie") : NULL;
    g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    Script script = {pieces, 0};
    KvRandom random = {fill_from_script, &script};
    size_t whole = KV_OUTER_HEAD_BYTES + len;
    g_autofree uint8_t *buf = g_malloc(whole);
    g_autofree uint8_t *back = g_malloc(len);
    KvOuterKeys keys;

    g_ptr_array_add(pieces, kv_vector_get_hex(one, nonce_name));
    g_ptr_array_add(pieces, kv_vector_get_hex(one, mac2_name));
    kv_outer_keys_derive(&keys, outer);
    memcpy(buf + KV_OUTER_HEAD_BYTES, body, len);
    kv_outer_seal(&keys, buf, whole, get_data(cookie), &random);
    kv_vector_assert_bytes(buf, whole, want, want_name);

    g_assert_true(kv_outer_check(&keys, buf, whole));
    if (cookie != NULL)
        g_assert_true(kv_outer_check_cookie(buf, whole, get_data(cookie)));
    kv_outer_unmask(&keys, buf, whole, back);
    g_assert_cmpmem(back, len, body, len);

    g_assert_false(kv_outer_check(&keys, buf, KV_OUTER_HEAD_BYTES));
    for (size_t at = 0; at < whole; at++) {
        gboolean in_mac2 =
            at >= KV_OUTER_NONCE_BYTES + KV_OUTER_MAC_BYTES && at < KV_OUTER_HEAD_BYTES;

        buf[at] ^= (uint8_t) (1 << at % 8);
        g_assert_cmpint(kv_outer_check(&keys, buf, whole), ==, in_mac2);
        if (cookie != NULL)
            g_assert_false(kv_outer_check_cookie(buf, whole, get_data(cookie)));
        buf[at] ^= (uint8_t) (1 << at % 8);
    }
}

typedef struct {
    GBytes *psk, *e_i, *e_r, *s_i, *s_r;
    uint8_t public_i[KV_NOISE_KEY_BYTES];
    uint8_t public_r[KV_NOISE_KEY_BYTES];
} Keys;

static void
load_keys(Keys *keys, JsonObject *one)
{
    keys->psk = kv_vector_get_hex(one, "psk");
    keys->e_i = kv_vector_get_hex(one, "initiator_ephemeral");
    keys->e_r = kv_vector_get_hex(one, "responder_ephemeral");
    keys->s_i = find_hex(one, "initiator_static");
    keys->s_r = find_hex(one, "responder_static");
    if (keys->s_i == NULL) {
        memcpy(keys->public_i, get_data(keys->psk), sizeof keys->public_i);
        memcpy(keys->public_r, get_data(keys->psk), sizeof keys->public_r);
        return;
    }
    crypto_scalarmult_base(keys->public_i, get_data(keys->s_i));
    crypto_scalarmult_base(keys->public_r, get_data(keys->s_r));
}

static void
clear_keys(Keys *keys)
{
    g_bytes_unref(keys->psk);
    g_bytes_unref(keys->e_i);
    g_bytes_unref(keys->e_r);
    g_clear_pointer(&keys->s_i, g_bytes_unref);
    g_clear_pointer(&keys->s_r, g_bytes_unref);
}

/* The initiation's body: its length. */
static size_t
write_initiation(JsonObject *one, KvNoise *noise, uint8_t *body)
{
    g_autoptr(GBytes) records = kv_vector_get_hex(one, "initiator_records");
    uint8_t payload[KV_NOISE_MESSAGE_MAX];

    kv_put_le32(payload, (uint32_t) kv_vector_get_int(one, "initiator_index"));
    kv_put_le64(payload + 4, (uint64_t) kv_vector_get_int(one, "number"));
    memcpy(payload + 12, get_data(records), g_bytes_get_size(records));
    kv_put_le32(body, 1);
    return INITIATION_HEAD +
           kv_noise_write(noise, payload, 12 + g_bytes_get_size(records), body + INITIATION_HEAD);
}

static size_t
write_response(JsonObject *one, KvNoise *noise, uint8_t *body)
{
    g_autoptr(GBytes) records = kv_vector_get_hex(one, "responder_records");
    uint8_t payload[KV_NOISE_MESSAGE_MAX];

    kv_put_le32(payload, (uint32_t) kv_vector_get_int(one, "responder_index"));
    memcpy(payload + 4, get_data(records), g_bytes_get_size(records));
    kv_put_le32(body, 2);
    kv_put_le32(body + 4, (uint32_t) kv_vector_get_int(one, "initiator_index"));
    return RESPONSE_HEAD +
           kv_noise_write(noise, payload, 4 + g_bytes_get_size(records), body + RESPONSE_HEAD);
}

/* The records of both ends are allowed, and say what the document's example says. */
static void
check_records(JsonObject *one)
{
    static const char *const names[] = {"initiator_records", "responder_records"};
    gboolean full = strncmp(kv_vector_get_string(one, "name"), "keys", 4) == 0;

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GBytes) records = kv_vector_get_hex(one, names[i]);
        g_auto(KvNativeConfig) config = {0};
        uint8_t bad;

        kv_native_config_init(&config);
        g_assert_true(
            kv_native_config_read(&config, get_data(records), g_bytes_get_size(records), &bad));
        if (!full)
            continue;
        g_assert_cmpuint(config.mtu, ==, i == 0 ? 1420 : 1400);
        g_assert_cmpstr(config.client_id, ==, i == 0 ? "laptop" : "");
        g_assert_cmpuint(config.capabilities, ==, i == 0 ? KV_CAPABILITY_PARITY : 0);
        g_assert_cmpuint(config.wants->len, ==, i == 0 ? 1 : 0);
        g_assert_cmpuint(config.addresses->len, ==, i == 0 ? 0 : 2);
        g_assert_cmpuint(config.domains->len, ==, i == 0 ? 0 : 2);
        g_assert_cmpstr(config.banner, ==, i == 0 ? NULL : "Guten Tag");
    }
}

static KvNoisePattern
get_pattern(JsonObject *one)
{
    return strcmp(kv_vector_get_string(one, "pattern"), "IKpsk2") == 0 ? KV_NOISE_IKPSK2
                                                                       : KV_NOISE_NNPSK0;
}

static void
make_ends(KvNoisePattern pattern, const Keys *keys, KvNoise **initiator, KvNoise **responder)
{
    *initiator = kv_noise_new(pattern, TRUE, KV_NATIVE_PROLOGUE, strlen(KV_NATIVE_PROLOGUE),
                              &(KvNoiseKeys){get_data(keys->e_i), get_data(keys->psk),
                                             get_data(keys->s_i), keys->public_r});
    *responder = kv_noise_new(
        pattern, FALSE, KV_NATIVE_PROLOGUE, strlen(KV_NATIVE_PROLOGUE),
        &(KvNoiseKeys){get_data(keys->e_r), get_data(keys->psk), get_data(keys->s_r), NULL});
}

static void
check_handshake(JsonObject *one)
{
    KvNoisePattern pattern = get_pattern(one);
    g_autoptr(GBytes) t1 = kv_vector_get_hex(one, "t1");
    g_autoptr(GBytes) t2 = kv_vector_get_hex(one, "t2");
    g_autoptr(KvNoise) initiator = NULL;
    g_autoptr(KvNoise) responder = NULL;
    uint8_t body[KV_NOISE_MESSAGE_MAX];
    uint8_t payload[KV_NOISE_MESSAGE_MAX];
    uint8_t there[KV_NOISE_KEY_BYTES];
    uint8_t back[KV_NOISE_KEY_BYTES];
    size_t len;
    Keys keys;

    check_records(one);
    load_keys(&keys, one);
    make_ends(pattern, &keys, &initiator, &responder);

    len = write_initiation(one, initiator, body);
    check_frame(one, "initiator", "initiation", keys.public_r, body, len);
    g_assert_true(
        kv_noise_read(responder, body + INITIATION_HEAD, len - INITIATION_HEAD, payload, &len));
    if (pattern == KV_NOISE_IKPSK2)
        g_assert_cmpmem(kv_noise_get_remote_public(responder), KV_NOISE_KEY_BYTES, keys.public_i,
                        KV_NOISE_KEY_BYTES);

    len = write_response(one, responder, body);
    check_frame(one, "responder", "response", keys.public_i, body, len);
    g_assert_true(
        kv_noise_read(initiator, body + RESPONSE_HEAD, len - RESPONSE_HEAD, payload, &len));
    kv_noise_split(initiator, there, back);
    kv_vector_assert_bytes(there, sizeof there, t1, "t1");
    kv_vector_assert_bytes(back, sizeof back, t2, "t2");
    clear_keys(&keys);
}

/* Opens the datagrams of the document as the ends do: what stands in them beside the records. */
static void
check_messages(JsonObject *one)
{
    KvNoisePattern pattern = get_pattern(one);
    g_autoptr(GBytes) initiation = kv_vector_get_hex(one, "initiation");
    g_autoptr(GBytes) response = kv_vector_get_hex(one, "response");
    g_autoptr(KvNoise) initiator = NULL;
    g_autoptr(KvNoise) responder = NULL;
    g_auto(KvNativeConfig) config = {0};
    uint8_t message[KV_NOISE_MESSAGE_MAX];
    KvHandshakeBody body;
    KvHandshakeHead head;
    KvOuterKeys outer;
    Keys keys;

    kv_native_config_init(&config);
    load_keys(&keys, one);
    make_ends(pattern, &keys, &initiator, &responder);
    kv_outer_keys_derive(&outer, keys.public_r);
    g_assert_true(
        kv_handshake_unmask(&outer, get_data(initiation), g_bytes_get_size(initiation), &body));
    g_assert_cmpint(body.type, ==, KV_HANDSHAKE_INITIATION);
    g_assert_cmpint(kv_handshake_open(responder, &body, &head, &config), ==, KV_HANDSHAKE_TRUE);
    g_assert_cmpuint(head.sender, ==, (guint) kv_vector_get_int(one, "initiator_index"));
    g_assert_cmpuint(head.number, ==, (guint64) kv_vector_get_int(one, "number"));

    g_assert_cmpuint(write_initiation(one, initiator, message), >, 0);
    kv_outer_keys_derive(&outer, keys.public_i);
    g_assert_true(
        kv_handshake_unmask(&outer, get_data(response), g_bytes_get_size(response), &body));
    g_assert_cmpint(body.type, ==, KV_HANDSHAKE_RESPONSE);
    g_assert_cmpuint(body.receiver, ==, (guint) kv_vector_get_int(one, "initiator_index"));
    g_assert_cmpint(kv_handshake_open(initiator, &body, &head, &config), ==, KV_HANDSHAKE_TRUE);
    g_assert_cmpuint(head.sender, ==, (guint) kv_vector_get_int(one, "responder_index"));
    g_assert_cmpint(config.refusal != KV_REFUSED_NOT, ==, head.sender == 0);
    clear_keys(&keys);
}

/* Proves: both datagrams of a handshake are those of the document, in every mode. */
static void
test_handshakes(void)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonArray *cases = load_cases("handshakes", &parser);

    for (guint i = 0; i < json_array_get_length(cases); i++) {
        check_handshake(json_array_get_object_element(cases, i));
        check_messages(json_array_get_object_element(cases, i));
    }
}

/* --- cookies -------------------------------------------------------------------------------- */

static void
check_cookie(JsonObject *one)
{
    g_autoptr(GBytes) outer = kv_vector_get_hex(one, "outer");
    g_autoptr(GBytes) address = kv_vector_get_hex(one, "address");
    g_autoptr(GBytes) want = kv_vector_get_hex(one, "cookie");
    g_autoptr(GBytes) mac1 = kv_vector_get_hex(one, "mac1");
    g_autoptr(GBytes) reply = kv_vector_get_hex(one, "reply");
    g_autoptr(GPtrArray) pieces = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
    KvRandom random = {fill_from_script, &(Script){pieces, 0}};
    uint8_t initiation[KV_OUTER_HEAD_BYTES + 1] = {0};
    KvEndpoint from = {.port = (uint16_t) kv_vector_get_int(one, "port")};
    uint8_t cookie[KV_OUTER_COOKIE_BYTES];
    uint8_t buf[KV_OUTER_REPLY_MAX];
    KvCookieJar jar = {0};
    KvOuterKeys keys;
    size_t len;

    kv_outer_keys_derive(&keys, get_data(outer));
    g_ptr_array_add(pieces, kv_vector_get_hex(one, "secret"));
    g_ptr_array_add(pieces, kv_vector_get_hex(one, "nonce"));
    memcpy(from.ip, get_data(address), sizeof from.ip);
    kv_cookie_jar_bake(&jar, &from, 7, &random, cookie);
    kv_vector_assert_bytes(cookie, sizeof cookie, want, "cookie");

    memcpy(initiation + KV_OUTER_NONCE_BYTES, get_data(mac1), KV_OUTER_MAC_BYTES);
    len = kv_outer_write_reply(&keys, initiation, cookie, (guint) kv_vector_get_int(one, "padding"),
                               buf, &random);
    kv_vector_assert_bytes(buf, len, reply, "reply");

    memset(cookie, 0, sizeof cookie);
    g_assert_true(kv_outer_read_reply(&keys, get_data(mac1), buf, len, cookie));
    kv_vector_assert_bytes(cookie, sizeof cookie, want, "cookie that was read");
    g_assert_false(kv_outer_read_reply(&keys, get_data(want), buf, len, cookie));
    for (size_t at = 0; at < len; at++) {
        buf[at] ^= 1;
        g_assert_false(kv_outer_read_reply(&keys, get_data(mac1), buf, len, cookie));
        buf[at] ^= 1;
    }
}

/* Proves: cookies and the replies that carry them are those of the document. */
static void
test_cookies(void)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonArray *cases = load_cases("cookies", &parser);

    for (guint i = 0; i < json_array_get_length(cases); i++)
        check_cookie(json_array_get_object_element(cases, i));
}

/* --- transport ------------------------------------------------------------------------------ */

typedef struct {
    KvOuterKeys keys;
    GBytes *token;
    GBytes *traffic;
    KvSeal *writer[3];
    KvSeal *reader[3];
} Transport;

/* The sender's newest counter goes up, so every case comes under the keys that its time has. */
static void
check_datagram(Transport *transport, JsonObject *one)
{
    guint cipher = (guint) kv_vector_get_int(one, "cipher");
    g_autoptr(GBytes) plain = kv_vector_get_hex(one, "plain");
    g_autoptr(GBytes) want = kv_vector_get_hex(one, "datagram");
    g_autoptr(GBytes) check = kv_vector_get_hex(one, "check");
    KvSealHead head = {.index = (uint32_t) kv_vector_get_int(one, "index"),
                       .counter = (uint64_t) kv_vector_get_int(one, "counter")};
    size_t size = g_bytes_get_size(plain);
    g_autofree uint8_t *buf = g_malloc(size + KV_SEAL_OVERHEAD);
    g_autofree uint8_t *back = g_malloc(size + 1);
    KvSealHead found;
    size_t len;

    if (size > 0)
        memcpy(buf + KV_SEAL_HEAD_BYTES, get_data(plain), size);
    len = kv_seal_write(transport->writer[cipher], &transport->keys, &head,
                        get_data(transport->token), buf, size);
    kv_vector_assert_bytes(buf, len, want, "datagram");

    g_assert_true(kv_seal_read_head(&transport->keys, buf, len, &found));
    g_assert_cmpuint(found.index, ==, head.index);
    g_assert_cmpuint(found.counter, ==, head.counter);
    kv_vector_assert_bytes(found.check, sizeof found.check, check, "check");
    g_assert_true(kv_seal_check(&found, get_data(transport->token), buf, len));
    found.check[0] ^= 1;
    g_assert_false(kv_seal_check(&found, get_data(transport->token), buf, len));

    /* Its keys reach to the next epoch only: counters do not jump further. */
    for (uint64_t epoch = 1; epoch < head.counter >> KV_SEAL_EPOCH_BITS; epoch++) {
        uint8_t step[KV_SEAL_OVERHEAD];
        g_autoptr(KvSeal) seal = kv_seal_new(cipher, get_data(transport->traffic));
        KvSealHead between = {.counter = epoch << KV_SEAL_EPOCH_BITS};

        g_assert_false(kv_seal_read(transport->reader[cipher], head.counter, buf, len, back));
        kv_seal_write(seal, &transport->keys, &between, get_data(transport->token), step, 0);
        g_assert_true(
            kv_seal_read(transport->reader[cipher], between.counter, step, sizeof step, back));
    }
    for (size_t at = KV_SEAL_HEAD_BYTES; at < len; at++) {
        buf[at] ^= 1;
        g_assert_false(kv_seal_read(transport->reader[cipher], head.counter, buf, len, back));
        buf[at] ^= 1;
    }
    g_assert_false(kv_seal_read(transport->reader[cipher], head.counter + 1, buf, len, back));
    g_assert_false(
        kv_seal_read(transport->reader[cipher], head.counter, buf, KV_SEAL_OVERHEAD - 1, back));
    g_assert_true(kv_seal_read(transport->reader[cipher], head.counter, buf, len, back));
    kv_vector_assert_bytes(back, size, plain, "plaintext");
}

/* Proves: transport datagrams are those of the document, with both ciphers and as keys change. */
static void
test_transport(void)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonArray *cases = load_cases("transport", &parser);
    JsonObject *root = kv_vector_get_root(parser);
    g_autoptr(GBytes) outer = kv_vector_get_hex(root, "outer");
    Transport transport = {.token = kv_vector_get_hex(root, "token"),
                           .traffic = kv_vector_get_hex(root, "traffic")};

    g_assert_cmpint(sodium_init(), >=, 0);
    kv_outer_keys_derive(&transport.keys, get_data(outer));
    for (guint i = KV_AEAD_CHACHA20_POLY1305; i <= KV_AEAD_AES_256_GCM; i++) {
        if (!kv_aead_is_available(i))
            continue;
        transport.writer[i] = kv_seal_new(i, get_data(transport.traffic));
        transport.reader[i] = kv_seal_new(i, get_data(transport.traffic));
    }
    for (guint i = 0; i < json_array_get_length(cases); i++) {
        JsonObject *one = json_array_get_object_element(cases, i);

        if (transport.writer[kv_vector_get_int(one, "cipher")] != NULL)
            check_datagram(&transport, one);
    }
    for (guint i = KV_AEAD_CHACHA20_POLY1305; i <= KV_AEAD_AES_256_GCM; i++) {
        kv_seal_free(transport.writer[i]);
        kv_seal_free(transport.reader[i]);
    }
    g_bytes_unref(transport.token);
    g_bytes_unref(transport.traffic);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/native/keys", test_keys);
    g_test_add_func("/vectors/native/secrets", test_secrets);
    g_test_add_func("/vectors/native/handshakes", test_handshakes);
    g_test_add_func("/vectors/native/cookies", test_cookies);
    g_test_add_func("/vectors/native/transport", test_transport);
    return kv_test_main(&argc, &argv);
}
