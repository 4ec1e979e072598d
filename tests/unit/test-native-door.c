/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-key.h"
#include "kv-native-door.h"
#include "kv-session-table.h"
#include "kv-test.h"

#include <string.h>

#define START (1000 * KV_TIME_S)

/* A client and the door of a server; what one sends the other is given at once. */
typedef struct {
    KvTestRandom state;
    KvRandom random;
    KvIndexTable *indexes;
    KvPacketPool *pool;
    KvTunnelNative server;
    KvNativeDoor *door;
    KvNativeParams params; /* of the client */
    uint8_t public[KV_NATIVE_KEY_BYTES];
    KvNative *client;
    KvSecret *secrets[4];
    guint n_secrets;
    KvUdpPath path;
    KvTime now;
    uint64_t number;
} Fixture;

static void
fill_random(void *ctx, void *buf, size_t len)
{
    kv_test_random_bytes(ctx, buf, len);
}

static uint64_t
next_number(void *ctx, uint64_t above)
{
    Fixture *f = ctx;

    return f->number = MAX(f->number, above) + 1;
}

static KvSecret *
new_secret(Fixture *f, uint8_t first)
{
    uint8_t key[KV_KEY_BYTES] = {first, 8};

    f->secrets[f->n_secrets] = kv_secret_new(key, sizeof key);
    return f->secrets[f->n_secrets++];
}

static void
set_up(Fixture *f, gconstpointer with_keys)
{
    kv_test_random_init(&f->state, kv_test_get_seed());
    f->random = (KvRandom){fill_random, &f->state};
    f->indexes = kv_index_table_new(&f->random);
    f->pool = kv_packet_pool_new(1000);
    f->now = START;
    f->path.remote.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(1000)};
    f->server.ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    f->params = (KvNativeParams){.role = KV_ROLE_CLIENT,
                                 .indexes = f->indexes,
                                 .numbers = {next_number, f},
                                 .snd_wnd = 128,
                                 .rcv_wnd = 128,
                                 .datagram_max = 1400,
                                 .handshake_timeout = 15 * KV_TIME_S};
    if (GPOINTER_TO_INT(with_keys)) {
        f->server.private_key = new_secret(f, 1);
        f->params.private_key = new_secret(f, 2);
        kv_key_get_public(kv_secret_get_data(f->server.private_key), f->params.remote_public);
        kv_key_get_public(kv_secret_get_data(f->params.private_key), f->public);
    } else {
        f->server.psk = new_secret(f, 3);
        f->params.psk = f->server.psk;
    }
    f->door = kv_native_door_new(&f->server, f->indexes, &f->random);
}

static void
tear_down(Fixture *f, gconstpointer unused)
{
    kv_native_free(f->client);
    kv_native_door_free(f->door);
    g_assert_cmpuint(kv_index_table_get_length(f->indexes), ==, 0);
    kv_index_table_free(f->indexes);
    kv_packet_pool_free(f->pool);
    for (guint i = 0; i < f->n_secrets; i++)
        kv_secret_free(f->secrets[i]);
}

static void
dial(Fixture *f)
{
    KvNativeConfig say;

    g_clear_pointer(&f->client, kv_native_free);
    kv_native_config_init(&say);
    say.ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    f->client = kv_native_new_client(&f->params, &say, f->pool, &f->random, f->now);
    kv_native_config_clear(&say);
}

/* The client's next datagram; the bytes live until the next call. */
static KvUdpDatagram
pull(Fixture *f)
{
    static uint8_t buf[KV_UDP_ROOM];
    KvEndpoint to;
    size_t len = kv_native_output(f->client, buf, sizeof buf, &to, f->now);

    g_assert_cmpuint(len, >, 0);
    return (KvUdpDatagram){.data = buf, .len = len, .path = &f->path};
}

static KvDrop
push(Fixture *f, const uint8_t *data, size_t len)
{
    KvEndpoint from = {0};

    return kv_native_input(f->client, data, len, &from, KV_ECN_NOT_ECT, f->now);
}

