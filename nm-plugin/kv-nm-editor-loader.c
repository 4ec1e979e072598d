/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-editor-loader.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-nm-names.h"

#include <dlfcn.h>

typedef NMVpnEditor *(*Factory)(NMVpnEditorPlugin *plugin, NMConnection *connection,
                                GError **error);

/* (transfer full) (nullable): where a library of the plugin lies if this one is beside it. */
static char *
make_path(const char *name)
{
    g_autofree char *folder = NULL;
    Dl_info own;

    if (dladdr((void *) kv_nm_editor_load, &own) == 0)
        return NULL;
    folder = g_path_get_dirname(own.dli_fname);
    return g_build_filename(folder, name, NULL);
}

gboolean
kv_nm_editor_is_installed(void)
{
    g_autofree char *gtk3 = make_path(KV_NM_EDITOR_GTK3);
    g_autofree char *gtk4 = make_path(KV_NM_EDITOR_GTK4);

    return (gtk3 != NULL && g_file_test(gtk3, G_FILE_TEST_EXISTS)) ||
           (gtk4 != NULL && g_file_test(gtk4, G_FILE_TEST_EXISTS));
}

/* The two cannot live in one process, so a function that only one of them has tells which. */
static const char *
find_library(void)
{
    if (dlsym(RTLD_DEFAULT, "gtk_container_add") != NULL)
        return KV_NM_EDITOR_GTK3;
    return dlsym(RTLD_DEFAULT, "gtk_widget_get_root") != NULL ? KV_NM_EDITOR_GTK4 : NULL;
}

/* A library that has registered types cannot be unloaded. */
static Factory
load_factory(GError **error)
{
    const char *name = find_library();
    g_autofree char *path = NULL;
    void *library;
    void *factory;

    if (name == NULL) {
        g_set_error_literal(error, KV_ERROR, KV_ERROR_NOT_SUPPORTED,
                            _("the form needs a program that has GTK 3 or GTK 4"));
        return NULL;
    }
    path = make_path(name);
    library = dlopen(path != NULL ? path : name, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    factory = library != NULL ? dlsym(library, KV_NM_EDITOR_FACTORY) : NULL;
    if (factory == NULL)
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND, _("the form cannot be loaded: %s"),
                    dlerror());
    return (Factory) factory;
}

NMVpnEditor *
kv_nm_editor_load(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error)
{
    static Factory factory;

    if (factory == NULL)
        factory = load_factory(error);
    return factory != NULL ? factory(plugin, connection, error) : NULL;
}
