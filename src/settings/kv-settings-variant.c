/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings-variant.h"

#include "kv-i18n.h"
#include "kv-peer-settings-private.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <string.h>

/* The key of what is no row of the table, but all peers by their names. */
#define PEERS_KEY  "peers"
#define PEERS_TYPE ((const GVariantType *) "a{sa{sv}}")

/* Boxes within boxes: a variant may come in a variant, but nobody needs many. */
#define NESTING_MAX 8

/* --- from a{sv} ----------------------------------------------------------------------------- */

/* (transfer full) (nullable): an integer's or a truth's text. */
static char *
number_to_text(GVariant *value)
{
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_BOOLEAN:
        return g_strdup(g_variant_get_boolean(value) ? "true" : "false");
    case G_VARIANT_CLASS_BYTE:
        return g_strdup_printf("%u", g_variant_get_byte(value));
    case G_VARIANT_CLASS_INT16:
        return g_strdup_printf("%d", g_variant_get_int16(value));
    case G_VARIANT_CLASS_UINT16:
        return g_strdup_printf("%u", g_variant_get_uint16(value));
    case G_VARIANT_CLASS_INT32:
        return g_strdup_printf("%d", g_variant_get_int32(value));
    case G_VARIANT_CLASS_UINT32:
        return g_strdup_printf("%u", g_variant_get_uint32(value));
    case G_VARIANT_CLASS_INT64:
        return g_strdup_printf("%" G_GINT64_FORMAT, g_variant_get_int64(value));
    case G_VARIANT_CLASS_UINT64:
        return g_strdup_printf("%" G_GUINT64_FORMAT, g_variant_get_uint64(value));
    default:
        return NULL;
    }
}

/* (transfer full) (nullable): the items with "," between them; NULL: one holds a "," itself. */
static char *
list_to_text(GVariant *value)
{
    g_autofree const char **items = g_variant_get_strv(value, NULL);

    for (guint i = 0; items[i] != NULL; i++) {
        if (strchr(items[i], ',') != NULL)
            return NULL;
    }
    return g_strjoinv(",", (char **) items);
}

/* (transfer full) (nullable): @value as kv_settings_set_text() takes it; NULL: of no type that
 * @row knows. */
static char *
value_to_text(const KvSetting *row, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        return g_variant_dup_string(value, NULL);
    switch (row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return number_to_text(value);
    case KV_SETTING_TYPE_UINT:
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
            return NULL;
        return number_to_text(value);
    case KV_SETTING_TYPE_STRING:
        if ((row->flags & KV_SETTING_FLAG_LIST) != 0 &&
            g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY))
            return list_to_text(value);
        return NULL;
    case KV_SETTING_TYPE_CHOICE:
    case KV_SETTING_TYPE_SECRET:
        break;
    }
    return NULL;
}

static gboolean
fail_type(const KvSetting *row, GVariant *value, GError **error)
{
    g_autofree char *allowed = kv_setting_format_allowed(row);

    return kv_settings_fail(error, _("%s: a value of type \"%s\" is not allowed; allowed: %s"),
                            row->key, g_variant_get_type_string(value), allowed);
}

/* (transfer full): what lies in the boxes. */
static GVariant *
unbox(GVariant *boxed)
{
    GVariant *value = g_variant_ref(boxed);

    for (guint i = 0; i < NESTING_MAX && g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT); i++) {
        GVariant *inner = g_variant_get_variant(value);

        g_variant_unref(value);
        value = inner;
    }
    return value;
}

static gboolean
set_value(KvSettings *settings, const KvSetting *row, GVariant *boxed, GError **error)
{
    g_autoptr(GVariant) value = unbox(boxed);
    g_autofree char *text = value_to_text(row, value);
    gboolean ok;

    if (text == NULL)
        return fail_type(row, value, error);
    ok = kv_settings_set_text(settings, row->id, text, error);
    if (row->type == KV_SETTING_TYPE_SECRET)
        kv_secret_wipe_string(text);
    return ok;
}

/* --- peers ---------------------------------------------------------------------------------- */

static gboolean
set_peer_value(KvPeerSettings *peer, const KvSetting *row, GVariant *boxed, GError **error)
{
    g_autoptr(GVariant) value = unbox(boxed);
    g_autofree char *text = value_to_text(row, value);
    gboolean ok;

    if (text == NULL) {
        fail_type(row, value, error);
        g_prefix_error(error, _("peer %s: "), peer->name);
        return FALSE;
    }
    ok = kv_peer_settings_set_text(peer, row->id, text, error);
    if (row->type == KV_SETTING_TYPE_SECRET)
        kv_secret_wipe_string(text);
    return ok;
}

