/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-dbus-error.h"
#include "kv-error.h"
#include "kv-test.h"

#include <gio/gio.h>

/* Proves: every error of the project has a name of its own on the bus, and comes back as itself. */
static void
test_round_trip(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    kv_dbus_error_init();
    kv_dbus_error_init();
    for (int code = 0; code < KV_N_ERRORS; code++) {
        g_autoptr(GError) error = g_error_new(KV_ERROR, code, "sentence %d", code);
        char *name = kv_dbus_error_get_name(error);
        g_autoptr(GError) back = g_dbus_error_new_for_dbus_error(name, error->message);

        g_assert_true(g_str_has_prefix(name, "org.kcpvpn.Error."));
        g_assert_true(g_hash_table_add(seen, name));
        g_assert_error(back, KV_ERROR, code);
        g_assert_true(g_dbus_error_strip_remote_error(back));
        g_assert_cmpstr(back->message, ==, error->message);
    }
}

/* Proves: no error has no name. */
static void
test_none(void)
{
    g_autofree char *name = kv_dbus_error_get_name(NULL);

    g_assert_cmpstr(name, ==, "");
}

int
main(int argc, char **argv)
{
    g_test_add_func("/dbus-error/round-trip", test_round_trip);
    g_test_add_func("/dbus-error/none", test_none);
    return kv_test_main(&argc, &argv);
}
