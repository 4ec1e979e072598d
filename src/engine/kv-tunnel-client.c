/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#define G_LOG_DOMAIN "kcpvpn-engine"

#include "kv-tunnel-client.h"

#include "kv-backoff.h"
#include "kv-client-grant.h"
#include "kv-client-plan.h"
#include "kv-client-search.h"
#include "kv-client-text.h"
#include "kv-clock.h"
#include "kv-device.h"
#include "kv-error.h"
#include "kv-hook.h"
#include "kv-ip4.h"
#include "kv-log.h"
#include "kv-resolve.h"
#include "kv-tunnel-private.h"

#include <gio/gio.h>

/* A connection that held for so long starts the series of pauses between tries anew. */
#define HELD_AFTER (10 * KV_TIME_S)

typedef struct {
    KvTunnel parent_instance;
    KvHooks *hooks;
    KvPump *pump; /* of the running attempt */
    KvLinkId link;
    KvSockaddr remote;
    KvSockaddr source;    /* the local address the attempt began with, port 0 */
    KvEvent configured;   /* of native the IPv4 part, as v1 would say it */
    KvClientGrant *grant; /* from the start on; native: what the server granted */
    KvTun *tun;           /* the interface, while no session has it */
    KvDevicePlan plan;    /* as the interface stands; name and bridge are the parameters' */
    KvTime connected_at;
    guint turn; /* which of the server's addresses to try */
    KvBackoff backoff;
    guint retry_id;
    GCancellable *resolving;   /* while the name service is asked for an attempt */
    KvClientSearch *search;    /* native: while there is a pump */
    gboolean finishing;        /* it is over, but for hooks that still run */
    gboolean has_ended;        /* the session of the attempt */
    gboolean moved;            /* the network changed under the attempt: connect again at once */
    gboolean routes_withdrawn; /* native: while the network is away */
    gboolean fatal;            /* another attempt would fail the same way */
    GError *failure;
} KvTunnelClient;

typedef KvTunnelClass KvTunnelClientClass;

G_DEFINE_FINAL_TYPE(KvTunnelClient, kv_tunnel_client, KV_TYPE_TUNNEL)

static const KvPumpCallbacks pump_callbacks;

static void begin_attempt(KvTunnelClient *self);
static void found(const KvSockaddr *address, gpointer data);

static KvTunnelParams *
get_params(KvTunnelClient *self)
{
    return kv_tunnel_get_params((KvTunnel *) self);
}

static const char *
get_log_name(KvTunnelClient *self)
{
    return kv_tunnel_params_get_log_name(get_params(self), get_params(self)->vni_name);
}

static KvNetlink *
get_netlink(KvTunnelClient *self)
{
    return kv_engine_get_netlink(kv_tunnel_get_engine((KvTunnel *) self));
}

static gboolean
is_stopping(KvTunnelClient *self)
{
    return kv_tunnel_get_state((KvTunnel *) self) == KV_TUNNEL_STATE_STOPPING;
}

static gboolean
will_retry(KvTunnelClient *self)
{
    return get_params(self)->auto_reconnect && !self->fatal && !is_stopping(self);
}

/* --- the end -------------------------------------------------------------------------------- */

static void
hooks_drained(gpointer data)
{
    KvTunnelClient *self = data;

    g_clear_pointer(&self->hooks, kv_hooks_free);
    self->finishing = FALSE;
    if (self->failure == NULL)
        kv_log(KV_LOG_INFO, "stopped", get_log_name(self), NULL, "stopped");
    kv_tunnel_finish((KvTunnel *) self, g_steal_pointer(&self->failure));
}

static void
finish(KvTunnelClient *self)
{
    self->finishing = TRUE;
    kv_tunnel_unwatch_network((KvTunnel *) self);
    g_clear_handle_id(&self->retry_id, g_source_remove);
    if (self->grant != NULL)
        kv_client_grant_clear(self->grant);
    g_clear_pointer(&self->tun, kv_tun_close);
    if (self->hooks != NULL)
        kv_hooks_drain(self->hooks, hooks_drained, self);
    else
        hooks_drained(self);
}

