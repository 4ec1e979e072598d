/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"
#include "kv-handshake-pair.h"
#include "native/kv-native-private.h"

#include <string.h>

#define PACKETS   512
#define START     (1000 * KV_TIME_S)
#define OUTPUTS   64
#define SENT_MAX  200
#define STEPS_MAX 256

static uint8_t inner[KV_LANES_PACKET_MAX];

/* What an engine does: everything that leaves or comes up is taken. */
static void
drain(KvNative *native, KvTime now)
{
    uint8_t buf[KV_PACKET_CAPACITY];
    uint16_t ethertype;
    KvEndpoint to;
    KvEvent event;

    while (kv_native_next_event(native, &event)) {
        if (event.type == KV_EVENT_READY)
            kv_native_open_vni(native, now);
    }
    while (kv_native_recv(native, inner, sizeof inner, &ethertype, now) > 0)
        continue;
    for (guint i = 0; i < OUTPUTS && kv_native_output(native, buf, sizeof buf, &to, now) > 0; i++)
        continue;
    while (kv_native_next_event(native, &event))
        continue;
}

static void
send_one(KvNative *native, guint number, KvTime now)
{
    uint8_t packet[300] = {0x45, (uint8_t) number};
    KvSlice slice = {packet, sizeof packet};

    if (number < SENT_MAX && kv_native_can_send(native))
        g_assert(kv_native_send(native, number % 3, &slice, 1, now));
}

/* Plaintexts as a peer with the right keys may send them: a length of two bytes, a step of time,
 * the plaintext. */
static void
play(KvNative *native, const KvEndpoint *from, const uint8_t *data, size_t size)
{
    KvReader reader;
    KvTime now = START;

    kv_reader_init(&reader, data, size);
    for (guint i = 0; i < STEPS_MAX && kv_reader_left(&reader) > 0; i++) {
        size_t len = kv_reader_le16(&reader) % 1400;
        guint step = kv_reader_u8(&reader);
        const uint8_t *plain;
        KvPacket *packet;

        len = MIN(len, kv_reader_left(&reader));
        plain = kv_reader_bytes(&reader, len);
        packet = kv_packet_new(native->pool);
        if (packet == NULL || plain == NULL || native->state >= KV_NATIVE_CLOSING) {
            kv_packet_unref(packet);
            break;
        }
        memcpy(packet->data, plain, len);
        packet->len = (uint32_t) len;
        kv_native_read_plaintext(native, packet, from, now);
        kv_packet_unref(packet);
        send_one(native, i, now);
        drain(native, now);
        now += step * step * KV_TIME_MS;
        kv_native_advance(native, now);
        drain(native, now);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(KvHandshakePair) pair = {0};
    g_auto(KvNativeKeys) ours = {0}, theirs = {0};
    g_autoptr(KvPacketPool) pool = kv_packet_pool_new(PACKETS);
    KvNativeParams params = {
        .role = KV_ROLE_SERVER,
        .snd_wnd = 128,
        .rcv_wnd = 128,
        .data_shards = 4,
        .parity_shards = 2,
        .rapid_fec = TRUE,
        .datagram_max = 1400,
    };
    uint8_t proof[KV_PACKET_CAPACITY];
    KvTransportInput first = {.data = proof};
    KvNative *native;

    kv_handshake_pair_init(&pair, KV_NOISE_IKPSK2, FALSE, 1);
    kv_handshake_pair_finish(&pair, START, &theirs, &ours);
    params.private_key = pair.private_keys[1];
    first.len = kv_handshake_pair_prove(&theirs, proof);
    first.from = pair.from;
    native = kv_native_new_server(&params, &ours, pool, &pair.random, &first, START);
    drain(native, START);
    play(native, &pair.from, data, size);
    kv_native_free(native);
    return 0;
}