/* Returns the id of the request that the client's initiation is. */
static uint32_t
knock(Fixture *f, KvNativeDoorNews *news)
{
    KvUdpDatagram datagram = pull(f);

    g_assert_null(kv_native_door_find(f->door, datagram.data, datagram.len));
    kv_native_door_input(f->door, &datagram, f->now, news);
    g_assert_cmpint(news->drop, ==, KV_DROP_NONE);
    g_assert_nonnull(news->request);
    g_assert_false(news->is_confirmed);
    return news->request->id;
}

static void
grant(Fixture *f, uint32_t id)
{
    KvNativeConfig config;
    uint8_t answer[KV_INITIATION_MAX];
    KvUdpPath path;
    size_t len;

    kv_native_config_init(&config);
    len = kv_native_door_grant(f->door, id, &config, f->now, answer, &path);
    g_assert_cmpuint(len, >, 0);
    g_assert_true(kv_sockaddr_equal(&path.remote, &f->path.remote));
    g_assert_cmpint(push(f, answer, len), ==, KV_DROP_NONE);
    /* Once. */
    g_assert_cmpuint(kv_native_door_grant(f->door, id, &config, f->now, answer, &path), ==, 0);
    kv_native_config_clear(&config);
}

/* The client's handshake from its beginning to the door's list of living ones. */
static void
come_in(Fixture *f, KvNativeDoorEntry *entry)
{
    g_auto(KvNativeKeys) keys = {0};
    KvNativeDoorNews news;
    KvUdpDatagram datagram;
    uint32_t id;

    dial(f);
    id = knock(f, &news);
    g_assert_null(news.entry);
    grant(f, id);
    datagram = pull(f);
    g_assert_null(kv_native_door_find(f->door, datagram.data, datagram.len));
    kv_native_door_input(f->door, &datagram, f->now, &news);
    keys = news.keys;
    g_assert_true(news.is_confirmed);
    g_assert_cmpint(news.drop, ==, KV_DROP_NONE);
    g_assert_null(news.entry);
    g_assert_cmpuint(keys.local_index, ==, id);
    kv_native_door_add(f->door, entry, &keys);
    kv_native_door_set_indexes(f->door, entry, &keys.local_index, 1);
    g_assert_true(kv_native_door_find(f->door, datagram.data, datagram.len) == entry);
}

/* Proves: a client that is let in is found by its datagrams from then on, and not after it left. */
static void
test_come_in(Fixture *f, gconstpointer with_keys)
{
    KvNativeDoorEntry entry = {0};
    KvUdpDatagram datagram;

    if (GPOINTER_TO_INT(with_keys))
        kv_native_door_admit(f->door, f->public, NULL);
    come_in(f, &entry);
    kv_native_poke(f->client, f->now);
    datagram = pull(f);
    g_assert_true(kv_native_door_find(f->door, datagram.data, datagram.len) == &entry);
    kv_native_door_remove(f->door, &entry);
    g_assert_null(kv_native_door_find(f->door, datagram.data, datagram.len));
}

/* Proves: a door that knows nothing of a session any more says so in a way that its client
 * believes; one of another secret stays silent. */
static void
test_reset(Fixture *f, gconstpointer with_keys)
{
    KvNativeDoorEntry entry = {0};
    KvNativeDoorNews news;
    KvUdpDatagram datagram;
    uint8_t reset[KV_UDP_ROOM];
    KvTunnelNative other = f->server;
    g_autoptr(KvNativeDoor) stranger = NULL;
    size_t len;

    kv_native_door_admit(f->door, f->public, NULL);
    come_in(f, &entry);
    kv_native_door_free(f->door);
    f->door = kv_native_door_new(&f->server, f->indexes, &f->random);
    kv_native_door_admit(f->door, f->public, NULL);
    if (GPOINTER_TO_INT(with_keys))
        other.private_key = new_secret(f, 9);
    else
        other.psk = new_secret(f, 9);
    stranger = kv_native_door_new(&other, f->indexes, &f->random);

    kv_native_poke(f->client, f->now);
    datagram = pull(f);
    kv_native_door_input(f->door, &datagram, f->now, &news);
    g_assert_cmpint(news.drop, !=, KV_DROP_NONE);
    g_assert_cmpuint(kv_native_door_reset(stranger, &datagram, f->now, reset), ==, 0);
    len = kv_native_door_reset(f->door, &datagram, f->now, reset);
    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(len, <, datagram.len);
    g_assert_cmpint(push(f, reset, len), ==, KV_DROP_NONE);
    /* It begins anew, and asks to go on with what nobody knows here. */
    f->now += 6 * KV_TIME_S;
    kv_native_advance(f->client, f->now);
    knock(f, &news);
    g_assert_null(news.entry);
    g_assert_true(news.request->config->said & KV_SAID_ASSOCIATION);
}

