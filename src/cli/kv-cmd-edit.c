/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-ask.h"
#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-dbus-names.h"
#include "kv-editor.h"
#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-peer-list.h"
#include "kv-saved.h"
#include "kv-settings-variant.h"
#include "kv-settings.h"

#include <string.h>

/* "edit": changes settings by flags, or in an editor by what is different afterwards. */

typedef struct {
    const KvArgs *args;
    const KvBus *bus;
    KvDbusTunnel1 *tunnel;
} Edit;

/* What Update is to do: values to set, and keys to put back to their defaults. */
typedef struct {
    KvSettings *settings;
    GPtrArray *unset; /* of const char *, static */
} Change;

static void
change_init(Change *change, KvRole role)
{
    change->settings = kv_settings_new(role);
    change->unset = g_ptr_array_new();
}

static void
change_clear(Change *change)
{
    g_clear_pointer(&change->settings, kv_settings_free);
    g_clear_pointer(&change->unset, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Change, change_clear)

static gboolean
change_has_values(const Change *change)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (kv_settings_is_set(change->settings, i))
            return TRUE;
    }
    return change->unset->len > 0;
}

static gboolean
change_is_empty(const Change *change)
{
    return !change_has_values(change) && !kv_settings_has_peers(change->settings);
}

static const char *
get_name(const Edit *edit)
{
    return kv_dbus_tunnel1_get_name(edit->tunnel);
}

static KvRole
get_role(const Edit *edit)
{
    KvRole role = KV_ROLE_CLIENT;

    /* A newer daemon's are for it to judge. */
    kv_role_from_string(kv_dbus_tunnel1_get_role(edit->tunnel), &role);
    return role;
}

/* --- by flags -------------------------------------------------------------------------------- */

static gboolean
read_unset(const KvArgs *args, Change *change, GError **error)
{
    const char *list = kv_args_get(args, KV_OPTION_UNSET);
    g_auto(GStrv) keys = g_strsplit(list != NULL ? list : "", ",", 0);

    for (guint i = 0; keys[i] != NULL; i++) {
        const KvSetting *row = kv_setting_find(keys[i]);

        if (row == NULL) {
            g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                        _("--unset: \"%s\" is not a known setting"), keys[i]);
            return FALSE;
        }
        g_ptr_array_add(change->unset, (char *) row->key);
    }
    return TRUE;
}

static gboolean
read_flags(KvArgs *args, Change *change, GError **error)
{
    return kv_args_apply_settings(args, change->settings, error) && read_unset(args, change, error);
}

/* --- by an editor ---------------------------------------------------------------------------- */

static gboolean
is_same(const KvSettings *a, const KvSettings *b, KvSettingId id)
{
    g_autofree char *text_a = kv_settings_to_text(a, id);
    g_autofree char *text_b = kv_settings_to_text(b, id);

    return g_strcmp0(text_a, text_b) == 0;
}

/* Secrets are not in the old text: one in the new text is a new one, none leaves the old alone. */
static void
compare(const KvSettings *old, const KvSettings *new, Change *change)
{
    kv_settings_free(change->settings);
    change->settings = kv_settings_copy(new);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        gboolean was = kv_settings_is_set(old, i);
        gboolean is = kv_settings_is_set(new, i);

        /* Name and role need not be repeated: a tunnel keeps them. */
        if (was && !is && i != KV_SETTING_NAME && i != KV_SETTING_ROLE)
            g_ptr_array_add(change->unset, (char *) kv_setting_get(i)->key);
        if (is && (i == KV_SETTING_ROLE || (was && is_same(old, new, i))))
            kv_settings_unset(change->settings, i);
    }
    if (kv_peer_list_equal(kv_settings_get_peers(old), kv_settings_get_peers(new)))
        kv_settings_unset_peers(change->settings);
    else if (!kv_settings_has_peers(new))
        kv_settings_set_peers(change->settings, kv_peer_list_new());
}

static gboolean
read_text(const Edit *edit, const char *text, KvSettings *settings, GError **error)
{
    g_autofree char *where = g_strdup_printf("%s.kcpvpn", get_name(edit));

    return kv_settings_load_data(settings, text, strlen(text), where, error);
}

/* Runs the editor until the text is good or the person gives up. */
static gboolean
edit_until_good(const Edit *edit, KvEditor *editor, KvSettings *settings, GError **error)
{
    for (;;) {
        g_autoptr(GError) mistake = NULL;

        if (!kv_editor_run(editor, error))
            return FALSE;
        if (read_text(edit, kv_editor_get_text(editor), settings, &mistake))
            return TRUE;
        if (!kv_ask_is_possible()) {
            g_propagate_error(error, g_steal_pointer(&mistake));
            return FALSE;
        }
        kv_cmd_complain(mistake->message);
        if (!kv_ask_yes_no(_("Edit it again? [y/n] "))) {
            g_set_error_literal(error, KV_ERROR, KV_ERROR_CANCELLED, _("nothing is changed"));
            return FALSE;
        }
    }
}

