/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "v1/kv-v1-crypt.h"

#include "kv-bytes.h"
#include "kv-error.h"
#include "v1/kv-v1-tea.h"

#include <gcrypt.h>
#include <isa-l/crc.h>
#include <sodium.h>
#include <string.h>

#define XOR_SALT         "sH3CIVoF#rWLtJo6"
#define XOR_ITERATIONS   32
#define SALSA_CLEAR_PART crypto_stream_salsa20_NONCEBYTES /* the nonce of the stream itself */

typedef enum {
    KIND_LIBRARY, /* a block cipher of libgcrypt, in CFB */
    KIND_TEA,
    KIND_SALSA20,
    KIND_XOR,
    KIND_NONE,
} Kind;

typedef struct {
    const char *name;
    Kind kind;
    int algo;      /* libgcrypt's number */
    guint key_len; /* bytes */
    guint block;   /* bytes, 0: not a block cipher */
    gboolean weak;
} CipherInfo;

static const CipherInfo cipher_infos[KV_N_CIPHERS] = {
    [KV_CIPHER_AES] = {"aes", KIND_LIBRARY, GCRY_CIPHER_AES256, 32, 16, FALSE},
    [KV_CIPHER_AES_128] = {"aes-128", KIND_LIBRARY, GCRY_CIPHER_AES128, 16, 16, FALSE},
    [KV_CIPHER_AES_192] = {"aes-192", KIND_LIBRARY, GCRY_CIPHER_AES192, 24, 16, FALSE},
    [KV_CIPHER_SALSA20] = {"salsa20", KIND_SALSA20, 0, 32, 0, FALSE},
    [KV_CIPHER_BLOWFISH] = {"blowfish", KIND_LIBRARY, GCRY_CIPHER_BLOWFISH, 32, 8, TRUE},
    [KV_CIPHER_TWOFISH] = {"twofish", KIND_LIBRARY, GCRY_CIPHER_TWOFISH, 32, 16, FALSE},
    [KV_CIPHER_CAST5] = {"cast5", KIND_LIBRARY, GCRY_CIPHER_CAST5, 16, 8, TRUE},
    [KV_CIPHER_3DES] = {"3des", KIND_LIBRARY, GCRY_CIPHER_3DES, 24, 8, TRUE},
    [KV_CIPHER_TEA] = {"tea", KIND_TEA, 0, 16, 8, TRUE},
    [KV_CIPHER_XTEA] = {"xtea", KIND_TEA, 0, 16, 8, TRUE},
    [KV_CIPHER_XOR] = {"xor", KIND_XOR, 0, 32, 0, TRUE},
    [KV_CIPHER_SM4] = {"sm4", KIND_LIBRARY, GCRY_CIPHER_SM4, 16, 16, FALSE},
    [KV_CIPHER_NONE] = {"none", KIND_NONE, 0, 0, 0, TRUE},
};

/* The same for every datagram, direction and session: v1 has no other. */
static const uint8_t fixed_iv[16] = {0xa7, 0x73, 0x4f, 0x9c, 0x12, 0xac, 0x1b, 0x01,
                                     0xa4, 0x15, 0xf2, 0xc1, 0xfc, 0x78, 0xe6, 0x6b};

/* Of the ciphers that are not libgcrypt's; in guarded memory. */
typedef union {
    KvV1Tea tea;
    uint8_t salsa[crypto_stream_salsa20_KEYBYTES];
    uint8_t xor_table[KV_V1_DATAGRAM_MAX];
} __attribute__((aligned(32))) Key; /* sodium_malloc() aligns to what divides the size */

struct _KvV1Crypt {
    const CipherInfo *info;
    gcry_cipher_hd_t handle; /* KIND_LIBRARY; wiped when closed */
    Key *key;                /* KIND_TEA, KIND_SALSA20, KIND_XOR */
};

static gboolean
init_libraries(GError **error)
{
    static gsize state;

    if (g_once_init_enter(&state)) {
        gsize result = 1;

        if (sodium_init() < 0)
            result = 2;
        if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
            /* Its locked arena is too small for many key schedules; they are wiped when closed. */
            if (gcry_check_version(NULL) == NULL)
                result = 2;
            gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
            gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        }
        g_once_init_leave(&state, result);
    }
    if (state == 1)
        return TRUE;
    g_set_error_literal(error, KV_ERROR, KV_ERROR_FAILED,
                        "The cryptographic libraries cannot be initialised");
    return FALSE;
}

