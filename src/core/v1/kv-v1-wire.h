/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/**
 * The layers of v1 and every layout and limit of the outer ones. Integers are little-endian;
 * offsets count from the start of the layer they belong to, sizes are bytes unless said
 * otherwise. Frames and messages inside the byte stream are in kv-v1-mux.h and kv-v1-control.h.
 *
 *   datagram: nonce | CRC-32 | payload, all under the cipher
 *   payload:  FEC packet, or KCP segments where there is no FEC layer
 *   FEC:      seqid | flag | size | KCP segments
 *   KCP:      a byte stream of smux frames
 *   smux:     stream 2: control messages; stream 4: one inner packet per frame
 */

/* Datagram */
#define KV_V1_NONCE_BYTES        16
#define KV_V1_CRC_OFFSET         16
#define KV_V1_CRYPT_HEADER_BYTES 20
#define KV_V1_DATAGRAM_MAX       1500 /* what a Go peer's buffer holds */

/* Keys */
#define KV_V1_KEY_BYTES         32
#define KV_V1_SALT              "KCPVPN"
#define KV_V1_PBKDF2_ITERATIONS 4096

/* FEC packet; the shard that the code covers begins at the size field */
#define KV_V1_FEC_FLAG_OFFSET   4
#define KV_V1_FEC_SIZE_OFFSET   6
#define KV_V1_FEC_SHARD_OFFSET  KV_V1_FEC_SIZE_OFFSET
#define KV_V1_FEC_SIZE_BYTES    2
#define KV_V1_FEC_HEADER_BYTES  8 /* with the size field */
#define KV_V1_FEC_DATA          0x00f1
#define KV_V1_FEC_PARITY        0x00f2
#define KV_V1_FEC_PADDING       0x00f3
#define KV_V1_FEC_PACKET_MAX    (KV_V1_DATAGRAM_MAX - KV_V1_CRYPT_HEADER_BYTES)
#define KV_V1_FEC_GROUP_AGE_MAX 60 /* seconds until a silent group is forgotten */

/* FEC padding: a whole packet, and where its range of seqids stands in it */
#define KV_V1_FEC_PADDING_BYTES        40
#define KV_V1_FEC_PADDING_SHARD_BYTES  34
#define KV_V1_FEC_PADDING_FIRST_OFFSET 8
#define KV_V1_FEC_PADDING_LAST_OFFSET  12
