/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stddef.h>

/**
 * KvRandom:
 *
 * Where core takes randomness from: the engine gives libsodium's generator, a test a seeded one.
 * @fill must always succeed and may be called for every datagram.
 */
typedef struct {
    void (*fill)(void *ctx, void *buf, size_t len);
    void *ctx;
} KvRandom;

static inline void
kv_random_fill(const KvRandom *random, void *buf, size_t len)
{
    random->fill(random->ctx, buf, len);
}
