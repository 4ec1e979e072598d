/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-test.h"
#include "v1/kv-v1-crypt.h"

#include <string.h>

static const uint8_t test_key[KV_V1_KEY_BYTES] = "0123456789abcdefghijklmnopqrstuv";

static KvV1Crypt *
make(KvCipher cipher, const uint8_t *key)
{
    g_autoptr(GError) error = NULL;
    KvV1Crypt *crypt = kv_v1_crypt_new(cipher, key, &error);

    g_assert_no_error(error);
    g_assert_nonnull(crypt);
    return crypt;
}

/* Seals @len random bytes: the datagram without its checksum and with it, and the wire's. */
static void
seal_random(KvV1Crypt *crypt, KvTestRandom *random, uint8_t *plain, uint8_t *wire, size_t len)
{
    kv_test_random_bytes(random, plain, len);
    memcpy(wire, plain, len);
    kv_v1_crypt_seal(crypt, wire, len);
}

static void
assert_opened(const uint8_t *got, const uint8_t *plain, size_t len)
{
    kv_test_assert_bytes(got, KV_V1_NONCE_BYTES, plain, KV_V1_NONCE_BYTES, "nonce");
    kv_test_assert_bytes(got + KV_V1_CRYPT_HEADER_BYTES, len - KV_V1_CRYPT_HEADER_BYTES,
                         plain + KV_V1_CRYPT_HEADER_BYTES, len - KV_V1_CRYPT_HEADER_BYTES,
                         "payload");
}

/* Proves: every cipher opens what it sealed, at every length, in place and apart. */
static void
test_round_trip(void)
{
    uint8_t plain[KV_V1_DATAGRAM_MAX], wire[KV_V1_DATAGRAM_MAX], apart[KV_V1_DATAGRAM_MAX];
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint cipher = 0; cipher < KV_N_CIPHERS; cipher++) {
        g_autoptr(KvV1Crypt) crypt = make(cipher, test_key);

        for (size_t len = KV_V1_CRYPT_HEADER_BYTES; len <= KV_V1_DATAGRAM_MAX; len++) {
            seal_random(crypt, &random, plain, wire, len);
            g_assert_true(kv_v1_crypt_open(crypt, wire, apart, len));
            assert_opened(apart, plain, len);
            g_assert_true(kv_v1_crypt_open(crypt, wire, wire, len));
            assert_opened(wire, plain, len);
        }
    }
}

/* Proves: one flipped bit of checksum or payload is noticed. (The nonce is not covered.) */
static void
test_flipped_bit(void)
{
    const size_t len = 200;
    uint8_t plain[200], wire[200], apart[200];
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint cipher = 0; cipher < KV_N_CIPHERS; cipher++) {
        g_autoptr(KvV1Crypt) crypt = make(cipher, test_key);

        for (size_t bit = 8 * KV_V1_CRC_OFFSET; bit < 8 * len; bit++) {
            seal_random(crypt, &random, plain, wire, len);
            wire[bit / 8] ^= (uint8_t) (1 << bit % 8);
            g_assert_false(kv_v1_crypt_open(crypt, wire, apart, len));
        }
    }
}

/* Proves: lengths no datagram has are refused unread. */
static void
test_lengths(void)
{
    uint8_t buf[KV_V1_DATAGRAM_MAX + 1] = {0};

    for (guint cipher = 0; cipher < KV_N_CIPHERS; cipher++) {
        g_autoptr(KvV1Crypt) crypt = make(cipher, test_key);

        for (size_t len = 0; len < KV_V1_CRYPT_HEADER_BYTES; len++)
            g_assert_false(kv_v1_crypt_open(crypt, buf, buf, len));
        g_assert_false(kv_v1_crypt_open(crypt, buf, buf, sizeof buf));
    }
}

