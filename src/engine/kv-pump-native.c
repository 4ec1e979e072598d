/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-log.h"
#include "kv-native-dial.h"
#include "kv-pump-message.h"
#include "kv-pump-private.h"

static gboolean
has_news(const KvPumpMessage *message, KvEventType type)
{
    return (message->events & 1U << type) != 0;
}

/* --- on the main thread: what the worker says ------------------------------------------------- */

static void
main_requested(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;

    message->request.config = &message->config;
    if (!pump->is_over && pump->callbacks->requested != NULL)
        pump->callbacks->requested(pump->owner, pump, &message->request);
}

static void
main_confirmed(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;

    if (!pump->is_over && pump->callbacks->confirmed != NULL)
        pump->callbacks->confirmed(pump->owner, pump, message->link, message->id);
}

static void
main_configured(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;

    if (!pump->is_over && pump->callbacks->configured != NULL)
        pump->callbacks->configured(pump->owner, pump, message->link, &message->config);
}

static void worker_told(KvWorker *worker, gpointer data);

static void
main_news(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    const KvEvent event = {.type = KV_EVENT_RECONFIGURED};
    KvPump *pump = message->pump;
    const KvPumpCallbacks *callbacks = pump->callbacks;

    if (!pump->is_over && has_news(message, KV_EVENT_MOVED) && callbacks->moved != NULL)
        callbacks->moved(pump->owner, pump, message->link, &message->remote);
    if (!pump->is_over && has_news(message, event.type) && callbacks->configured != NULL)
        callbacks->configured(pump->owner, pump, message->link, &message->config);
    if (!pump->is_over && has_news(message, event.type))
        callbacks->event(pump->owner, pump, message->link, &message->remote, &event);
    if (!pump->is_over)
        kv_worker_send(pump->worker, worker_told, g_steal_pointer(&message));
}

static void
main_hub_failed(gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;

    if (!pump->is_over && pump->callbacks->hub_failed != NULL)
        pump->callbacks->hub_failed(pump->owner, pump, message->error);
}

/* --- on the worker: handshakes ---------------------------------------------------------------- */

static void
set_door_timer(KvPump *pump)
{
    kv_worker_set_timer(pump->worker, &pump->door_timer, kv_native_door_deadline(pump->door));
}

static void
door_due(KvTimer *timer, KvTime now)
{
    KvPump *pump = (KvPump *) ((char *) timer - G_STRUCT_OFFSET(KvPump, door_timer));

    kv_native_door_advance(pump->door, now);
    set_door_timer(pump);
}

void
kv_pump_native_start(KvPump *pump)
{
    const KvTunnelNative *native = pump->params->native;

    if (native == NULL)
        return;
    pump->indexes = kv_index_table_new(&pump->random);
    if (pump->params->role == KV_ROLE_CLIENT)
        return;
    pump->door = kv_native_door_new(native, pump->indexes, &pump->random);
    pump->door_timer.due = door_due;
}

void
kv_pump_native_stop(KvPump *pump)
{
    if (pump->door != NULL)
        kv_worker_set_timer(pump->worker, &pump->door_timer, KV_TIME_NEVER);
    g_clear_pointer(&pump->door, kv_native_door_free);
    g_clear_pointer(&pump->knock, kv_v1_knock_free);
    if (pump->hub != NULL) {
        KvTun *tun = kv_hub_get_tun(pump->hub);

        g_clear_pointer(&pump->hub, kv_hub_free);
        kv_pump_return_tun(pump, tun);
    }
    g_clear_pointer(&pump->indexes, kv_index_table_free);
}

KvSession *
kv_pump_native_dial(KvPump *pump, const KvSockaddr *remote, KvTime now)
{
    KvEndpoint endpoint;

    kv_sockaddr_to_endpoint(remote, &endpoint);
    return kv_session_new_native(kv_native_dial(pump->params, &endpoint, pump->indexes,
                                                kv_worker_get_pool(pump->worker), &pump->random,
                                                now));
}

