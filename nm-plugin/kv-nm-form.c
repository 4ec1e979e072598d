/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-form.h"

struct _KvNmForm {
    NMSettingVpn *vpn;
    GPtrArray *fields; /* (element-type KvNmField) */
    gboolean unused[KV_N_SETTINGS];
    KvNmFormFunc changed;
    gpointer data;
};

gboolean
kv_nm_form_has_row(const KvSetting *row)
{
    return row->form_label != NULL && (row->flags & KV_SETTING_FLAG_DESKTOP) != 0 &&
           (row->side & KV_SIDE_CLIENT) != 0;
}

static const char *
get_item(NMSettingVpn *vpn, const KvSetting *row)
{
    return row->type == KV_SETTING_TYPE_SECRET ? nm_setting_vpn_get_secret(vpn, row->key)
                                               : nm_setting_vpn_get_data_item(vpn, row->key);
}

static void
set_item(NMSettingVpn *vpn, const KvSetting *row, const char *text)
{
    if (row->type == KV_SETTING_TYPE_SECRET) {
        if (text != NULL)
            nm_setting_vpn_add_secret(vpn, row->key, text);
        else
            nm_setting_vpn_remove_secret(vpn, row->key);
    } else {
        if (text != NULL)
            nm_setting_vpn_add_data_item(vpn, row->key, text);
        else
            nm_setting_vpn_remove_data_item(vpn, row->key);
    }
}

static void
take_field(KvNmForm *form, const KvNmField *field)
{
    const KvSetting *row = kv_nm_field_get_row(field);
    g_autofree char *text = kv_nm_field_dup_text(field);

    set_item(form->vpn, row, text);
    if (row->type == KV_SETTING_TYPE_SECRET)
        kv_secret_wipe_string(text);
}

static void
on_field_changed(KvNmField *field, gpointer data)
{
    KvNmForm *form = data;

    take_field(form, field);
    kv_nm_form_tell_changed(form);
}

KvNmForm *
kv_nm_form_new(NMSettingVpn *vpn, KvNmFormFunc changed, gpointer data)
{
    KvNmForm *form = g_new0(KvNmForm, 1);

    form->vpn = NM_SETTING_VPN(nm_setting_duplicate(NM_SETTING(vpn)));
    form->fields = g_ptr_array_new_with_free_func((GDestroyNotify) kv_nm_field_free);
    form->changed = changed;
    form->data = data;
    return form;
}

void
kv_nm_form_free(KvNmForm *form)
{
    if (form == NULL)
        return;
    g_ptr_array_unref(form->fields);
    g_object_unref(form->vpn);
    g_free(form);
}

NMSettingVpn *
kv_nm_form_get_vpn(const KvNmForm *form)
{
    return form->vpn;
}

void
kv_nm_form_take_others(KvNmForm *form, const KvNmForm *from)
{
    for (guint i = 0; i < from->fields->len; i++) {
        const KvSetting *row = kv_nm_field_get_row(g_ptr_array_index(from->fields, i));

        set_item(form->vpn, row, get_item(from->vpn, row));
    }
}

/* What a tunnel of a client cannot be without where it has a field, but for secrets, which may be
 * asked for. */
static gboolean
is_required(const KvSetting *row)
{
    return row->id == KV_SETTING_IP || row->id == KV_SETTING_PORT ||
           row->id == KV_SETTING_PUBLIC_KEY;
}

KvNmField *
kv_nm_form_add(KvNmForm *form, const KvSetting *row, KvNmFieldNote note, GtkGrid *grid, int *top)
{
    KvNmField *field = kv_nm_field_new(row, is_required(row), note, on_field_changed, form);

    kv_nm_field_set_text(field, get_item(form->vpn, row));
    *top = kv_nm_field_attach(field, grid, *top);
    g_ptr_array_add(form->fields, field);
    return field;
}

KvNmField *
kv_nm_form_find(const KvNmForm *form, KvSettingId id)
{
    for (guint i = 0; i < form->fields->len; i++) {
        KvNmField *field = g_ptr_array_index(form->fields, i);

        if (kv_nm_field_get_row(field)->id == id)
            return field;
    }
    return NULL;
}

void
kv_nm_form_set_used(KvNmForm *form, KvSettingId id, gboolean used)
{
    form->unused[id] = !used;
    if (used)
        take_field(form, kv_nm_form_find(form, id));
    else
        set_item(form->vpn, kv_setting_get(id), NULL);
}

void
kv_nm_form_tell_changed(KvNmForm *form)
{
    form->changed(form, form->data);
}

gboolean
kv_nm_form_is_native(const KvNmForm *form)
{
    const KvSetting *row = kv_setting_get(KV_SETTING_CRYPT);
    const char *text = get_item(form->vpn, row);
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);

    /* A word that is no cipher is none of the native protocol. */
    return (text == NULL || kv_settings_set_text(settings, row->id, text, NULL)) &&
           kv_settings_get_protocol(settings) == KV_PROTOCOL_NATIVE;
}

gboolean
kv_nm_form_has_use_for(const KvNmForm *form, const KvSetting *row)
{
    return (row->flags &
            (kv_nm_form_is_native(form) ? KV_SETTING_FLAG_V1 : KV_SETTING_FLAG_NATIVE)) == 0;
}

gboolean
kv_nm_form_is_marked(const KvNmForm *form)
{
    for (guint i = 0; i < form->fields->len; i++) {
        const KvNmField *field = g_ptr_array_index(form->fields, i);

        if (!form->unused[kv_nm_field_get_row(field)->id] && kv_nm_field_is_marked(field))
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_allowed(const KvSetting *row, const char *text)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);

    return kv_settings_set_text(settings, row->id, text, NULL);
}

/* In place of what is required and not the form's to ask for. What goes together depends on the
 * protocol. */
static const char *
get_stand_in(const KvNmForm *form, const KvSetting *row)
{
    const char *text = row->id == KV_SETTING_CRYPT ? get_item(form->vpn, row) : NULL;

    if (row->id == KV_SETTING_IP)
        return "localhost";
    if (row->id == KV_SETTING_PORT)
        return "1";
    return text != NULL && is_allowed(row, text) ? text : NULL;
}

gboolean
kv_nm_form_check(const KvNmForm *form, KvNmFormCheck what, GError **error)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        const char *text = kv_nm_form_has_row(row) ? get_item(form->vpn, row) : NULL;

        if (what == KV_NM_FORM_FIELDS && kv_nm_form_find(form, i) == NULL)
            text = get_stand_in(form, row);
        if (text != NULL && !kv_settings_set_text(settings, row->id, text, error))
            return FALSE;
    }
    return kv_settings_validate_saved(settings, error);
}