/* --- the interface -------------------------------------------------------------------------- */

static gboolean
sets_addresses(KvTunnelClient *self)
{
    return kv_tunnel_get_configure((KvTunnel *) self) &&
           kv_client_plan_wants_addresses(get_params(self), &self->configured);
}

static void
make_plan(KvTunnelClient *self, KvDevicePlan *plan)
{
    kv_client_plan_make(get_params(self), &self->configured, sets_addresses(self), plan);
}

/* What the server granted, whoever sets it. */
static void
tell_configuration(KvTunnelClient *self)
{
    KvTunnelParams *params = get_params(self);
    g_auto(KvTunnelDetails) details = {0};

    kv_tunnel_details_copy(&details, kv_tunnel_get_details((KvTunnel *) self));
    kv_tunnel_details_forget_grant(&details);
    g_free(details.interface);
    details.interface = g_strdup(self->plan.name);
    details.vni_mode = self->configured.config.vni_mode;
    details.mtu = self->plan.mtu;
    details.cipher = kv_client_text_cipher(params, kv_client_grant_get(self->grant));
    details.why = kv_client_text_why(params, kv_client_grant_get(self->grant));
    if (params->native != NULL)
        kv_tunnel_details_set_grant(&details, kv_client_grant_get(self->grant));
    else
        kv_client_plan_add_address(params, &self->configured, &details);
    kv_tunnel_set_details((KvTunnel *) self, &details);
}

/* Before the tunnel itself is over. */
static void
close_device(KvTunnelClient *self)
{
    kv_client_grant_clear(self->grant);
    g_clear_pointer(&self->tun, kv_tun_close);
    if (self->hooks != NULL)
        kv_hooks_set_down(self->hooks);
}

/* Lets go of an interface that somebody deleted, or that is of the wrong mode by now. A persistent
 * one would stay and keep its name taken. */
static gboolean
drop_unfit_device(KvTunnelClient *self, const KvDevicePlan *plan, GError **error)
{
    gboolean exists = self->tun != NULL && !kv_tun_is_gone(self->tun);

    if (exists && self->plan.mode == plan->mode)
        return TRUE;
    close_device(self);
    return !exists || !plan->persistent ||
           kv_netlink_delete_link(get_netlink(self), plan->name, error);
}

static gboolean
create_device(KvTunnelClient *self, const KvDevicePlan *plan, GError **error)
{
    g_autoptr(GError) local_error = NULL;

    self->tun = kv_device_create(get_netlink(self), plan, &local_error);
    if (self->tun != NULL)
        return TRUE;
    /* Every client has the same name for it unless it is given another. */
    if (g_error_matches(local_error, KV_ERROR, KV_ERROR_EXISTS))
        g_prefix_error(&local_error,
                       "vni-name: give this tunnel another one than %s: ", plan->name);
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

/* Native: the addresses and routes that the server granted. */
static gboolean
apply_grant(KvTunnelClient *self, gboolean with_routes, GError **error)
{
    return get_params(self)->native == NULL || !sets_addresses(self) ||
           kv_client_grant_apply(self->grant, &self->remote, with_routes, error);
}

/* While there is an interface. */
static void
change_routes(KvTunnelClient *self, gboolean with_routes)
{
    g_autoptr(GError) error = NULL;

    if (self->connected_at != 0 && !apply_grant(self, with_routes, &error))
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), NULL, "%s", error->message);
}

static gboolean
prepare_device(KvTunnelClient *self, GError **error)
{
    KvDevicePlan plan;

    make_plan(self, &plan);
    if (!kv_client_plan_check(&plan, &self->remote, error) ||
        !kv_device_check_bridge(get_netlink(self), plan.bridge, NULL, error) ||
        !drop_unfit_device(self, &plan, error))
        return FALSE;
    if (self->tun != NULL) {
        if (!kv_device_reconfigure(get_netlink(self), &self->plan, &plan, error))
            return FALSE;
    } else if (!create_device(self, &plan, error)) {
        return FALSE;
    }
    self->plan = plan;
    return apply_grant(self, TRUE, error);
}

