/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-test.h"
#include "kv-tunnel.h"

#include <string.h>

/* Clients of a server that is not there: they need no right, and go through every state but
 * CONNECTED. */

#define NOBODY  "127.0.0.1"
#define NOWHERE "fe80::1%nosuch0" /* an address that cannot be found, without asking anybody */

typedef struct {
    KvEngine *engine;
    guint n_done;
} Fixture;

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
    kv_engine_unref(fixture->engine);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static KvTunnel *
make_client(Fixture *fixture, const char *ip, const char *auto_reconnect)
{
    const struct {
        KvSettingId id;
        const char *text;
    } values[] = {
        {KV_SETTING_IP, ip},           {KV_SETTING_PORT, "9"},
        {KV_SETTING_SECRET, "secret"}, {KV_SETTING_CLIENT_ID, "laptop"},
        {KV_SETTING_CRYPT, "salsa20"}, {KV_SETTING_AUTO_RECONNECT, auto_reconnect},
    };
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(GError) error = NULL;
    KvTunnel *tunnel;

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        gboolean ok = kv_settings_set_text(settings, values[i].id, values[i].text, &error);

        g_assert_no_error(error);
        g_assert_true(ok);
    }
    tunnel = kv_tunnel_new(fixture->engine, settings, &error);
    g_assert_no_error(error);
    return tunnel;
}

static void
run_until_state(KvTunnel *tunnel, KvTunnelState state)
{
    while (kv_tunnel_get_state(tunnel) != state)
        g_main_context_iteration(NULL, TRUE);
}

/* Runs the main loop until the last reference is gone. */
static void
run_until_freed(gpointer *weak)
{
    while (*weak != NULL)
        g_main_context_iteration(NULL, TRUE);
}

static guint
count_fds(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

/* --- start and stop --------------------------------------------------------------------------- */

/* Proves: a tunnel can be started and stopped over and over, and leaves no descriptor behind. */
static void
test_start_stop(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) tunnel = make_client(fixture, NOBODY, "true");
    guint before = 0;

    for (guint i = 0; i < 50; i++) {
        kv_tunnel_start(tunnel);
        kv_tunnel_start(tunnel);
        if (i % 10 == 0)
            run_until_state(tunnel, KV_TUNNEL_STATE_CONNECTING);
        kv_tunnel_stop(tunnel);
        kv_tunnel_stop(tunnel);
        run_until_state(tunnel, KV_TUNNEL_STATE_STOPPED);
        g_assert_null(kv_tunnel_get_error(tunnel));
        if (i == 1)
            before = count_fds();
    }
    g_assert_cmpuint(count_fds(), ==, before);
}

static const struct {
    const char *ip;
    const char *auto_reconnect;
    KvTunnelState state;
} reachable[] = {
    {NOBODY, "true", KV_TUNNEL_STATE_STOPPED},    {NOBODY, "true", KV_TUNNEL_STATE_STARTING},
    {NOBODY, "true", KV_TUNNEL_STATE_CONNECTING}, {NOWHERE, "true", KV_TUNNEL_STATE_WAITING},
    {NOBODY, "true", KV_TUNNEL_STATE_STOPPING},   {NOWHERE, "false", KV_TUNNEL_STATE_FAILED},
};

static KvTunnel *
make_client_in_state(Fixture *fixture, guint i)
{
    KvTunnel *tunnel = make_client(fixture, reachable[i].ip, reachable[i].auto_reconnect);

    if (reachable[i].state == KV_TUNNEL_STATE_STOPPED)
        return tunnel;
    kv_tunnel_start(tunnel);
    if (reachable[i].state == KV_TUNNEL_STATE_STOPPING) {
        run_until_state(tunnel, KV_TUNNEL_STATE_CONNECTING);
        kv_tunnel_stop(tunnel);
    }
    run_until_state(tunnel, reachable[i].state);
    return tunnel;
}

/* Proves: when the last reference goes, in whatever state, the tunnel stops and is freed. */
static void
test_drop_in_each_state(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < G_N_ELEMENTS(reachable); i++) {
        gpointer weak = make_client_in_state(fixture, i);
        KvTunnel *tunnel = weak;

        g_object_add_weak_pointer(weak, &weak);
        g_object_unref(tunnel);
        run_until_freed(&weak);
    }
}

