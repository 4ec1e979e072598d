/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bus.h"
#include "kv-cmd.h"
#include "kv-dbus-names.h"
#include "kv-error.h"
#include "kv-i18n.h"
#include "kv-print.h"
#include "kv-saved.h"
#include "kv-secret.h"
#include "kv-settings.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <gio/gunixoutputstream.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "import" and "export": key files. */

#define STDIN_WORD  "-"
#define FILE_SUFFIX ".kcpvpn"

/* --- import ---------------------------------------------------------------------------------- */

static GInputStream *
open_input(const char *path, GError **error)
{
    int fd;

    if (strcmp(path, STDIN_WORD) == 0)
        return g_unix_input_stream_new(STDIN_FILENO, FALSE);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        kv_error_set_errno(error, errno, _("%s: cannot be opened"), path);
        return NULL;
    }
    return g_unix_input_stream_new(fd, TRUE);
}

/* (transfer full) (nullable): all of the file, a NUL behind it. */
static char *
read_text(const char *path, gsize *len, GError **error)
{
    g_autoptr(GInputStream) input = open_input(path, error);
    g_autofree char *text = NULL;

    if (input == NULL)
        return NULL;
    text = g_malloc0(KV_SETTING_FILE_MAX + 2);
    if (!g_input_stream_read_all(input, text, KV_SETTING_FILE_MAX + 1, len, NULL, error)) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    if (*len <= KV_SETTING_FILE_MAX)
        return g_steal_pointer(&text);
    g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING, _("%s: longer than %u bytes"), path,
                KV_SETTING_FILE_MAX);
    return NULL;
}

/* (transfer full) (nullable): the name that a file gives the tunnel in it, if it is one. */
static char *
name_after_file(const char *path)
{
    g_autofree char *name = g_path_get_basename(path);

    if (strcmp(path, STDIN_WORD) == 0)
        return NULL;
    if (g_str_has_suffix(name, FILE_SUFFIX))
        name[strlen(name) - strlen(FILE_SUFFIX)] = '\0';
    return g_steal_pointer(&name);
}

/* (transfer full) (nullable): the tunnel's name, if it is not the one in the text. */
static char *
choose_name(const KvArgs *args, const KvSettings *settings, const char *path)
{
    const char *wanted = kv_args_get(args, KV_OPTION_NAME);

    if (wanted != NULL)
        return g_strdup(wanted);
    return kv_settings_is_set(settings, KV_SETTING_NAME) ? NULL : name_after_file(path);
}

static KvExit
import_text(const KvBus *bus, const KvArgs *args, const char *path, const char *text,
            const char *name)
{
    g_autofree char *tunnel = NULL;
    g_autoptr(GError) error = NULL;
    GVariantDict options;

    g_variant_dict_init(&options, NULL);
    if (name != NULL)
        g_variant_dict_insert(&options, KV_DBUS_OPTION_NAME, "s", name);
    if (!kv_dbus_manager1_call_import_tunnel_sync(
            kv_bus_get_manager(bus), text, g_variant_dict_end(&options), kv_bus_get_call_flags(bus),
            kv_bus_get_timeout_ms(bus), &tunnel, NULL, &error))
        return kv_bus_complain(path, error);
    return kv_saved_report(bus, args, tunnel, _("imported"));
}

/* Takes secrets in if the file only names where they lie; @text, of @len bytes, is replaced. */
static gboolean
complete(KvSettings *settings, char **text, gsize *len, GError **error)
{
    if (!kv_settings_names_secret_files(settings))
        return TRUE;
    if (!kv_settings_embed_secret_files(settings, error))
        return FALSE;
    explicit_bzero(*text, *len);
    g_free(*text);
    *text = kv_settings_to_data(settings, TRUE);
    *len = strlen(*text);
    return TRUE;
}

static KvExit
import_file(const KvBus *bus, const KvArgs *args, const char *path)
{
    g_autoptr(KvSettings) settings = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;
    g_autofree char *text = NULL;
    gsize len = 0;
    KvExit status;

    text = read_text(path, &len, &error);
    /* Read here first, for an error that names the file's line in the user's own language. */
    if (text != NULL)
        settings = kv_settings_new_from_data(text, len, path, &error);
    if (settings == NULL || !complete(settings, &text, &len, &error)) {
        kv_secret_wipe_string(text);
        kv_cmd_complain(error->message);
        return kv_exit_from_error(error);
    }
    name = choose_name(args, settings, path);
    status = import_text(bus, args, path, text, name);
    explicit_bzero(text, len);
    return status;
}