static void
run_hook(KvTunnelClient *self)
{
    char server_ip[KV_IP4_TEXT_BYTES];
    char ip6[KV_NETWORK_TEXT_BYTES];
    KvHookInfo info = {
        .client_ip6 =
            kv_tunnel_networks_find_ip6(kv_tunnel_get_details((KvTunnel *) self)->addresses, ip6),
        .client_id = get_params(self)->v1.client.id,
        .interface_name = kv_tun_get_name(self->tun),
        .client_ip = self->configured.ip,
        .address_mode = get_params(self)->address_mode,
        /* Not where it is reached: scripts of the Go program rely on its tunnel address. */
        .remote_addr = kv_ip4_to_string(self->configured.config.server_ip, server_ip),
    };

    if (self->hooks != NULL)
        kv_hooks_run(self->hooks, KV_HOOK_CONNECTED, KV_HOOKS_KEY_TUNNEL, &info);
}

/* Only the server knows the mode, so that this cannot be an error of the settings; and a bridge may
 * come back. */
static void
connected(KvTunnelClient *self)
{
    g_autofree char *remote = kv_sockaddr_to_string(&self->remote);
    g_autofree char *addresses = NULL;
    const KvTunnelDetails *details;
    GError *error = NULL;

    if (!prepare_device(self, &error)) {
        self->failure = error;
        self->fatal = !g_error_matches(error, KV_ERROR, KV_ERROR_PROTOCOL) &&
                      !g_error_matches(error, KV_ERROR, KV_ERROR_CONNECTION_LOST);
        kv_pump_close_link(self->pump, self->link, KV_CLOSE_NONE);
        return;
    }
    kv_client_plan_warn(&self->plan, get_params(self));
    tell_configuration(self);
    kv_tunnel_run_up((KvTunnel *) self, self->hooks, self->plan.name,
                     get_params(self)->native != NULL ? self->configured.ip : self->plan.local);
    run_hook(self);
    details = kv_tunnel_get_details((KvTunnel *) self);
    addresses = kv_tunnel_networks_describe(details->addresses);
    kv_log(KV_LOG_INFO, "connected", get_log_name(self), remote,
           "connected to %s: interface %s, %s, MTU %u", remote, self->plan.name, addresses,
           self->plan.mtu);
    kv_log(KV_LOG_INFO, NULL, get_log_name(self), remote, "protocol %s with cipher %s, %s",
           details->protocol, details->cipher, details->why);
    self->connected_at = kv_clock_now();
    kv_pump_attach(self->pump, self->link, g_steal_pointer(&self->tun));
    kv_tunnel_set_state((KvTunnel *) self, KV_TUNNEL_STATE_CONNECTED, NULL);
}

/* --- what a native server says ---------------------------------------------------------------- */

/* The server said something new, or has begun anew: the interface follows. */
static void
reconfigured(KvTunnelClient *self)
{
    g_autofree char *remote = kv_sockaddr_to_string(&self->remote);
    KvDevicePlan plan;
    GError *error = NULL;

    if (self->connected_at == 0)
        return;
    make_plan(self, &plan);
    if (plan.mode != self->plan.mode)
        error = kv_client_text_mode_error(&self->remote, plan.mode);
    if (error != NULL || !kv_client_plan_check(&plan, &self->remote, &error) ||
        !kv_device_reconfigure(get_netlink(self), &self->plan, &plan, &error) ||
        !apply_grant(self, TRUE, &error)) {
        self->failure = error;
        kv_pump_close_link(self->pump, self->link, KV_CLOSE_NONE);
        return;
    }
    self->plan = plan;
    kv_log_limited("reconfigured", KV_LOG_INFO, NULL, get_log_name(self), remote,
                   "%s has told a new configuration: interface %s follows", remote,
                   self->plan.name);
    tell_configuration(self);
}

/* --- attempts ------------------------------------------------------------------------------- */

static void
tell_endpoint(KvTunnelClient *self)
{
    g_autofree char *remote = kv_sockaddr_to_string(&self->remote);

    kv_tunnel_set_place((KvTunnel *) self, remote,
                        kv_tunnel_get_details((KvTunnel *) self)->interface);
}

