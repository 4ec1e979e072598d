/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-bytes.h"
#include "kv-fuzz.h"

/* The first bytes are the reads to try, all of the input is what they read from. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KvReader reader;

    kv_reader_init(&reader, data, size);
    for (size_t i = 0; i < size; i++) {
        gboolean failed_before = reader.failed;
        size_t left = kv_reader_left(&reader);
        size_t want = data[i] >> 2;

        switch (data[i] & 3) {
        case 0:
            kv_reader_u8(&reader);
            want = 1;
            break;
        case 1:
            kv_reader_le16(&reader);
            want = 2;
            break;
        case 2:
            kv_reader_le32(&reader);
            want = 4;
            break;
        default:
            kv_reader_bytes(&reader, want);
            break;
        }
        g_assert(reader.pos <= reader.len);
        g_assert(reader.failed == (failed_before || want > left));
        g_assert(kv_reader_left(&reader) == (reader.failed ? left : left - want));
    }
    return 0;
}