static void
forward_request(KvPump *pump, const KvUdpPath *path, const KvNativeDoorNews *news)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);
    KvPumpRequest *request = &message->request;

    request->id = news->request->id;
    request->pattern = news->request->pattern;
    memcpy(request->remote_public, news->request->remote_public, sizeof request->remote_public);
    request->from = path->remote;
    if (news->entry != NULL)
        request->link = kv_link_get_id(kv_link_from_door_entry(news->entry));
    kv_native_config_copy(news->request->config, &message->config);
    kv_main_send(main_requested, message);
}

/* New sessions are found by their indexes from the next datagram on. */
void
kv_pump_native_note_sessions(KvPump *pump, KvLink *link)
{
    uint32_t indexes[KV_TRANSPORT_SESSIONS_MAX];
    guint n = kv_native_get_indexes(kv_link_get_native(link), indexes);

    kv_native_door_set_indexes(pump->door, kv_link_get_door_entry(link), indexes, n);
}

void
kv_pump_native_replace(KvPump *pump, const uint8_t public[KV_NATIVE_KEY_BYTES], KvTime now)
{
    KvNativeDoorEntry *entry = kv_native_door_find_peer(pump->door, public);
    KvLink *link;

    if (entry == NULL)
        return;
    link = kv_link_from_door_entry(entry);
    /* One that has just ended by itself is about to be reaped. */
    if (kv_link_has_ended(link)) {
        kv_native_door_remove(pump->door, entry);
        return;
    }
    kv_link_replace(link, now);
    kv_pump_remove_link(pump, link, KV_REASON_REPLACED);
}

static KvLink *
add_native_link(KvPump *pump, KvNativeKeys *keys, const KvUdpDatagram *datagram, KvTime now)
{
    KvNativeParams params;
    KvNativeDoorEntry *entry;
    KvTransportInput first = {.data = datagram->data, .len = datagram->len, .ecn = datagram->ecn};
    KvNative *native;
    KvNativeKeys known = {.pattern = keys->pattern};
    KvLink *link;

    /* Without keys nobody knows who is the same. */
    if (keys->pattern == KV_NOISE_IKPSK2)
        kv_pump_native_replace(pump, keys->remote_public, now);
    kv_tunnel_native_fill(pump->params->native, keys->pattern, &params);
    kv_sockaddr_to_endpoint(&datagram->path->remote, &first.from);
    memcpy(known.remote_public, keys->remote_public, sizeof known.remote_public);
    memcpy(known.association, keys->association, sizeof known.association);
    native = kv_native_new_server(&params, keys, kv_worker_get_pool(pump->worker), &pump->random,
                                  &first, now);
    link =
        kv_pump_add_link(pump, ++pump->next_id, kv_session_new_native(native), datagram->path, now);
    entry = kv_link_get_door_entry(link);
    kv_native_door_add(pump->door, entry, &known);
    return link;
}

static void
take_keys(KvPump *pump, KvNativeDoorNews *news, const KvUdpDatagram *datagram, KvTime now)
{
    uint32_t id = news->keys.local_index;
    KvLink *link;
    KvPumpMessage *message;

    if (news->entry != NULL) {
        link = kv_link_from_door_entry(news->entry);
        kv_link_add_keys(link, &news->keys, datagram, now);
    } else {
        link = add_native_link(pump, &news->keys, datagram, now);
    }
    kv_pump_native_note_sessions(pump, link);
    message = kv_pump_message_new(pump, kv_link_get_id(link));
    message->id = id;
    kv_main_send(main_confirmed, message);
}

/* --- on the worker: datagrams and events ------------------------------------------------------ */

KvLink *
kv_pump_native_find(KvPump *pump, const KvUdpDatagram *datagram)
{
    KvNativeDoorEntry *entry = kv_native_door_find(pump->door, datagram->data, datagram->len);

    return entry != NULL ? kv_link_from_door_entry(entry) : NULL;
}

