/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-test.h"
#include "kv-tunnel.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server whose peers change while it runs, and clients with keys, as tunnels of one engine over
 * the loopback interface of a namespace of their own. */

enum { ALICE, BOB, SERVER, N_KEYS };

typedef struct {
    KvEngine *engine;
    uint8_t private_keys[N_KEYS][KV_KEY_BYTES];
    KvTunnel *server;
    KvTunnel *clients[2];
    GString *events; /* of the server's peers */
    char *hook_dir;  /* of the server */
} Fixture;

/* (transfer full): the text of a key, or of its public one. */
static char *
key_text(const Fixture *fixture, guint who, gboolean is_public)
{
    uint8_t key[KV_KEY_BYTES];
    char text[KV_KEY_TEXT_BYTES];

    if (is_public)
        kv_key_get_public(fixture->private_keys[who], key);
    return g_strdup(kv_key_to_string(is_public ? key : fixture->private_keys[who], text));
}

static KvSettings *
load(KvRole role, const char *text)
{
    g_autoptr(GError) error = NULL;
    KvSettings *settings = kv_settings_new(role);

    g_assert_true(kv_settings_load_data(settings, text, strlen(text), "test", &error));
    g_assert_no_error(error);
    return settings;
}

/* @alice, @bob: lines of their groups; NULL: there is none. */
static KvSettings *
make_server_settings(const Fixture *fixture, const char *alice, const char *bob)
{
    g_autoptr(GString) text = g_string_new("[tunnel]\nip=127.0.0.1\nport=4100\n"
                                           "local-ip=10.8.0.1\nnetmask=255.255.255.0\n"
                                           "assignable-ips=10.8.0.0/24\n");
    const char *lines[] = {alice, bob};
    g_autofree char *private_key = key_text(fixture, SERVER, FALSE);

    g_string_append_printf(text, "private-key=%s\nhook-dir=%s\n", private_key, fixture->hook_dir);
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *public_key = key_text(fixture, i, TRUE);

        if (lines[i] != NULL)
            g_string_append_printf(text, "[peer %s]\npublic-key=%s\n%s",
                                   i == ALICE ? "alice" : "bob", public_key, lines[i]);
    }
    return load(KV_ROLE_SERVER, text->str);
}

static KvTunnel *
make_client(const Fixture *fixture, guint who)
{
    g_autofree char *private_key = key_text(fixture, who, FALSE);
    g_autofree char *public_key = key_text(fixture, SERVER, TRUE);
    g_autofree char *text =
        g_strdup_printf("[tunnel]\nip=127.0.0.1\nport=4100\nprivate-key=%s\npublic-key=%s\n"
                        "vni-name=kvc%u\nauto-reconnect=true\n",
                        private_key, public_key, who);
    g_autoptr(KvSettings) settings = load(KV_ROLE_CLIENT, text);
    g_autoptr(GError) error = NULL;
    KvTunnel *client = kv_tunnel_new(fixture->engine, settings, &error);

    g_assert_no_error(error);
    return client;
}

static void
note(Fixture *fixture, KvPeer *peer, char sign)
{
    const KvTunnelNetwork *first = &g_array_index(kv_peer_get_addresses(peer), KvTunnelNetwork, 0);
    char text[KV_NETWORK_TEXT_BYTES];

    g_string_append_printf(fixture->events, "%c%s %s\n", sign, kv_peer_get_id(peer),
                           kv_network_to_string(&first->network, text));
}

static void
peer_moved(KvPeer *peer, gpointer data)
{
    note(data, peer, '~');
}

static void
peer_added(KvTunnel *tunnel, KvPeer *peer, gpointer data)
{
    note(data, peer, '+');
    g_signal_connect(peer, "moved", G_CALLBACK(peer_moved), data);
}

static void
peer_removed(KvTunnel *tunnel, KvPeer *peer, gpointer data)
{
    note(data, peer, '-');
}

