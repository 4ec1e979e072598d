/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-key.h"
#include "kv-pump.h"
#include "kv-test.h"

#include <arpa/inet.h>
#include <string.h>

#define PATIENCE_US (10 * G_USEC_PER_SEC)

/* One end of a tunnel without a device: a pump on a worker of its own, and what it said. */
typedef struct {
    KvWorker *worker;
    KvTunnelParams *params;
    KvPump *pump;
    guint16 port;
    KvRefusal refuse; /* server: what it answers */
    guint n_requests;
    KvLinkId asked_for; /* by the last request */
    uint32_t id;
    guint n_confirmed;
    KvLinkId link;
    guint n_ready;
    guint n_reconfigured;
    guint mtu; /* that the other end told last */
    char *refusal;
    guint n_ended;
    KvReason reason;
    gboolean is_gone;
} End;

typedef struct {
    End server, client;
    const char *server_key; /* (nullable): private keys */
    const char *client_key;
    uint8_t public[KV_KEY_BYTES]; /* the client's */
} Fixture;

static void
on_requested(gpointer owner, KvPump *pump, const KvPumpRequest *request)
{
    End *end = owner;
    KvNativeConfig grant;

    end->n_requests++;
    end->asked_for = request->link;
    end->id = request->id;
    kv_native_config_init(&grant);
    grant.mtu = 1400;
    grant.refusal = end->refuse;
    if (end->refuse != KV_REFUSED_NOT)
        grant.refusal_text = g_strdup("not today");
    kv_pump_grant(pump, request->id, &grant);
    kv_native_config_clear(&grant);
}

static void
on_confirmed(gpointer owner, KvPump *pump, KvLinkId link, uint32_t id)
{
    End *end = owner;

    g_assert_cmpuint(id, ==, end->id);
    end->link = link;
    end->n_confirmed++;
}

static void
on_configured(gpointer owner, KvPump *pump, KvLinkId link, const KvNativeConfig *remote)
{
    End *end = owner;

    end->mtu = remote->mtu;
    g_free(end->refusal);
    end->refusal = g_strdup(remote->refusal_text);
}

static void
on_event(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
         const KvEvent *event)
{
    End *end = owner;

    end->n_ready += event->type == KV_EVENT_READY;
    end->n_reconfigured += event->type == KV_EVENT_RECONFIGURED;
}

static void
on_ended(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun)
{
    End *end = owner;

    g_assert_null(tun);
    end->n_ended++;
    end->reason = reason;
}

static void
on_snapshot(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot)
{
}

static void
on_gone(gpointer owner, KvPump *pump, const KvPumpSnapshot *last)
{
    End *end = owner;

    end->is_gone = TRUE;
    end->pump = NULL;
}

static const KvPumpCallbacks callbacks = {
    .event = on_event,
    .requested = on_requested,
    .confirmed = on_confirmed,
    .configured = on_configured,
    .ended = on_ended,
    .snapshot = on_snapshot,
    .gone = on_gone,
};

static gboolean
out_of_patience(gpointer data)
{
    *(gboolean *) data = TRUE;
    return G_SOURCE_REMOVE;
}

/* Runs the main loop until @counter is @value. */
static void
wait_for(const guint *counter, guint value)
{
    gboolean late = FALSE;
    guint source = g_timeout_add(PATIENCE_US / 1000, out_of_patience, &late);

    while (*counter != value && !late)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(*counter, ==, value);
    g_source_remove(source);
}

static KvTunnelNative *
make_native(KvRole role, const char *key, const char *server_key)
{
    KvTunnelNative *native = g_new0(KvTunnelNative, 1);
    uint8_t bytes[KV_KEY_BYTES] = {0};

    if (key != NULL) {
        g_strlcpy((char *) bytes, key, sizeof bytes);
        native->private_key = kv_secret_new(bytes, sizeof bytes);
        memset(bytes, 0, sizeof bytes);
        g_strlcpy((char *) bytes, server_key, sizeof bytes);
        kv_key_get_public(bytes, native->remote_public);
    } else {
        native->psk = kv_secret_new(bytes, sizeof bytes);
    }
    native->ciphers[0] = KV_AEAD_CHACHA20_POLY1305;
    native->session = (KvNativeParams){.role = role,
                                       .snd_wnd = 128,
                                       .rcv_wnd = 128,
                                       .datagram_max = 1400,
                                       .handshake_timeout = 15 * KV_TIME_S};
    return native;
}