/* Whoever forges addresses that nobody has would else fill the socket, and stop all tunnels. */
static void
answer_stranger(KvPump *pump, const KvUdpPath *path, const uint8_t *answer, size_t len)
{
    if (len > 0 && !kv_udp_is_choked(pump->udp))
        kv_pump_send(pump, path, answer, len);
}

KvDrop
kv_pump_native_input(KvPump *pump, const KvUdpDatagram *datagram, KvTime now)
{
    gboolean is_peer = pump->params->role == KV_ROLE_PEER;
    KvNativeDoorNews news;
    KvLink *link = is_peer ? kv_pump_peers_find(pump, datagram) : NULL;
    gboolean is_asking = link != NULL && kv_native_is_asking(kv_link_get_native(link));
    uint8_t reset[KV_UDP_ROOM];
    size_t len;

    if (is_asking && kv_link_input(link, datagram, now) == KV_DROP_NONE)
        return KV_DROP_NONE;
    kv_native_door_input(pump->door, datagram, now, &news);
    set_door_timer(pump);
    answer_stranger(pump, datagram->path, news.reply, news.reply_len);
    if (news.request != NULL && is_peer)
        kv_pump_peers_answer(pump, news.request, now);
    else if (news.request != NULL)
        forward_request(pump, datagram->path, &news);
    if (news.is_confirmed && is_peer)
        kv_pump_peers_take_keys(pump, &news, datagram, now);
    else if (news.is_confirmed)
        take_keys(pump, &news, datagram, now);
    if (news.drop == KV_DROP_NONE || news.reply_len > 0)
        return news.drop;
    if (!is_asking && link != NULL && kv_link_input(link, datagram, now) == KV_DROP_NONE)
        return KV_DROP_NONE;
    len = kv_native_door_reset(pump->door, datagram, now, reset);
    answer_stranger(pump, datagram->path, reset, len);
    return news.drop;
}

/* (transfer full): with what the peer has said. */
static KvPumpMessage *
configuration_message_new(KvPump *pump, KvLink *link)
{
    KvPumpMessage *message = kv_pump_message_new(pump, kv_link_get_id(link));

    /* A server does not listen, and its clients may say thousands of things. */
    if (pump->callbacks->configured != NULL)
        kv_native_config_copy(kv_native_get_remote_config(kv_link_get_native(link)),
                              &message->config);
    return message;
}

static void
tell_configuration(KvPump *pump, KvLink *link)
{
    kv_main_send(main_configured, configuration_message_new(pump, link));
}

/* What a peer may say as often as it likes: the main thread learns the newest when it has time. */
static void
tell_news(KvPump *pump, KvLink *link, guint events)
{
    KvLinkNews *news = kv_link_get_news(link);
    KvPumpMessage *message;

    news->events |= events;
    if (news->is_under_way || news->events == 0)
        return;
    if ((news->events & 1U << KV_EVENT_RECONFIGURED) != 0)
        message = configuration_message_new(pump, link);
    else
        message = kv_pump_message_new(pump, kv_link_get_id(link));
    message->events = news->events;
    message->remote = *kv_link_get_remote(link);
    *news = (KvLinkNews){.is_under_way = TRUE};
    kv_main_send(main_news, message);
}

/* The main thread has taken the last news. */
static void
worker_told(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvLink *link = kv_pump_find_link(message->pump, message->link);

    if (link == NULL)
        return;
    kv_link_get_news(link)->is_under_way = FALSE;
    tell_news(message->pump, link, 0);
}

gboolean
kv_pump_native_event(KvPump *pump, KvLink *link, const KvEvent *event)
{
    if (pump->params->role == KV_ROLE_PEER)
        kv_pump_peers_note_place(pump, link);
    switch (event->type) {
    case KV_EVENT_CONFIGURED:
    case KV_EVENT_READY:
    case KV_EVENT_LOST:
        tell_configuration(pump, link);
        return FALSE;
    case KV_EVENT_SESSIONS:
        if (pump->door != NULL)
            kv_pump_native_note_sessions(pump, link);
        return TRUE;
    case KV_EVENT_RECONFIGURED:
    case KV_EVENT_MOVED:
        tell_news(pump, link, 1U << event->type);
        return TRUE;
    default:
        return FALSE;
    }
}