static void
dial(KvTunnelClient *self, const KvSockaddr *address)
{
    KvTunnelParams *params = get_params(self);
    g_autofree char *remote = kv_sockaddr_to_string(address);
    KvUdpConfig config = {
        .local.sa.sa_family = address->sa.sa_family,
        .no_fragments = params->native != NULL,
        .tells_marks = params->native != NULL,
        .dscp = params->dscp,
        .socket_buffer = params->socket_buffer,
    };
    KvWorker *worker =
        kv_engine_get_worker(kv_tunnel_get_engine((KvTunnel *) self), 0, &self->failure);
    KvUdp *udp = worker != NULL ? kv_udp_open(&config, &self->failure) : NULL;

    if (udp == NULL)
        return;
    self->pump = kv_pump_new(worker, params, udp, &pump_callbacks, self, &self->failure);
    if (self->pump == NULL)
        return;
    self->search =
        kv_client_search_new(params->host, params->port, get_log_name(self), found, self);
    self->remote = *address;
    kv_route_source(address, &self->source);
    self->has_ended = FALSE;
    self->link = kv_pump_connect(self->pump, address);
    kv_log(KV_LOG_INFO, "connecting", get_log_name(self), remote, "connecting to %s", remote);
    tell_endpoint(self);
    kv_tunnel_set_state((KvTunnel *) self, KV_TUNNEL_STATE_CONNECTING, NULL);
}

static gboolean
retry_due(gpointer data)
{
    KvTunnelClient *self = data;

    self->retry_id = 0;
    begin_attempt(self);
    return G_SOURCE_REMOVE;
}

static void
schedule_retry(KvTunnelClient *self)
{
    g_autoptr(GError) failure = g_steal_pointer(&self->failure);
    guint wait_ms;

    if (self->connected_at == 0)
        self->turn++;
    if (self->connected_at != 0 &&
        kv_time_elapsed(kv_clock_now(), self->connected_at) >= HELD_AFTER)
        kv_backoff_reset(&self->backoff);
    self->connected_at = 0;
    wait_ms = kv_backoff_next(&self->backoff, g_random_int());
    kv_log(KV_LOG_INFO, "retrying", get_log_name(self), NULL, "trying again in %.1f seconds",
           wait_ms / 1e3);
    self->retry_id = g_timeout_add(wait_ms, retry_due, self);
    kv_tunnel_set_state((KvTunnel *) self, KV_TUNNEL_STATE_WAITING, failure);
}

static void
attempt_over(KvTunnelClient *self)
{
    if (is_stopping(self)) {
        g_clear_error(&self->failure);
        finish(self);
    } else if (self->moved) {
        self->moved = FALSE;
        begin_attempt(self);
    } else if (will_retry(self)) {
        schedule_retry(self);
    } else {
        finish(self);
    }
}

/* Before anything was sent. */
static void
attempt_failed(KvTunnelClient *self)
{
    if (self->failure != NULL && will_retry(self))
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), NULL, "%s", self->failure->message);
    attempt_over(self);
}

static void
resolved(const KvSockaddr *address, const GError *error, gpointer data)
{
    g_autoptr(KvTunnel) tunnel = data;
    KvTunnelClient *self = (KvTunnelClient *) tunnel;

    g_clear_object(&self->resolving);
    if (address == NULL)
        g_propagate_prefixed_error(&self->failure, g_error_copy(error), "ip: ");
    else if (!is_stopping(self))
        dial(self, address);
    if (self->pump == NULL)
        attempt_failed(self);
}

static void
begin_attempt(KvTunnelClient *self)
{
    KvTunnelParams *params = get_params(self);

    if (!kv_device_check_bridge(get_netlink(self), self->plan.bridge, NULL, &self->failure)) {
        attempt_failed(self);
        return;
    }
    self->resolving = g_cancellable_new();
    kv_resolve(params->host, params->port, self->turn, KV_RESOLVE_LIMIT_MS, self->resolving,
               resolved, g_object_ref(self));
}

/* --- a native server that does not answer --------------------------------------------------- */

static void
place(KvTunnelClient *self, const KvSockaddr *remote)
{
    self->remote = *remote;
    change_routes(self, !self->routes_withdrawn);
    tell_endpoint(self);
}

