/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-key.h"
#include "kv-peer-list.h"
#include "kv-test.h"
#include "kv-tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Servers, clients and peers as tunnels of one engine, so all on the same workers, over the
 * loopback interface of a namespace of their own. */

#define SERVER_IP 0x0a4d0001 /* 10.77.0.1 */
#define CROWD     60

typedef struct {
    KvEngine *engine;
    guint n_added;
    guint n_removed;
    KvPeer *peer; /* the last that was added */
} Fixture;

typedef struct {
    KvSettingId id;
    const char *text;
} Value;

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    fixture->engine = kv_engine_new(&error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    g_clear_object(&fixture->peer);
    kv_engine_unref(fixture->engine);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static KvTunnel *
make_tunnel(Fixture *fixture, KvRole role, const Value *values, gsize n)
{
    g_autoptr(KvSettings) settings = kv_settings_new(role);
    g_autoptr(GError) error = NULL;
    KvTunnel *tunnel;

    for (gsize i = 0; i < n; i++) {
        gboolean ok = kv_settings_set_text(settings, values[i].id, values[i].text, &error);

        g_assert_no_error(error);
        g_assert_true(ok);
    }
    tunnel = kv_tunnel_new(fixture->engine, settings, &error);
    g_assert_no_error(error);
    return tunnel;
}

static void
peer_added(KvTunnel *tunnel, KvPeer *peer, gpointer data)
{
    Fixture *fixture = data;

    fixture->n_added++;
    g_set_object(&fixture->peer, peer);
}

static void
peer_removed(KvTunnel *tunnel, KvPeer *peer, gpointer data)
{
    Fixture *fixture = data;

    fixture->n_removed++;
}

static KvTunnel *
make_server(Fixture *fixture, const char *port)
{
    const Value values[] = {
        {KV_SETTING_IP, "127.0.0.1"},  {KV_SETTING_PORT, port},
        {KV_SETTING_SECRET, "secret"}, {KV_SETTING_LOCAL_IP, "10.77.0.1"},
        {KV_SETTING_WORKERS, "2"},     {KV_SETTING_ASSIGNABLE_IPS, "10.77.0.2-10.77.0.250"},
        {KV_SETTING_DATASHARD, "3"},   {KV_SETTING_PARITYSHARD, "1"},
        {KV_SETTING_VNI_MTU, "1300"},  {KV_SETTING_CRYPT, "aes"},
    };
    KvTunnel *tunnel = make_tunnel(fixture, KV_ROLE_SERVER, values, G_N_ELEMENTS(values));

    g_signal_connect(tunnel, "peer-added", G_CALLBACK(peer_added), fixture);
    g_signal_connect(tunnel, "peer-removed", G_CALLBACK(peer_removed), fixture);
    return tunnel;
}

static KvTunnel *
make_client(Fixture *fixture, const char *port, const char *interface, const char *auto_reconnect)
{
    const Value values[] = {
        {KV_SETTING_IP, "127.0.0.1"},      {KV_SETTING_PORT, port},
        {KV_SETTING_SECRET, "secret"},     {KV_SETTING_DATASHARD, "3"},
        {KV_SETTING_PARITYSHARD, "1"},     {KV_SETTING_VNI_NAME, interface},
        {KV_SETTING_CLIENT_ID, interface}, {KV_SETTING_AUTO_RECONNECT, auto_reconnect},
        {KV_SETTING_CRYPT, "aes"},
    };

    return make_tunnel(fixture, KV_ROLE_CLIENT, values, G_N_ELEMENTS(values));
}

static void
run_until_state(KvTunnel *tunnel, KvTunnelState state)
{
    while (kv_tunnel_get_state(tunnel) != state)
        g_main_context_iteration(NULL, TRUE);
}

static void
start_until(KvTunnel *tunnel, KvTunnelState state)
{
    kv_tunnel_start(tunnel);
    run_until_state(tunnel, state);
}

static void
run_until_count(const guint *count, guint n)
{
    while (*count < n)
        g_main_context_iteration(NULL, TRUE);
}

static void
stop(KvTunnel *tunnel)
{
    kv_tunnel_stop(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_STOPPED);
}

typedef struct {
    gboolean is_done;
    KvStats total;
} Answer;

static void
on_stats(GObject *object, GAsyncResult *result, gpointer data)
{
    Answer *answer = data;
    g_autoptr(GError) error = NULL;

    g_assert_true(kv_tunnel_get_stats_finish(KV_TUNNEL(object), result, &answer->total, &error));
    answer->is_done = TRUE;
}

static KvStats
get_stats(KvTunnel *tunnel)
{
    Answer answer = {0};

    kv_tunnel_get_stats_async(tunnel, NULL, on_stats, &answer);
    while (!answer.is_done)
        g_main_context_iteration(NULL, TRUE);
    return answer.total;
}

/* Sends a datagram of @bytes into @interface, whatever the routes say. */
static void
send_into(const char *interface, gsize bytes)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    g_autofree char *data = g_malloc0(bytes);
    kv_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(0x0a4d0909);
    g_assert_cmpint(
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t) strlen(interface)), ==,
        0);
    g_assert_cmpint(sendto(fd, data, bytes, 0, (struct sockaddr *) &to, sizeof to), ==,
                    (ssize_t) bytes);
}

