/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-client-search.h"

#include "kv-log.h"
#include "kv-resolve.h"

struct _KvClientSearch {
    char *host;
    uint16_t port;
    char *log_name;
    KvClientSearchFunc func;
    gpointer data;
    GCancellable *asking; /* (nullable) */
    gboolean is_over;     /* only the answer is waited for */
};

KvClientSearch *
kv_client_search_new(const char *host, uint16_t port, const char *log_name, KvClientSearchFunc func,
                     gpointer data)
{
    KvClientSearch *self = g_new0(KvClientSearch, 1);

    self->host = g_strdup(host);
    self->port = port;
    self->log_name = g_strdup(log_name);
    self->func = func;
    self->data = data;
    return self;
}

static void
really_free(KvClientSearch *self)
{
    g_free(self->host);
    g_free(self->log_name);
    g_free(self);
}

void
kv_client_search_free(KvClientSearch *self)
{
    if (self == NULL)
        return;
    if (self->asking == NULL) {
        really_free(self);
        return;
    }
    self->is_over = TRUE;
    g_cancellable_cancel(self->asking);
}

static void
answered(const KvSockaddr *address, const GError *error, gpointer data)
{
    KvClientSearch *self = data;

    g_clear_object(&self->asking);
    if (self->is_over)
        really_free(self);
    else if (address == NULL)
        kv_log(KV_LOG_WARNING, NULL, self->log_name, NULL, "ip: %s", error->message);
    else
        self->func(address, self->data);
}

void
kv_client_search_begin(KvClientSearch *self, guint turn)
{
    if (self->asking != NULL)
        return;
    self->asking = g_cancellable_new();
    kv_resolve(self->host, self->port, turn, KV_RESOLVE_LIMIT_MS, self->asking, answered, self);
}
