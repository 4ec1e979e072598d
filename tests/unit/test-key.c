/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-key.h"

#include "kv-test.h"

#include <string.h>

/* Proves: what was written is read back, and nothing but its one text is. */
static void
test_text(void)
{
    static const char *const wrong[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",    /* no padding */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",   /* bits that stand for nothing */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", /* a line end */
        " AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd-h8=", /* the alphabet of URLs */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISI=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
    };
    uint8_t key[KV_KEY_BYTES], again[KV_KEY_BYTES];
    char text[KV_KEY_TEXT_BYTES];

    for (guint i = 0; i < KV_KEY_BYTES; i++)
        key[i] = (uint8_t) i;
    g_assert_cmpstr(kv_key_to_string(key, text), ==,
                    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    g_assert_true(kv_key_parse(again, text));
    kv_test_assert_bytes(again, sizeof again, key, sizeof key, "the key");
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_test_message("%s", wrong[i]);
        g_assert_false(kv_key_parse(again, wrong[i]));
    }
}

/* Proves: public keys are those of RFC 7748: in section 5.2, the first iteration from the base
 * point, which is a private key there, too. */
static void
test_public(void)
{
    static const uint8_t private_key[KV_KEY_BYTES] = {9};
    g_autoptr(GBytes) want =
        kv_test_unhex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    uint8_t public_key[KV_KEY_BYTES];

    kv_key_get_public(private_key, public_key);
    kv_test_assert_bytes(public_key, sizeof public_key, g_bytes_get_data(want, NULL),
                         g_bytes_get_size(want), "the public key");
}

/* Proves: points of small order are no public keys, in either spelling; others are. */
static void
test_small_order(void)
{
    static const char *const small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t key[KV_KEY_BYTES] = {9};

    g_assert_true(kv_key_is_public(key));
    for (guint i = 0; i < G_N_ELEMENTS(small); i++) {
        g_autoptr(GBytes) point = kv_test_unhex(small[i]);

        memcpy(key, g_bytes_get_data(point, NULL), sizeof key);
        g_assert_false(kv_key_is_public(key));
    }
}

/* Proves: each new key is another one, and a private one is what RFC 7748 makes of it in any case.
 */
static void
test_generate(void)
{
    uint8_t a[KV_KEY_BYTES], b[KV_KEY_BYTES];

    kv_key_generate_private(a);
    kv_key_generate_private(b);
    g_assert_cmpint(memcmp(a, b, sizeof a), !=, 0);
    g_assert_cmpuint(a[0] & 7, ==, 0);
    g_assert_cmpuint(a[31] & 0xc0, ==, 0x40);
    kv_key_generate_preshared(a);
    kv_key_generate_preshared(b);
    g_assert_cmpint(memcmp(a, b, sizeof a), !=, 0);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/key/text", test_text);
    g_test_add_func("/key/public", test_public);
    g_test_add_func("/key/small-order", test_small_order);
    g_test_add_func("/key/generate", test_generate);
    return kv_test_main(&argc, &argv);
}