void
kv_pump_native_ended(KvPump *pump, KvLink *link, KvReason reason)
{
    if (kv_native_get_remote_config(kv_link_get_native(link))->refusal != KV_REFUSED_NOT)
        tell_configuration(pump, link);
}

/* --- on the worker: what the main thread asks for ------------------------------------------- */

static void
worker_admit_key(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;

    if (message->pump->door != NULL)
        kv_native_door_admit(message->pump->door, message->key, message->psk);
}

static void
worker_forget_key(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvNativeDoorEntry *entry;

    if (pump->door == NULL)
        return;
    entry = kv_native_door_forget(pump->door, message->key);
    if (entry != NULL)
        kv_link_close(kv_link_from_door_entry(entry), KV_CLOSE_REMOVED, kv_worker_get_now(worker));
}

/* What an administrator wants the clients to know is more than the protocol can tell. */
static void
refuse_too_much(KvPump *pump, KvNativeConfig *grant)
{
    kv_log_limited("grant-too-long", KV_LOG_ERROR, NULL,
                   kv_tunnel_params_get_log_name(pump->params, NULL), NULL,
                   "clients cannot be told so many routes, name servers and domains at once");
    kv_native_config_clear(grant);
    kv_native_config_init(grant);
    grant->refusal = KV_REFUSED_NOW;
    grant->refusal_text = g_strdup("the server has more to say than the protocol can tell");
}

static void
worker_grant(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    uint8_t answer[KV_INITIATION_MAX];
    KvUdpPath path;
    size_t len;

    if (pump->door == NULL)
        return;
    kv_native_describe(&pump->params->native->session, &message->config);
    if (!kv_native_config_fits(&message->config))
        refuse_too_much(pump, &message->config);
    len = kv_native_door_grant(pump->door, message->id, &message->config, kv_worker_get_now(worker),
                               answer, &path);
    set_door_timer(pump);
    if (len > 0)
        kv_pump_send(pump, &path, answer, len);
}

static void
worker_say(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvLink *link = kv_pump_find_link(message->pump, message->link);

    if (link != NULL && kv_link_get_native(link) != NULL)
        kv_link_say(link, &message->config, kv_worker_get_now(worker));
}

/* @error: (transfer full) */
static void
hub_failed(KvPump *pump, GError *error)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    message->error = error;
    kv_main_send(main_hub_failed, message);
}

static void
hub_lost(gpointer owner)
{
    KvPump *pump = owner;

    hub_failed(pump, g_error_new(KV_ERROR, KV_ERROR_CONNECTION_LOST,
                                 "another program removed the interface %s",
                                 kv_tun_get_name(kv_hub_get_tun(pump->hub))));
}

/* (transfer full): a peer's address may not be known yet. */
static char *
describe_place(const KvLink *link)
{
    const KvSockaddr *remote = kv_link_get_remote(link);
    gboolean is_known =
        remote->sa.sa_family == AF_INET6 ? remote->v6.sin6_port != 0 : remote->v4.sin_port != 0;

    return is_known ? kv_sockaddr_to_string(remote) : g_strdup("a peer that is not there yet");
}

/* As a rule it is the same client, which came back. */
static void
hub_taken(gpointer owner, KvHubPort *loser, KvHubPort *winner, const KvNetwork *network)
{
    KvPump *pump = owner;
    char text[KV_NETWORK_TEXT_BYTES];
    g_autofree char *from = describe_place(kv_link_from_port(loser));
    g_autofree char *to = describe_place(kv_link_from_port(winner));

    kv_log_limited("hub-taken", KV_LOG_INFO, NULL, kv_tun_get_name(kv_hub_get_tun(pump->hub)), to,
                   "what is for %s goes to %s from now on, and not to %s",
                   kv_network_to_string(network, text), to, from);
}