static gboolean
run_editor(const Edit *edit, Change *change, GError **error)
{
    g_autoptr(KvSettings) old = kv_settings_new(get_role(edit));
    g_autoptr(KvSettings) new = kv_settings_new(get_role(edit));
    g_autofree char *file = g_strdup_printf("%s.kcpvpn", get_name(edit));
    g_autoptr(KvEditor) editor = NULL;
    g_autofree char *text = NULL;

    if (!kv_dbus_tunnel1_call_export_sync(edit->tunnel, FALSE, kv_bus_no_options(),
                                          kv_bus_get_call_flags(edit->bus),
                                          kv_bus_get_timeout_ms(edit->bus), &text, NULL, error) ||
        !read_text(edit, text, old, error))
        return FALSE;
    editor = kv_editor_new(file, text, error);
    if (editor == NULL || !edit_until_good(edit, editor, new, error))
        return FALSE;
    compare(old, new, change);
    return TRUE;
}

/* --- both ------------------------------------------------------------------------------------ */

/* (transfer floating): the values without the role, which Update would refuse. */
static GVariant *
make_settings(const Change *change)
{
    g_autoptr(GVariant) all = g_variant_ref_sink(kv_settings_to_full_variant(change->settings));
    GVariantDict dict;

    g_variant_dict_init(&dict, all);
    g_variant_dict_remove(&dict, kv_setting_get(KV_SETTING_ROLE)->key);
    return g_variant_dict_end(&dict);
}

static GVariant *
make_options(const Change *change)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    if (change->unset->len > 0)
        g_variant_dict_insert_value(
            &dict, KV_DBUS_OPTION_UNSET,
            g_variant_new_strv((const char *const *) change->unset->pdata, change->unset->len));
    return g_variant_dict_end(&dict);
}

static gboolean
is_waiting(const Change *change, const KvSetting *row)
{
    /* A tunnel keeps its name, which a file may repeat. */
    return (row->flags & KV_SETTING_FLAG_LIVE) == 0 && row->id != KV_SETTING_NAME &&
           (kv_settings_is_set(change->settings, row->id) ||
            g_ptr_array_find(change->unset, row->key, NULL));
}

/* (transfer none): what became of a change of a tunnel that runs. @text: (out) (transfer full) */
static const char *
describe(const Change *change, char **text)
{
    g_autoptr(GString) waiting = g_string_new(NULL);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);

        if (is_waiting(change, row))
            g_string_append_printf(waiting, "%s%s", waiting->len > 0 ? ", " : "", row->key);
    }
    if (waiting->len == 0)
        return _("changed");
    /* TRANSLATORS: %s is a list of settings. */
    *text = g_strdup_printf(_("changed, from its next start on: %s"), waiting->str);
    return *text;
}

static KvExit
update(const Edit *edit, const Change *change)
{
    const char *state = kv_dbus_tunnel1_get_state(edit->tunnel);
    gboolean idle =
        g_strcmp0(state, KV_DBUS_STATE_STOPPED) == 0 || g_strcmp0(state, KV_DBUS_STATE_FAILED) == 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (!kv_dbus_tunnel1_call_update_sync(edit->tunnel, make_settings(change), make_options(change),
                                          kv_bus_get_call_flags(edit->bus),
                                          kv_bus_get_timeout_ms(edit->bus), NULL, &error))
        return kv_bus_complain(get_name(edit), error);
    return kv_saved_report(edit->bus, edit->args,
                           g_dbus_proxy_get_object_path(G_DBUS_PROXY(edit->tunnel)),
                           idle ? _("changed") : describe(change, &text));
}

static KvExit
edit_tunnel(const Edit *edit, KvArgs *args)
{
    gboolean flags = kv_args_has_settings(args) || kv_args_has(args, KV_OPTION_UNSET);
    g_auto(Change) change = {0};
    g_autoptr(GError) error = NULL;

    /* Told now, not after the work in the editor. */
    if (kv_dbus_tunnel1_get_read_only(edit->tunnel)) {
        g_autofree char *message =
            g_strdup_printf(_("%s is the administrator's: edit %s, then run \"kcpvpn reload\""),
                            get_name(edit), kv_dbus_tunnel1_get_file(edit->tunnel));

        kv_cmd_complain(message);
        return KV_EXIT_PERMISSION;
    }
    change_init(&change, get_role(edit));
    if (!(flags ? read_flags(args, &change, &error) : run_editor(edit, &change, &error)) ||
        !kv_settings_embed_secret_files(change.settings, &error))
        return kv_bus_complain(get_name(edit), error);
    if (change_is_empty(&change))
        return kv_saved_report(edit->bus, args,
                               g_dbus_proxy_get_object_path(G_DBUS_PROXY(edit->tunnel)),
                               _("nothing is changed"));
    return update(edit, &change);
}

KvExit
kv_cmd_edit(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, KV_BUS_CHANGE, &status);
    g_autoptr(KvDbusTunnel1) tunnel =
        bus != NULL ? kv_bus_find_tunnel(bus, kv_args_get_operand(args, 0)) : NULL;
    Edit edit = {.args = args, .bus = bus, .tunnel = tunnel};

    if (bus == NULL)
        return status;
    return tunnel != NULL ? edit_tunnel(&edit, args) : KV_EXIT_NOT_FOUND;
}
