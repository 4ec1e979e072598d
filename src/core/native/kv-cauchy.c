/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-cauchy.h"

#include <isa-l/erasure_code.h>

#define TABLE_BYTES 32 /* ISA-L's, for one coefficient */

/* Every shard is a point of the field, and the points of one group differ. */
static uint8_t
get_data_point(guint data)
{
    return (uint8_t) data;
}

static uint8_t
get_parity_point(guint parity)
{
    return (uint8_t) (255 - parity);
}

G_STATIC_ASSERT(KV_GROUP_SHARDS_MAX + KV_GROUP_PARITY_MAX <= 256);

/* Adds @symbol times each of the @n coefficients of @column to @sums. */
static void
add_column(uint8_t *column, guint n, const uint8_t *symbol, size_t len, uint8_t *const *sums)
{
    uint8_t tables[KV_GROUP_PARITY_MAX * TABLE_BYTES];

    ec_init_tables(1, (int) n, column, tables);
    /* ISA-L takes no const, but only reads. */
    ec_encode_data_update((int) len, 1, (int) n, 0, tables, (uint8_t *) symbol, (uint8_t **) sums);
}

void
kv_cauchy_encode(guint data, const uint8_t *symbol, size_t len, uint8_t *const *sums, guint n)
{
    uint8_t column[KV_GROUP_PARITY_MAX];

    for (guint p = 0; p < n; p++)
        column[p] = gf_inv(get_parity_point(p) ^ get_data_point(data));
    if (n > 0)
        add_column(column, n, symbol, len, sums);
}

/* The product of the differences of @point to all of @points but itself. */
static uint8_t
multiply_differences(uint8_t point, const uint8_t *places, guint n, uint8_t (*get_point)(guint))
{
    uint8_t product = 1;

    for (guint i = 0; i < n; i++) {
        uint8_t difference = point ^ get_point(places[i]);

        if (difference != 0)
            product = gf_mul(product, difference);
    }
    return product;
}

/* What the point of a shard brings into each of its coefficients: products over all lost shards and
 * all parities in use, where a shard does not count its own. */
static uint8_t
get_scale(const KvCauchy *cauchy, uint8_t point, gboolean is_lost)
{
    uint8_t lost = multiply_differences(point, cauchy->lost, cauchy->n, get_data_point);
    uint8_t parity = multiply_differences(point, cauchy->parity, cauchy->n, get_parity_point);

    return is_lost ? gf_mul(parity, gf_inv(lost)) : gf_mul(lost, gf_inv(parity));
}

void
kv_cauchy_solve(KvCauchy *cauchy)
{
    for (guint i = 0; i < cauchy->n; i++)
        cauchy->scale[i] = get_scale(cauchy, get_data_point(cauchy->lost[i]), TRUE);
}

/*
 * With x for the parities in use and y for the lost shards, the lost symbol i has of the shard at z
 * the multiple
 *
 *     prod(z + y) / prod(z + x) * prod(y_i + x) / prod(y_i + y) / (z + y_i)
 *
 * For a data shard, subtract its share in all lost ones from 1 / (t + z): a function of t that is 0
 * at each x has these as its residues at z and y_i. For a parity shard it is the inverse of a
 * Cauchy matrix. So no matrix is inverted, or stored.
 */
static void
add_point(const KvCauchy *cauchy, uint8_t point, const uint8_t *symbol, size_t len,
          uint8_t *const *out)
{
    uint8_t scale = get_scale(cauchy, point, FALSE);
    uint8_t column[KV_GROUP_PARITY_MAX];

    for (guint i = 0; i < cauchy->n; i++) {
        uint8_t apart = gf_inv(point ^ get_data_point(cauchy->lost[i]));

        column[i] = gf_mul(gf_mul(scale, cauchy->scale[i]), apart);
    }
    add_column(column, cauchy->n, symbol, len, out);
}

void
kv_cauchy_add_data(const KvCauchy *cauchy, guint data, const uint8_t *symbol, size_t len,
                   uint8_t *const *out)
{
    add_point(cauchy, get_data_point(data), symbol, len, out);
}

void
kv_cauchy_add_parity(const KvCauchy *cauchy, guint i, const uint8_t *symbol, size_t len,
                     uint8_t *const *out)
{
    add_point(cauchy, get_parity_point(cauchy->parity[i]), symbol, len, out);
}
