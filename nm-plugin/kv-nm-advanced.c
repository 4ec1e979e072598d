/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-advanced.h"

#include "kv-i18n.h"
#include "kv-nm-gtk.h"

#include <string.h>

/* Distances in pixels, as NetworkManager's own pages have them. */
#define MARGIN          18
#define GROUP_SPACING   18
#define INDENT          12
#define HEADING_SPACING 6
#define ROW_SPACING     3
#define COLUMN_SPACING  12
#define BUTTON_MARGIN   6

#define WIDTH  600
#define HEIGHT 620

typedef struct {
    KvNmForm *page;
    KvNmForm *form;
    KvNmAdvancedFunc accepted;
    gpointer data;
    GtkWidget *dialog;
    GtkWidget *problem;
} Advanced;

static void
advanced_free(gpointer data)
{
    Advanced *self = data;

    kv_nm_form_free(self->form);
    g_free(self);
}

/* What the profile's protocol has no use for does not count, nor do the single values of a
 * transmission by hand in another mode than that. */
static gboolean
is_in_use(const Advanced *self, const KvSetting *row)
{
    const char *mode = nm_setting_vpn_get_data_item(kv_nm_form_get_vpn(self->form),
                                                    kv_setting_get(KV_SETTING_KCP_MODE)->key);

    return kv_nm_form_has_use_for(self->form, row) &&
           (strcmp(row->group, kv_setting_get(KV_SETTING_NODELAY)->group) != 0 ||
            g_strcmp0(mode, "manual") == 0);
}

static void
update_use(Advanced *self)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        KvNmField *field = kv_nm_form_find(self->form, i);

        if (field != NULL)
            kv_nm_field_set_sensitive(field, is_in_use(self, kv_setting_get(i)));
    }
}

/* A value that is not allowed is marked in its place; values that do not go together have none. */
static void
on_changed(KvNmForm *form, gpointer data)
{
    Advanced *self = data;
    g_autoptr(GError) error = NULL;
    gboolean good = kv_nm_form_check(form, KV_NM_FORM_FIELDS, &error);

    update_use(self);
    gtk_dialog_set_response_sensitive(GTK_DIALOG(self->dialog), GTK_RESPONSE_OK, good);
    gtk_label_set_text(GTK_LABEL(self->problem), good ? "" : error->message);
    gtk_widget_set_visible(self->problem, !good && !kv_nm_form_is_marked(form));
}

static void
on_response(GtkDialog *dialog, int response, gpointer data)
{
    Advanced *self = data;

    if (response == GTK_RESPONSE_OK) {
        kv_nm_form_take_others(self->page, self->form);
        self->accepted(self->data);
    }
    kv_gtk_window_destroy(GTK_WIDGET(dialog));
}

/* --- the groups ------------------------------------------------------------------------------ */

static GtkWidget *
new_heading(const char *text)
{
    PangoAttrList *bold = pango_attr_list_new();
    GtkWidget *heading = gtk_label_new(text);

    pango_attr_list_insert(bold, pango_attr_weight_new(PANGO_WEIGHT_BOLD));
    gtk_label_set_attributes(GTK_LABEL(heading), bold);
    pango_attr_list_unref(bold);
    gtk_label_set_xalign(GTK_LABEL(heading), 0);
    return heading;
}

static GtkWidget *
new_grid(void)
{
    GtkWidget *grid = gtk_grid_new();

    gtk_grid_set_row_spacing(GTK_GRID(grid), ROW_SPACING);
    gtk_grid_set_column_spacing(GTK_GRID(grid), COLUMN_SPACING);
    gtk_widget_set_margin_start(grid, INDENT);
    return grid;
}

static gboolean
is_shown(const Advanced *self, const KvSetting *row)
{
    return kv_nm_form_has_row(row) && kv_nm_form_find(self->page, row->id) == NULL;
}

/* A part with a heading for the settings of @group; none if they are all on the page. */
static void
add_group(Advanced *self, GtkWidget *box, const char *group, GtkSizeGroup *labels)
{
    GtkWidget *part;
    GtkWidget *grid = g_object_ref_sink(new_grid());
    int top = 0;

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const KvSetting *row = kv_setting_get(i);
        KvNmField *field;

        if (strcmp(row->group, group) != 0 || !is_shown(self, row))
            continue;
        field = kv_nm_form_add(self->form, row, KV_NM_FIELD_NOTE_ALWAYS, GTK_GRID(grid), &top);
        kv_nm_field_align(field, labels);
    }
    if (top > 0) {
        part = gtk_box_new(GTK_ORIENTATION_VERTICAL, HEADING_SPACING);
        kv_gtk_box_append(part, new_heading(_(group)));
        kv_gtk_box_append(part, grid);
        kv_gtk_box_append(box, part);
    }
    g_object_unref(grid);
}