/* The IPv4 address of @interface, 0 for none. */
static KvIp4
read_address(const char *interface)
{
    kv_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    g_strlcpy(request.ifr_name, interface, sizeof request.ifr_name);
    if (ioctl(fd, SIOCGIFADDR, &request) < 0)
        return 0;
    return ntohl(((struct sockaddr_in *) &request.ifr_addr)->sin_addr.s_addr);
}

/* --- what they tell --------------------------------------------------------------------------- */

/* Its only one, of a point-to-point interface. */
static void
assert_address(KvTunnel *tunnel, KvIp4 ip, KvIp4 peer)
{
    const GArray *addresses = kv_tunnel_get_details(tunnel)->addresses;
    const KvTunnelNetwork *address = &g_array_index(addresses, KvTunnelNetwork, 0);

    g_assert_cmpuint(addresses->len, ==, 1);
    g_assert_cmphex(kv_network_get_ip4(&address->network), ==, ip);
    g_assert_cmpuint(address->network.prefix, ==, 32);
    g_assert_cmphex(kv_network_get_ip4(&address->via), ==, peer);
}

static void
assert_server_details(KvTunnel *server)
{
    g_assert_cmpint(kv_tunnel_get_role(server), ==, KV_ROLE_SERVER);
    g_assert_cmpstr(kv_tunnel_get_endpoint(server), ==, "127.0.0.1:4001");
    assert_address(server, SERVER_IP, 0);
    g_assert_cmpuint(kv_tunnel_get_mtu(server), ==, 1300);
    g_assert_null(kv_tunnel_get_interface(server));
    g_assert_null(kv_tunnel_get_client_id(server));
}

static void
assert_client_details(KvTunnel *client)
{
    g_assert_cmpstr(kv_tunnel_get_endpoint(client), ==, "127.0.0.1:4001");
    g_assert_cmpstr(kv_tunnel_get_interface(client), ==, "kvc0");
    assert_address(client, SERVER_IP + 1, SERVER_IP);
    g_assert_cmpuint(kv_tunnel_get_mtu(client), ==, 1300);
    g_assert_cmpint(kv_tunnel_get_vni_mode(client), ==, KV_VNI_MODE_TUN);
}

