/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-identity.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-gtk.h"
#include "kv-nm-own-key.h"
#include "kv-nm-secret.h"

#include <nma-ui-utils.h>
#include <string.h>

/* Ids of the ways in the list. */
#define BY_SECRET "secret"
#define BY_KEYS   "keys"

/* A secret and who keeps it, which the menu in its entry says. */
typedef struct {
    const KvSetting *row;
    GtkWidget *entry;             /* NULL: the menu is still being made */
    NMSettingSecretFlags storage; /* what the menu said last */
    gboolean filled;              /* whether there was something in the entry last */
} Kept;

static const KvSettingId kept_ids[] = {KV_SETTING_SECRET, KV_SETTING_PRIVATE_KEY,
                                       KV_SETTING_PRESHARED_KEY};

struct _KvNmIdentity {
    KvNmForm *form;
    KvNmOwnKey *own_key;
    GtkWidget *type;
    GtkWidget *grid_by_secret;
    GtkWidget *grid_by_keys;
    GtkWidget *show_secret;
    GtkWidget *show_keys;
    Kept kept[G_N_ELEMENTS(kept_ids)];
    gboolean by_keys;
    char *former_crypt; /* (nullable): what was taken out so that there can be keys */
};

/* --- who keeps the secrets ------------------------------------------------------------------- */

static gboolean
is_of_keys(const KvSetting *row)
{
    return row->id != KV_SETTING_SECRET;
}

/* A profile that names nobody for it goes without it. */
static gboolean
is_optional(const KvSetting *row)
{
    return row->id == KV_SETTING_PRESHARED_KEY;
}

static gboolean
names_keeper(NMSettingVpn *vpn, const KvSetting *row)
{
    g_autofree char *flags = kv_nm_secret_get_flags_key(row);

    return nm_setting_vpn_get_data_item(vpn, flags) != NULL;
}

static void
write_keeper(KvNmIdentity *self, const Kept *kept)
{
    NMSettingVpn *vpn = kv_nm_form_get_vpn(self->form);
    gboolean given = !is_optional(kept->row) || kept->filled ||
                     (kept->storage & NM_SETTING_SECRET_FLAG_NOT_SAVED) != 0;
    g_autofree char *flags = kv_nm_secret_get_flags_key(kept->row);

    if (given && is_of_keys(kept->row) == self->by_keys)
        nm_setting_set_secret_flags(NM_SETTING(vpn), kept->row->key, kept->storage, NULL);
    else
        nm_setting_vpn_remove_data_item(vpn, flags);
}

static gboolean
is_filled(GtkWidget *entry)
{
    return kv_gtk_entry_get_text(entry)[0] != '\0';
}

/* The menu in an entry has no signal but the entry's. */
static void
update_keeper(KvNmIdentity *self, Kept *kept)
{
    NMSettingSecretFlags storage;
    gboolean filled;
    gboolean changed;

    if (kept->entry == NULL)
        return;
    storage = nma_utils_menu_to_secret_flags(kept->entry);
    filled = is_filled(kept->entry);
    changed = storage != kept->storage || (is_optional(kept->row) && filled != kept->filled);
    kept->storage = storage;
    kept->filled = filled;
    if (changed)
        write_keeper(self, kept);
}

/* Who keeps it as the profile is; a secret that is still to be given is the user's. */
static NMSettingSecretFlags
get_keeper(const KvNmIdentity *self, const KvSetting *row)
{
    NMSettingVpn *vpn = kv_nm_form_get_vpn(self->form);
    NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;
    gboolean is_used = is_of_keys(row) == self->by_keys && !is_optional(row);

    if (!is_used && !names_keeper(vpn, row) && nm_setting_vpn_get_secret(vpn, row->key) == NULL)
        return NM_SETTING_SECRET_FLAG_AGENT_OWNED;
    nm_setting_get_secret_flags(NM_SETTING(vpn), row->key, &flags, NULL);
    return flags;
}

/* "Not required" is there only for a profile that says so already, as no server takes a client
 * without the secret. */
static void
add_menu(KvNmIdentity *self, Kept *kept, const KvSetting *row)
{
    GtkWidget *entry = kv_nm_field_get_control(kv_nm_form_find(self->form, row->id));
    NMSettingSecretFlags flags = get_keeper(self, row);

    kept->row = row;
    nma_utils_setup_password_storage(entry, flags, NULL, NULL,
                                     (flags & NM_SETTING_SECRET_FLAG_NOT_REQUIRED) != 0, FALSE);
    kept->storage = nma_utils_menu_to_secret_flags(entry);
    kept->filled = is_filled(entry);
    kept->entry = g_object_ref(entry);
}