/* (transfer none) (nullable): the row of @key, which must be new in @seen. */
static const KvSetting *
find_peer_row(const KvPeerSettings *peer, const char *key, gboolean *seen, GError **error)
{
    const KvSetting *row = kv_peer_setting_find(key);

    if (row == NULL) {
        g_autofree char *shown = kv_text_quote(key);

        kv_settings_fail(error, _("peer %s: \"%s\" is not a known setting of a peer"), peer->name,
                         shown);
        return NULL;
    }
    if (seen[row->id]) {
        kv_settings_fail(error, _("peer %s: %s: was given twice"), peer->name, row->key);
        return NULL;
    }
    seen[row->id] = TRUE;
    return row;
}

static gboolean
set_peer(KvPeerSettings *peer, GVariant *dict, gboolean secrets_only, GError **error)
{
    gboolean seen[KV_N_PEER_SETTINGS] = {FALSE};
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, dict);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        g_autoptr(GVariant) owned = value;
        const KvSetting *row = find_peer_row(peer, key, seen, error);

        if (row == NULL)
            return FALSE;
        if (secrets_only && row->type != KV_SETTING_TYPE_SECRET)
            return kv_settings_fail(error, _("peer %s: %s: only secrets are allowed here"),
                                    peer->name, row->key);
        if (!set_peer_value(peer, row, value, error))
            return FALSE;
    }
    return TRUE;
}

/* (transfer full) (nullable): @boxed, if it is all peers. */
static GVariant *
unbox_peers(GVariant *boxed, GError **error)
{
    g_autoptr(GVariant) peers = unbox(boxed);

    if (g_variant_is_of_type(peers, PEERS_TYPE))
        return g_steal_pointer(&peers);
    kv_settings_fail(error, _("%s: a value of type \"%s\" is not allowed; allowed: %s"), PEERS_KEY,
                     g_variant_get_type_string(peers), "a{sa{sv}}");
    return NULL;
}

static gboolean
set_peers(KvSettings *settings, GVariant *boxed, GError **error)
{
    g_autoptr(GVariant) peers = unbox_peers(boxed, error);
    g_autoptr(KvPeerList) list = kv_peer_list_new();
    GVariantIter iter;
    const char *name;
    GVariant *dict;

    if (peers == NULL)
        return FALSE;
    g_variant_iter_init(&iter, peers);
    while (g_variant_iter_next(&iter, "{&s@a{sv}}", &name, &dict)) {
        g_autoptr(GVariant) owned = dict;
        g_autoptr(KvPeerSettings) peer = kv_peer_settings_new(settings->role, name, error);

        if (peer == NULL || !set_peer(peer, dict, FALSE, error) ||
            !kv_peer_list_add(list, g_steal_pointer(&peer), error))
            return FALSE;
    }
    kv_settings_set_peers(settings, g_steal_pointer(&list));
    return TRUE;
}

/* Puts secrets into peers that are there. */
static gboolean
set_peer_secrets(KvSettings *settings, GVariant *boxed, GError **error)
{
    g_autoptr(GVariant) peers = unbox_peers(boxed, error);
    g_autoptr(KvPeerList) list = kv_peer_list_new();
    GVariantIter iter;
    const char *name;
    GVariant *dict;

    if (peers == NULL)
        return FALSE;
    g_variant_iter_init(&iter, peers);
    while (g_variant_iter_next(&iter, "{&s@a{sv}}", &name, &dict)) {
        g_autoptr(GVariant) owned = dict;
        const KvPeerSettings *old = kv_peer_list_find(settings->peers, name);
        g_autoptr(KvPeerSettings) peer = NULL;

        if (old == NULL) {
            g_autofree char *shown = kv_text_quote(name);

            return kv_settings_fail(error, _("peer %s: the tunnel has no such peer"), shown);
        }
        peer = kv_peer_settings_copy(old);
        if (!set_peer(peer, dict, TRUE, error) ||
            !kv_peer_list_add(list, g_steal_pointer(&peer), error))
            return FALSE;
    }
    kv_settings_set_peers(settings, kv_peer_list_replace(settings->peers, list));
    return TRUE;
}

/* --- all ------------------------------------------------------------------------------------ */

