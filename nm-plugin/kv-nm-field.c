/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-field.h"

#include "kv-i18n.h"
#include "kv-nm-gtk.h"

#include <string.h>

/* How wide a note may grow before its lines are broken, characters. */
#define NOTE_WIDTH_CHARS 46

/* Below a note, so that it belongs to what stands above it; and before that of a check button,
 * whose text it shall stand under. Pixels. */
#define NOTE_MARGIN_BOTTOM 9
#define NOTE_MARGIN_CHECK  24

/* GtkComboBoxText's id of the entry that stands for no value. */
#define ID_DEFAULT ""

struct _KvNmField {
    const KvSetting *row;
    gboolean required;
    KvNmFieldNote note_when;
    KvNmFieldFunc changed;
    gpointer data;

    GtkWidget *label; /* (nullable): a check button has its own */
    GtkWidget *control;
    GtkWidget *note;

    char *given; /* (nullable): what kv_nm_field_set_text() got */
    gboolean touched;
    gboolean marked;
};

static const char *
get_help(const KvSetting *row)
{
    return row->form_help != NULL ? _(row->form_help) : _(row->description);
}

/* --- the control ----------------------------------------------------------------------------- */

static gboolean
is_key(const KvSetting *row)
{
    return row->min == KV_SETTING_KEY_LENGTH && row->max == KV_SETTING_KEY_LENGTH;
}

/* (transfer full) (nullable): what is typed, without the blanks that come with pasted text. */
static char *
read_entry(const KvNmField *field)
{
    char *text = g_strdup(kv_gtk_entry_get_text(field->control));

    if (field->row->type != KV_SETTING_TYPE_SECRET || is_key(field->row))
        g_strstrip(text);
    if (text[0] == '\0')
        g_clear_pointer(&text, g_free);
    return text;
}

static gboolean
is_true(const KvSetting *row, const char *text)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    const char *by_default = kv_setting_get_desktop_default(row);

    /* A value that is none shows the default; it stays until the user changes it. */
    return ((text != NULL && kv_settings_set_text(settings, row->id, text, NULL)) ||
            kv_settings_set_text(settings, row->id, by_default, NULL)) &&
           kv_settings_get_boolean(settings, row->id);
}

/* (transfer full) (nullable) */
static char *
read_check(const KvNmField *field)
{
    gboolean active = kv_gtk_check_get_active(field->control);

    if (active == is_true(field->row, field->given))
        return g_strdup(field->given);
    if (active == is_true(field->row, NULL))
        return NULL;
    return g_strdup(active ? "true" : "false");
}

/* (transfer full) (nullable) */
static char *
read_list(const KvNmField *field)
{
    const char *id = gtk_combo_box_get_active_id(GTK_COMBO_BOX(field->control));

    return id != NULL && strcmp(id, ID_DEFAULT) != 0 ? g_strdup(id) : NULL;
}

char *
kv_nm_field_dup_text(const KvNmField *field)
{
    switch (field->row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return read_check(field);
    case KV_SETTING_TYPE_CHOICE:
        return read_list(field);
    case KV_SETTING_TYPE_UINT:
    case KV_SETTING_TYPE_STRING:
    case KV_SETTING_TYPE_SECRET:
        break;
    }
    return read_entry(field);
}

static void
show_choice(KvNmField *field, const char *text)
{
    GtkComboBox *list = GTK_COMBO_BOX(field->control);
    const char *id = text != NULL ? text : ID_DEFAULT;

    if (gtk_combo_box_set_active_id(list, id))
        return;
    /* The default by its own name, or a word that is not allowed: kept as it is. */
    gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(list), id, text);
    gtk_combo_box_set_active_id(list, id);
}

static void
show_text(KvNmField *field, const char *text)
{
    switch (field->row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        kv_gtk_check_set_active(field->control, is_true(field->row, text));
        return;
    case KV_SETTING_TYPE_CHOICE:
        show_choice(field, text);
        return;
    case KV_SETTING_TYPE_UINT:
    case KV_SETTING_TYPE_STRING:
    case KV_SETTING_TYPE_SECRET:
        break;
    }
    kv_gtk_entry_set_text(field->control, text != NULL ? text : "");
}

/* --- the mark -------------------------------------------------------------------------------- */