/* Proves: keys that are not admitted, or no more, get no answer; and an association that ended
 * between grant and proof is not gone on with. */
static void
test_not_admitted(Fixture *f, gconstpointer with_keys)
{
    KvNativeDoorEntry entry = {0};
    KvNativeDoorNews news;
    KvUdpDatagram datagram;
    uint32_t id;

    dial(f);
    datagram = pull(f);
    kv_native_door_input(f->door, &datagram, f->now, &news);
    g_assert_cmpint(news.drop, ==, KV_DROP_STRANGER);
    g_assert_cmpuint(news.reply_len, ==, 0);

    kv_native_door_admit(f->door, f->public, NULL);
    come_in(f, &entry);
    g_assert_true(kv_native_door_find_peer(f->door, f->public) == &entry);
    g_assert_true(kv_native_door_forget(f->door, f->public) == &entry);

    dial(f);
    datagram = pull(f);
    kv_native_door_input(f->door, &datagram, f->now, &news);
    g_assert_cmpint(news.drop, ==, KV_DROP_STRANGER);
    kv_native_door_admit(f->door, f->public, NULL);
    f->now += KV_TIME_S;
    kv_native_advance(f->client, f->now);
    id = knock(f, &news);
    grant(f, id);
    kv_native_door_forget(f->door, f->public);
    datagram = pull(f);
    kv_native_door_input(f->door, &datagram, f->now, &news);
    g_assert_cmpint(news.drop, !=, KV_DROP_NONE);
    g_assert_false(news.is_confirmed);
}

/* Proves: a rekey goes on with the association that it names, and one that ended between grant and
 * proof is not taken for a new one. */
static void
test_goes_on(Fixture *f, gconstpointer with_keys)
{
    KvNativeDoorEntry entry = {0};
    KvNativeDoorNews news;
    KvUdpDatagram datagram;
    uint32_t id;

    kv_native_door_admit(f->door, f->public, NULL);
    come_in(f, &entry);
    for (guint i = 0; i < 2; i++) {
        KvEndpoint to;
        uint8_t buf[KV_UDP_ROOM];

        /* What was sent is not answered: after fifteen seconds the client begins anew. */
        f->now += 60 * KV_TIME_S;
        kv_native_poke(f->client, f->now);
        while (kv_native_output(f->client, buf, sizeof buf, &to, f->now) > 0)
            ;
        f->now += 16 * KV_TIME_S;
        kv_native_advance(f->client, f->now);
        id = knock(f, &news);
        g_assert_true(news.entry == &entry);
        grant(f, id);
        datagram = pull(f);
        if (i == 1)
            kv_native_door_remove(f->door, &entry);
        kv_native_door_input(f->door, &datagram, f->now, &news);
        g_assert_cmpint(news.is_confirmed, ==, i == 0);
        if (i == 1)
            break;
        g_assert_true(news.entry == &entry);
        kv_native_keys_clear(&news.keys);
    }
    g_assert_cmpint(news.drop, !=, KV_DROP_NONE);
}

/* Proves: the table finds what it holds and nothing else, whatever comes and goes. */
/* Proves: a peer is found where it is, the last to come if two say the same, and keys of an
 * association that it did not have are its all the same. */
