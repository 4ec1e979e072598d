/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-null-seal.h"

#include "kv-bytes.h"

#include <glib.h>
#include <string.h>

struct _KvSeal {
    KvAead aead; /* which nothing is done with */
};

static void
get_tag(const uint8_t *datagram, size_t len, uint8_t tag[KV_SEAL_TAG_BYTES])
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < len - KV_SEAL_TAG_BYTES; i++)
        sum = (sum ^ datagram[i]) * 1099511628211u;
    memset(tag, 0, KV_SEAL_TAG_BYTES);
    kv_put_le64(tag, sum);
}

void
kv_null_seal_fit(uint8_t *datagram, size_t len)
{
    if (len >= KV_SEAL_OVERHEAD)
        get_tag(datagram, len, datagram + len - KV_SEAL_TAG_BYTES);
}

gboolean
kv_seal_read_head(const KvOuterKeys *keys, const uint8_t *datagram, size_t len, KvSealHead *head)
{
    if (len < KV_SEAL_OVERHEAD)
        return FALSE;
    head->index = kv_get_le32(datagram);
    head->counter = kv_get_le64(datagram + 4);
    memcpy(head->check, datagram + 12, sizeof head->check);
    return TRUE;
}

gboolean
kv_seal_check(const KvSealHead *head, const uint8_t token[KV_SEAL_TOKEN_BYTES],
              const uint8_t *datagram, size_t len)
{
    return memcmp(head->check, token, sizeof head->check) == 0;
}

KvSeal *
kv_seal_new(KvAead aead, const uint8_t traffic[KV_SEAL_TRAFFIC_BYTES])
{
    KvSeal *seal = g_new(KvSeal, 1);

    seal->aead = aead;
    return seal;
}

void
kv_seal_free(KvSeal *seal)
{
    g_free(seal);
}

size_t
kv_seal_write(KvSeal *seal, const KvOuterKeys *keys, const KvSealHead *head,
              const uint8_t token[KV_SEAL_TOKEN_BYTES], uint8_t *datagram, size_t len)
{
    kv_put_le32(datagram, head->index);
    kv_put_le64(datagram + 4, head->counter);
    memcpy(datagram + 12, token, 4);
    kv_null_seal_fit(datagram, len + KV_SEAL_OVERHEAD);
    return len + KV_SEAL_OVERHEAD;
}

gboolean
kv_seal_read(KvSeal *seal, uint64_t counter, const uint8_t *datagram, size_t len, uint8_t *plain)
{
    uint8_t tag[KV_SEAL_TAG_BYTES];

    get_tag(datagram, len, tag);
    if (memcmp(tag, datagram + len - KV_SEAL_TAG_BYTES, KV_SEAL_TAG_BYTES) != 0)
        return FALSE;
    memmove(plain, datagram + KV_SEAL_HEAD_BYTES, len - KV_SEAL_OVERHEAD);
    return TRUE;
}
