/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addr-pool.h"
#include "kv-vector.h"

#include <stdio.h>
#include <string.h>

static KvIp4
read_ip(const char *text)
{
    guint a, b, c, d;

    if (sscanf(text, "%3u.%3u.%3u.%3u", &a, &b, &c, &d) != 4)
        g_error("vector file: “%s” is not an address", text);
    return a << 24 | b << 16 | c << 8 | d;
}

static void
check_assign(KvAddrPool *pool, JsonObject *op)
{
    const char *want = kv_vector_get_string(op, "result");
    gboolean given;
    KvIp4 ip;

    given = kv_addr_pool_lease(pool, &ip);
    g_assert_cmpint(given, ==, strcmp(want, "none") != 0);
    if (given)
        g_assert_cmphex(ip, ==, read_ip(want));
}

/*
 * The Go program without a pool refuses every real address, against its own README, which lets
 * clients choose. There we do as the README says, so its refusals are not ours.
 */
static void
check_assign_specific(KvAddrPool *pool, JsonObject *op, gboolean clients_choose)
{
    gboolean want = json_object_get_boolean_member(op, "result");
    KvIp4 ip = read_ip(kv_vector_get_string(op, "ip"));

    if (clients_choose) {
        g_assert_cmpint(kv_addr_pool_lease_exact(pool, ip), ==, ip != 0);
        kv_addr_pool_release(pool, ip);
        return;
    }
    g_assert_cmpint(kv_addr_pool_lease_exact(pool, ip), ==, want);
}

static void
check_pool(JsonObject *one)
{
    const char *spec =
        json_object_has_member(one, "spec") && !json_object_get_null_member(one, "spec")
            ? kv_vector_get_string(one, "spec")
            : "";
    gboolean clients_choose = spec[0] == '\0';
    g_autoptr(GError) error = NULL;
    g_autoptr(KvAddrPool) pool = kv_addr_pool_new(clients_choose ? NULL : spec, &error);
    JsonArray *ops = kv_vector_get_array(one, "ops");

    g_assert_no_error(error);
    g_assert_nonnull(pool);
    if (!clients_choose)
        g_assert_cmpuint(kv_addr_pool_get_size(pool), ==,
                         (guint64) kv_vector_get_int(one, "count"));
    for (guint i = 0; i < json_array_get_length(ops); i++) {
        JsonObject *op = json_array_get_object_element(ops, i);
        const char *name = kv_vector_get_string(op, "op");

        if (strcmp(name, "assign") == 0)
            check_assign(pool, op);
        else if (strcmp(name, "assign_specific") == 0)
            check_assign_specific(pool, op, clients_choose);
        else if (strcmp(name, "release") == 0)
            kv_addr_pool_release(pool, read_ip(kv_vector_get_string(op, "ip")));
        else
            g_error("vector file: operation “%s” is unknown", name);
    }
}

/* Proves: pools give out the same addresses in the same order as the Go program's. */
static void
test_pool(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("control.json", "control-v1");
    JsonArray *pools = kv_vector_get_array(kv_vector_get_root(parser), "address_pools");

    g_assert_cmpuint(json_array_get_length(pools), >, 0);
    for (guint i = 0; i < json_array_get_length(pools); i++)
        check_pool(json_array_get_object_element(pools, i));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/pool", test_pool);
    return kv_test_main(&argc, &argv);
}
