/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-secret.h"

#include <sodium.h>
#include <string.h>

#define SECRET_MAX_BYTES 4096

struct _KvSecret {
    size_t len;
    uint8_t data[];
};

KvSecret *
kv_secret_new(const void *data, size_t len)
{
    KvSecret *secret;

    g_return_val_if_fail(len <= SECRET_MAX_BYTES, NULL);
    if (sodium_init() < 0)
        g_error("libsodium cannot be initialised");
    /* sodium_malloc() puts the block's end at a page end, so its start needs rounding up. */
    secret = sodium_malloc((sizeof *secret + len + 15) & ~(size_t) 15);
    if (secret == NULL)
        g_error("no guarded memory left for a secret");
    secret->len = len;
    if (len > 0)
        memcpy(secret->data, data, len);
    sodium_mprotect_readonly(secret);
    return secret;
}

KvSecret *
kv_secret_copy(const KvSecret *secret)
{
    return secret != NULL ? kv_secret_new(secret->data, secret->len) : NULL;
}

void
kv_secret_free(KvSecret *secret)
{
    sodium_free(secret);
}

const uint8_t *
kv_secret_get_data(const KvSecret *secret)
{
    return secret->data;
}

size_t
kv_secret_get_length(const KvSecret *secret)
{
    return secret->len;
}

gboolean
kv_secret_equal(const KvSecret *a, const KvSecret *b)
{
    return a->len == b->len && sodium_memcmp(a->data, b->data, a->len) == 0;
}

void
kv_secret_wipe_string(char *string)
{
    if (string != NULL)
        sodium_memzero(string, strlen(string));
}
