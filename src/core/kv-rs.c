/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-rs.h"

#include <isa-l/erasure_code.h>
#include <string.h>

#define TABLE_BYTES        32 /* ISA-L's, for one coefficient */
#define CACHE_SLOTS_MAX    16
#define CACHE_BYTES_WANTED (128 * 1024)

/* Which places survived, one bit each. */
typedef struct {
    uint64_t words[KV_RS_SHARDS_MAX / 64];
} Pattern;

/* How to rebuild all that is missing in one pattern of erasures. */
typedef struct {
    Pattern pattern;
    guint n_missing; /* 0: empty slot */
    uint8_t missing[KV_RS_SHARDS_MAX];
    uint8_t *tables;
} Recipe;

struct _KvRs {
    guint data_shards;
    guint parity_shards;
    uint8_t *parity_rows;   /* parity_shards rows of data_shards coefficients */
    uint8_t *encode_tables; /* per data shard, so that one shard touches one stretch */
    Recipe *cache;          /* made by the first decoding */
    uint8_t *cache_tables;
    guint cache_slots;
    uint8_t *scratch; /* for computing a recipe: two square matrices and the rows */
};

/* V * (top of V)^-1 without its top, which is the identity. */
static gboolean
compute_parity_rows(KvRs *rs)
{
    guint d = rs->data_shards;
    g_autofree uint8_t *top = g_malloc(d * d);
    g_autofree uint8_t *inverse = g_malloc(d * d);
    g_autofree uint8_t *row = g_malloc(d);

    for (guint r = 0; r < d; r++) {
        uint8_t power = 1;

        for (guint c = 0; c < d; c++, power = gf_mul(power, (uint8_t) r))
            top[r * d + c] = power;
    }
    if (gf_invert_matrix(top, inverse, (int) d) != 0)
        return FALSE;

    for (guint r = 0; r < rs->parity_shards; r++) {
        uint8_t power = 1;

        for (guint c = 0; c < d; c++, power = gf_mul(power, (uint8_t) (d + r)))
            row[c] = power;
        for (guint c = 0; c < d; c++) {
            uint8_t sum = 0;

            for (guint i = 0; i < d; i++)
                sum ^= gf_mul(row[i], inverse[i * d + c]);
            rs->parity_rows[r * d + c] = sum;
        }
    }
    return TRUE;
}

static void
make_encode_tables(KvRs *rs)
{
    uint8_t column[KV_RS_SHARDS_MAX];

    rs->encode_tables = g_malloc((gsize) rs->data_shards * rs->parity_shards * TABLE_BYTES);
    for (guint i = 0; i < rs->data_shards; i++) {
        for (guint r = 0; r < rs->parity_shards; r++)
            column[r] = rs->parity_rows[r * rs->data_shards + i];
        ec_init_tables(1, (int) rs->parity_shards, column,
                       rs->encode_tables + (gsize) i * rs->parity_shards * TABLE_BYTES);
    }
}

static guint
missing_max(const KvRs *rs)
{
    return MIN(rs->data_shards, rs->parity_shards);
}

static void
make_cache(KvRs *rs)
{
    guint n = missing_max(rs);
    gsize slot_bytes = (gsize) n * rs->data_shards * TABLE_BYTES;

    rs->cache_slots = CLAMP(CACHE_BYTES_WANTED / slot_bytes, 1, CACHE_SLOTS_MAX);
    rs->cache = g_new0(Recipe, rs->cache_slots);
    rs->cache_tables = g_malloc(rs->cache_slots * slot_bytes);
    for (guint i = 0; i < rs->cache_slots; i++)
        rs->cache[i].tables = rs->cache_tables + i * slot_bytes;
    rs->scratch = g_malloc((gsize) 2 * n * n + (gsize) n * rs->data_shards);
}

static gboolean
pattern_has(const Pattern *pattern, guint place)
{
    return pattern->words[place / 64] >> place % 64 & 1;
}

/* %FALSE unless the places ascend and lie inside the group. */
static gboolean
read_pattern(const KvRs *rs, const uint8_t *places, Pattern *pattern)
{
    *pattern = (Pattern){0};
    for (guint i = 0; i < rs->data_shards; i++) {
        if (places[i] >= rs->data_shards + rs->parity_shards)
            return FALSE;
        if (i > 0 && places[i] <= places[i - 1])
            return FALSE;
        pattern->words[places[i] / 64] |= UINT64_C(1) << places[i] % 64;
    }
    return TRUE;
}

