/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-pump.h"
#include "kv-test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Long enough for the worker to do what it was told, as a rule. */
#define WORKER_TIME_US 100000

typedef struct {
    KvWorker *worker;
    KvTunnelParams *params;
    KvPump *pump;
    guint n_snapshots;
    guint n_link_states;
    KvLinkId state_of;
    guint n_ended;
    KvReason reason;
    KvStats past;
    gboolean is_gone;
    char *failure;
    gboolean was_late; /* something was said after the last word */
} Fixture;

static void
on_event(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
         const KvEvent *event)
{
    Fixture *fixture = owner;

    fixture->was_late |= fixture->is_gone;
}

static void
on_ended(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun)
{
    Fixture *fixture = owner;

    g_assert_null(tun);
    fixture->was_late |= fixture->is_gone;
    fixture->reason = reason;
    fixture->n_ended++;
}

static void
on_snapshot(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    Fixture *fixture = owner;

    fixture->was_late |= fixture->is_gone;
    fixture->n_snapshots++;
}

static void
on_link_state(gpointer owner, KvPump *pump, const KvLinkSnapshot *snapshot)
{
    Fixture *fixture = owner;

    fixture->was_late |= fixture->is_gone;
    fixture->state_of = snapshot->id;
    fixture->n_link_states++;
}

static void
on_gone(gpointer owner, KvPump *pump, const KvPumpSnapshot *last)
{
    Fixture *fixture = owner;

    fixture->was_late |= fixture->is_gone;
    fixture->is_gone = TRUE;
    fixture->past = last->past;
    if (kv_pump_get_failure(pump) != NULL)
        fixture->failure = g_strdup(kv_pump_get_failure(pump)->message);
}

static const KvPumpCallbacks callbacks = {
    .event = on_event,
    .ended = on_ended,
    .snapshot = on_snapshot,
    .link_state = on_link_state,
    .gone = on_gone,
};

static KvTunnelParams *
make_params(void)
{
    static const struct {
        KvSettingId id;
        const char *text;
    } values[] = {
        {KV_SETTING_IP, "127.0.0.1"},
        {KV_SETTING_PORT, "1"},
        {KV_SETTING_SECRET, "secret"},
        {KV_SETTING_CRYPT, "aes"},
    };
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(GError) error = NULL;
    KvTunnelParams *params;

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        gboolean ok = kv_settings_set_text(settings, values[i].id, values[i].text, &error);

        g_assert_no_error(error);
        g_assert_true(ok);
    }
    params = kv_tunnel_params_new(settings, &error);
    g_assert_no_error(error);
    return params;
}

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    KvUdpConfig config = {.local.sa.sa_family = AF_INET};
    g_autoptr(GError) error = NULL;
    KvUdp *udp = kv_udp_open(&config, &error);

    g_assert_no_error(error);
    fixture->params = make_params();
    fixture->worker = kv_worker_new(0, &error);
    g_assert_no_error(error);
    g_assert_true(kv_worker_start(fixture->worker, NULL));
    fixture->pump = kv_pump_new(fixture->worker, fixture->params, udp, &callbacks, fixture, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    kv_worker_free(fixture->worker);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_false(fixture->was_late);
    kv_tunnel_params_unref(fixture->params);
    g_free(fixture->failure);
}

static void
wait_until_gone(const Fixture *fixture)
{
    while (!fixture->is_gone)
        g_main_context_iteration(NULL, TRUE);
}

/* Proves: what the main thread still asked for before it heard the last word is not answered, and
 * neither side touches what the other has freed. */
static void
test_late_questions(Fixture *fixture, gconstpointer unused)
{
    kv_pump_snapshot(fixture->pump);
    kv_pump_shutdown(fixture->pump);
    g_usleep(WORKER_TIME_US);
    for (guint i = 0; i < 100; i++)
        kv_pump_snapshot(fixture->pump);
    kv_pump_shutdown(fixture->pump);
    g_usleep(WORKER_TIME_US);
    wait_until_gone(fixture);
    g_assert_null(fixture->failure);
    g_assert_cmpuint(fixture->n_snapshots, ==, 1);
}

/* Proves: a link that is dropped ends once, as this end's doing, and before the pump is gone. */
static void
test_dropped_link(Fixture *fixture, gconstpointer unused)
{
    KvSockaddr remote = {.v4 = {.sin_family = AF_INET, .sin_port = htons(9)}};
    KvLinkId link;

    remote.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link = kv_pump_connect(fixture->pump, &remote);
    kv_pump_drop_link(fixture->pump, link);
    kv_pump_drop_link(fixture->pump, link);
    kv_pump_close_link(fixture->pump, link, KV_CLOSE_NONE);
    kv_pump_shutdown(fixture->pump);
    wait_until_gone(fixture);
    g_assert_cmpuint(fixture->n_ended, ==, 1);
    g_assert_cmpint(fixture->reason, ==, KV_REASON_LOCAL);
}

/* Proves: the state of one link is told as long as it exists, and what a link has sent is still
 * counted when it is gone. */
static void
test_counts_of_gone_links(Fixture *fixture, gconstpointer unused)
{
    KvSockaddr remote = {.v4 = {.sin_family = AF_INET, .sin_port = htons(9)}};
    KvLinkId link;

    remote.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link = kv_pump_connect(fixture->pump, &remote);
    g_usleep(WORKER_TIME_US);
    kv_pump_query_link(fixture->pump, link);
    kv_pump_query_link(fixture->pump, link + 1);
    kv_pump_drop_link(fixture->pump, link);
    kv_pump_query_link(fixture->pump, link);
    kv_pump_shutdown(fixture->pump);
    wait_until_gone(fixture);
    g_assert_cmpuint(fixture->n_link_states, ==, 1);
    g_assert_cmpuint(fixture->state_of, ==, link);
    g_assert_cmpuint(fixture->past.wire_tx_datagrams, >, 0);
    g_assert_cmpuint(fixture->past.wire_tx_bytes, >, fixture->past.wire_tx_datagrams);
}

/* Proves: a socket that cannot be watched is the failure of its pump. */
static void
test_unfit_socket(void)
{
    KvUdpConfig config = {.local.sa.sa_family = AF_INET};
    g_autoptr(GError) error = NULL;
    KvUdp *udp = kv_udp_open(&config, &error);
    Fixture fixture = {.params = make_params()};
    FILE *file = tmpfile();

    g_assert_no_error(error);
    /* epoll does not take a regular file */
    g_assert_cmpint(dup2(fileno(file), kv_udp_get_fd(udp)), >=, 0);
    fclose(file);
    fixture.worker = kv_worker_new(0, &error);
    g_assert_no_error(error);
    g_assert_true(kv_worker_start(fixture.worker, NULL));
    fixture.pump = kv_pump_new(fixture.worker, fixture.params, udp, &callbacks, &fixture, &error);
    g_assert_no_error(error);
    wait_until_gone(&fixture);
    g_assert_nonnull(strstr(fixture.failure, "the UDP socket is of no use"));
    tear_down(&fixture, NULL);
}

int
main(int argc, char **argv)
{
    g_test_add("/pump/late-questions", Fixture, NULL, set_up, test_late_questions, tear_down);
    g_test_add("/pump/dropped-link", Fixture, NULL, set_up, test_dropped_link, tear_down);
    g_test_add("/pump/counts-of-gone-links", Fixture, NULL, set_up, test_counts_of_gone_links,
               tear_down);
    g_test_add_func("/pump/unfit-socket", test_unfit_socket);
    return kv_test_main(&argc, &argv);
}
