/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-native-pair.h"

#include <string.h>

/* Datagrams as they leave are changed, copied, renumbered in address and kept for later, as the
 * input says. */
typedef struct {
    const uint8_t *data;
    size_t left;
    KvPairFlight kept;
} Script;

static uint8_t
take(Script *script)
{
    if (script->left == 0)
        return 0;
    script->left--;
    return *script->data++;
}

static void
meddle(KvPair *pair, KvPairEnd *sender, const KvPairFlight *flight)
{
    Script *script = pair->tap_data;
    KvPairFlight other = *flight;
    uint8_t what = take(script);

    if (what == 0)
        return;
    if ((what & 1) != 0)
        other.data[take(script) % flight->len] ^= take(script);
    if ((what & 2) != 0)
        other.len = take(script) % flight->len;
    if ((what & 4) != 0)
        other.from.port = take(script);
    if ((what & 8) != 0)
        other.at -= KV_TIME_MS;
    if ((what & 16) != 0)
        script->kept = other;
    if ((what & 32) != 0 && script->kept.len > 0)
        other = script->kept;
    other.at = MAX(other.at, pair->now);
    kv_pair_fly(pair, &other);
}

/* One step of time, with something that happens. */
static void
step(KvPair *pair, Script *script)
{
    uint8_t what = take(script);
    guint end = what & 1;

    switch (what >> 1 & 7) {
    case 0:
        kv_pair_handshake(pair, end);
        break;
    case 1:
        kv_pair_restart(pair, end);
        break;
    case 2:
        pair->ends[end].address.port = (uint16_t) (2000 + take(script));
        break;
    case 3:
        pair->ends[end].down = !pair->ends[end].down;
        break;
    case 4:
        kv_transport_poke(pair->ends[end].transport, pair->now);
        break;
    case 5:
        pair->ends[end].limit = 1000u + 4u * take(script);
        break;
    case 6:
        kv_pair_run(pair, take(script) * KV_TIME_S);
        break;
    default:
        break;
    }
    kv_pair_send(pair, end);
    kv_pair_run(pair, (what >> 4) * 20 * KV_TIME_MS);
}

/* No number comes twice and no deadline stands still, which the pair itself looks after. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Script script = {.data = data, .left = MIN(size, 400)};
    KvPair pair;

    kv_pair_init(&pair);
    pair.tap = meddle;
    pair.tap_data = &script;
    for (guint i = 0; i < 2; i++) {
        pair.ends[i].config.datagram_max = 1472;
        pair.ends[i].config.keepalive = i == 0 ? 25 * KV_TIME_S : 0;
        pair.ends[i].data_len = 1472;
        kv_pair_restart(&pair, i);
    }
    kv_pair_handshake(&pair, 0);
    while (script.left > 0)
        step(&pair, &script);
    kv_pair_run(&pair, 600 * KV_TIME_S);
    kv_pair_clear(&pair);
    return 0;
}
