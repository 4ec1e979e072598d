/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fuzz.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

/* Prefixes tried of each seed: a length that is not checked shows up in one of them. */
#define PREFIXES_MAX 512

static guint n_inputs;

static void
run_bytes(const void *data, size_t len)
{
    /* A block of its own, so that the address sanitizer sees the first byte past the end. */
    uint8_t *copy = g_malloc(MAX(len, 1));

    if (len > 0)
        memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    g_free(copy);
}

static gboolean
run_file(const char *path, GError **error)
{
    g_autofree char *data = NULL;
    gsize len;

    if (!g_file_get_contents(path, &data, &len, error))
        return FALSE;
    for (gsize n = 0; n < MIN(len, PREFIXES_MAX); n++)
        run_bytes(data, n);
    run_bytes(data, len);
    n_inputs++;
    return TRUE;
}

static gboolean
run_directory(const char *path, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, error);
    const char *name;

    if (dir == NULL)
        return FALSE;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        if (!run_file(file, error))
            return FALSE;
    }
    return TRUE;
}

/* Runs every file named, and every file in every folder named; no input at all is a failure. */
int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        g_autoptr(GError) error = NULL;
        gboolean ok = g_file_test(argv[i], G_FILE_TEST_IS_DIR) ? run_directory(argv[i], &error)
                                                               : run_file(argv[i], &error);

        if (!ok) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
    }
    printf("%u inputs\n", n_inputs);
    return n_inputs > 0 ? 0 : 1;
}