/* Between equals it is for the kernel to say, as with any interface. */
static KvBetweenPorts
get_between_ports(const KvPump *pump, gboolean client_to_client)
{
    if (pump->params->role == KV_ROLE_PEER)
        return KV_BETWEEN_PORTS_KERNEL;
    return client_to_client ? KV_BETWEEN_PORTS_DIRECT : KV_BETWEEN_PORTS_NEVER;
}

static void
worker_set_hub(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvHubConfig config = {
        .worker = worker,
        .random = &pump->random,
        .tx_buffer = pump->context.tx_buffer,
        .between_ports = get_between_ports(pump, message->client_to_client),
        .lost = hub_lost,
        .taken = hub_taken,
        .owner = pump,
    };
    GError *error = NULL;

    if (pump->gone) {
        kv_pump_return_tun(pump, message->tun);
        return;
    }
    g_return_if_fail(pump->hub == NULL);
    kv_tun_begin_use(message->tun, config.tx_buffer, KV_VNET_HDR_BYTES + KV_GSO_PACKET_MAX);
    pump->hub = kv_hub_new(&config, message->tun, &error);
    if (pump->hub != NULL)
        return;
    hub_failed(pump, error);
    kv_pump_return_tun(pump, message->tun);
}

static void
worker_set_client_to_client(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;

    if (message->pump->hub != NULL)
        kv_hub_set_between_ports(message->pump->hub,
                                 get_between_ports(message->pump, message->client_to_client));
}

static void
worker_join(KvWorker *worker, gpointer data)
{
    g_autoptr(KvPumpMessage) message = data;
    KvPump *pump = message->pump;
    KvLink *link = kv_pump_find_link(pump, message->link);

    if (link == NULL || kv_link_has_ended(link) || pump->hub == NULL)
        return;
    if (kv_link_get_port(link) == NULL)
        kv_link_join(link, pump->hub, kv_worker_get_now(worker));
    kv_hub_set_networks(pump->hub, kv_link_get_port(link), message->networks, message->n_networks);
}

/* --- public --------------------------------------------------------------------------------- */

void
kv_pump_admit_key(KvPump *pump, const uint8_t public[KV_NATIVE_KEY_BYTES], const KvSecret *psk)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    memcpy(message->key, public, sizeof message->key);
    if (psk != NULL)
        message->psk = kv_secret_copy(psk);
    kv_worker_send(pump->worker, worker_admit_key, message);
}

void
kv_pump_forget_key(KvPump *pump, const uint8_t public[KV_NATIVE_KEY_BYTES])
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    memcpy(message->key, public, sizeof message->key);
    kv_worker_send(pump->worker, worker_forget_key, message);
}

void
kv_pump_grant(KvPump *pump, uint32_t id, KvNativeConfig *grant)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    message->id = id;
    kv_native_config_clear(&message->config);
    message->config = *grant;
    kv_native_config_init(grant);
    kv_worker_send(pump->worker, worker_grant, message);
}

void
kv_pump_set_hub(KvPump *pump, KvTun *tun, gboolean client_to_client)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    message->tun = tun;
    message->client_to_client = client_to_client;
    kv_worker_send(pump->worker, worker_set_hub, message);
}

void
kv_pump_set_client_to_client(KvPump *pump, gboolean client_to_client)
{
    KvPumpMessage *message = kv_pump_message_new(pump, 0);

    message->client_to_client = client_to_client;
    kv_worker_send(pump->worker, worker_set_client_to_client, message);
}

void
kv_pump_join(KvPump *pump, KvLinkId link, const KvNetwork *networks, guint n)
{
    KvPumpMessage *message = kv_pump_message_new(pump, link);

    message->networks = g_memdup2(networks, n * sizeof *networks);
    message->n_networks = n;
    kv_worker_send(pump->worker, worker_join, message);
}

void
kv_pump_say(KvPump *pump, KvLinkId link, KvNativeConfig *config)
{
    KvPumpMessage *message = kv_pump_message_new(pump, link);

    kv_native_config_clear(&message->config);
    message->config = *config;
    kv_native_config_init(config);
    kv_worker_send(pump->worker, worker_say, message);
}
