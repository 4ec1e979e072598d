/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-reset-token.h"

#include "kv-bytes.h"

#include <sodium.h>

void
kv_reset_key_derive(uint8_t key[KV_RESET_KEY_BYTES], const uint8_t *secret)
{
    static const uint8_t label[] = "kcpvpn1 reset";

    crypto_generichash(key, KV_RESET_KEY_BYTES, label, sizeof label - 1, secret, 32);
}

void
kv_reset_token_derive(const uint8_t key[KV_RESET_KEY_BYTES], uint32_t index,
                      uint8_t token[KV_RESET_TOKEN_BYTES])
{
    uint8_t text[4];

    kv_put_le32(text, index);
    crypto_generichash(token, KV_RESET_TOKEN_BYTES, text, sizeof text, key, KV_RESET_KEY_BYTES);
}
