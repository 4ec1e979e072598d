/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-i18n.h"
#include "kv-settings-private.h"
#include "kv-text.h"

#include <string.h>
#include <sys/stat.h>

/*
 * The syntax is GKeyFile's. It is read here and not by GKeyFile, which knows no line numbers once
 * it has parsed, takes the last of two equal keys, and leaves copies of secrets behind.
 */

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* some editors put it before the text */
#define GROUP           "tunnel"
#define FILE_SUFFIX     ".kcpvpn"

/* Holds any set of values, so that no secret is left behind in a block that became too small. */
#define DATA_INITIAL_BYTES 65536

typedef struct {
    guint line;
    const KvSetting *row;
    const char *text; /* in the buffer being read */
} Entry;

typedef struct {
    guint line;
    gboolean in_group;
    Entry entries[KV_N_SETTINGS];
    guint n_entries;
} Reader;

/* Undoes \s \n \t \r \\ in place. Returns: FALSE: another escape. */
static gboolean
unescape(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        const char *known = "s\\ntr";
        const char *at;

        if (*in != '\\') {
            *out++ = *in;
            continue;
        }
        in++;
        at = *in != '\0' ? strchr(known, *in) : NULL;
        if (at == NULL)
            return FALSE;
        *out++ = " \\\n\t\r"[at - known];
    }
    *out = '\0';
    return TRUE;
}

/* GKeyFile's lists have ";" between items and may end in one; commas are taken too. */
static void
read_list(char *value)
{
    size_t len = strlen(value);

    g_strdelimit(value, ";", ',');
    if (len > 0 && value[len - 1] == ',')
        value[len - 1] = '\0';
}

static gboolean
read_group(Reader *reader, char *line, GError **error)
{
    size_t len = strlen(line);
    g_autofree char *shown = NULL;

    if (line[len - 1] != ']')
        return kv_settings_fail(error, _("a group must end in \"]\""));
    line[len - 1] = '\0';
    if (strcmp(line + 1, GROUP) != 0) {
        shown = kv_text_quote(line + 1);
        return kv_settings_fail(error, _("\"%s\" is not a known group; allowed: %s"), shown, GROUP);
    }
    if (reader->in_group)
        return kv_settings_fail(error, _("group %s stands here for the second time"), GROUP);
    reader->in_group = TRUE;
    return TRUE;
}

static gboolean
check_new_key(const Reader *reader, const KvSetting *row, const char *key, GError **error)
{
    if (row == NULL || strcmp(row->key, key) != 0) {
        g_autofree char *shown = kv_text_quote(key);

        return kv_settings_fail(error, _("\"%s\" is not a known setting"), shown);
    }
    for (guint i = 0; i < reader->n_entries; i++) {
        if (reader->entries[i].row == row)
            return kv_settings_fail(error, _("%s: stands here for the second time, after line %u"),
                                    key, reader->entries[i].line);
    }
    return TRUE;
}

static gboolean
read_entry(Reader *reader, char *line, GError **error)
{
    char *value = strchr(line, '=');
    const KvSetting *row;

    if (value == NULL || value == line)
        return kv_settings_fail(error, _("neither a comment nor a group nor KEY=VALUE"));
    if (!reader->in_group)
        return kv_settings_fail(error, _("group %s must come first"), GROUP);
    *value++ = '\0';
    g_strchomp(line);
    row = kv_setting_find(line);
    if (!check_new_key(reader, row, line, error))
        return FALSE;
    g_strchug(value);
    if ((row->flags & KV_SETTING_FLAG_LIST) != 0)
        read_list(value);
    if (!unescape(value))
        return kv_settings_fail(error, _("%s: only \\s, \\n, \\t, \\r and \\\\ may follow \"\\\""),
                                row->key);
    reader->entries[reader->n_entries++] = (Entry){.line = reader->line, .row = row, .text = value};
    return TRUE;
}

static gboolean
read_line(Reader *reader, char *line, gsize len, GError **error)
{
    if (memchr(line, '\0', len) != NULL)
        return kv_settings_fail(error, _("holds a NUL byte; a key file is text"));
    g_strstrip(line);
    if (line[0] == '\0' || line[0] == '#')
        return TRUE;
    if (line[0] == '[')
        return read_group(reader, line, error);
    return read_entry(reader, line, error);
}