/* (transfer full) (nullable): the table's message about what is in the control. */
static char *
find_fault(const KvNmField *field)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autofree char *text = kv_nm_field_dup_text(field);
    g_autofree char *allowed = NULL;
    g_autoptr(GError) error = NULL;
    gboolean good;

    if (text != NULL) {
        good = kv_settings_set_text(settings, field->row->id, text, &error);
        if (field->row->type == KV_SETTING_TYPE_SECRET)
            kv_secret_wipe_string(text);
        return good ? NULL : g_strdup(error->message);
    }
    /* A form that is still empty is not full of mistakes. */
    if (!field->required || !field->touched)
        return NULL;
    allowed = kv_setting_format_allowed(field->row);
    return g_strdup_printf(_("%s: required, but not given; allowed: %s"), field->row->key, allowed);
}

static void
update_mark(KvNmField *field)
{
    g_autofree char *fault = find_fault(field);
    const char *help = get_help(field->row);

    field->marked = fault != NULL;
    kv_gtk_set_class(field->control, KV_GTK_CLASS_ERROR, field->marked);
    kv_gtk_set_class(field->note, KV_GTK_CLASS_ERROR, field->marked);
    kv_gtk_set_class(field->note, KV_GTK_CLASS_DIM, !field->marked);
    gtk_label_set_text(GTK_LABEL(field->note), field->marked ? fault : help);
    gtk_widget_set_visible(field->note,
                           field->marked || field->note_when == KV_NM_FIELD_NOTE_ALWAYS);
    kv_gtk_describe(field->control, field->marked ? fault : help, field->marked);
}

static void
on_changed(GtkWidget *control, gpointer data)
{
    KvNmField *field = data;

    field->touched = TRUE;
    update_mark(field);
    if (field->changed != NULL)
        field->changed(field, field->data);
}

/* --- making it ------------------------------------------------------------------------------- */

static GtkWidget *
new_entry(const KvSetting *row)
{
    GtkWidget *entry = gtk_entry_new();
    g_autofree char *by_default = kv_setting_format_default(row, TRUE);

    gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
    if (by_default != NULL)
        gtk_entry_set_placeholder_text(GTK_ENTRY(entry), by_default);
    if (row->type == KV_SETTING_TYPE_SECRET) {
        gtk_entry_set_visibility(GTK_ENTRY(entry), FALSE);
        gtk_entry_set_input_purpose(GTK_ENTRY(entry), GTK_INPUT_PURPOSE_PASSWORD);
    } else if (row->type == KV_SETTING_TYPE_UINT) {
        gtk_entry_set_input_purpose(GTK_ENTRY(entry), GTK_INPUT_PURPOSE_DIGITS);
    }
    return entry;
}

static GtkWidget *
new_list(const KvSetting *row)
{
    GtkWidget *list = gtk_combo_box_text_new();
    const char *default_word = kv_setting_get_desktop_default(row);
    g_autofree char *by_default = g_strdup_printf(_("%s (default)"), default_word);

    for (guint i = 0; row->choices[i] != NULL; i++) {
        const char *word = row->choices[i];
        gboolean is_default = g_strcmp0(word, default_word) == 0;

        gtk_combo_box_text_append(GTK_COMBO_BOX_TEXT(list), is_default ? ID_DEFAULT : word,
                                  is_default ? by_default : word);
    }
    return list;
}

static GtkWidget *
new_control(const KvSetting *row)
{
    switch (row->type) {
    case KV_SETTING_TYPE_BOOLEAN:
        return gtk_check_button_new_with_mnemonic(_(row->form_label));
    case KV_SETTING_TYPE_CHOICE:
        return new_list(row);
    case KV_SETTING_TYPE_UINT:
    case KV_SETTING_TYPE_STRING:
    case KV_SETTING_TYPE_SECRET:
        break;
    }
    return new_entry(row);
}

static GtkWidget *
new_label(const KvSetting *row, GtkWidget *control)
{
    GtkWidget *label = gtk_label_new_with_mnemonic(_(row->form_label));

    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), control);
    return label;
}

static GtkWidget *
new_note(const KvSetting *row)
{
    PangoAttrList *small = pango_attr_list_new();
    GtkWidget *note = gtk_label_new(NULL);

    pango_attr_list_insert(small, pango_attr_scale_new(PANGO_SCALE_SMALL));
    gtk_label_set_attributes(GTK_LABEL(note), small);
    pango_attr_list_unref(small);
    gtk_label_set_xalign(GTK_LABEL(note), 0);
    gtk_label_set_max_width_chars(GTK_LABEL(note), NOTE_WIDTH_CHARS);
    kv_gtk_label_wrap(note);
    gtk_widget_set_margin_bottom(note, NOTE_MARGIN_BOTTOM);
    if (row->type == KV_SETTING_TYPE_BOOLEAN)
        gtk_widget_set_margin_start(note, NOTE_MARGIN_CHECK);
    return note;
}