/* Proves: both ends and the peer tell what a connection is like, and forget it with its end. */
static void
test_details(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) server = make_server(fixture, "4001");
    g_autoptr(KvTunnel) client = make_client(fixture, "4001", "kvc0", "true");
    guint64 before = (guint64) g_get_real_time();
    guint64 since;

    start_until(server, KV_TUNNEL_STATE_CONNECTED);
    start_until(client, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 1);
    assert_server_details(server);
    assert_client_details(client);
    since = kv_tunnel_get_connected_since(client);
    g_assert_cmpuint(since, >=, before);
    g_assert_cmpuint(since, <=, (guint64) g_get_real_time());
    g_assert_cmphex(read_address("kvc0"), ==, SERVER_IP + 1);

    g_assert_cmpstr(kv_peer_get_id(fixture->peer), ==, "kvc0");
    g_assert_true(g_str_has_prefix(kv_peer_get_remote(fixture->peer), "127.0.0.1:"));
    g_assert_cmpuint(kv_peer_get_addresses(fixture->peer)->len, ==, 1);
    g_assert_cmpstr(kv_peer_get_interface(fixture->peer), ==, "kvs0");
    g_assert_cmpstr(kv_peer_get_cipher(fixture->peer), ==, kv_tunnel_get_cipher(server));
    g_assert_cmpuint(kv_peer_get_connected_since(fixture->peer), >=, before);

    stop(client);
    run_until_count(&fixture->n_removed, 1);
    g_assert_null(kv_tunnel_get_interface(client));
    g_assert_cmpuint(kv_tunnel_get_details(client)->addresses->len, ==, 0);
    g_assert_cmpuint(kv_tunnel_get_connected_since(client), ==, 0);
    stop(server);
    g_assert_null(kv_tunnel_get_endpoint(server));
    assert_address(server, SERVER_IP, 0);
}

/* Proves: where somebody else configures the interface it is there without an address, and the
 * tunnel tells which one was granted. */
static void
test_not_configured(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) server = make_server(fixture, "4001");
    g_autoptr(KvTunnel) client = make_client(fixture, "4001", "kvc0", "true");

    kv_tunnel_set_configure(client, FALSE);
    start_until(server, KV_TUNNEL_STATE_CONNECTED);
    start_until(client, KV_TUNNEL_STATE_CONNECTED);
    g_assert_cmpuint(if_nametoindex("kvc0"), >, 0);
    g_assert_cmphex(read_address("kvc0"), ==, 0);
    assert_client_details(client);
    stop(client);
    stop(server);
}

/* --- statistics ------------------------------------------------------------------------------- */

/* Proves: what goes through is counted on both ends and at the peer, and does not vanish from
 * the sums with the session. */
static void
test_stats(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) server = make_server(fixture, "4001");
    g_autoptr(KvTunnel) client = make_client(fixture, "4001", "kvc0", "true");
    const KvStats *of_peer;
    KvStats sent;
    KvStats got = {0};
    guint64 seen;

    start_until(server, KV_TUNNEL_STATE_CONNECTED);
    start_until(client, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 1);
    seen = kv_peer_get_last_seen(fixture->peer);
    for (guint i = 0; i < 20; i++)
        send_into("kvc0", 1000);
    while (got.inner_rx_bytes < 20 * 1028)
        got = get_stats(server);
    sent = get_stats(client);
    g_assert_cmpuint(sent.inner_tx_packets, >=, 20);
    g_assert_cmpuint(sent.inner_tx_bytes, >=, 20 * 1028);
    g_assert_cmpuint(sent.wire_tx_bytes, >, sent.inner_tx_bytes);
    g_assert_cmpuint(sent.fec_parity_sent, >, 0);
    g_assert_cmpuint(sent.queue_packets, ==, 0);
    g_assert_cmpfloat(kv_stats_get_tx_loss(&sent), >=, 0);
    g_assert_cmpuint(got.path_rx_arrived, ==, got.path_rx_expected);
    g_assert_cmpfloat(kv_stats_get_rx_loss(&got), ==, 0);

    of_peer = kv_peer_get_stats(fixture->peer);
    g_assert_cmpuint(of_peer->inner_rx_packets, ==, got.inner_rx_packets);
    g_assert_cmpuint(of_peer->wire_rx_bytes, ==, got.wire_rx_bytes);
    g_assert_cmpuint(kv_peer_get_last_seen(fixture->peer), >, seen);

    stop(client);
    run_until_count(&fixture->n_removed, 1);
    g_assert_cmpuint(get_stats(server).inner_rx_packets, >=, got.inner_rx_packets);
    stop(server);
    got = get_stats(server);
    g_assert_cmpuint(got.inner_rx_packets, >=, 20);
    g_assert_cmpuint(got.rtt_us, ==, 0);
}

