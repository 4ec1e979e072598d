/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "v1/kv-v1-crypt.h"

#include <string.h>

static KvV1Crypt *
get_crypt(KvCipher cipher)
{
    static const uint8_t key[KV_V1_KEY_BYTES] = "0123456789abcdefghijklmnopqrstuv";
    static KvV1Crypt *crypts[KV_N_CIPHERS];

    if (crypts[cipher] == NULL)
        crypts[cipher] = kv_v1_crypt_new(cipher, key, NULL);
    g_assert(crypts[cipher] != NULL);
    return crypts[cipher];
}

/* The first byte chooses the cipher, the rest is a datagram from the network. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *buf = NULL;
    gboolean valid;
    KvV1Crypt *crypt;
    size_t len;

    if (size == 0)
        return 0;
    crypt = get_crypt(data[0] % KV_N_CIPHERS);
    len = size - 1;
    buf = g_malloc(MAX(len, 1));
    valid = kv_v1_crypt_open(crypt, data + 1, buf, len);
    if (len < KV_V1_CRYPT_HEADER_BYTES || len > KV_V1_DATAGRAM_MAX) {
        g_assert(!valid);
        return 0;
    }

    /* What opens must come out of sealing again; sealed, the rest opens as well. */
    kv_v1_crypt_seal(crypt, buf, len);
    if (valid)
        g_assert(memcmp(buf, data + 1, len) == 0);
    g_assert(kv_v1_crypt_open(crypt, buf, buf, len));
    return 0;
}