static gboolean
derive(const void *password, size_t password_len, const char *salt, guint iterations, uint8_t *out,
       size_t out_len, GError **error)
{
    gcry_error_t err = gcry_kdf_derive(password, password_len, GCRY_KDF_PBKDF2, GCRY_MD_SHA1, salt,
                                       strlen(salt), iterations, out_len, out);

    if (err == 0)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED,
                "PBKDF2 with SHA-1, which v1 needs, is not available: %s", gcry_strerror(err));
    return FALSE;
}

static gboolean
open_library_cipher(KvV1Crypt *crypt, const uint8_t *key, GError **error)
{
    const CipherInfo *info = crypt->info;
    gcry_error_t err = gcry_cipher_open(&crypt->handle, info->algo, GCRY_CIPHER_MODE_CFB, 0);

    if (err == 0) {
        /* A key that happens to be weak is still the one the peer uses. The library reports
         * it even when told to accept it. */
        gcry_cipher_ctl(crypt->handle, GCRYCTL_SET_ALLOW_WEAK_KEY, NULL, 1);
        err = gcry_cipher_setkey(crypt->handle, key, info->key_len);
        if (gcry_err_code(err) == GPG_ERR_WEAK_KEY)
            err = 0;
    }
    if (err == 0)
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED, "Cipher “%s” is not available: %s",
                info->name, gcry_strerror(err));
    return FALSE;
}

static gboolean
set_own_key(KvV1Crypt *crypt, const uint8_t *key, GError **error)
{
    crypt->key = sodium_malloc(sizeof *crypt->key);
    if (crypt->key == NULL)
        g_error("no guarded memory left for a key");
    switch (crypt->info->kind) {
    case KIND_TEA:
        kv_v1_tea_init(&crypt->key->tea, crypt->info == &cipher_infos[KV_CIPHER_XTEA], key);
        return TRUE;
    case KIND_SALSA20:
        memcpy(crypt->key->salsa, key, sizeof crypt->key->salsa);
        return TRUE;
    case KIND_XOR:
        return derive(key, KV_V1_KEY_BYTES, XOR_SALT, XOR_ITERATIONS, crypt->key->xor_table,
                      sizeof crypt->key->xor_table, error);
    default:
        g_assert_not_reached();
    }
}

static gboolean
set_key(KvV1Crypt *crypt, const uint8_t *key, GError **error)
{
    if (crypt->info->kind == KIND_NONE)
        return TRUE;
    if (crypt->info->kind == KIND_LIBRARY)
        return open_library_cipher(crypt, key, error);
    return set_own_key(crypt, key, error);
}

/* The calls below cannot fail: key and IV are set, and CFB takes any length. */
static void
library_encrypt(KvV1Crypt *crypt, uint8_t *datagram, size_t len)
{
    gcry_error_t err = gcry_cipher_setiv(crypt->handle, fixed_iv, crypt->info->block);

    if (err == 0)
        err = gcry_cipher_encrypt(crypt->handle, datagram, len, NULL, 0);
    g_assert(err == 0);
}

static void
library_decrypt(KvV1Crypt *crypt, const uint8_t *in, uint8_t *out, size_t len)
{
    gcry_error_t err = gcry_cipher_setiv(crypt->handle, fixed_iv, crypt->info->block);

    if (err == 0 && in == out)
        err = gcry_cipher_decrypt(crypt->handle, out, len, NULL, 0);
    else if (err == 0)
        err = gcry_cipher_decrypt(crypt->handle, out, len, in, len);
    g_assert(err == 0);
}

static void
crypt_salsa20(const KvV1Crypt *crypt, const uint8_t *in, uint8_t *out, size_t len)
{
    if (in != out)
        memcpy(out, in, SALSA_CLEAR_PART);
    crypto_stream_salsa20_xor(out + SALSA_CLEAR_PART, in + SALSA_CLEAR_PART, len - SALSA_CLEAR_PART,
                              out, crypt->key->salsa);
}