static GtkWidget *
new_groups(Advanced *self)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, GROUP_SPACING);
    GtkSizeGroup *labels = gtk_size_group_new(GTK_SIZE_GROUP_HORIZONTAL);
    g_autoptr(GHashTable) done = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        const char *group = kv_setting_get(i)->group;

        if (g_hash_table_add(done, (gpointer) group))
            add_group(self, box, group, labels);
    }
    g_object_unref(labels);
    gtk_widget_set_margin_top(box, MARGIN);
    gtk_widget_set_margin_bottom(box, MARGIN);
    gtk_widget_set_margin_start(box, MARGIN);
    gtk_widget_set_margin_end(box, MARGIN);
    return box;
}

/* --- the dialog ------------------------------------------------------------------------------ */

static void
name_button(GtkWidget *dialog, int response)
{
    GtkWidget *button = gtk_dialog_get_widget_for_response(GTK_DIALOG(dialog), response);

    kv_gtk_name(button, gtk_button_get_label(GTK_BUTTON(button)));
}

/* Buttons below the text, which GTK puts right into the corner. */
static void
add_button_margins(GtkWidget *dialog)
{
    GtkWidget *ok = gtk_dialog_get_widget_for_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    GtkWidget *buttons = gtk_widget_get_parent(ok);

    gtk_widget_set_margin_top(buttons, BUTTON_MARGIN);
    gtk_widget_set_margin_bottom(buttons, BUTTON_MARGIN);
    gtk_widget_set_margin_start(buttons, BUTTON_MARGIN);
    gtk_widget_set_margin_end(buttons, BUTTON_MARGIN);
}

static GtkWidget *
new_dialog(GtkWindow *parent)
{
    gboolean use_header = FALSE;
    GtkWidget *dialog;

    /* As the desktop has its dialogs. */
    g_object_get(gtk_settings_get_default(), "gtk-dialogs-use-header", &use_header, NULL);
    dialog = gtk_dialog_new_with_buttons(_("Advanced Options"), parent,
                                         GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT |
                                             (use_header ? GTK_DIALOG_USE_HEADER_BAR : 0),
                                         _("_Cancel"), GTK_RESPONSE_CANCEL, _("OK"),
                                         GTK_RESPONSE_OK, NULL);
    name_button(dialog, GTK_RESPONSE_CANCEL);
    name_button(dialog, GTK_RESPONSE_OK);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    gtk_window_set_default_size(GTK_WINDOW(dialog), WIDTH, HEIGHT);
    if (!use_header)
        add_button_margins(dialog);
    return dialog;
}

static GtkWidget *
new_problem(void)
{
    GtkWidget *problem = gtk_label_new(NULL);

    gtk_label_set_xalign(GTK_LABEL(problem), 0);
    kv_gtk_label_wrap(problem);
    kv_gtk_set_class(problem, KV_GTK_CLASS_ERROR, TRUE);
    gtk_widget_set_margin_start(problem, MARGIN);
    gtk_widget_set_margin_end(problem, MARGIN);
    gtk_widget_set_margin_top(problem, HEADING_SPACING);
    gtk_widget_set_margin_bottom(problem, HEADING_SPACING);
    kv_gtk_hide_on_purpose(problem);
    return problem;
}

GtkWidget *
kv_nm_advanced_new(KvNmForm *page, GtkWindow *parent, KvNmAdvancedFunc accepted, gpointer data)
{
    Advanced *self = g_new0(Advanced, 1);
    GtkWidget *scrolled;
    GtkWidget *content;

    self->page = page;
    self->accepted = accepted;
    self->data = data;
    self->dialog = new_dialog(parent);
    self->problem = new_problem();
    self->form = kv_nm_form_new(kv_nm_form_get_vpn(page), on_changed, self);
    scrolled = kv_gtk_scrolled_new(new_groups(self));
    gtk_widget_set_vexpand(scrolled, TRUE);
    content = gtk_dialog_get_content_area(GTK_DIALOG(self->dialog));
    kv_gtk_box_append(content, scrolled);
    kv_gtk_box_append(content, self->problem);
    g_object_set_data_full(G_OBJECT(self->dialog), "kv-nm-advanced", self, advanced_free);
    g_signal_connect(self->dialog, "response", G_CALLBACK(on_response), self);
    on_changed(self->form, self);
    kv_gtk_show_all(self->dialog);
    return self->dialog;
}