/* (transfer none) (nullable): the row of @key, which must be new in @seen. */
static const KvSetting *
find_row(const char *key, gboolean *seen, GError **error)
{
    const KvSetting *row = kv_setting_find(key);

    if (row == NULL || strcmp(row->key, key) != 0) {
        g_autofree char *shown = kv_text_quote(key);

        kv_settings_fail(error, _("\"%s\" is not a known setting"), shown);
        return NULL;
    }
    if (seen[row->id]) {
        kv_settings_fail(error, _("%s: was given twice"), row->key);
        return NULL;
    }
    seen[row->id] = TRUE;
    return row;
}

/* Changes @settings up to the first mistake. */
static gboolean
set_all(KvSettings *settings, GVariant *dict, gboolean secrets_only, GError **error)
{
    gboolean seen[KV_N_SETTINGS] = {FALSE};
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, dict);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
        g_autoptr(GVariant) owned = value;
        const KvSetting *row;

        if (strcmp(key, PEERS_KEY) == 0) {
            if (settings->peers_given)
                return kv_settings_fail(error, _("%s: was given twice"), key);
            if (!(secrets_only ? set_peer_secrets : set_peers)(settings, value, error))
                return FALSE;
            continue;
        }
        row = find_row(key, seen, error);
        if (row == NULL)
            return FALSE;
        if (secrets_only && row->type != KV_SETTING_TYPE_SECRET)
            return kv_settings_fail(error, _("%s: only secrets are allowed here"), row->key);
        if (!set_value(settings, row, value, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
merge_variant(KvSettings *settings, GVariant *dict, gboolean secrets_only, GError **error)
{
    g_autoptr(KvSettings) given = kv_settings_new(settings->role);

    g_return_val_if_fail(g_variant_is_of_type(dict, G_VARIANT_TYPE_VARDICT), FALSE);
    /* Secrets are for peers that are there. */
    kv_peer_list_unref(given->peers);
    given->peers = kv_peer_list_ref(settings->peers);
    if (!set_all(given, dict, secrets_only, error))
        return FALSE;
    kv_settings_merge(settings, given);
    return TRUE;
}

gboolean
kv_settings_load_variant(KvSettings *settings, GVariant *dict, GError **error)
{
    return merge_variant(settings, dict, FALSE, error);
}

gboolean
kv_settings_load_secrets_variant(KvSettings *settings, GVariant *dict, GError **error)
{
    return merge_variant(settings, dict, TRUE, error);
}

KvSettings *
kv_settings_new_from_variant(GVariant *dict, GError **error)
{
    const KvSetting *row = kv_setting_get(KV_SETTING_ROLE);
    g_autoptr(GVariant) role = NULL;
    g_autoptr(KvSettings) settings = NULL;
    KvRole side;

    g_return_val_if_fail(g_variant_is_of_type(dict, G_VARIANT_TYPE_VARDICT), NULL);
    role = g_variant_lookup_value(dict, row->key, NULL);
    if (role == NULL) {
        g_autofree char *allowed = kv_setting_format_allowed(row);

        kv_settings_fail(error, _("%s: required, but not given; allowed: %s"), row->key, allowed);
        return NULL;
    }
    if (!g_variant_is_of_type(role, G_VARIANT_TYPE_STRING) ||
        !kv_role_from_string(g_variant_get_string(role, NULL), &side))
        side = KV_ROLE_CLIENT; /* the word is refused when it is set */
    settings = kv_settings_new(side);
    /* The role first, so that a wrong one is not reported as a key of the other side. */
    if (!set_value(settings, row, role, error) || !set_all(settings, dict, FALSE, error))
        return NULL;
    return g_steal_pointer(&settings);
}

/* --- to a{sv} ------------------------------------------------------------------------------- */

static GVariant *
value_to_variant(const KvSetting *row, const KvSettingValue *value)
{
    g_auto(GStrv) items = NULL;

    switch (row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return g_variant_new_boolean(value->number != 0);
    case KV_SETTING_TYPE_UINT:
        return g_variant_new_uint32((guint32) value->number);
    case KV_SETTING_TYPE_STRING:
        if ((row->flags & KV_SETTING_FLAG_LIST) == 0)
            break;
        items = g_strsplit(value->text, ",", 0);
        return g_variant_new_strv((const char *const *) items, -1);
    case KV_SETTING_TYPE_CHOICE:
        break;
    case KV_SETTING_TYPE_SECRET:
        return g_variant_new_take_string(g_strndup((const char *) kv_secret_get_data(value->secret),
                                                   kv_secret_get_length(value->secret)));
    }
    return g_variant_new_string(value->text);
}

/* Of which rows. */
typedef enum {
    PICK_VALUES = 1 << 0,
    PICK_SECRETS = 1 << 1,
} Pick;

static gboolean
is_picked(const KvSetting *row, const KvSettingValue *value, Pick pick)
{
    return value->is_set &&
           (pick & (row->type == KV_SETTING_TYPE_SECRET ? PICK_SECRETS : PICK_VALUES)) != 0;
}

static GVariant *
peer_to_variant(const KvPeerSettings *peer, Pick pick)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        const KvSetting *row = kv_peer_setting_get(i);

        if (is_picked(row, &peer->values[i], pick))
            g_variant_builder_add(&builder, "{sv}", row->key,
                                  value_to_variant(row, &peer->values[i]));
    }
    return g_variant_builder_end(&builder);
}

