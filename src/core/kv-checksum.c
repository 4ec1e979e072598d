/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-checksum.h"

/* Two 64-bit lanes; every machine we build for has such registers, and compilers emulate them
 * elsewhere. A lane takes 2^32 words of 32 bits before it overflows. */
typedef uint64_t Lanes __attribute__((vector_size(16)));

#define LANES_BYTES sizeof(Lanes)

static inline Lanes
load(const uint8_t *p)
{
    Lanes lanes;

    memcpy(&lanes, p, sizeof lanes);
    return lanes;
}

uint64_t
kv_checksum_add(uint64_t sum, const void *data, size_t len)
{
    const Lanes low = {UINT32_MAX, UINT32_MAX};
    Lanes even = {0, 0};
    Lanes odd = {0, 0};
    const uint8_t *p = data;
    uint64_t folded;

    for (; len >= 4 * LANES_BYTES; p += 4 * LANES_BYTES, len -= 4 * LANES_BYTES) {
        Lanes a = load(p);
        Lanes b = load(p + LANES_BYTES);
        Lanes c = load(p + 2 * LANES_BYTES);
        Lanes d = load(p + 3 * LANES_BYTES);

        even += (a & low) + (b & low) + (c & low) + (d & low);
        odd += (a >> 32) + (b >> 32) + (c >> 32) + (d >> 32);
    }
    even += odd;
    folded = (even[0] & UINT32_MAX) + (even[0] >> 32) + (even[1] & UINT32_MAX) + (even[1] >> 32);
    for (; len >= 4; p += 4, len -= 4) {
        uint32_t word;

        memcpy(&word, p, sizeof word);
        folded += word;
    }
    if (len >= 2) {
        uint16_t word;

        memcpy(&word, p, sizeof word);
        folded += word;
        p += 2;
        len -= 2;
    }
    if (len > 0) {
        uint16_t word = 0;

        memcpy(&word, p, 1);
        folded += word;
    }
    return sum + folded;
}