static Recipe *
find_slot(KvRs *rs, const Pattern *pattern)
{
    uint64_t hash = 0;

    for (guint i = 0; i < G_N_ELEMENTS(pattern->words); i++)
        hash = (hash ^ pattern->words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return &rs->cache[(hash >> 32) % rs->cache_slots];
}

/*
 * With Q the surviving parity rows, q = Q[present] * present + Q[missing] * missing. So
 * missing = A * (q + Q[present] * present), A = Q[missing]^-1: only a matrix as large as the
 * number of losses is inverted. In GF(2^8) plus is minus.
 */
static gboolean
compute_recipe(KvRs *rs, Recipe *recipe, const Pattern *pattern, const uint8_t *places)
{
    guint d = rs->data_shards;
    guint n = 0;
    uint8_t *square, *inverse, *rows;

    recipe->n_missing = 0;
    for (guint place = 0; place < d; place++) {
        if (!pattern_has(pattern, place))
            recipe->missing[n++] = (uint8_t) place;
    }
    square = rs->scratch;
    inverse = square + n * n;
    rows = inverse + n * n;
    for (guint i = 0; i < n; i++) {
        const uint8_t *parity = rs->parity_rows + (places[d - n + i] - d) * d;

        for (guint j = 0; j < n; j++)
            square[i * n + j] = parity[recipe->missing[j]];
    }
    if (gf_invert_matrix(square, inverse, (int) n) != 0)
        return FALSE;

    for (guint i = 0; i < n; i++) {
        uint8_t *row = rows + i * d;

        for (guint c = 0; c < d - n; c++) {
            row[c] = 0;
            for (guint j = 0; j < n; j++)
                row[c] ^= gf_mul(inverse[i * n + j],
                                 rs->parity_rows[(places[d - n + j] - d) * d + places[c]]);
        }
        memcpy(row + d - n, inverse + i * n, n);
    }
    ec_init_tables((int) d, (int) n, rows, recipe->tables);
    recipe->pattern = *pattern;
    recipe->n_missing = n;
    return TRUE;
}

KvRs *
kv_rs_new(guint data_shards, guint parity_shards)
{
    g_autoptr(KvRs) rs = NULL;

    if (data_shards == 0 || parity_shards == 0 || data_shards > KV_RS_SHARDS_MAX ||
        parity_shards > KV_RS_SHARDS_MAX - data_shards)
        return NULL;
    rs = g_new0(KvRs, 1);
    rs->data_shards = data_shards;
    rs->parity_shards = parity_shards;
    rs->parity_rows = g_malloc(data_shards * parity_shards);
    if (!compute_parity_rows(rs))
        return NULL;
    return g_steal_pointer(&rs);
}

void
kv_rs_free(KvRs *rs)
{
    if (rs == NULL)
        return;
    g_free(rs->parity_rows);
    g_free(rs->encode_tables);
    g_free(rs->cache);
    g_free(rs->cache_tables);
    g_free(rs->scratch);
    g_free(rs);
}

guint
kv_rs_get_data_shards(const KvRs *rs)
{
    return rs->data_shards;
}

guint
kv_rs_get_parity_shards(const KvRs *rs)
{
    return rs->parity_shards;
}

const uint8_t *
kv_rs_get_parity_row(const KvRs *rs, guint row)
{
    g_return_val_if_fail(row < rs->parity_shards, NULL);
    return rs->parity_rows + row * rs->data_shards;
}

void
kv_rs_encode_update(KvRs *rs, guint index, const uint8_t *shard, size_t len, uint8_t *const *parity)
{
    g_return_if_fail(index < rs->data_shards);
    if (rs->encode_tables == NULL)
        make_encode_tables(rs);
    /* ISA-L takes no const, but only reads. One source at a time: its table stands alone. */
    ec_encode_data_update((int) len, 1, (int) rs->parity_shards, 0,
                          rs->encode_tables + (gsize) index * rs->parity_shards * TABLE_BYTES,
                          (uint8_t *) shard, (uint8_t **) parity);
}

gboolean
kv_rs_decode(KvRs *rs, const uint8_t *const *shards, const uint8_t *places, size_t len,
             const uint8_t *lost, guint n_lost, uint8_t *const *out)
{
    Pattern pattern;
    Recipe *recipe;

    if (!read_pattern(rs, places, &pattern))
        return FALSE;
    if (rs->cache == NULL)
        make_cache(rs);
    recipe = find_slot(rs, &pattern);
    if (recipe->n_missing == 0 || memcmp(&recipe->pattern, &pattern, sizeof pattern) != 0) {
        if (!compute_recipe(rs, recipe, &pattern, places))
            return FALSE;
    }
    if (n_lost != recipe->n_missing || memcmp(lost, recipe->missing, n_lost) != 0)
        return FALSE;
    if (n_lost > 0)
        ec_encode_data((int) len, (int) rs->data_shards, (int) n_lost, recipe->tables,
                       (uint8_t **) shards, (uint8_t **) out);
    return TRUE;
}