static gboolean
read_lines(Reader *reader, char *buf, gsize len, const char *where, GError **error)
{
    char *at = buf;
    char *end = buf + len;

    if (g_str_has_prefix(buf, BYTE_ORDER_MARK))
        at += strlen(BYTE_ORDER_MARK);
    while (at < end) {
        char *stop = memchr(at, '\n', (gsize) (end - at));

        if (stop == NULL)
            stop = end;
        *stop = '\0';
        reader->line++;
        if (!read_line(reader, at, (gsize) (stop - at), error)) {
            g_prefix_error(error, "%s:%u: ", where, reader->line);
            return FALSE;
        }
        at = stop + 1;
    }
    return TRUE;
}

static gboolean
apply_entries(const Reader *reader, gboolean role, KvSettings *settings, const char *where,
              GError **error)
{
    for (guint i = 0; i < reader->n_entries; i++) {
        const Entry *entry = &reader->entries[i];

        if ((entry->row->id == KV_SETTING_ROLE) != role)
            continue;
        if (!kv_settings_set_text(settings, entry->row->id, entry->text, error)) {
            g_prefix_error(error, "%s:%u: ", where, entry->line);
            return FALSE;
        }
    }
    return TRUE;
}

/* What a file says of its side; a wrong word is left for apply_entries() to name. */
static gboolean
find_role(const Reader *reader, KvRole *role, const char *where, GError **error)
{
    const KvSetting *row = kv_setting_get(KV_SETTING_ROLE);
    g_autofree char *allowed = NULL;

    for (guint i = 0; i < reader->n_entries; i++) {
        if (reader->entries[i].row != row)
            continue;
        *role = strcmp(reader->entries[i].text, row->choices[KV_ROLE_SERVER]) == 0 ? KV_ROLE_SERVER
                                                                                   : KV_ROLE_CLIENT;
        return TRUE;
    }
    allowed = kv_setting_format_allowed(row);
    return kv_settings_fail(error, _("%s: %s: required, but not given; allowed: %s"), where,
                            row->key, allowed);
}

/* @role: (nullable): NULL: what the file says. @buf: @len bytes and a NUL; destroyed. */
static KvSettings *
read_buffer(const KvRole *role, char *buf, gsize len, const char *where, GError **error)
{
    g_autoptr(KvSettings) settings = NULL;
    Reader reader = {0};
    KvRole own = KV_ROLE_CLIENT;

    if (!read_lines(&reader, buf, len, where, error))
        return NULL;
    if (role == NULL && !find_role(&reader, &own, where, error))
        return NULL;
    settings = kv_settings_new(role != NULL ? *role : own);
    /* The role first: a file for the other side is better told so than one key at a time. */
    if (!apply_entries(&reader, TRUE, settings, where, error) ||
        !apply_entries(&reader, FALSE, settings, where, error))
        return NULL;
    return g_steal_pointer(&settings);
}

static KvSettings *
read_data(const KvRole *role, const char *data, gsize len, const char *where, GError **error)
{
    KvSettings *loaded;
    g_autofree char *buf = NULL;

    if (len > KV_SETTING_FILE_MAX) {
        kv_settings_fail(error, _("%s: longer than %u bytes"), where, KV_SETTING_FILE_MAX);
        return NULL;
    }
    buf = g_malloc(len + 1);
    memcpy(buf, data, len);
    buf[len] = '\0';
    loaded = read_buffer(role, buf, len, where, error);
    explicit_bzero(buf, len);
    return loaded;
}

gboolean
kv_settings_load_data(KvSettings *settings, const char *data, gsize len, const char *where,
                      GError **error)
{
    g_autoptr(KvSettings) loaded = read_data(&settings->role, data, len, where, error);

    if (loaded == NULL)
        return FALSE;
    kv_settings_merge(settings, loaded);
    return TRUE;
}

KvSettings *
kv_settings_new_from_data(const char *data, gsize len, const char *where, GError **error)
{
    return read_data(NULL, data, len, where, error);
}