static void
crypt_xor(const KvV1Crypt *crypt, const uint8_t *in, uint8_t *out, size_t len)
{
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
        uint64_t word, stream;

        memcpy(&word, in + i, sizeof word);
        memcpy(&stream, crypt->key->xor_table + i, sizeof stream);
        word ^= stream;
        memcpy(out + i, &word, sizeof word);
    }
    for (; i < len; i++)
        out[i] = in[i] ^ crypt->key->xor_table[i];
}

static uint32_t
checksum(const uint8_t *datagram, size_t len)
{
    return crc32_gzip_refl(0, datagram + KV_V1_CRYPT_HEADER_BYTES, len - KV_V1_CRYPT_HEADER_BYTES);
}

gboolean
kv_v1_derive_key(const uint8_t *secret, size_t secret_len, const char *salt,
                 uint8_t key[KV_V1_KEY_BYTES], GError **error)
{
    /* The library refuses a null pointer even for an empty secret. */
    return init_libraries(error) &&
           derive(secret_len > 0 ? (const void *) secret : "", secret_len, salt,
                  KV_V1_PBKDF2_ITERATIONS, key, KV_V1_KEY_BYTES, error);
}

KvV1Crypt *
kv_v1_crypt_new(KvCipher cipher, const uint8_t key[KV_V1_KEY_BYTES], GError **error)
{
    g_autoptr(KvV1Crypt) crypt = NULL;

    g_return_val_if_fail(cipher < KV_N_CIPHERS, NULL);
    if (!init_libraries(error))
        return NULL;
    crypt = g_new0(KvV1Crypt, 1);
    crypt->info = &cipher_infos[cipher];
    if (!set_key(crypt, key, error))
        return NULL;
    return g_steal_pointer(&crypt);
}

void
kv_v1_crypt_free(KvV1Crypt *crypt)
{
    if (crypt == NULL)
        return;
    gcry_cipher_close(crypt->handle);
    sodium_free(crypt->key);
    g_free(crypt);
}

void
kv_v1_crypt_seal(KvV1Crypt *crypt, uint8_t *datagram, size_t len)
{
    g_return_if_fail(len >= KV_V1_CRYPT_HEADER_BYTES && len <= KV_V1_DATAGRAM_MAX);
    kv_put_le32(datagram + KV_V1_CRC_OFFSET, checksum(datagram, len));
    switch (crypt->info->kind) {
    case KIND_LIBRARY:
        library_encrypt(crypt, datagram, len);
        break;
    case KIND_TEA:
        kv_v1_tea_encrypt(&crypt->key->tea, fixed_iv, datagram, datagram, len);
        break;
    case KIND_SALSA20:
        crypt_salsa20(crypt, datagram, datagram, len);
        break;
    case KIND_XOR:
        crypt_xor(crypt, datagram, datagram, len);
        break;
    case KIND_NONE:
        break;
    }
}

gboolean
kv_v1_crypt_open(KvV1Crypt *crypt, const uint8_t *wire, uint8_t *plain, size_t len)
{
    if (len < KV_V1_CRYPT_HEADER_BYTES || len > KV_V1_DATAGRAM_MAX)
        return FALSE;
    switch (crypt->info->kind) {
    case KIND_LIBRARY:
        library_decrypt(crypt, wire, plain, len);
        break;
    case KIND_TEA:
        kv_v1_tea_decrypt(&crypt->key->tea, fixed_iv, wire, plain, len);
        break;
    case KIND_SALSA20:
        crypt_salsa20(crypt, wire, plain, len);
        break;
    case KIND_XOR:
        crypt_xor(crypt, wire, plain, len);
        break;
    case KIND_NONE:
        if (plain != wire)
            memcpy(plain, wire, len);
        break;
    }
    return kv_get_le32(plain + KV_V1_CRC_OFFSET) == checksum(plain, len);
}

const char *
kv_cipher_to_string(KvCipher cipher)
{
    g_return_val_if_fail(cipher < KV_N_CIPHERS, "unknown");
    return cipher_infos[cipher].name;
}

gboolean
kv_cipher_is_weak(KvCipher cipher)
{
    g_return_val_if_fail(cipher < KV_N_CIPHERS, TRUE);
    return cipher_infos[cipher].weak;
}