static void
test_peers(Fixture *f, gconstpointer with_keys)
{
    static const uint8_t other[KV_NATIVE_KEY_BYTES] = {9, 9};
    KvNativeDoorEntry entries[2] = {0};
    KvEndpoint places[] = {{.ip = {1}, .port = 1}, {.ip = {1}, .port = 2}};
    KvNativeDoorNews news;
    KvUdpDatagram datagram;

    kv_native_door_admit(f->door, f->public, NULL);
    kv_native_door_add_peer(f->door, &entries[0], f->public);
    kv_native_door_add_peer(f->door, &entries[1], other);
    g_assert_null(kv_native_door_find_at(f->door, &places[0]));
    kv_native_door_place(f->door, &entries[0], &places[0]);
    kv_native_door_place(f->door, &entries[1], &places[1]);
    g_assert_true(kv_native_door_find_at(f->door, &places[0]) == &entries[0]);
    g_assert_true(kv_native_door_find_at(f->door, &places[1]) == &entries[1]);
    kv_native_door_place(f->door, &entries[1], &places[0]);
    g_assert_null(kv_native_door_find_at(f->door, &places[1]));
    kv_native_door_place(f->door, &entries[0], &places[1]);
    g_assert_true(kv_native_door_find_at(f->door, &places[0]) == &entries[1]);

    /* Whatever association the keys are of, they are this peer's. */
    dial(f);
    grant(f, knock(f, &news));
    datagram = pull(f);
    kv_native_door_input(f->door, &datagram, f->now, &news);
    g_assert_true(news.is_confirmed);
    g_assert_true(news.entry == &entries[0]);
    kv_native_keys_clear(&news.keys);
    for (guint i = 0; i < 2; i++)
        kv_native_door_remove(f->door, &entries[i]);
    g_assert_null(kv_native_door_find_at(f->door, &places[0]));
    g_assert_null(kv_native_door_find_peer(f->door, f->public));
}

static void
test_table(void)
{
    g_autoptr(KvSessionTable) table = kv_session_table_new();
    uint32_t owners[4096] = {0};
    KvTestRandom random;
    guint n = 0;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < 60000; i++) {
        /* Crowded on purpose: neighbours share their slots. */
        uint32_t at = kv_test_random_below(&random, G_N_ELEMENTS(owners));
        uint32_t index = at % 2 == 0 ? at + 1 : (at << 16) + 1;

        g_assert_true(kv_session_table_find(table, index) ==
                      (owners[at] != 0 ? &owners[at] : NULL));
        if (owners[at] != 0)
            kv_session_table_remove(table, index);
        else
            kv_session_table_add(table, index, &owners[at]);
        n += owners[at] != 0 ? -1u : 1;
        owners[at] = !owners[at];
        g_assert_cmpuint(kv_session_table_get_size(table), ==, n);
    }
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        gpointer with_keys;
    } modes[] = {{"secret", GINT_TO_POINTER(FALSE)}, {"keys", GINT_TO_POINTER(TRUE)}};

    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *come_in_path = g_strdup_printf("/native-door/%s/come-in", modes[i].name);
        g_autofree char *reset_path = g_strdup_printf("/native-door/%s/reset", modes[i].name);
        g_autofree char *goes_on_path = g_strdup_printf("/native-door/%s/goes-on", modes[i].name);

        g_test_add(come_in_path, Fixture, modes[i].with_keys, set_up, test_come_in, tear_down);
        g_test_add(reset_path, Fixture, modes[i].with_keys, set_up, test_reset, tear_down);
        g_test_add(goes_on_path, Fixture, modes[i].with_keys, set_up, test_goes_on, tear_down);
    }
    g_test_add("/native-door/keys/not-admitted", Fixture, GINT_TO_POINTER(TRUE), set_up,
               test_not_admitted, tear_down);
    g_test_add("/native-door/keys/peers", Fixture, GINT_TO_POINTER(TRUE), set_up, test_peers,
               tear_down);
    g_test_add_func("/native-door/table", test_table);
    return kv_test_main(&argc, &argv);
}
