/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-end.h"

#include "kv-bytes.h"

#define PACKETS_MAX 20000
#define INNER_MAX   65536

static void
fill_random(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static size_t
packet_size(const KvEnd *end, guint number)
{
    KvTestRandom random;

    kv_test_random_init(&random, number);
    return end->size_min +
           kv_test_random_below(&random, (uint32_t) (end->size_max - end->size_min + 1));
}

static void
fill_packet(uint8_t *data, size_t len, guint number)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t) (i < 4 ? number >> 8 * i : i * 31 + number);
}

static void
check_packet(KvEnd *end, const uint8_t *data, size_t len, uint16_t ethertype)
{
    guint number = end->received++;
    size_t want_len = packet_size(end, number);
    g_autofree uint8_t *want = g_malloc(want_len);

    fill_packet(want, want_len, number);
    kv_test_assert_bytes(data, len, want, want_len, "inner packet");
    g_assert_cmpuint(ethertype, ==, number % 2 == 0 ? 0x0800 : 0x86dd);
}

static void
keep_packet(KvEnd *end, const uint8_t *data, size_t len, uint16_t ethertype)
{
    uint8_t *copy = g_malloc(len + 2);

    kv_put_be16(copy, ethertype);
    memcpy(copy + 2, data, len);
    g_ptr_array_add(end->inner, g_bytes_new_take(copy, len + 2));
}

static void
take_events(KvEnd *end, KvTime now)
{
    KvEvent event;

    while (kv_session_next_event(end->session, &event)) {
        end->n_events[event.type]++;
        end->last_event[event.type] = event;
        if (event.type == KV_EVENT_CLIENT_INFO && end->answers)
            kv_session_answer(end->session, &end->answer, now);
        if (event.type == KV_EVENT_READY && end->opens)
            kv_session_open_vni(end->session, now);
        if (event.type == KV_EVENT_CLOSED)
            end->closed_at = now;
    }
}

static void
read_inner(KvEnd *end, KvTime now)
{
    uint8_t *buf = end->buf;
    uint16_t ethertype = 0;
    size_t len;

    while ((len = kv_session_recv(end->session, buf, INNER_MAX, &ethertype, now)) > 0) {
        if (end->inner != NULL)
            keep_packet(end, buf, len, ethertype);
        else
            check_packet(end, buf, len, ethertype);
    }
}

static void
write_inner(KvEnd *end, KvTime now)
{
    uint8_t *buf = end->buf;

    g_assert_cmpuint(end->size_max, <=, INNER_MAX);
    while (end->sent < end->to_send && kv_session_can_send(end->session)) {
        size_t len = packet_size(end, end->sent);

        fill_packet(buf, len, end->sent);
        if (!kv_end_send(end, buf, len, end->sent % 2 == 0 ? 0x0800 : 0x86dd, now))
            return;
        end->sent++;
    }
}

KvV1Config
kv_end_default_config(KvRole role)
{
    return (KvV1Config){
        .role = role,
        .kcp =
            {
                .conv = 0x4b56,
                .snd_wnd = 1024,
                .rcv_wnd = 1024,
                .interval = 30,
                .resend = 2,
                .nc = TRUE,
                .stream = TRUE,
                .tuning = KV_KCP_TUNING_PRODUCT,
            },
        .udp_mtu = 1350,
        .keepalive = 10 * KV_TIME_S,
        .handshake_timeout = 10 * KV_TIME_S,
        .peer_timeout = 30 * KV_TIME_S,
        .client = {.id = "client1", .mtu = 1500, .address_mode = KV_ADDRESS_MODE_ASSIGNED},
    };
}

KvEnd *
kv_end_new(const KvV1Config *config, KvCipher cipher, uint64_t seed, KvTime now)
{
    return kv_end_new_with_secret(config, cipher, "secret", KV_V1_SALT, seed, now);
}

KvEnd *
kv_end_new_with_secret(const KvV1Config *config, KvCipher cipher, const char *secret,
                       const char *salt, uint64_t seed, KvTime now)
{
    KvEnd *end = g_new0(KvEnd, 1);
    uint8_t key[KV_V1_KEY_BYTES] = {0};
    g_autoptr(GError) error = NULL;

    /* The key is slow to derive, and the weak ciphers have no use for it. */
    if (cipher != KV_CIPHER_NONE)
        g_assert_true(
            kv_v1_derive_key((const uint8_t *) secret, strlen(secret), salt, key, &error));
    end->buf = g_malloc(INNER_MAX);
    end->config = *config;
    end->crypt = kv_v1_crypt_new(cipher, key, &error);
    g_assert_no_error(error);
    end->pool = kv_packet_pool_new(PACKETS_MAX);
    kv_test_random_init(&end->generator, seed);
    end->random = (KvRandom){fill_random, &end->generator};
    end->answers = end->opens = TRUE;
    end->answer = (KvAnswer){
        .type = KV_ANSWER_ACCEPT,
        .ip = 0x0a000002,
        .config = {KV_VNI_MODE_TUN, 1400, 0, 0x0a000001, 0xffffff00},
    };
    end->size_min = 4;
    end->size_max = 1400;
    end->closed_at = KV_TIME_NEVER;
    end->session = kv_session_new_v1(config, end->crypt, end->pool, &end->random, now);
    return end;
}

void
kv_end_free(KvEnd *end)
{
    if (end == NULL)
        return;
    kv_session_free(end->session);
    kv_v1_crypt_free(end->crypt);
    kv_packet_pool_free(end->pool);
    g_clear_pointer(&end->inner, g_ptr_array_unref);
    g_free(end->buf);
    g_free(end);
}

void
kv_end_keep_inner(KvEnd *end)
{
    end->inner = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
}

void
kv_end_work(KvEnd *end, KvTime now)
{
    take_events(end, now);
    read_inner(end, now);
    take_events(end, now);
    write_inner(end, now);
}

gboolean
kv_end_send(KvEnd *end, const void *data, size_t len, uint16_t ethertype, KvTime now)
{
    /* In three pieces, as a device with a header of its own gives them. */
    size_t first = MIN(len, 10);
    size_t second = (len - first) / 2;
    const uint8_t *p = data;
    KvSlice slices[] = {
        {p, first}, {p + first, second}, {p + first + second, len - first - second}};

    return kv_session_send(end->session, slices, G_N_ELEMENTS(slices), ethertype, 0, now);
}

static void
machine_input(void *self, const uint8_t *data, size_t len, KvTime now)
{
    KvEnd *end = self;

    end->drops[kv_session_input(end->session, data, len, NULL, KV_ECN_NOT_ECT, now)]++;
}

static void
machine_input_end(void *self, KvTime now)
{
    kv_end_work(self, now);
}

static size_t
machine_output(void *self, uint8_t *buf, size_t cap, KvTime now)
{
    return kv_session_output(((KvEnd *) self)->session, buf, cap, NULL, now);
}

static KvTime
machine_deadline(void *self)
{
    return kv_session_deadline(((KvEnd *) self)->session);
}

static void
machine_advance(void *self, KvTime now)
{
    kv_session_advance(((KvEnd *) self)->session, now);
    kv_end_work(self, now);
}

const KvSimMachine kv_end_machine = {
    .input = machine_input,
    .input_end = machine_input_end,
    .output = machine_output,
    .deadline = machine_deadline,
    .advance = machine_advance,
};
