/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-settings.h"

#include "kv-i18n.h"
#include "kv-peer-settings-private.h"
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
#define PEER_PREFIX     "peer "
#define FILE_SUFFIX     ".kcpvpn"

/* Of the group [tunnel] with any set of values. */
#define TUNNEL_MAX_BYTES 65536

typedef struct {
    guint line;
    const KvSetting *row;
    const char *text; /* in the buffer being read */
} Entry;

/* [tunnel] or [peer NAME] */
typedef struct {
    guint line;
    const char *peer; /* (nullable): its name, in the buffer */
    GArray *entries;  /* Entry */
} Group;

typedef struct {
    guint line;
    GArray *groups; /* Group, in the order of the file */
} Reader;

static void
clear_group(gpointer data)
{
    Group *group = data;

    g_array_unref(group->entries);
}

/* (nullable): the group [tunnel]. */
static const Group *
find_tunnel(const Reader *reader)
{
    for (guint i = 0; i < reader->groups->len; i++) {
        const Group *group = &g_array_index(reader->groups, Group, i);

        if (group->peer == NULL)
            return group;
    }
    return NULL;
}

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
    Group group = {.line = reader->line};

    if (line[len - 1] != ']')
        return kv_settings_fail(error, _("a group must end in \"]\""));
    line[len - 1] = '\0';
    if (g_str_has_prefix(line + 1, PEER_PREFIX)) {
        group.peer = line + 1 + strlen(PEER_PREFIX);
    } else if (strcmp(line + 1, GROUP) != 0) {
        shown = kv_text_quote(line + 1);
        return kv_settings_fail(error, _("\"%s\" is not a known group; allowed: %s"), shown,
                                GROUP ", peer NAME");
    } else if (find_tunnel(reader) != NULL) {
        return kv_settings_fail(error, _("group %s stands here for the second time"), GROUP);
    }
    group.entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_append_val(reader->groups, group);
    return TRUE;
}

static gboolean
check_new_key(const Group *group, const KvSetting *row, const char *key, GError **error)
{
    if (row == NULL || strcmp(row->key, key) != 0) {
        g_autofree char *shown = kv_text_quote(key);

        return group->peer == NULL
                   ? kv_settings_fail(error, _("\"%s\" is not a known setting"), shown)
                   : kv_settings_fail(error, _("\"%s\" is not a known setting of a peer"), shown);
    }
    for (guint i = 0; i < group->entries->len; i++) {
        const Entry *entry = &g_array_index(group->entries, Entry, i);

        if (entry->row == row)
            return kv_settings_fail(error, _("%s: stands here for the second time, after line %u"),
                                    key, entry->line);
    }
    return TRUE;
}

static gboolean
read_entry(Reader *reader, char *line, GError **error)
{
    Entry entry = {.line = reader->line};
    char *value = strchr(line, '=');
    const Group *group;

    if (value == NULL || value == line)
        return kv_settings_fail(error, _("neither a comment nor a group nor KEY=VALUE"));
    if (reader->groups->len == 0)
        return kv_settings_fail(error, _("group %s must come first"), GROUP);
    group = &g_array_index(reader->groups, Group, reader->groups->len - 1);
    *value++ = '\0';
    g_strchomp(line);
    entry.row = group->peer != NULL ? kv_peer_setting_find(line) : kv_setting_find(line);
    if (!check_new_key(group, entry.row, line, error))
        return FALSE;
    entry.text = g_strchug(value);
    if ((entry.row->flags & KV_SETTING_FLAG_LIST) != 0)
        read_list(value);
    if (!unescape(value))
        return kv_settings_fail(error, _("%s: only \\s, \\n, \\t, \\r and \\\\ may follow \"\\\""),
                                entry.row->key);
    g_array_append_val(group->entries, entry);
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
    const Group *group = find_tunnel(reader);

    for (guint i = 0; group != NULL && i < group->entries->len; i++) {
        const Entry *entry = &g_array_index(group->entries, Entry, i);

        if ((entry->row->id == KV_SETTING_ROLE) != role)
            continue;
        if (!kv_settings_set_text(settings, entry->row->id, entry->text, error)) {
            g_prefix_error(error, "%s:%u: ", where, entry->line);
            return FALSE;
        }
    }
    return TRUE;
}

/* (transfer full) (nullable) */
static KvPeerSettings *
make_peer(const Group *group, KvRole role, const char *where, GError **error)
{
    g_autoptr(KvPeerSettings) peer = kv_peer_settings_new(role, group->peer, error);

    if (peer == NULL) {
        g_prefix_error(error, "%s:%u: ", where, group->line);
        return NULL;
    }
    for (guint i = 0; i < group->entries->len; i++) {
        const Entry *entry = &g_array_index(group->entries, Entry, i);

        if (!kv_peer_settings_set_text(peer, entry->row->id, entry->text, error)) {
            g_prefix_error(error, "%s:%u: ", where, entry->line);
            return NULL;
        }
    }
    return g_steal_pointer(&peer);
}