static void
update_own_key(KvNmIdentity *self)
{
    const NMSettingSecretFlags without =
        NM_SETTING_SECRET_FLAG_NOT_SAVED | NM_SETTING_SECRET_FLAG_NOT_REQUIRED;

    for (guint i = 0; i < G_N_ELEMENTS(self->kept); i++) {
        if (self->kept[i].row->id == KV_SETTING_PRIVATE_KEY)
            kv_nm_own_key_update(self->own_key, (self->kept[i].storage & without) == 0);
    }
}

/* --- the two ways ---------------------------------------------------------------------------- */

/* Only the native protocol, which is the default, has keys: a cipher of the other one gives way,
 * and comes back. */
static void
fit_crypt(KvNmIdentity *self)
{
    const char *key = kv_setting_get(KV_SETTING_CRYPT)->key;
    NMSettingVpn *vpn = kv_nm_form_get_vpn(self->form);
    const char *crypt = nm_setting_vpn_get_data_item(vpn, key);
    KvNmField *field = kv_nm_form_find(self->form, KV_SETTING_CRYPT);

    if (self->by_keys && !kv_nm_form_is_native(self->form)) {
        self->former_crypt = g_strdup(crypt);
        nm_setting_vpn_remove_data_item(vpn, key);
    } else if (!self->by_keys && self->former_crypt != NULL) {
        if (crypt == NULL)
            nm_setting_vpn_add_data_item(vpn, key, self->former_crypt);
        g_clear_pointer(&self->former_crypt, g_free);
    }
    kv_nm_field_set_text(field, nm_setting_vpn_get_data_item(vpn, key));
}

static void
show_way(KvNmIdentity *self)
{
    gtk_widget_set_visible(self->grid_by_secret, !self->by_keys);
    gtk_widget_set_visible(self->grid_by_keys, self->by_keys);
}

static void
on_type_changed(GtkWidget *type, gpointer data)
{
    KvNmIdentity *self = data;

    self->by_keys = g_strcmp0(gtk_combo_box_get_active_id(GTK_COMBO_BOX(type)), BY_KEYS) == 0;
    kv_nm_form_set_used(self->form, KV_SETTING_PUBLIC_KEY, self->by_keys);
    for (guint i = 0; i < G_N_ELEMENTS(self->kept); i++) {
        const KvSetting *row = self->kept[i].row;

        kv_nm_form_set_used(self->form, row->id, is_of_keys(row) == self->by_keys);
        write_keeper(self, &self->kept[i]);
    }
    fit_crypt(self);
    show_way(self);
    kv_nm_form_tell_changed(self->form);
}

static void
on_show(GtkWidget *check, gpointer data)
{
    KvNmIdentity *self = data;
    gboolean of_keys = check == self->show_keys;

    for (guint i = 0; i < G_N_ELEMENTS(self->kept); i++) {
        if (is_of_keys(self->kept[i].row) == of_keys)
            gtk_entry_set_visibility(GTK_ENTRY(self->kept[i].entry),
                                     kv_gtk_check_get_active(check));
    }
}

/* --- making it ------------------------------------------------------------------------------- */

/* Whether there is anything in the profile that only keys have. */
static gboolean
has_keys(NMSettingVpn *vpn)
{
    const KvSetting *private_key = kv_setting_get(KV_SETTING_PRIVATE_KEY);

    return nm_setting_vpn_get_data_item(vpn, kv_setting_get(KV_SETTING_PUBLIC_KEY)->key) != NULL ||
           nm_setting_vpn_get_secret(vpn, private_key->key) != NULL ||
           names_keeper(vpn, private_key);
}

static void
add_type(KvNmIdentity *self, GtkGrid *grid, GtkSizeGroup *labels, int *top)
{
    const char *text = _("_Type");
    GtkWidget *label = gtk_label_new_with_mnemonic(text);
    GtkComboBoxText *list;

    self->type = g_object_ref_sink(gtk_combo_box_text_new());
    list = GTK_COMBO_BOX_TEXT(self->type);
    gtk_combo_box_text_append(list, BY_SECRET, _("Shared secret"));
    gtk_combo_box_text_append(list, BY_KEYS, _("Public keys"));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(list), self->by_keys ? BY_KEYS : BY_SECRET);
    gtk_widget_set_name(self->type, "authentication-type");
    gtk_widget_set_tooltip_text(self->type,
                                _("By a secret that all clients of a server have, or by a key pair "
                                  "of each, which only the native protocol knows"));
    gtk_widget_set_hexpand(self->type, TRUE);
    kv_gtk_name(self->type, text);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), self->type);
    gtk_size_group_add_widget(labels, label);
    gtk_grid_attach(grid, label, 0, *top, 1, 1);
    gtk_grid_attach(grid, self->type, 1, (*top)++, 1, 1);
    g_signal_connect(self->type, "changed", G_CALLBACK(on_type_changed), self);
}