/* --- peers ------------------------------------------------------------------------------------ */

/* Proves: a peer that is disconnected by request is told so, loses interface and address, and may
 * come back to the same; a second request for it does nothing. */
static void
test_disconnect(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) server = make_server(fixture, "4001");
    g_autoptr(KvTunnel) client = make_client(fixture, "4001", "kvc0", "false");
    g_autoptr(KvTunnel) other = make_client(fixture, "4001", "kvc1", "true");
    g_autoptr(GPtrArray) peers = NULL;
    g_autoptr(KvPeer) first = NULL;

    start_until(server, KV_TUNNEL_STATE_CONNECTED);
    start_until(client, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 1);
    first = g_object_ref(fixture->peer);
    start_until(other, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 2);
    peers = kv_tunnel_get_peers(server);
    g_assert_cmpuint(peers->len, ==, 2);

    kv_tunnel_disconnect_peer(server, first);
    kv_tunnel_disconnect_peer(server, first);
    run_until_count(&fixture->n_removed, 1);
    g_assert_cmpuint(if_nametoindex("kvs0"), ==, 0);
    run_until_state(client, KV_TUNNEL_STATE_FAILED);
    g_assert_error(kv_tunnel_get_error(client), KV_ERROR, KV_ERROR_CONNECTION_LOST);
    kv_tunnel_disconnect_peer(server, first);
    start_until(client, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 3);
    assert_address(client, SERVER_IP + 1, SERVER_IP);
    g_assert_cmpint(kv_tunnel_get_state(other), ==, KV_TUNNEL_STATE_CONNECTED);
    g_assert_cmpuint(fixture->n_removed, ==, 1);
    kv_tunnel_disconnect_peer(server, first);
    stop(client);
    stop(other);
    stop(server);
    kv_tunnel_disconnect_peer(server, first);
    g_assert_cmpuint(fixture->n_removed, ==, 3);
}

/* --- many in one process ---------------------------------------------------------------------- */

/* Proves: servers of one engine take names past each other; a port or an interface that is taken,
 * also by this process, is a clear error that leaves the other tunnel alone. */
static void
test_neighbours(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) one = make_server(fixture, "4001");
    g_autoptr(KvTunnel) two = make_server(fixture, "4002");
    g_autoptr(KvTunnel) rival = make_server(fixture, "4001");
    g_autoptr(KvTunnel) a = make_client(fixture, "4001", "kvc0", "true");
    g_autoptr(KvTunnel) b = make_client(fixture, "4002", "kvc1", "true");
    g_autoptr(KvTunnel) c = make_client(fixture, "4002", "kvc0", "false");

    start_until(one, KV_TUNNEL_STATE_CONNECTED);
    start_until(two, KV_TUNNEL_STATE_CONNECTED);
    start_until(rival, KV_TUNNEL_STATE_FAILED);
    g_assert_error(kv_tunnel_get_error(rival), KV_ERROR, KV_ERROR_EXISTS);
    g_assert_nonnull(strstr(kv_tunnel_get_error(rival)->message, "4001"));
    start_until(a, KV_TUNNEL_STATE_CONNECTED);
    start_until(b, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 2);
    g_assert_cmpuint(if_nametoindex("kvs0"), >, 0);
    g_assert_cmpuint(if_nametoindex("kvs1"), >, 0);
    start_until(c, KV_TUNNEL_STATE_FAILED);
    g_assert_error(kv_tunnel_get_error(c), KV_ERROR, KV_ERROR_EXISTS);
    g_assert_nonnull(strstr(kv_tunnel_get_error(c)->message, "kvc0"));
    g_assert_cmpint(kv_tunnel_get_state(a), ==, KV_TUNNEL_STATE_CONNECTED);
    stop(one);
    g_assert_cmpint(kv_tunnel_get_state(two), ==, KV_TUNNEL_STATE_CONNECTED);
    g_assert_cmpint(kv_tunnel_get_state(b), ==, KV_TUNNEL_STATE_CONNECTED);
    stop(a);
    stop(b);
    stop(two);
}

