/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-rs.h"
#include "kv-test.h"

#include <string.h>

#define LEN_MAX 1480

typedef struct {
    guint data, parity;
} Shape;

static const Shape shapes[] = {
    {1, 1}, {1, 3}, {2, 1}, {3, 2}, {10, 3}, {20, 10}, {3, 20}, {128, 128}, {255, 1}, {1, 255},
};

typedef struct {
    Shape shape;
    size_t len;
    KvRs *rs;
    uint8_t *shards[KV_RS_SHARDS_MAX];
} Group;

/* Data shards of random lengths up to the group's, coded one by one. */
static void
make_group(Group *group, const Shape *shape, KvTestRandom *random)
{
    *group = (Group){.shape = *shape, .rs = kv_rs_new(shape->data, shape->parity)};
    g_assert_nonnull(group->rs);
    group->len = 2 + kv_test_random_below(random, LEN_MAX - 1);
    for (guint i = 0; i < shape->data + shape->parity; i++)
        group->shards[i] = g_malloc0(group->len);
    for (guint i = 0; i < shape->data; i++) {
        size_t len = i == 0 ? group->len : 1 + kv_test_random_below(random, (guint) group->len);

        kv_test_random_bytes(random, group->shards[i], len);
        kv_rs_encode_update(group->rs, i, group->shards[i], len, group->shards + shape->data);
    }
}

static void
clear_group(Group *group)
{
    for (guint i = 0; i < group->shape.data + group->shape.parity; i++)
        g_free(group->shards[i]);
    kv_rs_free(group->rs);
}

/* Marks as many places lost as there are parity shards, never more. */
static void
choose_losses(const Group *group, KvTestRandom *random, gboolean *is_lost)
{
    guint n = group->shape.data + group->shape.parity;

    memset(is_lost, 0, n * sizeof *is_lost);
    for (guint i = 0; i < group->shape.parity; i++)
        is_lost[kv_test_random_below(random, n)] = TRUE;
}

static void
check_losses(const Group *group, const gboolean *is_lost)
{
    const uint8_t *survivors[KV_RS_SHARDS_MAX] = {NULL};
    uint8_t places[KV_RS_SHARDS_MAX] = {0}, lost[KV_RS_SHARDS_MAX] = {0};
    uint8_t *out[KV_RS_SHARDS_MAX] = {NULL};
    guint n = 0, n_lost = 0;

    for (guint place = 0; n < group->shape.data; place++) {
        if (!is_lost[place]) {
            places[n] = (uint8_t) place;
            survivors[n++] = group->shards[place];
        } else if (place < group->shape.data) {
            out[n_lost] = g_malloc(group->len);
            lost[n_lost++] = (uint8_t) place;
        }
    }
    g_assert_true(kv_rs_decode(group->rs, survivors, places, group->len, lost, n_lost, out));
    for (guint i = 0; i < n_lost; i++) {
        kv_test_assert_bytes(out[i], group->len, group->shards[lost[i]], group->len, "rebuilt");
        g_free(out[i]);
    }
}

/* Proves: any data_shards survivors of any shape give back what was lost, met again or not. */
static void
test_random_erasures(void)
{
    gboolean is_lost[KV_RS_SHARDS_MAX];
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        guint rounds = shapes[i].data > 50 ? 4 : 200;
        Group group;

        make_group(&group, &shapes[i], &random);
        for (guint round = 0; round < rounds; round++) {
            choose_losses(&group, &random, is_lost);
            check_losses(&group, is_lost);
            check_losses(&group, is_lost);
        }
        clear_group(&group);
    }
}

/* Proves: the worst case, all data lost, is repaired from parity alone. */
static void
test_parity_alone(void)
{
    static const Shape all_lost[] = {{1, 1}, {3, 3}, {3, 20}, {128, 128}};
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < G_N_ELEMENTS(all_lost); i++) {
        gboolean is_lost[KV_RS_SHARDS_MAX] = {FALSE};
        Group group;

        make_group(&group, &all_lost[i], &random);
        for (guint place = 0; place < all_lost[i].data; place++)
            is_lost[place] = TRUE;
        check_losses(&group, is_lost);
        clear_group(&group);
    }
}

/* Proves: impossible shapes are refused, possible ones at the edge are not. */
static void
test_shapes(void)
{
    static const struct {
        Shape shape;
        gboolean ok;
    } rows[] = {
        {{0, 3}, FALSE},   {{10, 0}, FALSE},  {{0, 0}, FALSE},         {{200, 57}, FALSE},
        {{256, 1}, FALSE}, {{1, 256}, FALSE}, {{G_MAXUINT, 2}, FALSE}, {{2, G_MAXUINT}, FALSE},
        {{255, 1}, TRUE},  {{1, 255}, TRUE},  {{1, 1}, TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(KvRs) rs = kv_rs_new(rows[i].shape.data, rows[i].shape.parity);

        g_assert_cmpint(rs != NULL, ==, rows[i].ok);
        if (rs == NULL)
            continue;
        g_assert_cmpuint(kv_rs_get_data_shards(rs), ==, rows[i].shape.data);
        g_assert_cmpuint(kv_rs_get_parity_shards(rs), ==, rows[i].shape.parity);
    }
}

/* Proves: places or losses that do not fit are refused instead of giving wrong bytes. */
static void
test_bad_calls(void)
{
    static const struct {
        uint8_t places[3];
        uint8_t lost[2];
        guint n_lost;
        gboolean ok;
    } rows[] = {
        {{0, 2, 3}, {1}, 1, TRUE},     {{0, 1, 2}, {0}, 0, TRUE},     {{2, 0, 3}, {1}, 1, FALSE},
        {{0, 0, 3}, {1, 2}, 2, FALSE}, {{0, 2, 5}, {1}, 1, FALSE},    {{0, 2, 3}, {2}, 1, FALSE},
        {{0, 3, 4}, {1}, 1, FALSE},    {{0, 3, 4}, {2, 1}, 2, FALSE}, {{0, 1, 2}, {1}, 1, FALSE},
    };
    g_autoptr(KvRs) rs = kv_rs_new(3, 2);
    uint8_t in[3][8] = {{0}}, space[2][8];
    const uint8_t *shards[] = {in[0], in[1], in[2]};
    uint8_t *out[] = {space[0], space[1]};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(
            kv_rs_decode(rs, shards, rows[i].places, 8, rows[i].lost, rows[i].n_lost, out), ==,
            rows[i].ok);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/rs/random-erasures", test_random_erasures);
    g_test_add_func("/rs/parity-alone", test_parity_alone);
    g_test_add_func("/rs/shapes", test_shapes);
    g_test_add_func("/rs/bad-calls", test_bad_calls);
    return kv_test_main(&argc, &argv);
}
