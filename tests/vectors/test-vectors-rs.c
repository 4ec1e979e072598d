/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-rs.h"
#include "kv-vector.h"

#include <string.h>

static guint
read_places(JsonArray *array, uint8_t *places)
{
    guint n = json_array_get_length(array);

    g_assert_cmpuint(n, <=, KV_RS_SHARDS_MAX);
    for (guint i = 0; i < n; i++)
        places[i] = (uint8_t) json_array_get_int_element(array, i);
    return n;
}

/*
 * Survivor j as a unit vector (byte j is 1, all others 0) makes byte j of a rebuilt shard the
 * coefficient with which survivor j goes into it.
 */
static void
check_decode(KvRs *rs, JsonObject *decode)
{
    guint d = kv_rs_get_data_shards(rs);
    JsonArray *coefficients = kv_vector_get_array(decode, "coefficients");
    uint8_t places[KV_RS_SHARDS_MAX], lost[KV_RS_SHARDS_MAX];
    guint n = read_places(kv_vector_get_array(decode, "survivors"), places);
    guint n_lost = read_places(kv_vector_get_array(decode, "lost_data"), lost);
    g_autofree uint8_t *units = g_malloc0(d * d);
    g_autofree uint8_t *space = g_malloc0(MAX(n_lost, 1) * d);
    const uint8_t *shards[KV_RS_SHARDS_MAX];
    uint8_t *out[KV_RS_SHARDS_MAX];

    g_assert_cmpuint(n, ==, d);
    for (guint i = 0; i < d; i++) {
        shards[i] = units + i * d;
        units[i * d + i] = 1;
    }
    for (guint i = 0; i < n_lost; i++)
        out[i] = space + i * d;
    g_assert_true(kv_rs_decode(rs, shards, places, d, lost, n_lost, out));
    for (guint i = 0; i < n_lost; i++) {
        g_autoptr(GBytes) want = kv_vector_get_hex_element(coefficients, i);

        kv_vector_assert_bytes(out[i], d, want, "coefficients");
    }
}

static void
check_case(JsonObject *one)
{
    guint d = (guint) kv_vector_get_int(one, "data_shards");
    guint p = (guint) kv_vector_get_int(one, "parity_shards");
    JsonArray *rows = kv_vector_get_array(one, "parity_rows");
    JsonArray *decodes = kv_vector_get_array(one, "decode");
    g_autoptr(KvRs) rs = kv_rs_new(d, p);

    g_assert_nonnull(rs);
    for (guint i = 0; i < p; i++) {
        g_autoptr(GBytes) row = kv_vector_get_hex_element(rows, i);

        kv_vector_assert_bytes(kv_rs_get_parity_row(rs, i), d, row, "parity row");
    }
    for (guint i = 0; i < json_array_get_length(decodes); i++)
        check_decode(rs, json_array_get_object_element(decodes, i));
}

/* Proves: the coding matrix and its inverses are those of the Go program's library. */
static void
test_rs(void)
{
    g_autoptr(JsonParser) parser = kv_vector_load("rs_matrix.json", "rs-matrix-v1");
    JsonArray *cases = kv_vector_get_array(kv_vector_get_root(parser), "cases");

    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    for (guint i = 0; i < json_array_get_length(cases); i++)
        check_case(json_array_get_object_element(cases, i));
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/rs", test_rs);
    return kv_test_main(&argc, &argv);
}