/* Proves: a pair of tunnels can be started and stopped over and over, and goes away with its last
 * references while it is connected, interfaces and all. */
static void
test_restarts(Fixture *fixture, gconstpointer unused)
{
    gpointer server = make_server(fixture, "4001");
    gpointer client = make_client(fixture, "4001", "kvc0", "true");

    for (guint i = 0; i < 20; i++) {
        start_until(server, KV_TUNNEL_STATE_CONNECTED);
        start_until(client, KV_TUNNEL_STATE_CONNECTED);
        run_until_count(&fixture->n_added, i + 1);
        kv_tunnel_stop(i % 2 == 0 ? client : server);
        kv_tunnel_stop(i % 2 == 0 ? server : client);
        run_until_state(client, KV_TUNNEL_STATE_STOPPED);
        run_until_state(server, KV_TUNNEL_STATE_STOPPED);
        g_assert_cmpuint(fixture->n_removed, ==, i + 1);
    }
    start_until(server, KV_TUNNEL_STATE_CONNECTED);
    start_until(client, KV_TUNNEL_STATE_CONNECTED);
    g_object_add_weak_pointer(server, &server);
    g_object_add_weak_pointer(client, &client);
    g_object_unref(server);
    g_object_unref(client);
    while (server != NULL || client != NULL)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(if_nametoindex("kvc0"), ==, 0);
}

/* Proves: a crowd of clients comes, is counted in one call, and goes with a shutdown that knows
 * when all are down. */
static void
test_crowd(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GPtrArray) tunnels = g_ptr_array_new_with_free_func(g_object_unref);
    KvTunnel *server = make_server(fixture, "4001");
    guint n_down = 0;
    KvStats total;

    g_ptr_array_add(tunnels, server);
    start_until(server, KV_TUNNEL_STATE_CONNECTED);
    for (guint i = 0; i < CROWD; i++) {
        g_autofree char *name = g_strdup_printf("kvc%u", i);

        g_ptr_array_add(tunnels, make_client(fixture, "4001", name, "true"));
        kv_tunnel_start(g_ptr_array_index(tunnels, i + 1));
    }
    run_until_count(&fixture->n_added, CROWD);
    for (guint i = 0; i < CROWD; i++)
        run_until_state(g_ptr_array_index(tunnels, i + 1), KV_TUNNEL_STATE_CONNECTED);
    total = get_stats(server);
    g_assert_cmpuint(total.wire_rx_datagrams, >, 3 * CROWD);
    kv_engine_shutdown(fixture->engine, (void (*)(gpointer)) g_atomic_int_inc, &n_down);
    run_until_count(&n_down, 1);
    g_assert_cmpuint(fixture->n_removed, ==, CROWD);
    for (guint i = 0; i < tunnels->len; i++)
        g_assert_cmpint(kv_tunnel_get_state(g_ptr_array_index(tunnels, i)), ==,
                        KV_TUNNEL_STATE_STOPPED);
}

static void
set_loopback_up(void)
{
    kv_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
}

/* (transfer full): a list of the peer that has @public_key. */
static KvPeerList *
list_peer(const char *public_key, const char *endpoint, const char *network)
{
    KvPeerList *list = kv_peer_list_new();
    g_autoptr(GError) error = NULL;
    KvPeerSettings *peer = kv_peer_settings_new(KV_ROLE_PEER, "other", &error);

    g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_PUBLIC_KEY, public_key, &error));
    g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_ALLOWED_IPS, network, &error));
    if (endpoint != NULL) {
        g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_ENDPOINT, endpoint, &error));
        g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_KEEPALIVE, "1", &error));
    }
    g_assert_true(kv_peer_list_add(list, peer, &error));
    return list;
}