static gboolean
apply_peers(const Reader *reader, KvSettings *settings, const char *where, GError **error)
{
    g_autoptr(KvPeerList) peers = kv_peer_list_new();

    for (guint i = 0; i < reader->groups->len; i++) {
        const Group *group = &g_array_index(reader->groups, Group, i);
        KvPeerSettings *peer;

        if (group->peer == NULL)
            continue;
        peer = make_peer(group, settings->role, where, error);
        if (peer == NULL)
            return FALSE;
        if (!kv_peer_list_add(peers, peer, error)) {
            g_prefix_error(error, "%s:%u: ", where, group->line);
            return FALSE;
        }
    }
    if (kv_peer_list_get_length(peers) > 0)
        kv_settings_set_peers(settings, g_steal_pointer(&peers));
    return TRUE;
}

/* What a file says of its side; a wrong word is left for apply_entries() to name. */
static gboolean
find_role(const Reader *reader, KvRole *role, const char *where, GError **error)
{
    const KvSetting *row = kv_setting_get(KV_SETTING_ROLE);
    const Group *group = find_tunnel(reader);
    g_autofree char *allowed = NULL;

    for (guint i = 0; group != NULL && i < group->entries->len; i++) {
        const Entry *entry = &g_array_index(group->entries, Entry, i);

        if (entry->row != row)
            continue;
        if (!kv_role_from_string(entry->text, role))
            *role = KV_ROLE_CLIENT;
        return TRUE;
    }
    allowed = kv_setting_format_allowed(row);
    return kv_settings_fail(error, _("%s: %s: required, but not given; allowed: %s"), where,
                            row->key, allowed);
}

static KvSettings *
make_settings(const Reader *reader, const KvRole *role, const char *where, GError **error)
{
    g_autoptr(KvSettings) settings = NULL;
    KvRole own = KV_ROLE_CLIENT;

    if (role == NULL && !find_role(reader, &own, where, error))
        return NULL;
    settings = kv_settings_new(role != NULL ? *role : own);
    /* The role first: a file for the other side is better told so than one key at a time. */
    if (!apply_entries(reader, TRUE, settings, where, error) ||
        !apply_entries(reader, FALSE, settings, where, error) ||
        !apply_peers(reader, settings, where, error))
        return NULL;
    return g_steal_pointer(&settings);
}

/* @role: (nullable): NULL: what the file says. @buf: @len bytes and a NUL; destroyed. */
static KvSettings *
read_buffer(const KvRole *role, char *buf, gsize len, const char *where, GError **error)
{
    Reader reader = {.groups = g_array_new(FALSE, FALSE, sizeof(Group))};
    KvSettings *settings = NULL;

    g_array_set_clear_func(reader.groups, clear_group);
    if (read_lines(&reader, buf, len, where, error))
        settings = make_settings(&reader, role, where, error);
    g_array_unref(reader.groups);
    return settings;
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
    return kv_peer_list_has_secrets(settings->peers);
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

/* Enough, so that no secret is left behind in a block that became too small: bytes. */
static gsize
measure(const KvSettings *settings)
{
    gsize bytes = TUNNEL_MAX_BYTES;

    for (guint i = 0; i < kv_peer_list_get_length(settings->peers); i++)
        bytes += kv_peer_settings_measure(kv_peer_list_get(settings->peers, i));
    return bytes;
}

char *
kv_settings_to_data(const KvSettings *settings, gboolean with_secrets)
{
    GString *out = g_string_sized_new(measure(settings));

    g_string_append(out, "[" GROUP "]\n");
    kv_setting_value_append_line(out, kv_setting_get(KV_SETTING_NAME),
                                 &settings->values[KV_SETTING_NAME]);
    g_string_append_printf(out, "role=%s\n",
                           kv_setting_get(KV_SETTING_ROLE)->choices[settings->role]);
    for (guint i = 0; i < KV_N_SETTINGS; i++) {
        if (i == KV_SETTING_NAME || i == KV_SETTING_ROLE)
            continue;
        if (kv_setting_get(i)->type == KV_SETTING_TYPE_SECRET &&
            !(with_secrets && kv_settings_holds_secret(settings, i)))
            continue;
        kv_setting_value_append_line(out, kv_setting_get(i), &settings->values[i]);
    }
    for (guint i = 0; i < kv_peer_list_get_length(settings->peers); i++)
        kv_peer_settings_append_group(out, kv_peer_list_get(settings->peers, i), with_secrets);
    return g_string_free(out, FALSE);
}