static void
open_end(End *end)
{
    KvUdpConfig config = {.local.v4 = {.sin_family = AF_INET,
                                       .sin_port = htons(end->port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    g_autoptr(GError) error = NULL;
    KvUdp *udp = kv_udp_open(&config, &error);

    g_assert_no_error(error);
    end->port = ntohs(kv_udp_get_local(udp)->v4.sin_port);
    end->is_gone = FALSE;
    end->pump = kv_pump_new(end->worker, end->params, udp, &callbacks, end, &error);
    g_assert_no_error(error);
}

static void
close_end(End *end)
{
    kv_pump_shutdown(end->pump);
    while (!end->is_gone)
        g_main_context_iteration(NULL, TRUE);
}

static void
set_up_end(End *end, KvRole role, const char *key, const char *server_key)
{
    g_autoptr(GError) error = NULL;

    end->params = g_new0(KvTunnelParams, 1);
    end->params->refs = 1;
    end->params->role = role;
    end->params->workers = 1;
    end->params->address_mode = KV_ADDRESS_MODE_OTHER;
    end->params->native = make_native(role, key, server_key);
    end->worker = kv_worker_new(0, &error);
    g_assert_no_error(error);
    g_assert_true(kv_worker_start(end->worker, NULL));
    open_end(end);
}

static void
set_up(Fixture *f, gconstpointer with_keys)
{
    uint8_t private_key[KV_KEY_BYTES] = "client";

    if (GPOINTER_TO_INT(with_keys)) {
        f->server_key = "server";
        f->client_key = "client";
        kv_key_get_public(private_key, f->public);
    }
    set_up_end(&f->server, KV_ROLE_SERVER, f->server_key, "server");
    set_up_end(&f->client, KV_ROLE_CLIENT, f->client_key, "server");
    kv_pump_admit_key(f->server.pump, f->public, NULL);
}

static void
tear_down_end(End *end)
{
    if (end->pump != NULL)
        close_end(end);
    kv_worker_free(end->worker);
    kv_tunnel_params_unref(end->params);
    g_free(end->refusal);
}

static void
tear_down(Fixture *f, gconstpointer unused)
{
    tear_down_end(&f->client);
    tear_down_end(&f->server);
}

static void
dial(Fixture *f)
{
    KvSockaddr address = {.v4 = {.sin_family = AF_INET,
                                 .sin_port = htons(f->server.port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};

    f->client.link = kv_pump_connect(f->client.pump, &address);
}

static void
connect_ends(Fixture *f)
{
    guint n_ready = f->client.n_ready;
    guint n_confirmed = f->server.n_confirmed;

    dial(f);
    wait_for(&f->client.n_ready, n_ready + 1);
    wait_for(&f->server.n_confirmed, n_confirmed + 1);
    wait_for(&f->server.n_ready, n_ready + 1);
    g_assert_cmpuint(f->client.mtu, ==, 1400);
    g_assert_cmpuint(f->server.asked_for, ==, 0);
}

/* Proves: a request is granted by the main thread, both ends get ready, a later word arrives, and
 * the end of one is told to the other. */
static void
test_connect(Fixture *f, gconstpointer with_keys)
{
    KvNativeConfig more;

    connect_ends(f);
    kv_native_config_init(&more);
    more.mtu = 1300;
    kv_pump_say(f->server.pump, f->server.link, &more);
    kv_native_config_clear(&more);
    wait_for(&f->client.n_reconfigured, 1);
    g_assert_cmpuint(f->client.mtu, ==, 1300);
    kv_pump_close_link(f->client.pump, f->client.link, KV_CLOSE_NONE);
    wait_for(&f->client.n_ended, 1);
    wait_for(&f->server.n_ended, 1);
    g_assert_cmpint(f->client.reason, ==, KV_REASON_LOCAL);
    g_assert_cmpint(f->server.reason, ==, KV_REASON_PEER_CLOSED);
}

/* Proves: however much a server says while the client's main thread has no time, one message of it
 * waits there, another may come before the last word does, and the newest counts. */
static void
test_news(Fixture *f, gconstpointer with_keys)
{
    const guint n = 50, first_mtu = 1300;
    guint n_reconfigured;

    connect_ends(f);
    n_reconfigured = f->client.n_reconfigured;
    for (guint i = 0; i < n; i++) {
        KvNativeConfig more;

        kv_native_config_init(&more);
        more.mtu = (uint16_t) (first_mtu + i);
        kv_pump_say(f->server.pump, f->server.link, &more);
        kv_native_config_clear(&more);
        g_usleep(10000);
    }
    wait_for(&f->client.mtu, first_mtu + n - 1);
    g_assert_cmpuint(f->client.n_reconfigured - n_reconfigured, <=, 4);
    g_assert_cmpuint(f->client.n_reconfigured, >, n_reconfigured);
}

/* Proves: the server's sentence reaches the client. */
static void
test_refused(Fixture *f, gconstpointer with_keys)
{
    f->server.refuse = KV_REFUSED_FULL;
    dial(f);
    wait_for(&f->client.n_ended, 1);
    g_assert_cmpint(f->client.reason, ==, KV_REASON_REFUSED);
    g_assert_cmpstr(f->client.refusal, ==, "not today");
    g_assert_cmpuint(f->server.n_confirmed, ==, 0);
}

/* Proves: a client whose server was started anew is told so at once, and begins anew by itself. */
static void
test_restart(Fixture *f, gconstpointer with_keys)
{
    gint64 start;

    connect_ends(f);
    /* Without a word, as in a crash: a link that is dropped says nothing. */
    kv_pump_drop_link(f->server.pump, f->server.link);
    wait_for(&f->server.n_ended, 1);
    close_end(&f->server);
    open_end(&f->server);
    kv_pump_admit_key(f->server.pump, f->public, NULL);
    start = g_get_monotonic_time();
    kv_pump_poke_link(f->client.pump, f->client.link);
    wait_for(&f->client.n_reconfigured, 1);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 6 * G_USEC_PER_SEC);
    g_assert_cmpuint(f->client.n_ended, ==, 0);
    /* On a slow machine an initiation is repeated before its answer comes. */
    g_assert_cmpuint(f->server.n_requests, >=, 2);
    g_assert_cmpuint(f->server.asked_for, ==, 0);
}

/* Proves: with keys a client has one association, the newest; and none when its key is forgotten,
 * nor a new one. */
static void
test_one_each(Fixture *f, gconstpointer with_keys)
{
    KvLinkId first;
    guint n_requests;

    connect_ends(f);
    first = f->server.link;
    kv_pump_drop_link(f->client.pump, f->client.link);
    wait_for(&f->client.n_ended, 1);
    connect_ends(f);
    wait_for(&f->server.n_ended, 1);
    g_assert_cmpint(f->server.reason, ==, KV_REASON_REPLACED);
    g_assert_cmpuint(f->server.link, !=, first);

    kv_pump_forget_key(f->server.pump, f->public);
    wait_for(&f->server.n_ended, 2);
    wait_for(&f->client.n_ended, 2);
    g_assert_cmpint(f->client.reason, ==, KV_REASON_REMOVED);
    n_requests = f->server.n_requests;
    dial(f);
    g_usleep(300000);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_cmpuint(f->server.n_requests, ==, n_requests);
}

int
main(int argc, char **argv)
{
    gpointer with_keys = GINT_TO_POINTER(TRUE);

    g_test_add("/native-pump/secret/connect", Fixture, NULL, set_up, test_connect, tear_down);
    g_test_add("/native-pump/secret/news", Fixture, NULL, set_up, test_news, tear_down);
    g_test_add("/native-pump/secret/refused", Fixture, NULL, set_up, test_refused, tear_down);
    g_test_add("/native-pump/secret/restart", Fixture, NULL, set_up, test_restart, tear_down);
    g_test_add("/native-pump/keys/connect", Fixture, with_keys, set_up, test_connect, tear_down);
    g_test_add("/native-pump/keys/restart", Fixture, with_keys, set_up, test_restart, tear_down);
    g_test_add("/native-pump/keys/one-each", Fixture, with_keys, set_up, test_one_each, tear_down);
    return kv_test_main(&argc, &argv);
}
