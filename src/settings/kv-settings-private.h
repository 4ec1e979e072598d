/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-peer-list.h"
#include "kv-setting-value.h"

/* What the files of this folder share among themselves. */

/* What values of either table allow. */
#define KV_SETTING_KEY_ALLOWED                                                                     \
    N_("a key of 32 bytes in base64, 44 characters, as kcpvpn genkey, pubkey and genpsk write "    \
       "them")
#define KV_SETTING_PUBLIC_KEY_ALLOWED                                                              \
    N_("44 characters of base64 as kcpvpn pubkey writes them; not one of the few keys, such as "   \
       "zeros alone, that protect nothing")
#define KV_SETTING_NETWORKS_ALLOWED                                                                \
    N_("networks such as 10.0.0.0/8 or 2001:db8::/32, without a bit set below the prefix")

/* Words of "crypt" for the native protocol; those of KvCipher stand behind them. */
typedef enum {
    KV_NATIVE_CRYPT_AUTO,
    KV_NATIVE_CRYPT_CHACHA20_POLY1305,
    KV_NATIVE_CRYPT_AES_256_GCM,
    KV_N_NATIVE_CRYPTS,
} KvNativeCrypt;

/* The parts of the one table, for kv_setting_get(); each begins where the one before ends. */
extern const KvSetting kv_setting_connection_rows[];
extern const KvSetting kv_setting_security_rows[];
extern const KvSetting kv_setting_network_rows[];
extern const KvSetting kv_setting_program_rows[];

struct _KvSettings {
    KvRole role;
    KvPeerList *peers;    /* shared with copies */
    gboolean peers_given; /* even if there are none */
    gboolean any_secret;
    KvSettingValue values[KV_N_SETTINGS];
};

/* Sets a %KV_ERROR_INVALID_SETTING. Returns: FALSE, for the caller to return. */
gboolean kv_settings_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Secrets that a file may hold, and the settings that name it. */
typedef struct {
    KvSettingId secret;
    KvSettingId file;
} KvSecretFile;

#define KV_N_SECRET_FILES 2
extern const KvSecretFile kv_secret_files[KV_N_SECRET_FILES];

/* The error about a secret that was given in both ways. Returns: FALSE. */
gboolean kv_settings_fail_both(const KvSecretFile *pair, GError **error);

/* Whether it is a secret that was given itself, not by a file that holds it. */
gboolean kv_settings_holds_secret(const KvSettings *settings, KvSettingId id);

/**
 * kv_settings_read_file:
 * @extra_flags: for open(), such as O_NOFOLLOW
 * @max: most bytes to read
 * @mode: (out): the file's permission bits
 * @len: (out): bytes read; more than @max when the file is longer
 *
 * Reads a regular file, and nothing that could block or be endless.
 * Returns: (transfer full): the bytes and a NUL; wipe them if they hold a secret.
 */
char *kv_settings_read_file(const char *path, int extra_flags, gsize max, mode_t *mode, gsize *len,
                            GError **error) KV_MUST_USE;