typedef struct {
    KvTunnelState at;
    guint n_states;
    GArray *states;
} Handler;

static void
stop_at(KvTunnel *tunnel, guint state, const GError *error, gpointer data)
{
    Handler *handler = data;
    KvTunnelState told = state;

    g_array_append_val(handler->states, told);
    if (told == handler->at)
        kv_tunnel_stop(tunnel);
}

static void
let_go_at(KvTunnel *tunnel, guint state, const GError *error, gpointer data)
{
    KvTunnelState *at = data;

    if (state != *at)
        return;
    *at = KV_TUNNEL_STATE_CONNECTED; /* which never comes */
    g_object_unref(tunnel);
}

/* Proves: a handler may stop the tunnel as soon as it hears of a state, and let go of it; states
 * are told in the order they come. */
static void
test_stop_from_handler(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 1; i < G_N_ELEMENTS(reachable) - 1; i++) {
        g_autoptr(KvTunnel) tunnel = make_client(fixture, reachable[i].ip, "true");
        g_autoptr(GArray) states = g_array_new(FALSE, FALSE, sizeof(KvTunnelState));
        Handler handler = {.at = reachable[i].state, .states = states};
        gpointer weak = make_client(fixture, reachable[i].ip, "true");
        KvTunnelState at = reachable[i].state;

        g_signal_connect(tunnel, "state-changed", G_CALLBACK(stop_at), &handler);
        if (reachable[i].state == KV_TUNNEL_STATE_STOPPING)
            handler.at = KV_TUNNEL_STATE_CONNECTING;
        kv_tunnel_start(tunnel);
        run_until_state(tunnel, KV_TUNNEL_STATE_STOPPED);
        g_assert_cmpint(g_array_index(states, KvTunnelState, states->len - 1), ==,
                        KV_TUNNEL_STATE_STOPPED);
        g_assert_cmpint(g_array_index(states, KvTunnelState, states->len - 2), ==,
                        KV_TUNNEL_STATE_STOPPING);
        g_assert_cmpint(g_array_index(states, KvTunnelState, states->len - 3), ==, handler.at);

        g_object_add_weak_pointer(weak, &weak);
        g_signal_connect(weak, "state-changed", G_CALLBACK(let_go_at), &at);
        kv_tunnel_start(weak);
        if (reachable[i].state == KV_TUNNEL_STATE_STOPPING)
            kv_tunnel_stop(weak);
        run_until_freed(&weak);
    }
}

static void
restart(KvTunnel *tunnel, guint state, const GError *error, gpointer data)
{
    guint *left = data;

    if (state == KV_TUNNEL_STATE_FAILED && *left > 0) {
        --*left;
        kv_tunnel_start(tunnel);
    }
}

/* Proves: a handler that hears of the end may start the tunnel anew. */
static void
test_restart_from_handler(Fixture *fixture, gconstpointer unused)
{
    gpointer weak = make_client(fixture, NOWHERE, "false");
    KvTunnel *tunnel = weak;
    guint left = 3;

    g_object_add_weak_pointer(weak, &weak);
    g_signal_connect(tunnel, "state-changed", G_CALLBACK(restart), &left);
    kv_tunnel_start(tunnel);
    while (left > 0)
        g_main_context_iteration(NULL, TRUE);
    run_until_state(tunnel, KV_TUNNEL_STATE_FAILED);
    g_object_unref(tunnel);
    g_assert_null(weak);
}

/* Proves: a thousand tunnels come and go, half of them after a start, and nothing is left. */
static void
test_thousand(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GPtrArray) tunnels = g_ptr_array_new_with_free_func(g_object_unref);
    gpointer last = NULL;
    guint before = count_fds();

    for (guint i = 0; i < 1000; i++)
        g_ptr_array_add(tunnels, make_client(fixture, NOBODY, "true"));
    g_assert_cmpuint(count_fds(), ==, before);
    for (guint i = 0; i < 400; i++)
        kv_tunnel_start(g_ptr_array_index(tunnels, i));
    run_until_state(g_ptr_array_index(tunnels, 399), KV_TUNNEL_STATE_CONNECTING);
    last = g_ptr_array_index(tunnels, 399);
    g_object_add_weak_pointer(last, &last);
    g_ptr_array_set_size(tunnels, 0);
    run_until_freed(&last);
}

/* --- details ---------------------------------------------------------------------------------- */

