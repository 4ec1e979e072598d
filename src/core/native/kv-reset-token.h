/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* What an end proves with that it forgot a session: docs/protocol.md, sections 2 and 8. Any
 * thread. */
#define KV_RESET_KEY_BYTES   32
#define KV_RESET_TOKEN_BYTES 16

/* @secret: 32 bytes, the end's own private key, or the preshared key in secret mode. */
void kv_reset_key_derive(uint8_t key[KV_RESET_KEY_BYTES], const uint8_t *secret);

/* The token of the session that this end calls @index. */
void kv_reset_token_derive(const uint8_t key[KV_RESET_KEY_BYTES], uint32_t index,
                           uint8_t token[KV_RESET_TOKEN_BYTES]);