static void
note_details(KvTunnel *tunnel, gpointer has_changed)
{
    *(gboolean *) has_changed = TRUE;
}

static void
run_until_event(Fixture *fixture, const char *event)
{
    while (strstr(fixture->events->str, event) == NULL)
        g_main_context_iteration(NULL, TRUE);
}

static void
run_until_state(KvTunnel *tunnel, KvTunnelState state)
{
    while (kv_tunnel_get_state(tunnel) != state)
        g_main_context_iteration(NULL, TRUE);
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

static void
set_peers(Fixture *fixture, const char *alice, const char *bob)
{
    g_autoptr(KvSettings) settings = make_server_settings(fixture, alice, bob);

    g_string_truncate(fixture->events, 0);
    kv_tunnel_set_peers(fixture->server, kv_settings_get_peers(settings));
}

/* Hooks that note whom they are run for. */
static void
make_hooks(Fixture *fixture)
{
    static const char *const words[] = {"connected", "disconnected"};

    fixture->hook_dir = g_dir_make_tmp("kvnet-hooks-XXXXXX", NULL);
    g_assert_nonnull(fixture->hook_dir);
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autofree char *path = g_strdup_printf("%s/on_%s", fixture->hook_dir, words[i]);
        g_autofree char *text =
            g_strdup_printf("#!/bin/sh\necho %s $KV_CLIENT_ID $KV_CLIENT_IP >>%s/log\n", words[i],
                            fixture->hook_dir);

        g_assert_true(
            g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    }
}

static void
remove_hooks(Fixture *fixture)
{
    static const char *const names[] = {"on_connected", "on_disconnected", "log"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(fixture->hook_dir, names[i], NULL);

        g_unlink(path);
    }
    g_rmdir(fixture->hook_dir);
    g_free(fixture->hook_dir);
}

/* Waits until the hooks have noted @text. */
static void
run_until_hook(Fixture *fixture, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->hook_dir, "log", NULL);
    gboolean found = FALSE;

    while (!found) {
        g_autofree char *log = NULL;

        run_for(20);
        found = g_file_get_contents(path, &log, NULL, NULL) && strstr(log, text) != NULL;
    }
}

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvSettings) settings = NULL;
    g_autoptr(GError) error = NULL;

    make_hooks(fixture);

    fixture->engine = kv_engine_new(&error);
    g_assert_no_error(error);
    fixture->events = g_string_new(NULL);
    for (guint i = 0; i < N_KEYS; i++)
        kv_key_generate_private(fixture->private_keys[i]);
    settings = make_server_settings(fixture, "", "");
    fixture->server = kv_tunnel_new(fixture->engine, settings, &error);
    g_assert_no_error(error);
    g_signal_connect(fixture->server, "peer-added", G_CALLBACK(peer_added), fixture);
    g_signal_connect(fixture->server, "peer-removed", G_CALLBACK(peer_removed), fixture);
    kv_tunnel_start(fixture->server);
    run_until_state(fixture->server, KV_TUNNEL_STATE_CONNECTED);
    for (guint i = 0; i < G_N_ELEMENTS(fixture->clients); i++) {
        fixture->clients[i] = make_client(fixture, i);
        kv_tunnel_start(fixture->clients[i]);
        run_until_event(fixture, i == ALICE ? "+alice 10.8.0.2\n" : "+bob 10.8.0.3\n");
        run_until_state(fixture->clients[i], KV_TUNNEL_STATE_CONNECTED);
    }
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < G_N_ELEMENTS(fixture->clients); i++) {
        kv_tunnel_stop(fixture->clients[i]);
        run_until_state(fixture->clients[i], KV_TUNNEL_STATE_STOPPED);
        g_object_unref(fixture->clients[i]);
    }
    kv_tunnel_stop(fixture->server);
    run_until_state(fixture->server, KV_TUNNEL_STATE_STOPPED);
    g_object_unref(fixture->server);
    g_string_free(fixture->events, TRUE);
    kv_engine_unref(fixture->engine);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    remove_hooks(fixture);
}

