/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-cookie.h"

#include "kv-bytes.h"

#include <sodium.h>
#include <string.h>

static void
bake(const uint8_t secret[32], const KvEndpoint *address, uint8_t cookie[KV_OUTER_COOKIE_BYTES])
{
    uint8_t text[sizeof address->ip + 2];

    memcpy(text, address->ip, sizeof address->ip);
    kv_put_be16(text + sizeof address->ip, address->port);
    crypto_generichash(cookie, KV_OUTER_COOKIE_BYTES, text, sizeof text, secret, 32);
}

void
kv_cookie_jar_bake(KvCookieJar *jar, const KvEndpoint *address, KvTime now, const KvRandom *random,
                   uint8_t cookie[KV_OUTER_COOKIE_BYTES])
{
    if (!jar->filled[0] || kv_time_elapsed(now, jar->made[0]) >= KV_COOKIE_BAKING) {
        memcpy(jar->secrets[1], jar->secrets[0], sizeof jar->secrets[1]);
        jar->made[1] = jar->made[0];
        jar->filled[1] = jar->filled[0];
        kv_random_fill(random, jar->secrets[0], sizeof jar->secrets[0]);
        jar->made[0] = now;
        jar->filled[0] = TRUE;
    }
    bake(jar->secrets[0], address, cookie);
}

gboolean
kv_cookie_jar_check(const KvCookieJar *jar, const KvEndpoint *address, KvTime now,
                    const uint8_t *datagram, size_t len)
{
    for (guint i = 0; i < G_N_ELEMENTS(jar->secrets); i++) {
        uint8_t cookie[KV_OUTER_COOKIE_BYTES];

        if (!jar->filled[i] || kv_time_elapsed(now, jar->made[i]) >= KV_COOKIE_HONOURS)
            continue;
        bake(jar->secrets[i], address, cookie);
        if (kv_outer_check_cookie(datagram, len, cookie))
            return TRUE;
    }
    return FALSE;
}