static void
count_details(KvTunnel *tunnel, gpointer data)
{
    ++*(guint *) data;
}

/* Proves: the getters tell what is known, when it is known, and announce it. */
static void
test_details(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) tunnel = make_client(fixture, NOBODY, "true");
    g_autoptr(GPtrArray) peers = kv_tunnel_get_peers(tunnel);
    guint n_changes = 0;

    g_signal_connect(tunnel, "details-changed", G_CALLBACK(count_details), &n_changes);
    g_assert_cmpint(kv_tunnel_get_role(tunnel), ==, KV_ROLE_CLIENT);
    g_assert_cmpstr(kv_tunnel_get_protocol(tunnel), ==, "v1");
    g_assert_cmpstr(kv_tunnel_get_cipher(tunnel), ==, "salsa20");
    g_assert_cmpstr(kv_tunnel_get_client_id(tunnel), ==, "laptop");
    g_assert_null(kv_tunnel_get_endpoint(tunnel));
    g_assert_cmpuint(peers->len, ==, 0);

    kv_tunnel_start(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_CONNECTING);
    g_assert_cmpuint(n_changes, ==, 1);
    g_assert_cmpstr(kv_tunnel_get_endpoint(tunnel), ==, "127.0.0.1:9");
    g_assert_null(kv_tunnel_get_interface(tunnel));
    g_assert_cmpuint(kv_tunnel_get_details(tunnel)->addresses->len, ==, 0);
    g_assert_cmpuint(kv_tunnel_get_connected_since(tunnel), ==, 0);

    kv_tunnel_stop(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_STOPPED);
    g_assert_cmpuint(n_changes, ==, 2);
    g_assert_null(kv_tunnel_get_endpoint(tunnel));
}

/* Proves: the last error outlives the state it came with, until the next start. */
static void
test_last_error(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) tunnel = make_client(fixture, NOWHERE, "true");

    kv_tunnel_start(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_WAITING);
    g_assert_error(kv_tunnel_get_error(tunnel), KV_ERROR, KV_ERROR_NOT_FOUND);
    kv_tunnel_stop(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_STOPPED);
    g_assert_null(kv_tunnel_get_error(tunnel));
    g_assert_error(kv_tunnel_get_last_error(tunnel), KV_ERROR, KV_ERROR_NOT_FOUND);
    kv_tunnel_start(tunnel);
    g_assert_null(kv_tunnel_get_last_error(tunnel));
}

/* --- statistics ------------------------------------------------------------------------------- */

typedef struct {
    guint n_answers;
    guint n_cancelled;
    KvStats total;
} Answers;

static void
on_stats(GObject *object, GAsyncResult *result, gpointer data)
{
    Answers *answers = data;
    g_autoptr(GError) error = NULL;

    answers->n_answers++;
    if (kv_tunnel_get_stats_finish(KV_TUNNEL(object), result, &answers->total, &error))
        return;
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    answers->n_cancelled++;
}

static void
run_until_answers(const Answers *answers, guint n)
{
    while (answers->n_answers < n)
        g_main_context_iteration(NULL, TRUE);
}

/* Proves: statistics come in every state, what was sent is counted once, and stays so after the
 * end until the next start. */
static void
test_stats(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) tunnel = make_client(fixture, NOBODY, "true");
    Answers answers = {0};
    KvStats before;

    kv_tunnel_get_stats_async(tunnel, NULL, on_stats, &answers);
    g_assert_cmpuint(answers.n_answers, ==, 0);
    run_until_answers(&answers, 1);
    g_assert_cmpuint(answers.total.wire_tx_datagrams, ==, 0);

    kv_tunnel_start(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_CONNECTING);
    while (answers.total.wire_tx_datagrams == 0) {
        kv_tunnel_get_stats_async(tunnel, NULL, on_stats, &answers);
        run_until_answers(&answers, answers.n_answers + 1);
    }
    before = answers.total;
    g_assert_cmpuint(before.wire_tx_bytes, >=, before.wire_tx_datagrams * 20);

    kv_tunnel_stop(tunnel);
    kv_tunnel_get_stats_async(tunnel, NULL, on_stats, &answers);
    run_until_answers(&answers, answers.n_answers + 1);
    run_until_state(tunnel, KV_TUNNEL_STATE_STOPPED);
    kv_tunnel_get_stats_async(tunnel, NULL, on_stats, &answers);
    run_until_answers(&answers, answers.n_answers + 1);
    g_assert_cmpuint(answers.total.wire_tx_datagrams, >=, before.wire_tx_datagrams);
    g_assert_cmpuint(answers.total.wire_tx_datagrams, <, 2 * before.wire_tx_datagrams + 8);
    g_assert_cmpuint(answers.total.send_waiting, ==, 0);
}