static void
note_place(KvTunnelClient *self, const KvSockaddr *remote)
{
    g_autofree char *text = kv_sockaddr_to_string(remote);

    place(self, remote);
    kv_log(KV_LOG_INFO, NULL, get_log_name(self), text, "the server is at %s now", text);
}

/* Where the name leads by now. The socket is of one family: for the other there is another attempt,
 * if a route leads there. */
static void
found(const KvSockaddr *address, gpointer data)
{
    KvTunnelClient *self = data;
    KvSockaddr source;

    if (self->has_ended || self->moved || is_stopping(self))
        return;
    if (address->sa.sa_family == self->remote.sa.sa_family) {
        self->turn++;
        place(self, address);
        kv_pump_call(self->pump, self->link, address);
    } else if (kv_route_source(address, &source)) {
        self->moved = TRUE;
        kv_pump_drop_link(self->pump, self->link);
    } else {
        self->turn++;
    }
}

/* Interface, addresses and routes stay: the server may be back before long. */
static void
look_again(KvTunnelClient *self)
{
    g_autofree char *remote = kv_sockaddr_to_string(&self->remote);
    g_autoptr(GError) error = NULL;

    if (!will_retry(self))
        return;
    if (kv_tunnel_get_state((KvTunnel *) self) == KV_TUNNEL_STATE_CONNECTED) {
        error = g_error_new(KV_ERROR, KV_ERROR_TIMEOUT, "no answer from %s", remote);
        kv_log(KV_LOG_WARNING, NULL, get_log_name(self), remote,
               "no answer from %s, looking for it again", remote);
        kv_tunnel_set_state((KvTunnel *) self, KV_TUNNEL_STATE_WAITING, error);
    }
    kv_client_search_begin(self->search, self->turn);
}

static void
answers_again(KvTunnelClient *self, const KvSockaddr *remote)
{
    g_autofree char *text = kv_sockaddr_to_string(remote);

    if (!kv_sockaddr_equal(remote, &self->remote))
        note_place(self, remote);
    if (kv_tunnel_get_state((KvTunnel *) self) != KV_TUNNEL_STATE_WAITING)
        return;
    kv_log(KV_LOG_INFO, NULL, get_log_name(self), text, "%s answers again", text);
    kv_tunnel_set_state((KvTunnel *) self, KV_TUNNEL_STATE_CONNECTED, NULL);
}

/* The patience of a handshake is over. */
static void
lost(KvTunnelClient *self)
{
    if (will_retry(self))
        return;
    self->failure = kv_client_text_error(get_params(self), &self->remote, KV_REASON_TIMEOUT, NULL);
    kv_pump_close_link(self->pump, self->link, KV_CLOSE_NONE);
}

/* --- what the pump says --------------------------------------------------------------------- */

static void
pump_event(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote,
           const KvEvent *event)
{
    KvTunnelClient *self = owner;

    if (pump != self->pump || link != self->link || is_stopping(self))
        return;
    if (event->type == KV_EVENT_CONFIGURED && get_params(self)->native == NULL)
        self->configured = *event;
    else if (event->type == KV_EVENT_READY)
        connected(self);
    else if (event->type == KV_EVENT_RECONFIGURED)
        reconfigured(self);
    else if (event->type == KV_EVENT_UNANSWERED && self->connected_at != 0)
        look_again(self);
    else if (event->type == KV_EVENT_ANSWERED)
        answers_again(self, remote);
    else if (event->type == KV_EVENT_LOST)
        lost(self);
}

static void
pump_configured(gpointer owner, KvPump *pump, KvLinkId link, const KvNativeConfig *said)
{
    KvTunnelClient *self = owner;

    if (pump != self->pump || link != self->link)
        return;
    kv_client_grant_take(self->grant, said);
    kv_client_grant_fill_event(self->grant, &self->configured);
    if (sets_addresses(self))
        kv_client_grant_fit_machine(self->grant);
}

