/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-editor.h"

#include "kv-i18n.h"
#include "kv-nm-advanced.h"
#include "kv-nm-gtk.h"
#include "kv-nm-identity.h"
#include "kv-nm-names.h"

#define UI_RESOURCE "/org/kcpvpn/editor/kv-nm-editor.ui"

struct _KvNmEditor {
    GObject parent;
    KvNmForm *form;
    GtkWidget *page;
    GtkWidget *problem;
    KvNmIdentity *identity; /* NULL: it is still being made */
    GtkWidget *dialog;      /* (nullable): weak */
};

static void interface_init(NMVpnEditorInterface *interface);

G_DEFINE_FINAL_TYPE_WITH_CODE(KvNmEditor, kv_nm_editor, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR, interface_init))

/* --- changes --------------------------------------------------------------------------------- */

static gboolean
is_given(const KvNmForm *form, KvSettingId id)
{
    return nm_setting_vpn_get_data_item(kv_nm_form_get_vpn(form), kv_setting_get(id)->key) != NULL;
}

static gboolean
check(const KvNmEditor *self, GError **error)
{
    return kv_nm_form_check(self->form, KV_NM_FORM_WHOLE, error) &&
           kv_nm_identity_check(self->identity, error);
}

/* Says what stands in the way of saving when no field of the page does. */
static void
update_problem(KvNmEditor *self)
{
    g_autoptr(GError) error = NULL;
    gboolean good = check(self, &error);
    gboolean seen = kv_nm_form_is_marked(self->form) || !is_given(self->form, KV_SETTING_IP) ||
                    !is_given(self->form, KV_SETTING_PORT) ||
                    !kv_nm_identity_check(self->identity, NULL);

    gtk_label_set_text(GTK_LABEL(self->problem), good ? "" : error->message);
    gtk_widget_set_visible(self->problem, !good && !seen);
}

static void
on_accepted(gpointer data)
{
    KvNmEditor *self = data;

    update_problem(self);
    g_signal_emit_by_name(self, "changed");
}

static void
on_changed(KvNmForm *form, gpointer data)
{
    KvNmEditor *self = data;

    /* The menus of the secrets change their entries while they are made. */
    if (self->identity == NULL)
        return;
    kv_nm_identity_update(self->identity);
    on_accepted(self);
}

static void
on_advanced(GtkWidget *button, gpointer data)
{
    KvNmEditor *self = data;

    if (self->dialog != NULL)
        return;
    self->dialog = kv_nm_advanced_new(self->form, kv_gtk_get_window(button), on_accepted, self);
    g_object_add_weak_pointer(G_OBJECT(self->dialog), (gpointer *) &self->dialog);
}

/* --- making it ------------------------------------------------------------------------------- */

/* (transfer full): a copy of the profile's setting; one that was never filled in leaves its secret
 * to the user's agent. */
static NMSettingVpn *
copy_vpn(NMConnection *connection)
{
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
    NMSetting *copy = vpn != NULL ? nm_setting_duplicate(NM_SETTING(vpn)) : nm_setting_vpn_new();

    g_object_set(copy, NM_SETTING_VPN_SERVICE_TYPE, KV_NM_SERVICE, NULL);
    if (nm_setting_vpn_get_num_data_items(NM_SETTING_VPN(copy)) == 0)
        nm_setting_set_secret_flags(copy, kv_setting_get(KV_SETTING_SECRET)->key,
                                    NM_SETTING_SECRET_FLAG_AGENT_OWNED, NULL);
    return NM_SETTING_VPN(copy);
}

static void
add_fields(KvNmEditor *self, GtkBuilder *builder, const char *grid, const KvSettingId *ids, guint n,
           int *top)
{
    GtkSizeGroup *labels = GTK_SIZE_GROUP(gtk_builder_get_object(builder, "labels"));

    for (guint i = 0; i < n; i++) {
        KvNmField *field =
            kv_nm_form_add(self->form, kv_setting_get(ids[i]), KV_NM_FIELD_NOTE_ON_ERROR,
                           GTK_GRID(gtk_builder_get_object(builder, grid)), top);

        kv_nm_field_align(field, labels);
    }
}

static void
set_up_page(KvNmEditor *self, GtkBuilder *builder)
{
    static const KvSettingId general[] = {KV_SETTING_IP, KV_SETTING_PORT, KV_SETTING_CRYPT};
    GtkWidget *advanced = GTK_WIDGET(gtk_builder_get_object(builder, "advanced"));
    int top = 0;

    self->page = g_object_ref_sink(GTK_WIDGET(gtk_builder_get_object(builder, "page")));
    self->problem = g_object_ref(GTK_WIDGET(gtk_builder_get_object(builder, "problem")));
    kv_gtk_label_wrap(self->problem);
    kv_gtk_set_class(self->problem, KV_GTK_CLASS_ERROR, TRUE);
    kv_gtk_hide_on_purpose(self->problem);
    add_fields(self, builder, "general", general, G_N_ELEMENTS(general), &top);
    self->identity = kv_nm_identity_new(self->form, builder);
    kv_gtk_name(advanced, gtk_button_get_label(GTK_BUTTON(advanced)));
    g_signal_connect_object(advanced, "clicked", G_CALLBACK(on_advanced), self, 0);
    kv_gtk_show_all(self->page);
    update_problem(self);
}

G_MODULE_EXPORT NMVpnEditor *
nm_vpn_editor_factory_kcpvpn(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error)
{
    g_autoptr(KvNmEditor) self = NULL;
    g_autoptr(GtkBuilder) builder = gtk_builder_new();
    g_autoptr(NMSettingVpn) vpn = NULL;

    if (gtk_builder_add_from_resource(builder, UI_RESOURCE, error) == 0)
        return NULL;
    self = g_object_new(KV_TYPE_NM_EDITOR, NULL);
    vpn = copy_vpn(connection);
    self->form = kv_nm_form_new(vpn, on_changed, self);
    set_up_page(self, builder);
    return NM_VPN_EDITOR(g_steal_pointer(&self));
}

/* --- the interface --------------------------------------------------------------------------- */

static GObject *
get_widget(NMVpnEditor *editor)
{
    return G_OBJECT(KV_NM_EDITOR(editor)->page);
}

static gboolean
update_connection(NMVpnEditor *editor, NMConnection *connection, GError **error)
{
    KvNmEditor *self = KV_NM_EDITOR(editor);

    if (!check(self, error))
        return FALSE;
    nm_connection_add_setting(connection,
                              nm_setting_duplicate(NM_SETTING(kv_nm_form_get_vpn(self->form))));
    return TRUE;
}

static void
interface_init(NMVpnEditorInterface *interface)
{
    interface->get_widget = get_widget;
    interface->update_connection = update_connection;
}

static void
kv_nm_editor_dispose(GObject *object)
{
    KvNmEditor *self = KV_NM_EDITOR(object);

    if (self->dialog != NULL) {
        g_object_remove_weak_pointer(G_OBJECT(self->dialog), (gpointer *) &self->dialog);
        kv_gtk_window_destroy(g_steal_pointer(&self->dialog));
    }
    g_clear_pointer(&self->identity, kv_nm_identity_free);
    g_clear_pointer(&self->form, kv_nm_form_free);
    g_clear_object(&self->problem);
    g_clear_object(&self->page);
    G_OBJECT_CLASS(kv_nm_editor_parent_class)->dispose(object);
}

static void
kv_nm_editor_class_init(KvNmEditorClass *class)
{
    G_OBJECT_CLASS(class)->dispose = kv_nm_editor_dispose;
}

static void
kv_nm_editor_init(KvNmEditor *self)
{
}
