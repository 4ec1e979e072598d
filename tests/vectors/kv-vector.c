/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-vector.h"

static JsonNode *
get_member(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    if (node == NULL)
        g_error("vector file: member “%s” is missing", name);
    return node;
}

JsonParser *
kv_vector_load(const char *name, const char *format)
{
    g_autofree char *path = kv_test_vector_path(name);
    g_autoptr(JsonParser) parser = json_parser_new_immutable();
    g_autoptr(GError) error = NULL;
    JsonNode *root;

    if (!json_parser_load_from_file(parser, path, &error))
        g_error("cannot load vector file %s: %s", path, error->message);
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root))
        g_error("vector file %s holds no object", path);
    if (g_strcmp0(kv_vector_get_string(json_node_get_object(root), "format"), format) != 0)
        g_error("vector file %s is not of format %s", path, format);
    return g_steal_pointer(&parser);
}

JsonObject *
kv_vector_get_root(JsonParser *parser)
{
    return json_node_get_object(json_parser_get_root(parser));
}

JsonArray *
kv_vector_get_array(JsonObject *object, const char *name)
{
    JsonNode *node = get_member(object, name);

    if (!JSON_NODE_HOLDS_ARRAY(node))
        g_error("vector file: member “%s” is not an array", name);
    return json_node_get_array(node);
}

const char *
kv_vector_get_string(JsonObject *object, const char *name)
{
    JsonNode *node = get_member(object, name);

    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
        g_error("vector file: member “%s” is not a string", name);
    return json_node_get_string(node);
}

gint64
kv_vector_get_int(JsonObject *object, const char *name)
{
    JsonNode *node = get_member(object, name);

    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
        g_error("vector file: member “%s” is not a number", name);
    return json_node_get_int(node);
}

JsonArray *
kv_vector_find_array(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    if (node == NULL || JSON_NODE_HOLDS_NULL(node))
        return NULL;
    return kv_vector_get_array(object, name);
}

GBytes *
kv_vector_get_hex(JsonObject *object, const char *name)
{
    return kv_test_unhex(kv_vector_get_string(object, name));
}

GBytes *
kv_vector_get_hex_element(JsonArray *array, guint index)
{
    return kv_test_unhex(json_array_get_string_element(array, index));
}

void
kv_vector_assert_bytes(const void *got, size_t got_len, GBytes *want, const char *what)
{
    gsize want_len;
    const void *data = g_bytes_get_data(want, &want_len);

    kv_test_assert_bytes(got, got_len, data, want_len, what);
}
