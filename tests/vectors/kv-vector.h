/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-test.h"

#include <json-glib/json-glib.h>

/* Vector files as JSON. Whatever is missing or of another type ends the test with a message. */

/**
 * kv_vector_load:
 * @name: file in the folder of vectors
 * @format: what its member "format" must say
 *
 * Returns: (transfer full): the parser; it owns all that is taken out of the file.
 */
JsonParser *kv_vector_load(const char *name, const char *format);

/* (transfer none): the object at the top of the file. */
JsonObject *kv_vector_get_root(JsonParser *parser);

/* (transfer none): member @name of @object, which must be there. */
JsonArray *kv_vector_get_array(JsonObject *object, const char *name);
const char *kv_vector_get_string(JsonObject *object, const char *name);
gint64 kv_vector_get_int(JsonObject *object, const char *name);

/* (transfer none) (nullable): like the above; NULL for a missing member or null. */
JsonArray *kv_vector_find_array(JsonObject *object, const char *name);

/* (transfer full): bytes of the hex string @name, or of element @index. */
GBytes *kv_vector_get_hex(JsonObject *object, const char *name);
GBytes *kv_vector_get_hex_element(JsonArray *array, guint index);

/* kv_test_assert_bytes() with what is wanted in one piece. */
void kv_vector_assert_bytes(const void *got, size_t got_len, GBytes *want, const char *what);