/* Proves: who is deleted while the server runs is disconnected at once and not let in again, until
 * it is back among the peers, and then has the address it had; others notice nothing. */
static void
test_revoked(Fixture *fixture, gconstpointer unused)
{
    set_peers(fixture, NULL, "");
    run_until_event(fixture, "-alice 10.8.0.2\n");
    run_until_state(fixture->clients[ALICE], KV_TUNNEL_STATE_WAITING);
    g_assert_nonnull(strstr(kv_tunnel_get_error(fixture->clients[ALICE])->message,
                            "removed by an administrator"));
    run_for(3000);
    g_assert_cmpstr(fixture->events->str, ==, "-alice 10.8.0.2\n");
    g_assert_cmpint(kv_tunnel_get_state(fixture->clients[ALICE]), !=, KV_TUNNEL_STATE_CONNECTED);
    g_assert_cmpint(kv_tunnel_get_state(fixture->clients[BOB]), ==, KV_TUNNEL_STATE_CONNECTED);
    set_peers(fixture, "", "");
    run_until_event(fixture, "+alice 10.8.0.2\n");
    g_assert_cmpstr(fixture->events->str, ==, "+alice 10.8.0.2\n");
}

static void
assert_address(KvTunnel *client, const char *expected)
{
    const GArray *addresses = kv_tunnel_get_details(client)->addresses;
    char text[KV_NETWORK_TEXT_BYTES];

    g_assert_cmpuint(addresses->len, ==, 1);
    g_assert_cmpstr(
        kv_network_to_string(&g_array_index(addresses, KvTunnelNetwork, 0).network, text), ==,
        expected);
}

static void
run_until_details(KvTunnel *client)
{
    gboolean has_changed = FALSE;
    gulong handler =
        g_signal_connect(client, "details-changed", G_CALLBACK(note_details), &has_changed);

    while (!has_changed)
        g_main_context_iteration(NULL, TRUE);
    g_signal_handler_disconnect(client, handler);
}

/* Proves: neither other networks behind a client nor another fixed address need a new connection:
 * the client is told its new address, and hooks that it left with the former one; but that of
 * another client, who lives, is to be had only when both come anew. */
static void
test_changed(Fixture *fixture, gconstpointer unused)
{
    set_peers(fixture, "allowed-ips=192.168.7.0/24\n", "local-ip=10.8.0.99\n");
    run_until_details(fixture->clients[BOB]);
    assert_address(fixture->clients[BOB], "10.8.0.99/24");
    assert_address(fixture->clients[ALICE], "10.8.0.2/24");
    g_assert_cmpstr(fixture->events->str, ==, "~bob 10.8.0.99\n");
    run_until_hook(fixture, "disconnected bob 10.8.0.3\nconnected bob 10.8.0.99\n");
    set_peers(fixture, "local-ip=10.8.0.99\n", "local-ip=10.8.0.2\n");
    run_until_event(fixture, "+alice 10.8.0.99\n");
    run_until_event(fixture, "+bob 10.8.0.2\n");
}

/* Proves: what clients are told changes while they are there: routes, name servers and domains come
 * and go, and nobody has to come anew. */
