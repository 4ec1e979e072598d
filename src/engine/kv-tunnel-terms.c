/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tunnel-terms.h"

KvTunnelTerms *
kv_tunnel_terms_new(const KvSettings *settings)
{
    KvTunnelTerms *terms = g_new0(KvTunnelTerms, 1);
    const char *domains = kv_settings_get_string(settings, KV_SETTING_DNS_SEARCH);

    terms->routes = kv_settings_list_networks(settings, KV_SETTING_ROUTES);
    terms->dns = kv_settings_list_networks(settings, KV_SETTING_DNS);
    terms->domains = g_strsplit(domains != NULL ? domains : "", ",", -1);
    terms->client_to_client = kv_settings_get_boolean(settings, KV_SETTING_CLIENT_TO_CLIENT);
    return terms;
}

KvTunnelTerms *
kv_tunnel_terms_copy(const KvTunnelTerms *terms)
{
    KvTunnelTerms *copy = g_memdup2(terms, sizeof *terms);

    copy->routes = g_array_copy(terms->routes);
    copy->dns = g_array_copy(terms->dns);
    copy->domains = g_strdupv(terms->domains);
    return copy;
}

void
kv_tunnel_terms_free(KvTunnelTerms *terms)
{
    if (terms == NULL)
        return;
    g_array_unref(terms->routes);
    g_array_unref(terms->dns);
    g_strfreev(terms->domains);
    g_free(terms);
}

static gboolean
equal_networks(const GArray *a, const GArray *b)
{
    if (a->len != b->len)
        return FALSE;
    for (guint i = 0; i < a->len; i++) {
        if (!kv_network_equal(&g_array_index(a, KvNetwork, i), &g_array_index(b, KvNetwork, i)))
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_tunnel_terms_equal(const KvTunnelTerms *a, const KvTunnelTerms *b)
{
    return a->client_to_client == b->client_to_client && equal_networks(a->routes, b->routes) &&
           equal_networks(a->dns, b->dns) &&
           g_strv_equal((const char *const *) a->domains, (const char *const *) b->domains);
}
