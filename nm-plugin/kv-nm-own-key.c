/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-own-key.h"

#include "kv-i18n.h"
#include "kv-key.h"
#include "kv-nm-gtk.h"

#include <string.h>

struct _KvNmOwnKey {
    GtkWidget *private_key;
    GtkWidget *generate;
    GtkWidget *public_key;
    GtkWidget *copy;
};

static void
on_generate(GtkWidget *button, gpointer data)
{
    KvNmOwnKey *self = data;
    uint8_t key[KV_KEY_BYTES];
    char text[KV_KEY_TEXT_BYTES];

    kv_key_generate_private(key);
    kv_gtk_entry_set_text(self->private_key, kv_key_to_string(key, text));
    explicit_bzero(key, sizeof key);
    explicit_bzero(text, sizeof text);
}

static void
on_copy(GtkWidget *button, gpointer data)
{
    KvNmOwnKey *self = data;

    kv_gtk_copy_text(self->public_key, kv_gtk_entry_get_text(self->public_key));
}

void
kv_nm_own_key_update(KvNmOwnKey *self, gboolean is_kept)
{
    g_autofree char *typed = g_strstrip(g_strdup(kv_gtk_entry_get_text(self->private_key)));
    uint8_t private_key[KV_KEY_BYTES];
    uint8_t public_key[KV_KEY_BYTES];
    char text[KV_KEY_TEXT_BYTES] = "";

    if (kv_key_parse(private_key, typed)) {
        kv_key_get_public(private_key, public_key);
        kv_key_to_string(public_key, text);
    }
    explicit_bzero(private_key, sizeof private_key);
    kv_secret_wipe_string(typed);
    kv_gtk_entry_set_text(self->public_key, text);
    gtk_widget_set_sensitive(self->copy, text[0] != '\0');
    gtk_widget_set_sensitive(self->generate, is_kept);
}

/* --- making it ------------------------------------------------------------------------------- */

static GtkWidget *
new_button(const char *label, const char *name, const char *tip, GCallback clicked,
           KvNmOwnKey *self)
{
    GtkWidget *button = g_object_ref_sink(gtk_button_new_with_mnemonic(label));

    gtk_widget_set_name(button, name);
    gtk_widget_set_tooltip_text(button, tip);
    kv_gtk_name(button, label);
    g_signal_connect(button, "clicked", clicked, self);
    return button;
}

static GtkWidget *
new_public_key(void)
{
    GtkWidget *entry = g_object_ref_sink(gtk_entry_new());

    gtk_editable_set_editable(GTK_EDITABLE(entry), FALSE);
    gtk_entry_set_placeholder_text(GTK_ENTRY(entry), _("belongs to the private key"));
    gtk_widget_set_tooltip_text(entry,
                                _("The server must know this key to admit this computer. It is "
                                  "made of the private key, and no secret."));
    gtk_widget_set_name(entry, "own-public-key");
    gtk_widget_set_hexpand(entry, TRUE);
    return entry;
}

static void
add_public_key(KvNmOwnKey *self, GtkGrid *grid, GtkSizeGroup *labels, int top)
{
    const char *text = _("P_ublic key");
    GtkWidget *label = gtk_label_new_with_mnemonic(text);

    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), self->public_key);
    kv_gtk_name(self->public_key, text);
    gtk_size_group_add_widget(labels, label);
    gtk_grid_attach(grid, label, 0, top, 1, 1);
    gtk_grid_attach(grid, self->public_key, 1, top, 1, 1);
    kv_gtk_grid_put_beside(grid, self->public_key, self->copy, top);
}

KvNmOwnKey *
kv_nm_own_key_new(KvNmForm *form, GtkGrid *grid, GtkSizeGroup *labels, int *top)
{
    KvNmOwnKey *self = g_new0(KvNmOwnKey, 1);
    int first = *top;
    KvNmField *field = kv_nm_form_add(form, kv_setting_get(KV_SETTING_PRIVATE_KEY),
                                      KV_NM_FIELD_NOTE_ON_ERROR, grid, top);

    kv_nm_field_align(field, labels);
    self->private_key = g_object_ref(kv_nm_field_get_control(field));
    self->generate = new_button(_("Gene_rate"), "generate-private-key",
                                _("Make a new private key, in the place of this one"),
                                G_CALLBACK(on_generate), self);
    self->public_key = new_public_key();
    self->copy = new_button(_("C_opy"), "copy-public-key", _("Copy the public key"),
                            G_CALLBACK(on_copy), self);
    kv_gtk_grid_put_beside(grid, self->private_key, self->generate, first);
    add_public_key(self, grid, labels, (*top)++);
    return self;
}

void
kv_nm_own_key_free(KvNmOwnKey *self)
{
    if (self == NULL)
        return;
    g_signal_handlers_disconnect_by_data(self->generate, self);
    g_signal_handlers_disconnect_by_data(self->copy, self);
    g_clear_object(&self->private_key);
    g_clear_object(&self->generate);
    g_clear_object(&self->public_key);
    g_clear_object(&self->copy);
    g_free(self);
}
