/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-editor.h"

#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-secret.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define FALLBACK "vi"

struct _KvEditor {
    char *folder;
    char *path;
    char *text;
};

static gboolean
make_folder(KvEditor *editor, GError **error)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    g_autofree char *template = g_build_filename(
        runtime != NULL && runtime[0] == '/' ? runtime : g_get_tmp_dir(), "kcpvpn-XXXXXX", NULL);

    if (g_mkdtemp(template) == NULL) { /* mode 0700 */
        kv_error_set_errno(error, errno, _("%s: cannot be made"), template);
        return FALSE;
    }
    editor->folder = g_steal_pointer(&template);
    return TRUE;
}

KvEditor *
kv_editor_new(const char *name, const char *text, GError **error)
{
    g_autoptr(KvEditor) editor = g_new0(KvEditor, 1);

    if (!make_folder(editor, error))
        return NULL;
    editor->path = g_build_filename(editor->folder, name, NULL);
    editor->text = g_strdup(text);
    if (!g_file_set_contents_full(editor->path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, error))
        return NULL;
    return g_steal_pointer(&editor);
}

static const char *
get_command(void)
{
    const char *const variables[] = {"VISUAL", "EDITOR"};

    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
        const char *value = getenv(variables[i]);

        if (value != NULL && value[0] != '\0')
            return value;
    }
    return FALLBACK;
}

/* The words of the command and the file, for no shell. */
static char **
make_argv(const char *path, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) words = NULL;

    if (!g_shell_parse_argv(get_command(), NULL, &words, error)) {
        g_prefix_error(error, _("the editor \"%s\": "), get_command());
        return NULL;
    }
    g_strv_builder_addv(builder, (const char **) words);
    g_strv_builder_add(builder, path);
    return g_strv_builder_end(builder);
}

static gboolean
wait_for_end(const char *const *argv, GError **error)
{
    g_autoptr(GSubprocess) process =
        g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDIN_INHERIT, error);

    if (process == NULL) {
        g_prefix_error(error, _("the editor \"%s\" cannot be started: "), argv[0]);
        return FALSE;
    }
    if (!g_subprocess_wait(process, NULL, error))
        return FALSE;
    if (g_subprocess_get_successful(process))
        return TRUE;
    g_set_error(error, KV_ERROR, KV_ERROR_CANCELLED,
                _("the editor \"%s\" failed; nothing is changed"), argv[0]);
    return FALSE;
}

gboolean
kv_editor_run(KvEditor *editor, GError **error)
{
    g_auto(GStrv) argv = make_argv(editor->path, error);
    void (*interrupted)(int);
    gboolean ok;

    if (argv == NULL)
        return FALSE;
    /* Ctrl-C is the editor's while it runs; were it ours too, the file would be left behind. */
    interrupted = signal(SIGINT, SIG_IGN);
    ok = wait_for_end((const char *const *) argv, error);
    signal(SIGINT, interrupted);
    if (!ok)
        return FALSE;
    kv_secret_wipe_string(editor->text);
    g_clear_pointer(&editor->text, g_free);
    return g_file_get_contents(editor->path, &editor->text, NULL, error);
}

const char *
kv_editor_get_text(const KvEditor *editor)
{
    return editor->text;
}

const char *
kv_editor_get_path(const KvEditor *editor)
{
    return editor->path;
}

static void
remove_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        g_unlink(path);
    }
    if (g_rmdir(folder) < 0)
        g_printerr("kcpvpn: %s: %s\n", folder, g_strerror(errno));
}

void
kv_editor_free(KvEditor *editor)
{
    if (editor == NULL)
        return;
    if (editor->folder != NULL)
        remove_folder(editor->folder);
    kv_secret_wipe_string(editor->text);
    g_free(editor->folder);
    g_free(editor->path);
    g_free(editor->text);
    g_free(editor);
}
