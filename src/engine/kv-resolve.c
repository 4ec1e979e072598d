/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-resolve.h"

#include "kv-error.h"

#include <gio/gio.h>

typedef struct {
    char *host;
    uint16_t port;
    guint turn;
    GCancellable *cancellable;
    guint limit_source;
    guint limit_ms;
    gboolean late; /* and therefore cancelled */
    KvResolveFunc func;
    gpointer data;
} Request;

static void
request_free(Request *request)
{
    g_clear_handle_id(&request->limit_source, g_source_remove);
    g_object_unref(request->cancellable);
    g_free(request->host);
    g_free(request);
}

/* @address: (transfer full) (nullable); @failure: (transfer full) (nullable) */
static void
deliver(Request *request, GSocketAddress *address, GError *failure)
{
    g_autoptr(GSocketAddress) owned_address = address;
    g_autoptr(GError) detail = failure;
    g_autoptr(GError) error = NULL;
    KvSockaddr result = {0};

    if (address != NULL && g_socket_address_to_native(address, &result, sizeof result, &detail)) {
        request->func(&result, NULL, request->data);
    } else {
        error = g_error_new(KV_ERROR, KV_ERROR_NOT_FOUND, "cannot find the address of %s: %s",
                            request->host,
                            detail != NULL ? detail->message : "it is not a valid address");
        request->func(NULL, error, request->data);
    }
    request_free(request);
}

static gboolean
limit_over(gpointer data)
{
    Request *request = data;

    request->limit_source = 0;
    request->late = TRUE;
    g_cancellable_cancel(request->cancellable);
    return G_SOURCE_REMOVE;
}

static gint
compare_families(gconstpointer a, gconstpointer b)
{
    gboolean a_is_6 = g_inet_address_get_family((GInetAddress *) a) == G_SOCKET_FAMILY_IPV6;
    gboolean b_is_6 = g_inet_address_get_family((GInetAddress *) b) == G_SOCKET_FAMILY_IPV6;

    return a_is_6 - b_is_6;
}

static void
looked_up(GObject *source, GAsyncResult *result, gpointer data)
{
    Request *request = data;
    GError *error = NULL;
    GList *addresses = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
    GSocketAddress *address = NULL;

    if (addresses != NULL) {
        /* The sort is stable: within a family the resolver's order stands. */
        addresses = g_list_sort(addresses, compare_families);
        address = g_inet_socket_address_new(
            g_list_nth_data(addresses, request->turn % g_list_length(addresses)), request->port);
    }
    g_resolver_free_addresses(addresses);
    if (error != NULL && request->late) {
        g_clear_error(&error);
        error = g_error_new(G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no answer within %u ms",
                            request->limit_ms);
    }
    deliver(request, address, error);
}

static gboolean
deliver_literal(gpointer data)
{
    Request *request = data;

    /* Unlike GInetAddress this understands the scope of a link-local address. */
    deliver(request, g_inet_socket_address_new_from_string(request->host, request->port), NULL);
    return G_SOURCE_REMOVE;
}

void
kv_resolve(const char *host, uint16_t port, guint turn, guint limit_ms, GCancellable *cancellable,
           KvResolveFunc func, gpointer data)
{
    Request *request = g_new0(Request, 1);
    gsize len = strlen(host);

    request->port = port;
    request->turn = turn;
    request->limit_ms = limit_ms;
    request->cancellable = g_object_ref(cancellable);
    request->func = func;
    request->data = data;
    if (len > 2 && host[0] == '[' && host[len - 1] == ']')
        request->host = g_strndup(host + 1, len - 2);
    else
        request->host = g_strdup(host);
    if (g_hostname_is_ip_address(request->host)) {
        g_idle_add(deliver_literal, request);
    } else {
        g_autoptr(GResolver) resolver = g_resolver_get_default();

        /* GLib looks up in a thread, for which it waits for ever if none is to be had. */
        request->limit_source = g_timeout_add(limit_ms, limit_over, request);
        g_resolver_lookup_by_name_async(resolver, request->host, cancellable, looked_up, request);
    }
}

gboolean
kv_route_source(const KvSockaddr *remote, KvSockaddr *source)
{
    kv_autofd int fd = socket(remote->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof *source;

    *source = (KvSockaddr){0};
    /* Connecting a datagram socket sends nothing: it only asks the routing table. */
    if (fd < 0 || connect(fd, &remote->sa, kv_sockaddr_get_length(remote)) < 0 ||
        getsockname(fd, &source->sa, &len) < 0)
        return FALSE;
    if (source->sa.sa_family == AF_INET)
        source->v4.sin_port = 0;
    else
        source->v6.sin6_port = 0;
    return TRUE;
}