/* Proves: the checksum is the zlib one, little-endian, over what follows it. */
static void
test_checksum(void)
{
    g_autoptr(KvV1Crypt) crypt = make(KV_CIPHER_NONE, test_key);
    uint8_t datagram[KV_V1_CRYPT_HEADER_BYTES + 9] = {0};

    memcpy(datagram + KV_V1_CRYPT_HEADER_BYTES, "123456789", 9);
    kv_v1_crypt_seal(crypt, datagram, sizeof datagram);
    g_assert_cmphex(kv_get_le32(datagram + KV_V1_CRC_OFFSET), ==, 0xcbf43926);
}

/* Proves: a key that the library calls weak (DES and Blowfish know some) works all the same. */
static void
test_weak_key(void)
{
    const uint8_t zeros[KV_V1_KEY_BYTES] = {0};
    uint8_t plain[100], wire[100];
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint cipher = 0; cipher < KV_N_CIPHERS; cipher++) {
        g_autoptr(KvV1Crypt) crypt = make(cipher, zeros);

        seal_random(crypt, &random, plain, wire, sizeof wire);
        g_assert_true(kv_v1_crypt_open(crypt, wire, wire, sizeof wire));
        assert_opened(wire, plain, sizeof wire);
    }
}

/* Proves: secret and salt both make the key, and an empty secret is a secret. */
static void
test_derive(void)
{
    uint8_t a[KV_V1_KEY_BYTES], b[KV_V1_KEY_BYTES];
    const uint8_t *secret = (const uint8_t *) "secret";

    g_assert_true(kv_v1_derive_key(secret, 6, KV_V1_SALT, a, NULL));
    g_assert_true(kv_v1_derive_key(secret, 6, "kcp-go", b, NULL));
    g_assert_cmpint(memcmp(a, b, sizeof a), !=, 0);
    g_assert_true(kv_v1_derive_key(secret, 5, KV_V1_SALT, b, NULL));
    g_assert_cmpint(memcmp(a, b, sizeof a), !=, 0);
    g_assert_true(kv_v1_derive_key(NULL, 0, KV_V1_SALT, b, NULL));
    g_assert_cmpint(memcmp(a, b, sizeof a), !=, 0);
}

/* Proves: names are those of the flag, and what is weak is said to be. */
static void
test_names(void)
{
    static const struct {
        KvCipher cipher;
        const char *name;
        gboolean weak;
    } rows[] = {
        {KV_CIPHER_AES, "aes", FALSE},          {KV_CIPHER_AES_128, "aes-128", FALSE},
        {KV_CIPHER_AES_192, "aes-192", FALSE},  {KV_CIPHER_SALSA20, "salsa20", FALSE},
        {KV_CIPHER_BLOWFISH, "blowfish", TRUE}, {KV_CIPHER_TWOFISH, "twofish", FALSE},
        {KV_CIPHER_CAST5, "cast5", TRUE},       {KV_CIPHER_3DES, "3des", TRUE},
        {KV_CIPHER_TEA, "tea", TRUE},           {KV_CIPHER_XTEA, "xtea", TRUE},
        {KV_CIPHER_XOR, "xor", TRUE},           {KV_CIPHER_SM4, "sm4", FALSE},
        {KV_CIPHER_NONE, "none", TRUE},
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(rows) == KV_N_CIPHERS);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpstr(kv_cipher_to_string(rows[i].cipher), ==, rows[i].name);
        g_assert_cmpint(kv_cipher_is_weak(rows[i].cipher), ==, rows[i].weak);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/v1-crypt/round-trip", test_round_trip);
    g_test_add_func("/v1-crypt/flipped-bit", test_flipped_bit);
    g_test_add_func("/v1-crypt/lengths", test_lengths);
    g_test_add_func("/v1-crypt/checksum", test_checksum);
    g_test_add_func("/v1-crypt/weak-key", test_weak_key);
    g_test_add_func("/v1-crypt/derive", test_derive);
    g_test_add_func("/v1-crypt/names", test_names);
    return kv_test_main(&argc, &argv);
}
