/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-bytes.h"
#include "kv-macros.h"

/* Records of the native protocol: type (1 byte), length (2), value; docs/protocol.md, section 5. */

#define KV_RECORD_HEAD_BYTES 3
#define KV_RECORDS_MAX       65535 /* bytes of all that one end says */

typedef enum {
    KV_RECORD_PADDING = 0,
    KV_RECORD_CLIENT_ID = 1,
    KV_RECORD_MODE = 2,
    KV_RECORD_MTU = 3,
    KV_RECORD_CIPHERS = 4,
    KV_RECORD_WINDOW = 5,
    KV_RECORD_DATAGRAM = 6,
    KV_RECORD_KEEPALIVE = 7,
    KV_RECORD_ASSOCIATION = 8,
    KV_RECORD_RESET = 9,
    KV_RECORD_WANT4 = 10,
    KV_RECORD_WANT6 = 11,
    KV_RECORD_ADDRESS4 = 12,
    KV_RECORD_ADDRESS6 = 13,
    KV_RECORD_GATEWAY4 = 14,
    KV_RECORD_GATEWAY6 = 15,
    KV_RECORD_ROUTE4 = 16,
    KV_RECORD_ROUTE6 = 17,
    KV_RECORD_DNS4 = 18,
    KV_RECORD_DNS6 = 19,
    KV_RECORD_DOMAIN = 20,
    KV_RECORD_BANNER = 21,
    KV_RECORD_MORE = 22,
    KV_RECORD_REFUSED = 23,
    KV_RECORD_LAST_NUMBER = 24,
    KV_RECORD_CAPABILITIES = 25,
} KvRecordType;

/* One record; @value lies in what was read. */
typedef struct {
    uint8_t type;
    uint16_t len;
    const uint8_t *value;
} KvRecord;

/* Takes the next record; %FALSE at the end, and if one runs past it, which sets @failed. */
gboolean kv_record_next(KvReader *reader, KvRecord *record);

/**
 * KvRecordWriter:
 *
 * Puts records into a buffer of fixed size. What does not fit is left out whole, and noted.
 */
typedef struct {
    uint8_t *data;
    size_t cap;
    size_t len;
    uint32_t only;     /* types that are written at all; KV_RECORD_BIT() of each, all at first */
    uint32_t left_out; /* types of which a record, or more, had no room */
} KvRecordWriter;

#define KV_RECORD_BIT(type) (UINT32_C(1) << (type))

void kv_record_writer_init(KvRecordWriter *writer, void *data, size_t cap);
void kv_record_put(KvRecordWriter *writer, KvRecordType type, const void *value, size_t len);
void kv_record_put_u8(KvRecordWriter *writer, KvRecordType type, uint8_t value);
void kv_record_put_u16(KvRecordWriter *writer, KvRecordType type, uint16_t value);
void kv_record_put_u32(KvRecordWriter *writer, KvRecordType type, uint32_t value);
void kv_record_put_u64(KvRecordWriter *writer, KvRecordType type, uint64_t value);

/* Fills up to @len bytes with padding; up to two fewer, where a record's head has no room. */
void kv_record_pad(KvRecordWriter *writer, size_t len);