static KvTunnel *
make_peer(Fixture *fixture, const char *port, const char *interface, const char *private_key,
          KvPeerList *peers)
{
    const Value values[] = {
        {KV_SETTING_PORT, port},
        {KV_SETTING_VNI_NAME, interface},
        {KV_SETTING_PRIVATE_KEY, private_key},
    };
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_PEER);
    g_autoptr(GError) error = NULL;
    KvTunnel *tunnel;

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        g_assert_true(kv_settings_set_text(settings, values[i].id, values[i].text, &error));
    kv_settings_set_peers(settings, kv_peer_list_ref(peers));
    tunnel = kv_tunnel_new(fixture->engine, settings, &error);
    g_assert_no_error(error);
    g_signal_connect(tunnel, "peer-added", G_CALLBACK(peer_added), fixture);
    g_signal_connect(tunnel, "peer-removed", G_CALLBACK(peer_removed), fixture);
    return tunnel;
}

/* Proves: a peer that is taken off the list is told so and gone at once, on either side; put back
 * it is there again, as is one that was disconnected. */
static void
test_peers_live(Fixture *fixture, gconstpointer unused)
{
    char private_keys[2][KV_KEY_TEXT_BYTES], public_keys[2][KV_KEY_TEXT_BYTES];
    g_autoptr(KvPeerList) nobody = kv_peer_list_new();
    g_autoptr(KvPeerList) first = NULL;
    g_autoptr(KvPeerList) second = NULL;
    g_autoptr(KvTunnel) a = NULL;
    g_autoptr(KvTunnel) b = NULL;

    for (guint i = 0; i < 2; i++) {
        uint8_t private[KV_KEY_BYTES], public[KV_KEY_BYTES];

        kv_key_generate_private(private);
        kv_key_get_public(private, public);
        kv_key_to_string(private, private_keys[i]);
        kv_key_to_string(public, public_keys[i]);
    }
    first = list_peer(public_keys[1], NULL, "10.77.9.2/32");
    second = list_peer(public_keys[0], "127.0.0.1:4601", "10.77.9.1/32");
    a = make_peer(fixture, "4601", "kvp0", private_keys[0], first);
    b = make_peer(fixture, "4602", "kvp1", private_keys[1], second);
    start_until(a, KV_TUNNEL_STATE_CONNECTED);
    start_until(b, KV_TUNNEL_STATE_CONNECTED);
    run_until_count(&fixture->n_added, 2);

    kv_tunnel_set_peers(a, nobody);
    g_assert_cmpuint(fixture->n_removed, ==, 1);
    run_until_count(&fixture->n_removed, 2);
    kv_tunnel_set_peers(a, first);
    run_until_count(&fixture->n_added, 4);
    kv_tunnel_disconnect_peer(a, fixture->peer);
    kv_tunnel_disconnect_peer(b, fixture->peer);
    run_until_count(&fixture->n_removed, 4);
    run_until_count(&fixture->n_added, 6);

    kv_tunnel_stop(a);
    run_until_state(a, KV_TUNNEL_STATE_STOPPED);
    kv_tunnel_stop(b);
    run_until_state(b, KV_TUNNEL_STATE_STOPPED);
    g_assert_cmpuint(fixture->n_removed, ==, 6);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *fixture, gconstpointer unused);
    } tests[] = {
        {"/pair/details", test_details},       {"/pair/not-configured", test_not_configured},
        {"/pair/stats", test_stats},           {"/pair/disconnect", test_disconnect},
        {"/pair/neighbours", test_neighbours}, {"/pair/restarts", test_restarts},
        {"/pair/peers-live", test_peers_live}, {"/pair/crowd", test_crowd},
    };

    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        fprintf(stderr, "skipped: /dev/net/tun: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    set_loopback_up();
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return kv_test_main(&argc, &argv);
}