/* The help, and what only a person who needs it wants to read. */
static void
set_tooltip(const KvNmField *field)
{
    const KvSetting *row = field->row;
    g_autofree char *by_default = kv_setting_format_default(row, TRUE);
    g_autofree char *allowed = kv_setting_format_allowed(row);
    g_autoptr(GString) tip = g_string_new(get_help(row));

    g_string_append(tip, "\n");
    if (row->type != KV_SETTING_TYPE_BOOLEAN && row->type != KV_SETTING_TYPE_CHOICE) {
        g_string_append_printf(tip, _("Allowed: %s"), allowed);
        g_string_append(tip, "\n");
    }
    if (by_default != NULL) {
        g_string_append_printf(tip, _("Default: %s"), by_default);
        g_string_append(tip, "\n");
    }
    g_string_append_printf(tip, _("In files and for nmcli: %s"), row->key);
    gtk_widget_set_tooltip_text(field->control, tip->str);
    if (field->label != NULL)
        gtk_widget_set_tooltip_text(field->label, tip->str);
}

static const char *
get_signal(const KvSetting *row)
{
    return row->type == KV_SETTING_TYPE_BOOLEAN ? "toggled" : "changed";
}

KvNmField *
kv_nm_field_new(const KvSetting *row, gboolean required, KvNmFieldNote note, KvNmFieldFunc changed,
                gpointer data)
{
    KvNmField *field = g_new0(KvNmField, 1);

    g_return_val_if_fail(row->form_label != NULL, NULL);
    field->row = row;
    field->required = required;
    field->note_when = note;
    field->changed = changed;
    field->data = data;
    field->control = g_object_ref_sink(new_control(row));
    field->note = g_object_ref_sink(new_note(row));
    if (row->type != KV_SETTING_TYPE_BOOLEAN)
        field->label = g_object_ref_sink(new_label(row, field->control));
    gtk_widget_set_name(field->control, row->key);
    kv_gtk_name(field->control, _(row->form_label));
    gtk_widget_set_hexpand(field->control, TRUE);
    kv_gtk_hide_on_purpose(field->note);
    set_tooltip(field);
    g_signal_connect(field->control, get_signal(row), G_CALLBACK(on_changed), field);
    kv_nm_field_set_text(field, NULL);
    return field;
}

void
kv_nm_field_free(KvNmField *field)
{
    if (field == NULL)
        return;
    g_signal_handlers_disconnect_by_data(field->control, field);
    g_clear_object(&field->label);
    g_clear_object(&field->control);
    g_clear_object(&field->note);
    if (field->row->type == KV_SETTING_TYPE_SECRET)
        kv_secret_wipe_string(field->given);
    g_free(field->given);
    g_free(field);
}

const KvSetting *
kv_nm_field_get_row(const KvNmField *field)
{
    return field->row;
}

GtkWidget *
kv_nm_field_get_control(const KvNmField *field)
{
    return field->control;
}

int
kv_nm_field_attach(KvNmField *field, GtkGrid *grid, int top)
{
    if (field->label == NULL) {
        gtk_grid_attach(grid, field->control, 0, top, 2, 1);
    } else {
        gtk_grid_attach(grid, field->label, 0, top, 1, 1);
        gtk_grid_attach(grid, field->control, 1, top, 1, 1);
    }
    gtk_grid_attach(grid, field->note, field->label != NULL ? 1 : 0, top + 1,
                    field->label != NULL ? 1 : 2, 1);
    return top + 2;
}

void
kv_nm_field_align(KvNmField *field, GtkSizeGroup *labels)
{
    if (field->label != NULL)
        gtk_size_group_add_widget(labels, field->label);
}

void
kv_nm_field_set_text(KvNmField *field, const char *text)
{
    g_signal_handlers_block_by_func(field->control, on_changed, field);
    g_free(field->given);
    field->given = g_strdup(text);
    show_text(field, text);
    g_signal_handlers_unblock_by_func(field->control, on_changed, field);
    update_mark(field);
}

void
kv_nm_field_set_sensitive(KvNmField *field, gboolean sensitive)
{
    gtk_widget_set_sensitive(field->control, sensitive);
    gtk_widget_set_sensitive(field->note, sensitive);
    if (field->label != NULL)
        gtk_widget_set_sensitive(field->label, sensitive);
}

gboolean
kv_nm_field_is_marked(const KvNmField *field)
{
    return field->marked;
}
