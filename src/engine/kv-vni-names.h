/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/* So many numbers at most; fewer where a prefix leaves room for less digits. */
#define KV_VNI_NUMBERS_MAX 100000

/**
 * KvVniNames:
 *
 * Names for the interfaces of a server: a prefix and a number. The numbers go up, so that one that
 * a client had is not another's soon, and begin anew after the last. One thread.
 */
typedef struct {
    guint next;
} KvVniNames;

/* Whether an interface of that name exists. */
typedef gboolean (*KvVniNameIsTaken)(gpointer data, const char *name);

/**
 * kv_vni_names_take:
 * @data: for @is_taken, which is asked until it says no
 *
 * Returns: (transfer full): the next name that is free; %NULL and %KV_ERROR_EXHAUSTED if none is.
 */
char *kv_vni_names_take(KvVniNames *names, const char *prefix, KvVniNameIsTaken is_taken,
                        gpointer data, GError **error) KV_MUST_USE;
