/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-vector.h"
#include "v1/kv-v1-crypt.h"

#include <string.h>

static KvCipher
find_cipher(const char *name)
{
    for (guint i = 0; i < KV_N_CIPHERS; i++) {
        if (strcmp(kv_cipher_to_string(i), name) == 0)
            return i;
    }
    g_error("vector file: cipher “%s” is unknown", name);
}

static void
check_datagram(KvV1Crypt *crypt, JsonObject *datagram, const char *cipher)
{
    g_autofree char *what = NULL;
    g_autoptr(GBytes) plain = kv_vector_get_hex(datagram, "plain");
    g_autoptr(GBytes) wire = kv_vector_get_hex(datagram, "wire");
    const uint8_t *plain_data = g_bytes_get_data(plain, NULL);
    size_t len = g_bytes_get_size(plain);
    g_autofree uint8_t *buf = g_memdup2(plain_data, len);
    g_autofree uint8_t *apart = g_malloc(len);

    what = g_strdup_printf("%s, %" G_GSIZE_FORMAT " bytes", cipher, len);
    g_assert_cmpuint(len, >=, KV_V1_CRYPT_HEADER_BYTES);
    g_assert_cmpuint(len, ==, kv_vector_get_int(datagram, "len"));
    memset(buf + KV_V1_CRC_OFFSET, 0xee, KV_V1_CRYPT_HEADER_BYTES - KV_V1_CRC_OFFSET);
    kv_v1_crypt_seal(crypt, buf, len);
    kv_vector_assert_bytes(buf, len, wire, what);

    g_assert_true(kv_v1_crypt_open(crypt, buf, apart, len));
    kv_vector_assert_bytes(apart, len, plain, what);
    g_assert_true(kv_v1_crypt_open(crypt, buf, buf, len));
    kv_vector_assert_bytes(buf, len, plain, what);
}

/* The first bytes of XOR's table, or the last. */
static void
check_table(KvV1Crypt *crypt, JsonObject *one, const char *name, gboolean from_end)
{
    uint8_t plain[KV_V1_DATAGRAM_MAX] = {0};
    uint8_t table[KV_V1_DATAGRAM_MAX] = {0};
    g_autoptr(GBytes) want = NULL;
    size_t len;

    if (!json_object_has_member(one, name))
        return;
    want = kv_vector_get_hex(one, name);
    len = g_bytes_get_size(want);
    g_assert_cmpuint(len, <=, sizeof table);
    kv_v1_crypt_seal(crypt, table, sizeof table);
    g_assert_true(kv_v1_crypt_open(crypt, table, plain, sizeof table));
    for (guint i = 0; i < sizeof table; i++)
        table[i] ^= plain[i];
    kv_vector_assert_bytes(table + (from_end ? sizeof table - len : 0), len, want, name);
}

static void
check_case(JsonObject *one)
{
    const char *cipher = kv_vector_get_string(one, "cipher");
    g_autoptr(GBytes) secret = kv_vector_get_hex(one, "secret_hex");
    g_autoptr(GBytes) derived = kv_vector_get_hex(one, "derived32");
    g_autoptr(GBytes) slice = kv_vector_get_hex(one, "key");
    JsonArray *datagrams = kv_vector_get_array(one, "datagrams");
    g_autoptr(KvV1Crypt) crypt = NULL;
    g_autoptr(GError) error = NULL;
    uint8_t key[KV_V1_KEY_BYTES];
    gsize secret_len;
    const uint8_t *secret_data = g_bytes_get_data(secret, &secret_len);

    g_assert_true(kv_v1_derive_key(secret_data, secret_len, KV_V1_SALT, key, &error));
    g_assert_no_error(error);
    kv_vector_assert_bytes(key, sizeof key, derived, "derived key");
    g_assert_cmpint(kv_vector_get_int(one, "key_len"), <=, (gint64) sizeof key);
    kv_vector_assert_bytes(key, (size_t) kv_vector_get_int(one, "key_len"), slice, "key");

    crypt = kv_v1_crypt_new(find_cipher(cipher), key, &error);
    g_assert_no_error(error);
    g_assert_nonnull(crypt);
    for (guint i = 0; i < json_array_get_length(datagrams); i++)
        check_datagram(crypt, json_array_get_object_element(datagrams, i), cipher);
    check_table(crypt, one, "xor_table_first64", FALSE);
    check_table(crypt, one, "xor_table_last16", TRUE);
}

/* Proves: keys and datagrams are, in every byte and in both directions, those of the Go program. */
static void
test_crypt(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("crypt.json", "crypt-v1");
    JsonArray *cases = kv_vector_get_array(kv_vector_get_root(parser), "cases");

    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    for (guint i = 0; i < json_array_get_length(cases); i++)
        check_case(json_array_get_object_element(cases, i));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/crypt", test_crypt);
    return kv_test_main(&argc, &argv);
}
