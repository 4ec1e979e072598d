/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-test.h"
#include "kv-tunnel.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that has room for two native clients, and three that want to come, as tunnels of one
 * engine over the loopback interface of a namespace of their own. */

enum { A, B, C, SERVER, N_ENDS };

#define N_CLIENTS 3
#define ROOM      2

typedef struct {
    gboolean with_keys; /* else with a secret and ids */
    KvEngine *engine;
    uint8_t private_keys[N_ENDS][KV_KEY_BYTES];
    KvTunnel *server;
    KvTunnel *clients[N_CLIENTS];
    guint most; /* clients that were there at once */
} Fixture;

/* (transfer full) */
static char *
key_text(const Fixture *fixture, guint who, gboolean is_public)
{
    uint8_t key[KV_KEY_BYTES];
    char text[KV_KEY_TEXT_BYTES];

    if (is_public)
        kv_key_get_public(fixture->private_keys[who], key);
    return g_strdup(kv_key_to_string(is_public ? key : fixture->private_keys[who], text));
}

static KvTunnelParams *
load(KvRole role, const char *text)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role);
    g_autoptr(GError) error = NULL;
    KvTunnelParams *params;

    g_assert_true(kv_settings_load_data(settings, text, strlen(text), "test", &error));
    params = kv_tunnel_params_new(settings, &error);
    g_assert_no_error(error);
    return params;
}

static KvTunnel *
make_server(Fixture *fixture)
{
    g_autoptr(GString) text = g_string_new("[tunnel]\nip=127.0.0.1\nport=4100\ncrypt=auto\n"
                                           "local-ip=10.8.0.1\nnetmask=255.255.255.0\n"
                                           "assignable-ips=10.8.0.0/24\n");
    g_autofree char *private_key = key_text(fixture, SERVER, FALSE);
    KvTunnelParams *params;

    if (fixture->with_keys)
        g_string_append_printf(text, "private-key=%s\n", private_key);
    else
        g_string_append(text, "secret=of both ends\n");
    for (guint i = 0; fixture->with_keys && i < N_CLIENTS; i++) {
        g_autofree char *public_key = key_text(fixture, i, TRUE);

        g_string_append_printf(text, "[peer client%u]\npublic-key=%s\n", i, public_key);
    }
    params = load(KV_ROLE_SERVER, text->str);
    params->clients_max = ROOM;
    return kv_tunnel_new_with_params(fixture->engine, params);
}

static KvTunnel *
make_client(const Fixture *fixture, guint who)
{
    g_autofree char *private_key = key_text(fixture, who, FALSE);
    g_autofree char *public_key = key_text(fixture, SERVER, TRUE);
    g_autofree char *keys =
        fixture->with_keys
            ? g_strdup_printf("private-key=%s\npublic-key=%s\n", private_key, public_key)
            : g_strdup_printf("secret=of both ends\nclient-id=client%u\n", who);
    g_autofree char *text = g_strdup_printf("[tunnel]\nip=127.0.0.1\nport=4100\ncrypt=auto\n"
                                            "vni-name=kvc%u\n%s",
                                            who, keys);

    return kv_tunnel_new_with_params(fixture->engine, load(KV_ROLE_CLIENT, text));
}

static void
peer_added(KvTunnel *server, KvPeer *peer, gpointer data)
{
    g_autoptr(GPtrArray) peers = kv_tunnel_get_peers(server);
    Fixture *fixture = data;

    fixture->most = MAX(fixture->most, peers->len);
}

static void
run_until_state(KvTunnel *tunnel, KvTunnelState state)
{
    while (kv_tunnel_get_state(tunnel) != state)
        g_main_context_iteration(NULL, TRUE);
}

static gboolean
is_settled(KvTunnel *client)
{
    KvTunnelState state = kv_tunnel_get_state(client);

    return state == KV_TUNNEL_STATE_CONNECTED || state == KV_TUNNEL_STATE_FAILED;
}

static gboolean
time_is_up(gpointer done)
{
    *(gboolean *) done = TRUE;
    return G_SOURCE_REMOVE;
}

static void
run_for(guint ms)
{
    gboolean done = FALSE;

    g_timeout_add(ms, time_is_up, &done);
    while (!done)
        g_main_context_iteration(NULL, TRUE);
}

static guint
count_peers(const Fixture *fixture)
{
    g_autoptr(GPtrArray) peers = kv_tunnel_get_peers(fixture->server);

    return peers->len;
}

