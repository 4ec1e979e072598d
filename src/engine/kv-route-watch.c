/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-route-watch.h"

#include "kv-error.h"
#include "kv-fd-source.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#define GATHER_MS 100

struct _KvRouteWatch {
    int fd;
    GSource *source;
    guint gather_id;
    GHashTable *listeners; /* data → function */
    GHashTable *down;      /* indexes of interfaces that a change left down */
};

typedef void (*Listener)(gpointer data);

static gboolean
tell(gpointer user_data)
{
    KvRouteWatch *watch = user_data;
    g_autofree gpointer *all = NULL;
    guint n;

    watch->gather_id = 0;
    all = g_hash_table_get_keys_as_array(watch->listeners, &n);
    for (guint i = 0; i < n; i++) {
        Listener listener = (Listener) g_hash_table_lookup(watch->listeners, all[i]);

        if (listener != NULL)
            listener(all[i]);
    }
    g_hash_table_remove_all(watch->down);
    return G_SOURCE_REMOVE;
}

/* The beginning of a message about an interface. */
typedef struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
} LinkMessage;

/* An interface that is new is down, too; of that the kernel says that all has changed. */
static void
note(KvRouteWatch *watch, const LinkMessage *message, ssize_t len)
{
    if (len < (ssize_t) sizeof *message || message->header.nlmsg_type != RTM_NEWLINK ||
        (message->link.ifi_flags & IFF_UP) != 0 || (message->link.ifi_change & IFF_UP) == 0 ||
        message->link.ifi_change == ~0U)
        return;
    g_hash_table_add(watch->down, GINT_TO_POINTER(message->link.ifi_index));
}

static gboolean
on_messages(gpointer user_data)
{
    KvRouteWatch *watch = user_data;
    LinkMessage message;
    ssize_t len;

    /* The kernel throws away what is not read of a message. */
    while ((len = recv(watch->fd, &message, sizeof message, MSG_DONTWAIT)) >= 0 ||
           errno == ENOBUFS || errno == EINTR)
        note(watch, &message, len);
    if (watch->gather_id == 0)
        watch->gather_id = g_timeout_add(GATHER_MS, tell, watch);
    return G_SOURCE_CONTINUE;
}

KvRouteWatch *
kv_route_watch_new(GError **error)
{
    struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR |
                     RTMGRP_IPV6_ROUTE,
    };
    kv_autofd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    KvRouteWatch *watch;

    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof address) < 0) {
        kv_error_set_errno(error, errno, "Cannot watch the routes of this machine");
        return NULL;
    }
    watch = g_new0(KvRouteWatch, 1);
    watch->fd = g_steal_fd(&fd);
    watch->listeners = g_hash_table_new(NULL, NULL);
    watch->down = g_hash_table_new(NULL, NULL);
    watch->source = kv_fd_source_new(watch->fd, on_messages, watch);
    g_source_attach(watch->source, NULL);
    return watch;
}

void
kv_route_watch_free(KvRouteWatch *watch)
{
    if (watch == NULL)
        return;
    g_clear_handle_id(&watch->gather_id, g_source_remove);
    g_source_destroy(watch->source);
    g_source_unref(watch->source);
    kv_autofd_clear(&watch->fd);
    g_hash_table_unref(watch->listeners);
    g_hash_table_unref(watch->down);
    g_free(watch);
}

void
kv_route_watch_add(KvRouteWatch *watch, void (*func)(gpointer data), gpointer data)
{
    g_hash_table_insert(watch->listeners, data, (gpointer) func);
}

void
kv_route_watch_remove(KvRouteWatch *watch, gpointer data)
{
    g_hash_table_remove(watch->listeners, data);
}

gboolean
kv_route_watch_was_down(const KvRouteWatch *watch, const char *interface)
{
    guint index = if_nametoindex(interface);

    return g_hash_table_contains(watch->down, GUINT_TO_POINTER(index));
}
