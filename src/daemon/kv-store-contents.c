/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-store-contents.h"

#include <string.h>

static void
entry_free(gpointer data)
{
    KvStoreEntry *entry = data;

    kv_settings_free(entry->settings);
    g_free(entry->path);
    g_free(entry);
}

static void
problem_free(gpointer data)
{
    KvStoreProblem *problem = data;

    g_free(problem->path);
    g_free(problem->message);
    g_free(problem);
}

KvStoreContents *
kv_store_contents_new(void)
{
    KvStoreContents *contents = g_new0(KvStoreContents, 1);

    contents->entries = g_ptr_array_new_with_free_func(entry_free);
    contents->problems = g_ptr_array_new_with_free_func(problem_free);
    return contents;
}

void
kv_store_contents_free(KvStoreContents *contents)
{
    if (contents == NULL)
        return;
    g_ptr_array_unref(contents->entries);
    g_ptr_array_unref(contents->problems);
    g_free(contents);
}

void
kv_store_contents_add_entry(KvStoreContents *contents, KvSettings *settings, const char *path,
                            gboolean read_only)
{
    KvStoreEntry *entry = g_new0(KvStoreEntry, 1);

    entry->settings = settings;
    entry->path = g_strdup(path);
    entry->read_only = read_only;
    g_ptr_array_add(contents->entries, entry);
}

void
kv_store_contents_add_problem(KvStoreContents *contents, const char *path, guint line,
                              char *message)
{
    KvStoreProblem *problem = g_new0(KvStoreProblem, 1);

    /* It may repeat bytes of the file, and goes over the bus. */
    problem->path = g_utf8_make_valid(path, -1);
    problem->line = line;
    problem->message = g_utf8_make_valid(message, -1);
    g_free(message);
    g_ptr_array_add(contents->problems, problem);
}

const KvStoreEntry *
kv_store_contents_find(const KvStoreContents *contents, const char *name)
{
    for (guint i = 0; i < contents->entries->len; i++) {
        const KvStoreEntry *entry = g_ptr_array_index(contents->entries, i);

        if (strcmp(kv_settings_get_string(entry->settings, KV_SETTING_NAME), name) == 0)
            return entry;
    }
    return NULL;
}

gboolean
kv_store_contents_has_problem(const KvStoreContents *contents, const char *path)
{
    for (guint i = 0; i < contents->problems->len; i++) {
        const KvStoreProblem *problem = g_ptr_array_index(contents->problems, i);

        if (strcmp(problem->path, path) == 0)
            return TRUE;
    }
    return FALSE;
}