static void
pump_moved(gpointer owner, KvPump *pump, KvLinkId link, const KvSockaddr *remote)
{
    KvTunnelClient *self = owner;

    if (pump == self->pump && link == self->link && !is_stopping(self) &&
        !kv_sockaddr_equal(remote, &self->remote))
        note_place(self, remote);
}

/* Of an attempt that another one follows; the last one's failure is for the caller to tell. */
static void
log_ending(KvTunnelClient *self, const GError *error)
{
    g_autofree char *remote = kv_sockaddr_to_string(&self->remote);
    gboolean refused = g_error_matches(error, KV_ERROR, KV_ERROR_REFUSED);

    kv_log(KV_LOG_WARNING, refused ? "refused" : "lost", get_log_name(self), remote, "%s",
           error->message);
}

/* @failure: (transfer full): why the attempt is over, unless that is known or wanted. */
static void
note_failure(KvTunnelClient *self, GError *failure)
{
    g_autoptr(GError) error = failure;

    if (is_stopping(self) || self->moved)
        return;
    if (self->failure == NULL)
        self->failure = g_steal_pointer(&error);
    if (will_retry(self))
        log_ending(self, self->failure);
}

static GError *
error_of_end(KvTunnelClient *self, KvReason reason, gboolean tun_gone)
{
    const GError *failure = kv_pump_get_failure(self->pump);

    if (failure != NULL)
        return g_error_copy(failure);
    return tun_gone ? kv_client_text_device_error(self->plan.name)
                    : kv_client_text_error(get_params(self), &self->remote, reason,
                                           kv_client_grant_get(self->grant));
}

static void
pump_ended(gpointer owner, KvPump *pump, KvLinkId link, KvReason reason, KvTun *tun)
{
    KvTunnelClient *self = owner;
    gboolean tun_gone = tun != NULL && kv_tun_is_gone(tun);

    if (tun != NULL) {
        g_clear_pointer(&self->tun, kv_tun_close);
        self->tun = tun;
    }
    if (tun_gone) {
        close_device(self);
        kv_tunnel_set_place((KvTunnel *) self, kv_tunnel_get_endpoint((KvTunnel *) self), NULL);
    }
    if (pump != self->pump || reason == KV_REASON_NONE)
        return;
    self->has_ended = TRUE;
    /* What is to reach the server by name, or anything else, must not go into a tunnel that does
     * not stand. */
    if (!tun_gone)
        change_routes(self, FALSE);
    note_failure(self, error_of_end(self, reason, tun_gone));
    kv_pump_shutdown(pump);
}

static void
pump_snapshot(gpointer owner, KvPump *pump, const KvPumpSnapshot *snapshot)
{
    kv_tunnel_pump_snapshot(owner, pump, snapshot);
}

static void
pump_gone(gpointer owner, KvPump *pump, const KvPumpSnapshot *last)
{
    KvTunnelClient *self = owner;

    kv_tunnel_pump_gone((KvTunnel *) self, pump, last);
    /* Before it could take the session. */
    if (!self->has_ended && kv_pump_get_failure(pump) != NULL)
        note_failure(self, g_error_copy(kv_pump_get_failure(pump)));
    self->pump = NULL;
    g_clear_pointer(&self->search, kv_client_search_free);
    attempt_over(self);
}

static const KvPumpCallbacks pump_callbacks = {
    .event = pump_event,
    .configured = pump_configured,
    .moved = pump_moved,
    .ended = pump_ended,
    .snapshot = pump_snapshot,
    .gone = pump_gone,
};

/* --- the network under the tunnel ----------------------------------------------------------- */

/* Where the kernel sends to the server from, when nothing of the tunnel leads it there: the way
 * that was kept out of the tunnel goes with its interface. */
static gboolean
find_source(KvTunnelClient *self, KvSockaddr *source)
{
    if (!kv_route_source(&self->remote, source))
        return FALSE;
    if (get_params(self)->native == NULL || self->connected_at == 0 ||
        kv_sockaddr_equal(source, &self->source))
        return TRUE;
    change_routes(self, FALSE);
    self->routes_withdrawn = TRUE;
    return kv_route_source(&self->remote, source);
}

