/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "v1/kv-v1-tea.h"

#include "kv-bytes.h"

#define DELTA       UINT32_C(0x9e3779b9)
#define TEA_CYCLES  8
#define XTEA_CYCLES 32
#define BLOCK       KV_V1_TEA_BLOCK_BYTES

typedef struct {
    uint32_t left, right;
} Block;

static Block
encipher_tea(const uint32_t key[4], Block b)
{
    uint32_t sum = 0;

    for (int i = 0; i < TEA_CYCLES; i++) {
        sum += DELTA;
        b.left += ((b.right << 4) + key[0]) ^ (b.right + sum) ^ ((b.right >> 5) + key[1]);
        b.right += ((b.left << 4) + key[2]) ^ (b.left + sum) ^ ((b.left >> 5) + key[3]);
    }
    return b;
}

static Block
encipher_xtea(const uint32_t key[4], Block b)
{
    uint32_t sum = 0;

    for (int i = 0; i < XTEA_CYCLES; i++) {
        b.left += (((b.right << 4) ^ (b.right >> 5)) + b.right) ^ (sum + key[sum & 3]);
        sum += DELTA;
        b.right += (((b.left << 4) ^ (b.left >> 5)) + b.left) ^ (sum + key[sum >> 11 & 3]);
    }
    return b;
}

static Block
encipher(const KvV1Tea *tea, Block b)
{
    return tea->extended ? encipher_xtea(tea->key, b) : encipher_tea(tea->key, b);
}

static Block
read_block(const uint8_t *p)
{
    return (Block){.left = kv_get_be32(p), .right = kv_get_be32(p + 4)};
}

static void
write_block(uint8_t *p, Block b)
{
    kv_put_be32(p, b.left);
    kv_put_be32(p + 4, b.right);
}

static Block
xor_blocks(Block a, Block b)
{
    return (Block){.left = a.left ^ b.left, .right = a.right ^ b.right};
}

static void
crypt_tail(const KvV1Tea *tea, Block previous, const uint8_t *in, uint8_t *out, size_t len)
{
    uint8_t stream[BLOCK];

    write_block(stream, encipher(tea, previous));
    for (size_t i = 0; i < len; i++)
        out[i] = in[i] ^ stream[i];
}

void
kv_v1_tea_init(KvV1Tea *tea, gboolean extended, const uint8_t key[KV_V1_TEA_KEY_BYTES])
{
    tea->extended = extended;
    for (int i = 0; i < 4; i++)
        tea->key[i] = kv_get_be32(key + 4 * i);
}

void
kv_v1_tea_encrypt(const KvV1Tea *tea, const uint8_t iv[KV_V1_TEA_BLOCK_BYTES], const uint8_t *in,
                  uint8_t *out, size_t len)
{
    Block previous = read_block(iv);

    for (; len >= BLOCK; in += BLOCK, out += BLOCK, len -= BLOCK) {
        previous = xor_blocks(read_block(in), encipher(tea, previous));
        write_block(out, previous);
    }
    crypt_tail(tea, previous, in, out, len);
}

void
kv_v1_tea_decrypt(const KvV1Tea *tea, const uint8_t iv[KV_V1_TEA_BLOCK_BYTES], const uint8_t *in,
                  uint8_t *out, size_t len)
{
    Block previous = read_block(iv);

    for (; len >= BLOCK; in += BLOCK, out += BLOCK, len -= BLOCK) {
        Block received = read_block(in);

        write_block(out, xor_blocks(received, encipher(tea, previous)));
        previous = received;
    }
    crypt_tail(tea, previous, in, out, len);
}