/* a{sa{sv}}; with secrets alone, of those peers that have one. */
static GVariant *
peers_to_variant(const KvPeerList *peers, Pick pick)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, PEERS_TYPE);
    for (guint i = 0; i < kv_peer_list_get_length(peers); i++) {
        const KvPeerSettings *peer = kv_peer_list_get(peers, i);

        if (pick != PICK_SECRETS || kv_peer_settings_is_set(peer, KV_PEER_SETTING_PRESHARED_KEY))
            g_variant_builder_add(&builder, "{s@a{sv}}", peer->name, peer_to_variant(peer, pick));
    }
    return g_variant_builder_end(&builder);
}

static GVariant *
settings_to_variant(const KvSettings *settings, Pick pick)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        const KvSettingValue *value = &settings->values[i];

        if (is_picked(row, value, pick) &&
            (row->type != KV_SETTING_TYPE_SECRET || kv_settings_holds_secret(settings, i)))
            g_variant_dict_insert_value(&dict, row->key, value_to_variant(row, value));
    }
    if (pick == PICK_SECRETS ? kv_peer_list_has_secrets(settings->peers) : settings->peers_given)
        g_variant_dict_insert_value(&dict, PEERS_KEY, peers_to_variant(settings->peers, pick));
    if (pick == PICK_SECRETS)
        return g_variant_dict_end(&dict);
    g_variant_dict_insert(&dict, kv_setting_get(KV_SETTING_ROLE)->key, "s",
                          kv_role_to_string(settings->role));
    return g_variant_dict_end(&dict);
}

GVariant *
kv_settings_to_variant(const KvSettings *settings)
{
    return settings_to_variant(settings, PICK_VALUES);
}

GVariant *
kv_settings_to_full_variant(const KvSettings *settings)
{
    return settings_to_variant(settings, PICK_VALUES | PICK_SECRETS);
}

GVariant *
kv_settings_secrets_to_variant(const KvSettings *settings)
{
    return settings_to_variant(settings, PICK_SECRETS);
}

char **
kv_settings_list_secrets(const KvSettings *settings)
{
    g_autoptr(GStrvBuilder) keys = g_strv_builder_new();

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (kv_settings_holds_secret(settings, i))
            g_strv_builder_add(keys, kv_setting_get(i)->key);
    }
    if (kv_peer_list_has_secrets(settings->peers))
        g_strv_builder_add(keys, PEERS_KEY);
    return g_strv_builder_end(keys);
}

/* Of both protocols, where they differ, the native one's: it is that of the default cipher. */
static void
insert_default(GVariantDict *dict, const KvSetting *row, const KvSettingValue *value)
{
    KvSettingValue native = {0};

    if (row->native_default_text == NULL)
        g_variant_dict_insert_value(dict, row->key, value_to_variant(row, value));
    else if (kv_setting_value_parse(&native, row, row->native_default_text))
        g_variant_dict_insert_value(dict, row->key, value_to_variant(row, &native));
    kv_setting_value_clear(&native);
}

GVariant *
kv_settings_defaults_to_variant(KvRole role)
{
    KvSettingSide side = kv_setting_side_of_role(role);
    g_autoptr(KvSettings) defaults = kv_settings_new(role);
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (row->default_text != NULL && (row->side & side) != 0)
            insert_default(&dict, row, &defaults->values[i]);
    }
    return g_variant_dict_end(&dict);
}
