/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-check.h"
#include "kv-settings-private.h"

#include "kv-i18n.h"

/* Secrets, keys and ciphers. */
#define FIRST KV_SETTING_SECRET

#define GROUP_SECURITY N_("Security")

/* In the order of KvNativeCrypt, and behind it of KvCipher. */
static const char *const ciphers[] = {
    "auto",        "chacha20-poly1305",
    "aes-256-gcm", "aes",
    "aes-128",     "aes-192",
    "salsa20",     "blowfish",
    "twofish",     "cast5",
    "3des",        "tea",
    "xtea",        "xor",
    "sm4",         "none",
    NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(ciphers) == KV_N_NATIVE_CRYPTS + KV_N_CIPHERS + 1);

const KvSetting kv_setting_security_rows[] = {
    [KV_SETTING_SECRET - FIRST] =
        {
            .id = KV_SETTING_SECRET,
            .key = "secret",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = 1,
            .max = 4096,
            .value_name = "TEXT",
            .allowed = N_("1 to 4096 bytes of UTF-8 text without control characters"),
            .description = N_("Secret that both ends share; better given by a file or by the "
                              "environment variable KCPVPN_KEY"),
            .form_label = N_("Sec_ret"),
            .form_help = N_("Secret that both ends share"),
        },
    [KV_SETTING_SECRET_FILE - FIRST] =
        {
            .id = KV_SETTING_SECRET_FILE,
            .key = "secret-file",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_SECURITY,
            .min = 1,
            .max = 4095,
            .value_name = "FILE",
            .description = N_("File whose first line is the secret; only its owner may read it"),
        },
    [KV_SETTING_CRYPT - FIRST] =
        {
            .id = KV_SETTING_CRYPT,
            .key = "crypt",
            .type = KV_SETTING_TYPE_CHOICE,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .default_text = "auto",
            .choices = ciphers,
            .value_name = "CIPHER",
            .description =
                N_("Cipher, and with it the protocol, which both ends must have in common: auto, "
                   "which is what suits both processors, chacha20-poly1305 and aes-256-gcm are the "
                   "native protocol, the others protocol v1, which the Go program speaks (its own "
                   "default is aes); none, xor, tea and the ciphers with 64-bit blocks are weak"),
            .form_label = N_("_Cipher"),
        },
    [KV_SETTING_PRIVATE_KEY - FIRST] =
        {
            .id = KV_SETTING_PRIVATE_KEY,
            .key = "private-key",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_key,
            .allowed = KV_SETTING_KEY_ALLOWED,
            .description =
                N_("Private key of this end, for the native protocol; better given by a file"),
            .form_label = N_("Private ke_y"),
            .form_help = N_("Private key of this computer, for the native protocol with keys"),
        },
    [KV_SETTING_PRIVATE_KEY_FILE - FIRST] =
        {
            .id = KV_SETTING_PRIVATE_KEY_FILE,
            .key = "private-key-file",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_SECURITY,
            .min = 1,
            .max = 4095,
            .value_name = "FILE",
            .description =
                N_("File whose first line is the private key; only its owner may read it"),
        },
    [KV_SETTING_PUBLIC_KEY - FIRST] =
        {
            .id = KV_SETTING_PUBLIC_KEY,
            .key = "public-key",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_public_key,
            .allowed = KV_SETTING_PUBLIC_KEY_ALLOWED,
            .description = N_("Public key of the server"),
            .form_label = N_("Server's pu_blic key"),
        },
    [KV_SETTING_PRESHARED_KEY - FIRST] =
        {
            .id = KV_SETTING_PRESHARED_KEY,
            .key = "preshared-key",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_key,
            .allowed = KV_SETTING_KEY_ALLOWED,
            .description = N_("Key that both ends share beside their key pairs; the server has one "
                              "for each client"),
            .form_label = N_("Pre_shared key"),
            .form_help = N_("Key that both ends share beside their key pairs"),
        },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kv_setting_security_rows) == KV_SETTING_LOCAL_IP - FIRST);