KvExit
kv_cmd_import(KvArgs *args)
{
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = NULL;
    guint n = kv_args_get_n_operands(args);

    if (kv_args_has(args, KV_OPTION_NAME) && n > 1) {
        kv_cmd_complain(_("import: --name goes with one file only"));
        return KV_EXIT_USAGE;
    }
    bus = kv_bus_open(args, KV_BUS_CHANGE, &status);
    if (bus == NULL)
        return status;
    for (guint i = 0; i < n; i++) {
        KvExit one = import_file(bus, args, kv_args_get_operand(args, i));

        status = status != KV_EXIT_OK ? status : one;
    }
    return status;
}

/* --- export ---------------------------------------------------------------------------------- */

/* The file may hold secrets: it is its owner's alone, and no link is followed to another. */
static gboolean
write_file(const char *path, const char *text, gboolean replace, GError **error)
{
    g_autoptr(GOutputStream) output = NULL;
    int fd;

    if (replace)
        return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                        error);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0 && errno == EEXIST) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXISTS, _("%s: the file exists; --force replaces it"),
                    path);
        return FALSE;
    }
    if (fd < 0) {
        kv_error_set_errno(error, errno, _("%s: cannot be written"), path);
        return FALSE;
    }
    output = g_unix_output_stream_new(fd, TRUE);
    return g_output_stream_write_all(output, text, strlen(text), NULL, NULL, error) &&
           g_output_stream_close(output, NULL, error);
}

/* As it is, unless a person looks at it. */
static void
print_text(const char *text)
{
    g_autoptr(GString) shown = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;

    if (!isatty(STDOUT_FILENO)) {
        fputs(text, stdout);
        return;
    }
    lines = g_strsplit(text, "\n", 0);
    for (guint i = 0; lines[i] != NULL; i++) {
        kv_print_append(shown, KV_STYLE_PLAIN, FALSE, lines[i]);
        g_string_append(shown, lines[i + 1] != NULL ? "\n" : "");
        kv_secret_wipe_string(lines[i]);
    }
    fputs(shown->str, stdout);
    kv_secret_wipe_string(shown->str);
}

static void
report_export(const KvArgs *args, const char *name, const char *path, const char *text)
{
    g_autoptr(GVariant) object = NULL;
    GVariantBuilder builder;

    if (!kv_args_has(args, KV_OPTION_JSON)) {
        if (path == NULL)
            print_text(text);
        return;
    }
    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "Name", g_variant_new_string(name));
    if (path != NULL)
        g_variant_builder_add(&builder, "{sv}", "File", g_variant_new_string(path));
    else
        g_variant_builder_add(&builder, "{sv}", "Text", g_variant_new_string(text));
    object = g_variant_ref_sink(g_variant_builder_end(&builder));
    kv_print_json(stdout, object);
}

KvExit
kv_cmd_export(KvArgs *args)
{
    gboolean secrets = kv_args_has(args, KV_OPTION_WITH_SECRETS);
    const char *name = kv_args_get_operand(args, 0);
    const char *path = kv_args_get_operand(args, 1);
    KvExit status = KV_EXIT_OK;
    g_autoptr(KvBus) bus = kv_bus_open(args, secrets ? KV_BUS_CHANGE : KV_BUS_READ, &status);
    g_autoptr(KvDbusTunnel1) tunnel = bus != NULL ? kv_bus_find_tunnel(bus, name) : NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (bus == NULL)
        return status;
    if (tunnel == NULL)
        return KV_EXIT_NOT_FOUND;
    if (!kv_dbus_tunnel1_call_export_sync(tunnel, secrets, kv_bus_no_options(),
                                          kv_bus_get_call_flags(bus), kv_bus_get_timeout_ms(bus),
                                          &text, NULL, &error))
        return kv_bus_complain(name, error);
    if (path != NULL && !write_file(path, text, kv_args_has(args, KV_OPTION_FORCE), &error)) {
        kv_secret_wipe_string(text);
        kv_cmd_complain(error->message);
        return kv_exit_from_error(error);
    }
    report_export(args, name, path, text);
    kv_secret_wipe_string(text);
    return KV_EXIT_OK;
}