/* Native: the association goes on, the server follows to where its datagrams come from. */
static void
go_on_from(KvTunnelClient *self, const KvSockaddr *source)
{
    kv_log(KV_LOG_INFO, NULL, get_log_name(self), NULL,
           "the network changed, going on from the new address");
    self->source = *source;
    self->routes_withdrawn = FALSE;
    change_routes(self, TRUE);
    kv_pump_poke_link(self->pump, self->link);
}

static void
network_changed(gpointer data)
{
    KvTunnelClient *self = data;
    KvSockaddr source;

    if (self->pump == NULL || self->moved || self->has_ended || is_stopping(self))
        return;
    if (self->connected_at != 0 && self->failure == NULL &&
        !kv_device_check_bridge(get_netlink(self), self->plan.bridge, self->plan.name,
                                &self->failure)) {
        kv_pump_close_link(self->pump, self->link, KV_CLOSE_NONE);
        return;
    }
    if (kv_client_grant_has_returned(self->grant,
                                     kv_tunnel_was_link_down(data, get_params(self)->vni_name)))
        change_routes(self, !self->routes_withdrawn);
    if (get_params(self)->native == NULL && !get_params(self)->auto_reconnect)
        return;
    /* Without a route there is nowhere to move to; the session waits for one until it is over. */
    if (!find_source(self, &source) ||
        (kv_sockaddr_equal(&source, &self->source) && !self->routes_withdrawn))
        return;
    if (get_params(self)->native != NULL) {
        go_on_from(self, &source);
        return;
    }
    kv_log(KV_LOG_INFO, "lost", get_log_name(self), NULL,
           "the network changed, connecting again from the new address");
    self->moved = TRUE;
    /* The server knows the old address only: a farewell from the new one would mean nothing. */
    kv_pump_drop_link(self->pump, self->link);
}

/* --- starting and stopping ------------------------------------------------------------------ */

static void
client_start(KvTunnel *tunnel)
{
    KvTunnelClient *self = (KvTunnelClient *) tunnel;
    KvTunnelParams *params = get_params(self);

    kv_log(KV_LOG_INFO, "starting", get_log_name(self), NULL, "starting as client");
    if (self->grant == NULL)
        self->grant = kv_client_grant_new(get_netlink(self), params->vni_name);
    self->turn = 0;
    kv_backoff_reset(&self->backoff);
    self->fatal = self->moved = FALSE;
    self->connected_at = 0;
    if (!kv_client_plan_check_start(params, get_netlink(self), &self->failure) ||
        !kv_tunnel_open_hooks(tunnel, &self->hooks, &self->failure)) {
        finish(self);
        return;
    }
    if (params->auto_reconnect || params->native != NULL || params->bridge != NULL)
        kv_tunnel_watch_network((KvTunnel *) self, network_changed);
    begin_attempt(self);
}

static void
client_stop(KvTunnel *tunnel)
{
    KvTunnelClient *self = (KvTunnelClient *) tunnel;

    if (self->pump != NULL)
        kv_pump_shutdown(self->pump);
    else if (self->resolving != NULL)
        g_cancellable_cancel(self->resolving);
    else if (!self->finishing)
        attempt_over(self);
}

static void
client_list_pumps(KvTunnel *tunnel, GPtrArray *pumps)
{
    KvTunnelClient *self = (KvTunnelClient *) tunnel;

    if (self->pump != NULL)
        g_ptr_array_add(pumps, self->pump);
}

static void
client_log_stats(KvTunnel *tunnel, const KvStats *total, const uint64_t *strangers)
{
    kv_tunnel_log_stats_line(get_log_name((KvTunnelClient *) tunnel), NULL, total);
}

static void
kv_tunnel_client_finalize(GObject *object)
{
    kv_client_grant_free(((KvTunnelClient *) object)->grant);
    G_OBJECT_CLASS(kv_tunnel_client_parent_class)->finalize(object);
}

static void
kv_tunnel_client_class_init(KvTunnelClientClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = kv_tunnel_client_finalize;
    klass->start = client_start;
    klass->stop = client_stop;
    klass->list_pumps = client_list_pumps;
    klass->log_stats = client_log_stats;
}

static void
kv_tunnel_client_init(KvTunnelClient *self)
{
}