/* Leaves the tunnel nameless if the file's name is none for a tunnel. */
static void
name_after_file(KvSettings *settings, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GError) unfit = NULL;

    if (g_str_has_suffix(name, FILE_SUFFIX))
        name[strlen(name) - strlen(FILE_SUFFIX)] = '\0';
    if (!kv_settings_set_text(settings, KV_SETTING_NAME, name, &unfit))
        kv_settings_unset(settings, KV_SETTING_NAME);
}

static gboolean
holds_any_secret(const KvSettings *settings)
{
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (kv_settings_holds_secret(settings, i))
            return TRUE;
    }
    return FALSE;
}

static KvSettings *
read_file(const KvRole *role, const char *path, GError **error)
{
    g_autofree char *shown = kv_text_quote(path);
    g_autoptr(KvSettings) loaded = NULL;
    g_autofree char *buf = NULL;
    mode_t mode;
    gsize len;

    buf = kv_settings_read_file(path, 0, KV_SETTING_FILE_MAX, &mode, &len, error);
    if (buf == NULL)
        return NULL;
    if (len > KV_SETTING_FILE_MAX) {
        explicit_bzero(buf, len);
        kv_settings_fail(error, _("%s: longer than %u bytes"), shown, KV_SETTING_FILE_MAX);
        return NULL;
    }
    loaded = read_buffer(role, buf, len, shown, error);
    explicit_bzero(buf, len);
    if (loaded == NULL)
        return NULL;
    if (holds_any_secret(loaded) && (mode & S_IRWXO) != 0) {
        kv_settings_fail(
            error, _("%s: holds a secret, but everybody has access (mode %04o); run: chmod o-rwx"),
            shown, (guint) mode);
        return NULL;
    }
    if (!kv_settings_is_set(loaded, KV_SETTING_NAME))
        name_after_file(loaded, path);
    return g_steal_pointer(&loaded);
}

gboolean
kv_settings_load_file(KvSettings *settings, const char *path, GError **error)
{
    g_autoptr(KvSettings) loaded = read_file(&settings->role, path, error);

    if (loaded == NULL)
        return FALSE;
    kv_settings_merge(settings, loaded);
    return TRUE;
}

KvSettings *
kv_settings_new_from_file(const char *path, GError **error)
{
    return read_file(NULL, path, error);
}

/* Leading and trailing blanks would be lost otherwise. */
static void
append_escaped(GString *out, const char *text, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        if (text[i] == '\\')
            g_string_append(out, "\\\\");
        else if (text[i] == ' ' && (i == 0 || i == len - 1))
            g_string_append(out, "\\s");
        else
            g_string_append_c(out, text[i]);
    }
}

static void
append_value(GString *out, const KvSettings *settings, KvSettingId id)
{
    const KvSettingValue *value = &settings->values[id];

    if (!value->is_set)
        return;
    g_string_append_printf(out, "%s=", kv_setting_get(id)->key);
    if ((kv_setting_get(id)->flags & KV_SETTING_FLAG_LIST) != 0) {
        g_autofree char *items = g_strdelimit(g_strdup(value->text), ",", ';');

        append_escaped(out, items, strlen(items));
        g_string_append_c(out, ';');
    } else if (value->secret != NULL) {
        append_escaped(out, (const char *) kv_secret_get_data(value->secret),
                       kv_secret_get_length(value->secret));
    } else {
        append_escaped(out, value->text, strlen(value->text));
    }
    g_string_append_c(out, '\n');
}

char *
kv_settings_to_data(const KvSettings *settings, gboolean with_secrets)
{
    GString *out = g_string_sized_new(DATA_INITIAL_BYTES);

    g_string_append(out, "[" GROUP "]\n");
    append_value(out, settings, KV_SETTING_NAME);
    g_string_append_printf(out, "role=%s\n",
                           kv_setting_get(KV_SETTING_ROLE)->choices[settings->role]);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (i == KV_SETTING_NAME || i == KV_SETTING_ROLE)
            continue;
        if (kv_setting_get(i)->type == KV_SETTING_TYPE_SECRET &&
            !(with_secrets && kv_settings_holds_secret(settings, i)))
            continue;
        append_value(out, settings, i);
    }
    return g_string_free(out, FALSE);
}
