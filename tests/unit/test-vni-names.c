/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-setting-check.h"
#include "kv-test.h"
#include "kv-vni-names.h"

static gboolean
is_in(gpointer data, const char *name)
{
    return g_hash_table_contains(data, name);
}

static gboolean
is_any(gpointer data, const char *name)
{
    return TRUE;
}

static char *
take(KvVniNames *names, const char *prefix, GHashTable *taken)
{
    g_autoptr(GError) error = NULL;
    char *name = kv_vni_names_take(names, prefix, is_in, taken, &error);

    g_assert_no_error(error);
    return name;
}

static void
assert_next(KvVniNames *names, const char *prefix, GHashTable *taken, const char *want)
{
    g_autofree char *name = take(names, prefix, taken);

    g_assert_cmpstr(name, ==, want);
}

/* Proves: numbers go up from 0, over what exists, and a name that became free is not used at once.
 */
static void
test_in_a_row(void)
{
    g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
    KvVniNames names = {0};

    g_hash_table_add(taken, (gpointer) "kvs1");
    g_hash_table_add(taken, (gpointer) "kvs3");
    g_hash_table_add(taken, (gpointer) "kvs4");
    assert_next(&names, "kvs", taken, "kvs0");
    assert_next(&names, "kvs", taken, "kvs2");
    g_hash_table_remove_all(taken);
    assert_next(&names, "kvs", taken, "kvs3");
}

/* Proves: after any number of clients every prefix still makes names that the kernel takes,
 * beginning anew with what is free. */
static void
test_begins_anew(gconstpointer data)
{
    const char *prefix = data;
    g_autofree char *first = g_strconcat(prefix, "0", NULL);
    g_autofree char *second = g_strconcat(prefix, "1", NULL);
    g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
    KvVniNames names = {0};

    for (guint i = 0; i < KV_VNI_NUMBERS_MAX; i++) {
        g_autofree char *name = take(&names, prefix, taken);

        g_assert_true(kv_check_interface_name(name));
    }
    g_hash_table_add(taken, first);
    assert_next(&names, prefix, taken, second);
}

/* Proves: where every name is taken the search ends, with an error that says which. */
static void
test_none_left(void)
{
    g_autoptr(GError) error = NULL;
    KvVniNames names = {0};

    g_assert_null(kv_vni_names_take(&names, "kvs", is_any, NULL, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_EXHAUSTED);
    g_assert_nonnull(strstr(error->message, "kvs0 to kvs99999"));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vni-names/in-a-row", test_in_a_row);
    g_test_add_data_func("/vni-names/begins-anew", "kvs", test_begins_anew);
    g_test_add_data_func("/vni-names/begins-anew-10", "abcdefghij", test_begins_anew);
    g_test_add_data_func("/vni-names/begins-anew-14", "abcdefghijklmn", test_begins_anew);
    g_test_add_func("/vni-names/none-left", test_none_left);
    return kv_test_main(&argc, &argv);
}
