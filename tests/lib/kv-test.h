/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Exit status by which a test program tells meson that it was skipped. */
#define KV_TEST_SKIPPED 77

/**
 * kv_test_main:
 *
 * Runs a GTest program: TAP output, and a seed for its random numbers that is printed and can
 * be given back with KV_TEST_SEED.
 */
int kv_test_main(int *argc, char ***argv);

/* The run's seed: KV_TEST_SEED, which may be "random", or always the same; printed. */
uint64_t kv_test_get_seed(void);

/* A small reproducible generator (splitmix64). */
typedef struct {
    uint64_t state;
} KvTestRandom;

void kv_test_random_init(KvTestRandom *random, uint64_t seed);
uint64_t kv_test_random_u64(KvTestRandom *random);
/* 0 to @bound - 1 */
uint32_t kv_test_random_below(KvTestRandom *random, uint32_t bound);
void kv_test_random_bytes(KvTestRandom *random, void *buf, size_t len);
/* @order: (out): 0 to @n - 1, each once */
void kv_test_random_order(KvTestRandom *random, guint *order, guint n);

/* Removes @path and, if it is a folder, all below it; follows no link. */
void kv_test_remove_tree(const char *path);

/* (transfer full): what ip(8) prints, asked as @args say; the test fails if it does. */
char *kv_test_ip(const char *args);

/* (transfer full): bytes of a hex string; fails the test on a bad digit. */
GBytes *kv_test_unhex(const char *hex);

/* Fails with both sides in hex if they differ. */
void kv_test_assert_bytes(const void *got, size_t got_len, const void *want, size_t want_len,
                          const char *what);

/* (transfer full): path of a vector file: KCPVPN_VECTORS/@name, else the source tree's. */
char *kv_test_vector_path(const char *name);
