/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same in every run, so that a failure comes from a change; a long run takes random ones. */
#define DEFAULT_SEED 20191122

static uint64_t seed;

uint64_t
kv_test_get_seed(void)
{
    const char *given = g_getenv("KV_TEST_SEED");

    if (seed == 0) {
        if (g_strcmp0(given, "random") == 0)
            seed = (uint64_t) g_random_int() << 32 | g_random_int();
        else if (given != NULL)
            seed = g_ascii_strtoull(given, NULL, 0);
        if (seed == 0)
            seed = DEFAULT_SEED;
        printf("# seed: KV_TEST_SEED=%" G_GUINT64_FORMAT "\n", (guint64) seed);
    }
    return seed;
}

int
kv_test_main(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    g_test_set_nonfatal_assertions();
    return g_test_run();
}

void
kv_test_random_init(KvTestRandom *random, uint64_t start)
{
    random->state = start;
}

uint64_t
kv_test_random_u64(KvTestRandom *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t
kv_test_random_below(KvTestRandom *random, uint32_t bound)
{
    return (uint32_t) (((kv_test_random_u64(random) >> 32) * bound) >> 32);
}

void
kv_test_random_bytes(KvTestRandom *random, void *buf, size_t len)
{
    uint8_t *out = buf;

    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t) kv_test_random_u64(random);
}

void
kv_test_random_order(KvTestRandom *random, guint *order, guint n)
{
    for (guint i = 0; i < n; i++)
        order[i] = i;
    for (guint i = n - 1; i > 0; i--) {
        guint j = kv_test_random_below(random, i + 1);
        guint t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
}

void
kv_test_remove_tree(const char *path)
{
    g_autoptr(GDir) dir = NULL;
    const char *name;

    if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
        dir = g_dir_open(path, 0, NULL);
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        kv_test_remove_tree(child);
    }
    g_remove(path);
}

char *
kv_test_ip(const char *args)
{
    g_autofree char *command = g_strdup_printf("ip %s", args);
    g_autoptr(GError) error = NULL;
    char *out = NULL;
    int status = 0;

    g_spawn_command_line_sync(command, &out, NULL, &status, &error);
    g_assert_no_error(error);
    if (status != 0)
        g_error("%s: status %d", command, status);
    return out;
}

GBytes *
kv_test_unhex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *data = g_malloc(len + 1);

    g_assert_cmpuint(strlen(hex) % 2, ==, 0);
    for (size_t i = 0; i < len; i++) {
        int high = g_ascii_xdigit_value(hex[2 * i]);
        int low = g_ascii_xdigit_value(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            g_error("not hex: %s", hex);
        data[i] = (uint8_t) (high << 4 | low);
    }
    return g_bytes_new_take(data, len);
}

static char *
to_hex(const uint8_t *data, size_t len)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < len; i++)
        g_string_append_printf(out, "%02x", data[i]);
    return g_string_free(out, FALSE);
}

void
kv_test_assert_bytes(const void *got, size_t got_len, const void *want, size_t want_len,
                     const char *what)
{
    g_autofree char *got_hex = NULL;
    g_autofree char *want_hex = NULL;

    if (got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0))
        return;
    got_hex = to_hex(got, got_len);
    want_hex = to_hex(want, want_len);
    g_error("%s\n     got %s\n    want %s", what, got_hex, want_hex);
}

char *
kv_test_vector_path(const char *name)
{
    const char *dir = g_getenv("KCPVPN_VECTORS");

    if (g_str_has_prefix(name, "native/"))
        dir = NULL;
    return g_build_filename(dir != NULL ? dir : KV_TEST_VECTORS_DIR, name, NULL);
}
