/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-peer-list.h"

#include "kv-i18n.h"
#include "kv-peer-settings-private.h"
#include "kv-settings-private.h"

#include <string.h>

struct _KvPeerList {
    gatomicrefcount refs;
    GPtrArray *peers;     /* KvPeerSettings, owned */
    GHashTable *names;    /* the peer's: the peer */
    GHashTable *keys;     /* text of the public key, the peer's: the peer */
    GHashTable *networks; /* text, owned: the peer */
    gsize bytes;          /* in a key file */
};

KvPeerList *
kv_peer_list_new(void)
{
    KvPeerList *list = g_new0(KvPeerList, 1);

    g_atomic_ref_count_init(&list->refs);
    list->peers = g_ptr_array_new_with_free_func((GDestroyNotify) kv_peer_settings_free);
    list->names = g_hash_table_new(g_str_hash, g_str_equal);
    list->keys = g_hash_table_new(g_str_hash, g_str_equal);
    list->networks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return list;
}

KvPeerList *
kv_peer_list_ref(const KvPeerList *list)
{
    KvPeerList *own = (KvPeerList *) list;

    g_atomic_ref_count_inc(&own->refs);
    return own;
}

void
kv_peer_list_unref(KvPeerList *list)
{
    if (list == NULL || !g_atomic_ref_count_dec(&list->refs))
        return;
    g_hash_table_unref(list->names);
    g_hash_table_unref(list->keys);
    g_hash_table_unref(list->networks);
    g_ptr_array_unref(list->peers);
    g_free(list);
}

/* The networks of one setting, each of which nobody else may have; @peer may repeat its own. */
static gboolean
take_networks(KvPeerList *list, const KvPeerSettings *peer, KvPeerSettingId id, GError **error)
{
    g_autoptr(GArray) networks = kv_peer_settings_list_networks(peer, id);

    for (guint i = 0; i < networks->len; i++) {
        char text[KV_NETWORK_TEXT_BYTES];
        const KvPeerSettings *owner;

        kv_network_to_string(&g_array_index(networks, KvNetwork, i), text);
        owner = g_hash_table_lookup(list->networks, text);
        if (owner != NULL && owner != peer)
            return kv_settings_fail(error, _("peer %s: %s: %s is already that of peer %s"),
                                    peer->name, kv_peer_setting_get(id)->key, text, owner->name);
        if (g_hash_table_size(list->networks) >= KV_PEER_NETWORKS_MAX)
            return kv_settings_fail(error,
                                    _("peer %s: with its networks there are more than %u of all "
                                      "peers"),
                                    peer->name, KV_PEER_NETWORKS_MAX);
        g_hash_table_replace(list->networks, g_strdup(text), (gpointer) peer);
    }
    return TRUE;
}

static gboolean
take_all_networks(KvPeerList *list, const KvPeerSettings *peer, GError **error)
{
    static const KvPeerSettingId ids[] = {KV_PEER_SETTING_ALLOWED_IPS, KV_PEER_SETTING_LOCAL_IP,
                                          KV_PEER_SETTING_LOCAL_IP6, KV_PEER_SETTING_ROUTES};

    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (!take_networks(list, peer, ids[i], error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
check_unique(const KvPeerList *list, const KvPeerSettings *peer, GError **error)
{
    const char *key = peer->values[KV_PEER_SETTING_PUBLIC_KEY].text;
    const KvPeerSettings *other = g_hash_table_lookup(list->keys, key);

    if (g_hash_table_contains(list->names, peer->name))
        return kv_settings_fail(error, _("peer %s: stands here for the second time"), peer->name);
    if (other != NULL)
        return kv_settings_fail(error, _("peer %s: public-key: %s is already that of peer %s"),
                                peer->name, key, other->name);
    if (list->peers->len > KV_CLIENTS_MAX)
        return kv_settings_fail(error, _("peer %s: there are more peers than %u"), peer->name,
                                KV_CLIENTS_MAX);
    if (list->bytes + kv_peer_settings_measure(peer) > KV_PEER_BYTES_MAX)
        return kv_settings_fail(error,
                                _("peer %s: with it the peers take more than %u bytes in a key "
                                  "file"),
                                peer->name, KV_PEER_BYTES_MAX);
    return TRUE;
}

gboolean
kv_peer_list_add(KvPeerList *list, KvPeerSettings *peer, GError **error)
{
    /* Owned from the start: on failure tables may point to it. */
    g_ptr_array_add(list->peers, peer);
    if (!kv_peer_settings_validate(peer, error) || !check_unique(list, peer, error) ||
        !take_all_networks(list, peer, error))
        return FALSE;
    g_hash_table_insert(list->names, peer->name, peer);
    g_hash_table_insert(list->keys, peer->values[KV_PEER_SETTING_PUBLIC_KEY].text, peer);
    list->bytes += kv_peer_settings_measure(peer);
    return TRUE;
}

guint
kv_peer_list_get_length(const KvPeerList *list)
{
    return list->peers->len;
}

const KvPeerSettings *
kv_peer_list_get(const KvPeerList *list, guint index)
{
    g_return_val_if_fail(index < list->peers->len, NULL);
    return list->peers->pdata[index];
}

const KvPeerSettings *
kv_peer_list_find(const KvPeerList *list, const char *name)
{
    return g_hash_table_lookup(list->names, name);
}

const KvPeerSettings *
kv_peer_list_find_key(const KvPeerList *list, const uint8_t public_key[KV_KEY_BYTES])
{
    char text[KV_KEY_TEXT_BYTES];

    return g_hash_table_lookup(list->keys, kv_key_to_string(public_key, text));
}

gboolean
kv_peer_list_equal(const KvPeerList *a, const KvPeerList *b)
{
    if (a == b)
        return TRUE;
    if (a->peers->len != b->peers->len)
        return FALSE;
    for (guint i = 0; i < a->peers->len; i++) {
        if (!kv_peer_settings_equal(a->peers->pdata[i], b->peers->pdata[i]))
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_peer_list_has_secrets(const KvPeerList *list)
{
    for (guint i = 0; i < list->peers->len; i++) {
        if (kv_peer_settings_is_set(list->peers->pdata[i], KV_PEER_SETTING_PRESHARED_KEY))
            return TRUE;
    }
    return FALSE;
}

/* What went together still does: nothing but secrets is different, and they were reckoned with. */
static void
add_again(KvPeerList *list, KvPeerSettings *peer)
{
    if (!kv_peer_list_add(list, peer, NULL))
        g_assert_not_reached();
}

KvPeerList *
kv_peer_list_keep_secrets(const KvPeerList *list, const KvPeerList *old)
{
    KvPeerList *kept = kv_peer_list_new();

    for (guint i = 0; i < list->peers->len; i++) {
        KvPeerSettings *peer = kv_peer_settings_copy(list->peers->pdata[i]);
        const char *key = peer->values[KV_PEER_SETTING_PUBLIC_KEY].text;
        const KvPeerSettings *before = g_hash_table_lookup(old->keys, key);

        if (before != NULL)
            kv_peer_settings_keep_secret(peer, before);
        add_again(kept, peer);
    }
    return kept;
}

KvPeerList *
kv_peer_list_replace(const KvPeerList *list, const KvPeerList *changed)
{
    KvPeerList *replaced = kv_peer_list_new();

    for (guint i = 0; i < list->peers->len; i++) {
        const KvPeerSettings *peer = list->peers->pdata[i];
        const KvPeerSettings *other = kv_peer_list_find(changed, peer->name);

        add_again(replaced, kv_peer_settings_copy(other != NULL ? other : peer));
    }
    return replaced;
}
