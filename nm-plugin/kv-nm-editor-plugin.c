/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-editor-plugin.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-editor-loader.h"
#include "kv-nm-names.h"
#include "kv-nm-profile.h"

#include <gio/gio.h>
#include <string.h>

/* libnm calls it NO_EDITOR from 1.52 on; those before do not look at it. */
#define CAPABILITY_NO_EDITOR ((NMVpnEditorPluginCapability) 0x08)

struct _KvNmEditorPlugin {
    GObject parent;
};

enum {
    PROP_0,
    PROP_NAME,
    PROP_DESCRIPTION,
    PROP_SERVICE,
};

static void interface_init(NMVpnEditorPluginInterface *interface);

G_DEFINE_FINAL_TYPE_WITH_CODE(KvNmEditorPlugin, kv_nm_editor_plugin, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR_PLUGIN, interface_init))

static NMVpnEditorPluginCapability
get_capabilities(NMVpnEditorPlugin *plugin)
{
    NMVpnEditorPluginCapability has = NM_VPN_EDITOR_PLUGIN_CAPABILITY_IMPORT |
                                      NM_VPN_EDITOR_PLUGIN_CAPABILITY_EXPORT |
                                      NM_VPN_EDITOR_PLUGIN_CAPABILITY_IPV6;

    return kv_nm_editor_is_installed() ? has : has | CAPABILITY_NO_EDITOR;
}

static NMVpnEditor *
get_editor(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error)
{
    return kv_nm_editor_load(plugin, connection, error);
}

/* --- files ----------------------------------------------------------------------------------- */

static void
fail_irregular(const char *path, GError **error)
{
    g_autofree char *shown = g_filename_display_name(path);

    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, _("%s: not a regular file"), shown);
}

/* (transfer full) (nullable): the text, a NUL behind it; it may hold a secret. */
static char *
read_file(const char *path, gsize *len, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GFileInfo) info = g_file_query_info(file, G_FILE_ATTRIBUTE_STANDARD_TYPE,
                                                  G_FILE_QUERY_INFO_NONE, NULL, error);
    g_autoptr(GFileInputStream) input = NULL;
    g_autofree char *text = NULL;

    if (info == NULL)
        return NULL;
    if (g_file_info_get_file_type(info) != G_FILE_TYPE_REGULAR) {
        fail_irregular(path, error);
        return NULL;
    }
    input = g_file_read(file, NULL, error);
    if (input == NULL)
        return NULL;
    /* A byte more shows that the file is too long, which is for the reader of the text to say. */
    text = g_malloc0(KV_SETTING_FILE_MAX + 2);
    if (!g_input_stream_read_all(G_INPUT_STREAM(input), text, KV_SETTING_FILE_MAX + 1, len, NULL,
                                 error))
        return NULL;
    return g_steal_pointer(&text);
}

static NMConnection *
import_from_file(NMVpnEditorPlugin *plugin, const char *path, GError **error)
{
    g_autofree char *shown = g_filename_display_name(path);
    g_autofree char *text = NULL;
    NMConnection *connection;
    gsize len = 0;

    text = read_file(path, &len, error);
    if (text == NULL)
        return NULL;
    connection = kv_nm_profile_import(text, len, shown, error);
    explicit_bzero(text, len);
    return connection;
}

static gboolean
export_to_file(NMVpnEditorPlugin *plugin, const char *path, NMConnection *connection,
               GError **error)
{
    g_autofree char *text = NULL;
    gboolean good;

    /* The file takes the place of what is there, which for root could be /dev/stdout. */
    if (g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        fail_irregular(path, error);
        return FALSE;
    }
    text = kv_nm_profile_export(connection, error);
    if (text == NULL)
        return FALSE;
    /* The profile may keep its secret in itself: the file is its owner's alone. */
    good = g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
    kv_secret_wipe_string(text);
    return good;
}

static char *
get_suggested_filename(NMVpnEditorPlugin *plugin, NMConnection *connection)
{
    const char *id = nm_connection_get_id(connection);
    g_autofree char *name = g_strdup(id != NULL && id[0] != '\0' ? id : KV_NM_TYPE);

    /* What no file's name can have, and what would hide it. */
    g_strdelimit(name, "/", '_');
    if (name[0] == '.')
        name[0] = '_';
    return g_strconcat(name, KV_NM_FILE_SUFFIX, NULL);
}

/* --- the object ------------------------------------------------------------------------------ */

static void
kv_nm_editor_plugin_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    switch (id) {
    case PROP_NAME:
        g_value_set_static_string(value, "kcpvpn");
        break;
    case PROP_DESCRIPTION:
        g_value_set_static_string(value, _("A VPN for bad links: loss, jitter, throttled UDP."));
        break;
    case PROP_SERVICE:
        g_value_set_static_string(value, KV_NM_SERVICE);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
}

static void
interface_init(NMVpnEditorPluginInterface *interface)
{
    interface->get_editor = get_editor;
    interface->get_capabilities = get_capabilities;
    interface->import_from_file = import_from_file;
    interface->export_to_file = export_to_file;
    interface->get_suggested_filename = get_suggested_filename;
}

static void
kv_nm_editor_plugin_class_init(KvNmEditorPluginClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);

    object->get_property = kv_nm_editor_plugin_get_property;
    g_object_class_override_property(object, PROP_NAME, NM_VPN_EDITOR_PLUGIN_NAME);
    g_object_class_override_property(object, PROP_DESCRIPTION, NM_VPN_EDITOR_PLUGIN_DESCRIPTION);
    g_object_class_override_property(object, PROP_SERVICE, NM_VPN_EDITOR_PLUGIN_SERVICE);
}

static void
kv_nm_editor_plugin_init(KvNmEditorPlugin *self)
{
}

G_MODULE_EXPORT NMVpnEditorPlugin *
nm_vpn_editor_plugin_factory(GError **error)
{
    bindtextdomain(GETTEXT_PACKAGE, KV_LOCALE_DIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    return g_object_new(KV_TYPE_NM_EDITOR_PLUGIN, NULL);
}