static void
test_terms(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvSettings) settings = make_server_settings(fixture, "", "");
    g_autoptr(KvTunnelTerms) before = kv_tunnel_terms_new(settings);
    g_autoptr(KvTunnelTerms) terms = NULL;
    g_autoptr(GError) error = NULL;
    const KvTunnelDetails *details = kv_tunnel_get_details(fixture->clients[BOB]);

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_ROUTES, "192.168.9.0/24", &error));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_DNS, "10.8.0.1", &error));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_DNS_SEARCH, "example.org", &error));
    terms = kv_tunnel_terms_new(settings);
    /* Here both are one machine, which has a route once. */
    kv_tunnel_stop(fixture->clients[ALICE]);
    run_until_event(fixture, "-alice 10.8.0.2\n");
    g_string_truncate(fixture->events, 0);
    kv_tunnel_set_terms(fixture->server, terms);
    run_until_details(fixture->clients[BOB]);
    g_assert_cmpuint(details->routes->len, ==, 1);
    g_assert_cmpuint(details->dns->len, ==, 1);
    g_assert_cmpuint(details->domains->len, ==, 1);
    kv_tunnel_set_terms(fixture->server, before);
    run_until_details(fixture->clients[BOB]);
    g_assert_cmpuint(details->routes->len + details->dns->len + details->domains->len, ==, 0);
    assert_address(fixture->clients[BOB], "10.8.0.3/24");
    g_assert_cmpstr(fixture->events->str, ==, "");
}

static void
set_dns(Fixture *fixture, guint last_byte)
{
    g_autoptr(KvSettings) settings = make_server_settings(fixture, "", "");
    g_autofree char *dns = g_strdup_printf("10.8.0.%u", last_byte);
    g_autoptr(KvTunnelTerms) terms = NULL;

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_DNS, dns, NULL));
    terms = kv_tunnel_terms_new(settings);
    kv_tunnel_set_terms(fixture->server, terms);
}

/* Has alice's fixed address end in 100 + @i. */
static void
set_alice(Fixture *fixture, guint i)
{
    g_autofree char *line = g_strdup_printf("local-ip=10.8.0.%u\n", 100 + i);
    g_autoptr(KvSettings) settings = make_server_settings(fixture, line, "");

    kv_tunnel_set_peers(fixture->server, kv_settings_get_peers(settings));
}

/* Proves: whenever in the course of a client's handshake the terms change, or its address, it ends
 * up with the last ones. */
static void
test_terms_meanwhile(Fixture *fixture, gconstpointer unused)
{
    KvTunnel *alice = fixture->clients[ALICE];
    const GArray *dns;
    const KvTunnelNetwork *address;
    guint steps = 0;

    /* Each time a step later, until it is there before that. */
    for (guint i = 1;; i++) {
        kv_tunnel_stop(alice);
        run_until_state(alice, KV_TUNNEL_STATE_STOPPED);
        run_until_event(fixture, "-alice");
        g_string_truncate(fixture->events, 0);
        kv_tunnel_start(alice);
        for (steps = 0; steps < i; steps++) {
            if (kv_tunnel_get_state(alice) == KV_TUNNEL_STATE_CONNECTED)
                break;
            g_main_context_iteration(NULL, TRUE);
        }
        set_dns(fixture, i);
        set_alice(fixture, i);
        run_until_state(alice, KV_TUNNEL_STATE_CONNECTED);
        run_until_event(fixture, "+alice");
        run_for(50);
        dns = kv_tunnel_get_details(alice)->dns;
        g_assert_cmpuint(dns->len, ==, 1);
        g_assert_cmpuint(g_array_index(dns, KvNetwork, 0).ip[3], ==, i);
        address = &g_array_index(kv_tunnel_get_details(alice)->addresses, KvTunnelNetwork, 0);
        g_assert_cmpuint(address->network.ip[3], ==, 100 + i);
        if (steps < i)
            break;
    }
    g_assert_cmpuint(steps, >, 3);
}

static void
bring_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
    close(fd);
}

int
main(int argc, char **argv)
{
    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        fprintf(stderr, "skipped: /dev/net/tun: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    bring_loopback_up();
    g_test_add("/native-peers/revoked", Fixture, NULL, set_up, test_revoked, tear_down);
    g_test_add("/native-peers/changed", Fixture, NULL, set_up, test_changed, tear_down);
    g_test_add("/native-peers/terms", Fixture, NULL, set_up, test_terms, tear_down);
    g_test_add("/native-peers/terms-meanwhile", Fixture, NULL, set_up, test_terms_meanwhile,
               tear_down);
    return kv_test_main(&argc, &argv);
}