static void
connect_client(Fixture *fixture, guint who)
{
    kv_tunnel_start(fixture->clients[who]);
    run_until_state(fixture->clients[who], KV_TUNNEL_STATE_CONNECTED);
}

static void
set_loopback(gboolean is_up)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = is_up ? IFF_UP : 0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
    close(fd);
}

/* Ends a client as a crash would: the server hears nothing of it. */
static void
crash(KvTunnel *client)
{
    set_loopback(FALSE);
    kv_tunnel_stop(client);
    run_until_state(client, KV_TUNNEL_STATE_STOPPED);
    set_loopback(TRUE);
}

static void
set_up(Fixture *fixture, gconstpointer with_keys)
{
    g_autoptr(GError) error = NULL;

    fixture->with_keys = GPOINTER_TO_INT(with_keys);
    fixture->engine = kv_engine_new(&error);
    g_assert_no_error(error);
    for (guint i = 0; i < N_ENDS; i++)
        kv_key_generate_private(fixture->private_keys[i]);
    fixture->server = make_server(fixture);
    g_signal_connect(fixture->server, "peer-added", G_CALLBACK(peer_added), fixture);
    kv_tunnel_start(fixture->server);
    run_until_state(fixture->server, KV_TUNNEL_STATE_CONNECTED);
    for (guint i = 0; i < N_CLIENTS; i++)
        fixture->clients[i] = make_client(fixture, i);
}

static void
end(KvTunnel *tunnel)
{
    kv_tunnel_stop(tunnel);
    while (kv_tunnel_get_state(tunnel) != KV_TUNNEL_STATE_STOPPED &&
           kv_tunnel_get_state(tunnel) != KV_TUNNEL_STATE_FAILED)
        g_main_context_iteration(NULL, TRUE);
    g_object_unref(tunnel);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < N_CLIENTS; i++)
        end(fixture->clients[i]);
    end(fixture->server);
    kv_engine_unref(fixture->engine);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* Proves: a full server refuses a stranger and says why, but lets in who comes back while its
 * former session stands, which goes. */
static void
test_comes_back(Fixture *fixture, gconstpointer unused)
{
    connect_client(fixture, A);
    connect_client(fixture, B);
    crash(fixture->clients[A]);
    kv_tunnel_start(fixture->clients[C]);
    run_until_state(fixture->clients[C], KV_TUNNEL_STATE_FAILED);
    g_assert_nonnull(
        strstr(kv_tunnel_get_error(fixture->clients[C])->message, "no room for more clients"));
    connect_client(fixture, A);
    run_for(200);
    g_assert_cmpint(kv_tunnel_get_state(fixture->clients[A]), ==, KV_TUNNEL_STATE_CONNECTED);
    g_assert_cmpint(kv_tunnel_get_state(fixture->clients[B]), ==, KV_TUNNEL_STATE_CONNECTED);
    g_assert_cmpuint(count_peers(fixture), ==, ROOM);
}

/* Proves: of two that come at once for one place one has it, and the other has not. */
static void
test_at_once(Fixture *fixture, gconstpointer unused)
{
    guint n = 0;

    connect_client(fixture, A);
    kv_tunnel_start(fixture->clients[B]);
    kv_tunnel_start(fixture->clients[C]);
    while (!is_settled(fixture->clients[B]) || !is_settled(fixture->clients[C]))
        g_main_context_iteration(NULL, TRUE);
    run_for(500);
    g_assert_cmpuint(fixture->most, ==, ROOM);
    for (guint i = 0; i < N_CLIENTS; i++)
        n += kv_tunnel_get_state(fixture->clients[i]) == KV_TUNNEL_STATE_CONNECTED;
    g_assert_cmpuint(n, ==, ROOM);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        gboolean with_keys;
        void (*run)(Fixture *fixture, gconstpointer with_keys);
    } tests[] = {
        {"/native-full/keys/comes-back", TRUE, test_comes_back},
        {"/native-full/keys/at-once", TRUE, test_at_once},
        {"/native-full/secret/comes-back", FALSE, test_comes_back},
        {"/native-full/secret/at-once", FALSE, test_at_once},
    };

    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        fprintf(stderr, "skipped: /dev/net/tun: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    set_loopback(TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].name, Fixture, GINT_TO_POINTER(tests[i].with_keys), set_up,
                   tests[i].run, tear_down);
    return kv_test_main(&argc, &argv);
}
