/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-sim-hostile.h"

#include "native/kv-lanes.h"

#include <string.h>

#define START   KV_SIM_HOSTILE_START
#define PACKETS 4096

static uint64_t
next_number(void *ctx, uint64_t above)
{
    return above + 1;
}

static KvNative *
make_peer(KvSimHostile *world, KvNativeParams *params, KvNativeKeys *keys,
          const KvTransportInput *first)
{
    KvNativeConfig say;
    KvNative *native;

    kv_native_config_init(&say);
    say.ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    params->indexes = world->pair.indexes[1];
    params->numbers.next = next_number;
    params->datagram_max = KV_PATH_MTU_BASE;
    memcpy(params->remote_public, world->pair.public_keys[0], sizeof params->remote_public);
    native = kv_native_new_peer(params, &say, world->pool, &world->pair.random, START);
    kv_native_add_keys(native, keys, first, START);
    return native;
}

static void
init(KvSimHostile *world, KvRole role, guint parity)
{
    g_auto(KvNativeKeys) ours = {0};
    g_auto(KvNativeKeys) theirs = {0};
    KvNativeParams params = {.role = role,
                             .snd_wnd = 1024,
                             .rcv_wnd = 1024,
                             .data_shards = 10 * parity,
                             .parity_shards = 3 * parity,
                             .datagram_max = 1400};
    uint8_t proof[KV_PACKET_CAPACITY];
    KvTransportInput first = {.data = proof};
    KvEvent event;

    *world = (KvSimHostile){.now = START, .pool = kv_packet_pool_new(PACKETS)};
    kv_handshake_pair_init(&world->pair, KV_NOISE_IKPSK2, FALSE, kv_test_get_seed());
    kv_handshake_pair_finish(&world->pair, START, &theirs, &ours);
    first.len = kv_handshake_pair_prove(&theirs, proof);
    first.from = world->pair.from;
    params.private_key = world->pair.private_keys[1];
    world->native = role == KV_ROLE_PEER ? make_peer(world, &params, &ours, &first)
                                         : kv_native_new_server(&params, &ours, world->pool,
                                                                &world->pair.random, &first, START);
    world->hostile = kv_live_session_new(&theirs, START);
    world->hostile->next_counter = 1;
    kv_outer_keys_derive(&world->hostile_outer, world->pair.public_keys[0]);
    while (kv_native_next_event(world->native, &event)) {
        if (event.type == KV_EVENT_READY)
            kv_native_open_vni(world->native, START);
    }
}

void
kv_sim_hostile_init(KvSimHostile *world, guint parity)
{
    init(world, KV_ROLE_SERVER, parity);
}

void
kv_sim_hostile_init_peer(KvSimHostile *world)
{
    init(world, KV_ROLE_PEER, 0);
}

void
kv_sim_hostile_clear(KvSimHostile *world)
{
    kv_native_free(world->native);
    kv_live_session_free(world->hostile);
    kv_packet_pool_free(world->pool);
    kv_handshake_pair_clear(&world->pair);
}

/* The hostile end reads what it gets, so that it can lie about it. */
static void
look(KvSimHostile *world, const uint8_t *datagram, size_t len)
{
    uint8_t plain[KV_PACKET_CAPACITY];
    KvReader items, frames;
    KvSealHead head;
    KvFrame frame;
    KvItem item;
    gboolean newest;

    if (!kv_seal_read_head(&world->hostile_outer, datagram, len, &head) ||
        kv_live_session_open(world->hostile, &head, datagram, len, plain, &newest, world->now) !=
            KV_DROP_NONE)
        return;
    kv_reader_init(&items, plain, len - KV_SEAL_OVERHEAD);
    while (kv_item_next(&items, &item)) {
        kv_reader_init(&frames, item.content, item.kind == KV_ITEM_PARITY ? 0 : item.len);
        while (kv_frame_next(&frames, &frame)) {
            if (frame.type == KV_FRAME_SEG && frame.part.sn >= world->newest_sn)
                world->newest_sn = frame.part.sn + 1;
            world->n_pings += frame.type == KV_FRAME_PING;
        }
    }
}

void
kv_sim_hostile_pass(KvSimHostile *world, KvTime time)
{
    static uint8_t inner[KV_LANES_PACKET_MAX];
    uint8_t buf[KV_PACKET_CAPACITY];
    uint16_t ethertype;
    KvEndpoint to;
    KvEvent event;
    size_t len;

    world->now += time;
    kv_native_advance(world->native, world->now);
    while (kv_native_recv(world->native, inner, sizeof inner, &ethertype, world->now) > 0)
        continue;
    while ((len = kv_native_output(world->native, buf, sizeof buf, &to, world->now)) > 0) {
        world->wire_bytes += len;
        look(world, buf, len);
    }
    while (kv_native_next_event(world->native, &event)) {
        if (event.type != KV_EVENT_CLOSED)
            continue;
        world->is_closed = TRUE;
        world->reason = event.reason;
    }
    world->most_used = MAX(world->most_used, kv_packet_pool_get_used(world->pool));
}

void
kv_sim_hostile_send(KvSimHostile *world, KvItem *item, const uint8_t *content, size_t len)
{
    uint8_t buf[KV_PACKET_CAPACITY];
    size_t at;

    item->len = len;
    at = kv_item_put_head(buf + KV_SEAL_HEAD_BYTES, item) - len;
    memcpy(buf + KV_SEAL_HEAD_BYTES + at, content, len);
    len = kv_live_session_seal(world->hostile, buf, at + len);
    g_assert_cmpint(
        kv_native_input(world->native, buf, len, &world->pair.from, KV_ECN_NOT_ECT, world->now), ==,
        KV_DROP_NONE);
}
