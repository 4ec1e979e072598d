/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

/* Unaligned integers in both byte orders, and a reader that cannot run past its end. */

static inline uint16_t
kv_get_le16(const uint8_t *p)
{
    return (uint16_t) (p[0] | p[1] << 8);
}

static inline uint32_t
kv_get_le32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return GUINT32_FROM_LE(v);
}

static inline uint64_t
kv_get_le64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return GUINT64_FROM_LE(v);
}

static inline uint16_t
kv_get_be16(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}

static inline uint32_t
kv_get_be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return GUINT32_FROM_BE(v);
}

static inline void
kv_put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) v;
    p[1] = (uint8_t) (v >> 8);
}

static inline void
kv_put_le32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, sizeof v);
}

static inline void
kv_put_le64(uint8_t *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    memcpy(p, &v, sizeof v);
}

static inline void
kv_put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t) (v >> 8);
    p[1] = (uint8_t) v;
}

static inline void
kv_put_be32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_BE(v);
    memcpy(p, &v, sizeof v);
}

/**
 * KvReader:
 *
 * A cursor over bytes from outside. Every read past the end yields zero and sets @failed, so a
 * parser reads all its fields and looks at @failed once.
 */
typedef struct {
    const uint8_t *data;
    size_t len;
    size_t pos;
    gboolean failed;
} KvReader;

void kv_reader_init(KvReader *reader, const void *data, size_t len);
size_t kv_reader_left(const KvReader *reader);
uint8_t kv_reader_u8(KvReader *reader);
uint16_t kv_reader_le16(KvReader *reader);
uint32_t kv_reader_le32(KvReader *reader);

/* @n bytes in place, or NULL (and @failed) when fewer are left. */
const uint8_t *kv_reader_bytes(KvReader *reader, size_t n);

/* One piece of a gathered write: @len bytes at @data, owned by the caller. */
typedef struct {
    const void *data;
    size_t len;
} KvSlice;