static void
add_field(KvNmIdentity *self, KvSettingId id, GtkGrid *grid, GtkSizeGroup *labels, int *top)
{
    KvNmField *field =
        kv_nm_form_add(self->form, kv_setting_get(id), KV_NM_FIELD_NOTE_ON_ERROR, grid, top);

    kv_nm_field_align(field, labels);
}

/* (transfer full): the check button @name, below the fields that it shows. */
static GtkWidget *
add_show(KvNmIdentity *self, GtkBuilder *builder, const char *name, GtkGrid *grid, int top)
{
    GtkWidget *check = g_object_ref(GTK_WIDGET(gtk_builder_get_object(builder, name)));

    gtk_grid_attach(grid, check, 1, top, 1, 1);
    kv_gtk_name(check, kv_gtk_check_get_label(check));
    g_signal_connect(check, "toggled", G_CALLBACK(on_show), self);
    return check;
}

static GtkGrid *
get_grid(GtkBuilder *builder, const char *name)
{
    return GTK_GRID(gtk_builder_get_object(builder, name));
}

static void
add_fields(KvNmIdentity *self, GtkBuilder *builder)
{
    GtkSizeGroup *labels = GTK_SIZE_GROUP(gtk_builder_get_object(builder, "labels"));
    GtkGrid *common = get_grid(builder, "authentication");
    GtkGrid *by_secret = get_grid(builder, "by-secret");
    GtkGrid *by_keys = get_grid(builder, "by-keys");
    KvNmField *preshared;
    int top = 0;

    add_type(self, common, labels, &top);
    add_field(self, KV_SETTING_CLIENT_ID, common, labels, &top);
    top = 0;
    add_field(self, KV_SETTING_SECRET, by_secret, labels, &top);
    self->show_secret = add_show(self, builder, "show-secret", by_secret, top);
    top = 0;
    self->own_key = kv_nm_own_key_new(self->form, by_keys, labels, &top);
    add_field(self, KV_SETTING_PUBLIC_KEY, by_keys, labels, &top);
    add_field(self, KV_SETTING_PRESHARED_KEY, by_keys, labels, &top);
    preshared = kv_nm_form_find(self->form, KV_SETTING_PRESHARED_KEY);
    gtk_entry_set_placeholder_text(GTK_ENTRY(kv_nm_field_get_control(preshared)), _("optional"));
    self->show_keys = add_show(self, builder, "show-keys", by_keys, top);
    self->grid_by_secret = g_object_ref(GTK_WIDGET(by_secret));
    self->grid_by_keys = g_object_ref(GTK_WIDGET(by_keys));
}

KvNmIdentity *
kv_nm_identity_new(KvNmForm *form, GtkBuilder *builder)
{
    KvNmIdentity *self = g_new0(KvNmIdentity, 1);

    self->form = form;
    self->by_keys = has_keys(kv_nm_form_get_vpn(form));
    add_fields(self, builder);
    for (guint i = 0; i < G_N_ELEMENTS(kept_ids); i++)
        add_menu(self, &self->kept[i], kv_setting_get(kept_ids[i]));
    update_own_key(self);
    kv_gtk_show_all(self->grid_by_secret);
    kv_gtk_show_all(self->grid_by_keys);
    kv_gtk_hide_on_purpose(self->grid_by_secret);
    kv_gtk_hide_on_purpose(self->grid_by_keys);
    show_way(self);
    return self;
}

void
kv_nm_identity_free(KvNmIdentity *self)
{
    if (self == NULL)
        return;
    g_signal_handlers_disconnect_by_data(self->type, self);
    g_signal_handlers_disconnect_by_data(self->show_secret, self);
    g_signal_handlers_disconnect_by_data(self->show_keys, self);
    g_clear_pointer(&self->own_key, kv_nm_own_key_free);
    for (guint i = 0; i < G_N_ELEMENTS(self->kept); i++)
        g_clear_object(&self->kept[i].entry);
    g_clear_object(&self->type);
    g_clear_object(&self->show_secret);
    g_clear_object(&self->show_keys);
    g_clear_object(&self->grid_by_secret);
    g_clear_object(&self->grid_by_keys);
    g_free(self->former_crypt);
    g_free(self);
}

void
kv_nm_identity_update(KvNmIdentity *self)
{
    for (guint i = 0; i < G_N_ELEMENTS(self->kept); i++)
        update_keeper(self, &self->kept[i]);
    update_own_key(self);
}

gboolean
kv_nm_identity_check(const KvNmIdentity *self, GError **error)
{
    const KvSetting *row = kv_setting_get(KV_SETTING_PUBLIC_KEY);
    g_autofree char *allowed = NULL;

    if (!self->by_keys ||
        nm_setting_vpn_get_data_item(kv_nm_form_get_vpn(self->form), row->key) != NULL)
        return TRUE;
    allowed = kv_setting_format_allowed(row);
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                _("%s: required, but not given; allowed: %s"), row->key, allowed);
    return FALSE;
}
