/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-noise.h"
#include "kv-outer.h"
#include "kv-seal.h"

#include <sodium.h>
#include <string.h>

#define PAYLOAD 40

typedef struct {
    KvNoise *ends[2];
    uint8_t public[2][KV_NOISE_KEY_BYTES];
} Pair;

static void
make_pair(Pair *pair, KvNoisePattern pattern)
{
    static const uint8_t private[2][KV_NOISE_KEY_BYTES] = {{1, 9}, {2, 9}};
    static const uint8_t ephemeral[2][KV_NOISE_KEY_BYTES] = {{3, 9}, {4, 9}};
    static const uint8_t psk[KV_NOISE_KEY_BYTES] = {5};

    for (guint i = 0; i < 2; i++)
        crypto_scalarmult_base(pair->public[i], private[i]);
    for (guint i = 0; i < 2; i++) {
        KvNoiseKeys keys = {ephemeral[i], psk, private[i], i == 0 ? pair->public[1] : NULL};

        pair->ends[i] = kv_noise_new(pattern, i == 0, "", 0, &keys);
    }
}

/* The input is laid over a true message; only the message itself opens, whatever was tried before.
 */
static void
forge(KvNoise *writer, KvNoise *reader, size_t len, const uint8_t *data, size_t size)
{
    static const uint8_t payload[PAYLOAD] = {7};
    uint8_t truth[KV_NOISE_MESSAGE_MAX];
    uint8_t forged[KV_NOISE_MESSAGE_MAX] = {0};
    uint8_t out[KV_NOISE_MESSAGE_MAX];
    size_t truth_len = kv_noise_write(writer, payload, sizeof payload, truth);
    size_t out_len = 0;
    gboolean same;

    g_assert(truth_len > 0);
    memcpy(forged, truth, truth_len);
    for (size_t i = 0; i < MIN(size, sizeof forged); i++)
        forged[i] ^= data[i];
    same = len == truth_len && memcmp(forged, truth, truth_len) == 0;
    g_assert(kv_noise_read(reader, forged, len, out, &out_len) == same);
    if (!same)
        g_assert(kv_noise_read(reader, truth, truth_len, out, &out_len));
    g_assert(out_len == sizeof payload && memcmp(out, payload, sizeof payload) == 0);
}

/* What a stranger's datagram is put through. */
static void
read_outer(const Pair *pair, const uint8_t *data, size_t size)
{
    static const uint8_t mac1[KV_OUTER_MAC_BYTES];
    uint8_t cookie[KV_OUTER_COOKIE_BYTES];
    KvOuterKeys keys;
    KvSealHead head;

    kv_outer_keys_derive(&keys, pair->public[1]);
    if (kv_outer_check(&keys, data, size)) {
        g_autofree uint8_t *body = g_malloc(size);

        kv_outer_unmask(&keys, data, size, body);
    }
    g_assert(!kv_outer_read_reply(&keys, mac1, data, size, cookie));
    g_assert(kv_seal_read_head(&keys, data, size, &head) == (size >= KV_SEAL_OVERHEAD));
}

/* Two bytes of pattern and length, then what is laid over the messages. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Pair pair;
    size_t len;

    if (size < 2)
        return 0;
    make_pair(&pair, data[0] & 1 ? KV_NOISE_IKPSK2 : KV_NOISE_NNPSK0);
    len = (size_t) (data[0] >> 1) << 4 | (data[1] & 15);
    read_outer(&pair, data, size);
    forge(pair.ends[0], pair.ends[1], MIN(len, KV_NOISE_MESSAGE_MAX), data + 2, size - 2);
    forge(pair.ends[1], pair.ends[0], MIN(len, KV_NOISE_MESSAGE_MAX), data + 2, size - 2);
    kv_noise_free(pair.ends[0]);
    kv_noise_free(pair.ends[1]);
    return 0;
}