/* Proves: calls that overlap are all answered, a cancelled one as such, also by a tunnel that was
 * let go of meanwhile. */
static void
test_stats_overlap(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    gpointer weak = make_client(fixture, NOBODY, "true");
    KvTunnel *tunnel = weak;
    Answers answers = {0};

    g_object_add_weak_pointer(weak, &weak);
    kv_tunnel_start(tunnel);
    run_until_state(tunnel, KV_TUNNEL_STATE_CONNECTING);
    for (guint i = 0; i < 100; i++)
        kv_tunnel_get_stats_async(tunnel, i % 4 == 0 ? cancellable : NULL, on_stats, &answers);
    g_cancellable_cancel(cancellable);
    kv_tunnel_stop(tunnel);
    g_object_unref(tunnel);
    run_until_freed(&weak);
    g_assert_cmpuint(answers.n_answers, ==, 100);
    g_assert_cmpuint(answers.n_cancelled, ==, 25);
}

/* --- the engine ------------------------------------------------------------------------------- */

static void
on_done(gpointer data)
{
    Fixture *fixture = data;

    fixture->n_done++;
}

static void
on_done_check_all(gpointer data)
{
    GPtrArray *tunnels = data;

    for (guint i = 0; i < tunnels->len; i++)
        g_assert_cmpint(kv_tunnel_get_state(g_ptr_array_index(tunnels, i)), ==,
                        i == 3 ? KV_TUNNEL_STATE_FAILED : KV_TUNNEL_STATE_STOPPED);
    g_ptr_array_set_size(tunnels, 0);
}

/* Proves: an engine without tunnels shuts down at once, from the main loop, and starts none
 * afterwards. */
static void
test_shutdown_idle(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(KvTunnel) tunnel = make_client(fixture, NOBODY, "true");

    kv_engine_shutdown(fixture->engine, on_done, fixture);
    g_assert_cmpuint(fixture->n_done, ==, 0);
    while (fixture->n_done == 0)
        g_main_context_iteration(NULL, TRUE);
    kv_tunnel_start(tunnel);
    g_assert_cmpint(kv_tunnel_get_state(tunnel), ==, KV_TUNNEL_STATE_FAILED);
    g_assert_error(kv_tunnel_get_error(tunnel), KV_ERROR, KV_ERROR_CANCELLED);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(fixture->n_done, ==, 1);
}

/* Proves: a shutdown is done when every tunnel is down, in whatever state it was; the tunnels may
 * be let go of then. */
static void
test_shutdown(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GPtrArray) tunnels = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = 0; i < 20; i++) {
        g_ptr_array_add(tunnels,
                        make_client(fixture, i < 4 ? NOWHERE : NOBODY, i == 3 ? "false" : "true"));
        if (i != 9)
            kv_tunnel_start(g_ptr_array_index(tunnels, i));
    }
    run_until_state(g_ptr_array_index(tunnels, 18), KV_TUNNEL_STATE_CONNECTING);
    kv_tunnel_stop(g_ptr_array_index(tunnels, 18));
    kv_engine_shutdown(fixture->engine, on_done_check_all, tunnels);
    while (tunnels->len > 0)
        g_main_context_iteration(NULL, TRUE);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *fixture, gconstpointer unused);
    } tests[] = {
        {"/tunnel/start-stop", test_start_stop},
        {"/tunnel/drop-in-each-state", test_drop_in_each_state},
        {"/tunnel/stop-from-handler", test_stop_from_handler},
        {"/tunnel/restart-from-handler", test_restart_from_handler},
        {"/tunnel/thousand", test_thousand},
        {"/tunnel/details", test_details},
        {"/tunnel/last-error", test_last_error},
        {"/tunnel/stats", test_stats},
        {"/tunnel/stats-overlap", test_stats_overlap},
        {"/engine/shutdown-idle", test_shutdown_idle},
        {"/engine/shutdown", test_shutdown},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    return kv_test_main(&argc, &argv);
}
