/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test.h"
#include "v1/kv-v1-mux.h"

#include <json-glib/json-glib.h>

#define BEGINNING_MAX 64 /* bytes of a write that its record holds */

typedef struct {
    uint32_t id;
    uint32_t len;
} Read;

/* One end of the script: its parser, and what its reads return until somebody asks. */
typedef struct {
    KvV1Mux mux;
    GArray *reads;   /* Read */
    GByteArray *due; /* what it must put on the wire next */
    gboolean eof;
    uint32_t accepted;
} End;

static void
feed(End *end, const uint8_t *data, size_t len)
{
    size_t pos = 0;

    for (;;) {
        uint32_t left = kv_v1_mux_get_left(&end->mux);
        size_t used;
        uint32_t id;
        uint32_t n;
        KvV1MuxItem item = kv_v1_mux_parse(&end->mux, data + pos, len - pos, &used, &id);

        pos += used;
        switch (item) {
        case KV_V1_MUX_MORE:
            g_assert_cmpuint(pos, ==, len);
            return;
        case KV_V1_MUX_OPENED:
            end->accepted = id;
            break;
        case KV_V1_MUX_CLOSED:
            end->eof = TRUE;
            break;
        case KV_V1_MUX_DATA:
            n = (uint32_t) MIN(kv_v1_mux_get_left(&end->mux), len - pos);
            if (left == 0) {
                Read read = {.id = id, .len = end->mux.frame_bytes};

                g_array_append_val(end->reads, read);
            }
            kv_v1_mux_take(&end->mux, n);
            pos += n;
            if (n == 0)
                return;
            break;
        default:
            g_error("the parser refuses what a Go peer sent");
        }
    }
}

static void
expect(GByteArray *due, const uint8_t *data, size_t len)
{
    static const uint8_t heartbeat[] = {1, 3, 0, 0, 0, 0, 0, 0};

    if (len == sizeof heartbeat && data[1] == KV_V1_MUX_NOP) {
        uint8_t header[KV_V1_MUX_HEADER_BYTES];

        kv_v1_mux_put_header(header, KV_V1_MUX_NOP, 0, 0);
        kv_test_assert_bytes(header, sizeof header, heartbeat, sizeof heartbeat, "heartbeat");
        return;
    }
    g_assert_cmpuint(due->len, >=, len);
    kv_test_assert_bytes(due->data, len, data, len, "frame");
    g_byte_array_remove_range(due, 0, (guint) len);
}

static void
append_frame(GByteArray *due, KvV1MuxCmd cmd, uint32_t id)
{
    uint8_t header[KV_V1_MUX_HEADER_BYTES];

    kv_v1_mux_put_header(header, cmd, 0, id);
    g_byte_array_append(due, header, sizeof header);
}

/* The whole of a write stands in the wire records that follow it, its beginning in its own. */
static void
append_write(GByteArray *due, JsonArray *ops, guint at)
{
    JsonObject *write_op = json_array_get_object_element(ops, at);
    uint32_t id = (uint32_t) json_object_get_int_member(write_op, "id");
    size_t len = (size_t) json_object_get_int_member(write_op, "len");
    g_autoptr(GBytes) beginning = kv_test_unhex(json_object_get_string_member(write_op, "data"));
    g_autoptr(GByteArray) payload = g_byte_array_new();
    KvV1MuxWrite write;
    KvSlice slice;

    for (guint i = at + 1; payload->len < len && i < json_array_get_length(ops); i++) {
        JsonObject *op = json_array_get_object_element(ops, i);
        g_autoptr(GBytes) bytes = NULL;

        if (!g_str_equal(json_object_get_string_member(op, "op"), "wire"))
            continue;
        bytes = kv_test_unhex(json_object_get_string_member(op, "bytes"));
        if (g_bytes_get_size(bytes) > 8)
            g_byte_array_append(payload, (const uint8_t *) g_bytes_get_data(bytes, NULL) + 8,
                                (guint) g_bytes_get_size(bytes) - 8);
    }
    g_assert_cmpuint(payload->len, >=, len);
    kv_test_assert_bytes(payload->data, MIN(len, BEGINNING_MAX), g_bytes_get_data(beginning, NULL),
                         g_bytes_get_size(beginning), "data");
    slice = (KvSlice){payload->data, len};
    g_assert_true(kv_v1_mux_frame(&write, id, &slice, 1));
    for (guint i = 0; i < write.n_slices; i++)
        g_byte_array_append(due, write.slices[i].data, (guint) write.slices[i].len);
}

static void
check_read(End *end, JsonObject *op)
{
    JsonArray *sizes;

    if (json_object_has_member(op, "error")) {
        g_assert_true(end->eof);
        return;
    }
    sizes = json_object_get_array_member(op, "read_sizes");
    g_assert_cmpuint(end->reads->len, ==, json_array_get_length(sizes));
    for (guint i = 0; i < end->reads->len; i++) {
        const Read *read = &g_array_index(end->reads, Read, i);

        g_assert_cmpint(read->len, ==, json_array_get_int_element(sizes, i));
        g_assert_cmpint(read->id, ==, json_object_get_int_member(op, "id"));
    }
    g_array_set_size(end->reads, 0);
}

/* Proves: this end's frames are those of the Go library, and the Go library's frames are taken
 * apart into the same reads, for every record of the script. */
static void
test_script(void)
{
    g_autofree char *path = kv_test_vector_path("smux.json");
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    End ends[2] = {0};
    JsonArray *ops;
    guint wires = 0;

    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    ops = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), "ops");
    for (guint i = 0; i < 2; i++) {
        kv_v1_mux_init(&ends[i].mux);
        ends[i].reads = g_array_new(FALSE, FALSE, sizeof(Read));
        ends[i].due = g_byte_array_new();
    }
    for (guint i = 0; i < json_array_get_length(ops); i++) {
        JsonObject *op = json_array_get_object_element(ops, i);
        const char *name = json_object_get_string_member(op, "op");
        const char *side_name = json_object_get_string_member_with_default(op, "side", "A");
        guint side = g_str_equal(side_name, "B");
        uint32_t id = (uint32_t) json_object_get_int_member_with_default(op, "id", 0);

        if (g_str_equal(name, "open")) {
            id = kv_v1_mux_open(&ends[side].mux);
            append_frame(ends[side].due, KV_V1_MUX_SYN, id);
        } else if (g_str_equal(name, "close")) {
            append_frame(ends[side].due, KV_V1_MUX_FIN, id);
        } else if (g_str_equal(name, "write")) {
            append_write(ends[side].due, ops, i);
        } else if (g_str_equal(name, "accepted")) {
            g_assert_true(ends[0].accepted == id || ends[1].accepted == id);
            ends[0].accepted = ends[1].accepted = 0;
        } else if (g_str_equal(name, "read")) {
            check_read(&ends[side], op);
        } else if (g_str_equal(name, "wire")) {
            g_autoptr(GBytes) bytes = kv_test_unhex(json_object_get_string_member(op, "bytes"));
            size_t len;
            const uint8_t *data = g_bytes_get_data(bytes, &len);

            expect(ends[side].due, data, len);
            for (size_t pos = 0; pos < len; pos += 700)
                feed(&ends[!side], data + pos, MIN(700, len - pos));
            wires++;
        }
    }
    g_assert_cmpuint(wires, >, 20);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(ends[i].due->len, ==, 0);
        g_array_unref(ends[i].reads);
        g_byte_array_unref(ends[i].due);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/vectors/smux", test_script);
    return kv_test_main(&argc, &argv);
}
