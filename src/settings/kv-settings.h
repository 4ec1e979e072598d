/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-key.h"
#include "kv-macros.h"
#include "kv-network.h"
#include "kv-secret.h"
#include "kv-types.h"

#include <glib.h>

/**
 * KvSettingId: one per row of the one table, whose parts stand in kv-setting-rows-*.c, in the same
 * order (checked).
 */
typedef enum {
    /* kv-setting-rows-connection.c */
    KV_SETTING_IP,
    KV_SETTING_PORT,
    KV_SETTING_UDP_MTU,
    KV_SETTING_KCP_MODE,
    KV_SETTING_NODELAY,
    KV_SETTING_INTERVAL,
    KV_SETTING_RESEND,
    KV_SETTING_NC,
    KV_SETTING_ACKNODELAY,
    KV_SETTING_SNDWND,
    KV_SETTING_RCVWND,
    KV_SETTING_DATASHARD,
    KV_SETTING_PARITYSHARD,
    KV_SETTING_RAPID_FEC,
    KV_SETTING_DSCP,
    KV_SETTING_SOCKBUF,
    KV_SETTING_SMUXBUF,
    KV_SETTING_KEEPALIVE,
    KV_SETTING_TCP,
    KV_SETTING_CLIENT_ID,
    KV_SETTING_AUTO_RECONNECT,
    /* kv-setting-rows-security.c */
    KV_SETTING_SECRET,
    KV_SETTING_SECRET_FILE,
    KV_SETTING_CRYPT,
    KV_SETTING_PRIVATE_KEY,
    KV_SETTING_PRIVATE_KEY_FILE,
    KV_SETTING_PUBLIC_KEY,
    KV_SETTING_PRESHARED_KEY,
    /* kv-setting-rows-network.c */
    KV_SETTING_LOCAL_IP,
    KV_SETTING_LOCAL_IP6,
    KV_SETTING_NETMASK,
    KV_SETTING_VNI_MTU,
    KV_SETTING_FULL_FRAME_MTU,
    KV_SETTING_VNI_NAME_PREFIX,
    KV_SETTING_VNI_MODE,
    KV_SETTING_ASSIGNABLE_IPS,
    KV_SETTING_ASSIGNABLE_IPS6,
    KV_SETTING_ROUTES,
    KV_SETTING_DNS,
    KV_SETTING_DNS_SEARCH,
    KV_SETTING_CLIENT_TO_CLIENT,
    KV_SETTING_BRIDGE,
    KV_SETTING_VNI_NAME,
    KV_SETTING_PERSISTENT_VNI,
    KV_SETTING_NO_IP_CONFIGURATION,
    /* kv-setting-rows-program.c */
    KV_SETTING_HOOK_DIR,
    KV_SETTING_ON_CONNECTED_HOOK,
    KV_SETTING_NAME, /* key files: the tunnel's name; the file's base name if absent */
    KV_SETTING_ROLE, /* key files: client or server */
    KV_SETTING_WORKERS,
    KV_SETTING_AUTOSTART,
    KV_SETTING_USERS,
    KV_SETTING_UP,
    KV_SETTING_DOWN,
    KV_N_SETTINGS,
} KvSettingId;

typedef enum {
    KV_SETTING_TYPE_BOOLEAN,
    KV_SETTING_TYPE_UINT,
    KV_SETTING_TYPE_STRING,
    KV_SETTING_TYPE_CHOICE, /* one word of a list */
    KV_SETTING_TYPE_SECRET,
} KvSettingType;

typedef enum {
    KV_SIDE_CLIENT = 1 << 0,
    KV_SIDE_SERVER = 1 << 1,
    KV_SIDE_PEER = 1 << 2,
    KV_SIDE_BOTH = KV_SIDE_CLIENT | KV_SIDE_SERVER,
    KV_SIDE_ALL = KV_SIDE_BOTH | KV_SIDE_PEER,
} KvSettingSide;

typedef enum {
    KV_SETTING_FLAG_NONE = 0,
    KV_SETTING_FLAG_HIDDEN = 1 << 0,  /* not in --help, but documented */
    KV_SETTING_FLAG_LIVE = 1 << 1,    /* counts at once, while the tunnel runs */
    KV_SETTING_FLAG_DESKTOP = 1 << 2, /* a desktop user's profile may name it */
    KV_SETTING_FLAG_NO_ARGV = 1 << 3, /* saved tunnels only, not in the foreground */
    KV_SETTING_FLAG_PROGRAM = 1 << 4, /* makes the tunnel run a program */
    KV_SETTING_FLAG_LIST = 1 << 5,    /* STRING: items, @check is for each; see get_string */
    KV_SETTING_FLAG_V1 = 1 << 6,      /* of no use in the native protocol */
    KV_SETTING_FLAG_NATIVE = 1 << 7,  /* of no use in protocol v1 */
} KvSettingFlags;

/**
 * KvSetting: one row. Strings are static; @description is English and translatable.
 */
typedef struct {
    guint id;          /* of its table: a KvSettingId here, a KvPeerSettingId in that of peers */
    const char *key;   /* as flags, key files and D-Bus spell it */
    const char *alias; /* (nullable): a short flag such as "ds" */
    KvSettingType type;
    KvSettingSide side;
    KvSettingFlags flags;
    const char *group;        /* (nullable): not of peers; heading in help, man page and editor */
    const char *default_text; /* (nullable): NULL: unset */
    const char *desktop_default_text; /* (nullable): in a profile of the desktop, if another one */
    const char
        *native_default_text; /* (nullable): in the native protocol, if another one; for people */
    guint64 min, max; /* UINT; length bounds in bytes for STRING (all of a list) and SECRET */
    const char *const *choices; /* CHOICE: NULL-terminated */
    const char *value_name;     /* placeholder in help, such as "ADDRESS"; NULL for BOOLEAN */
    gboolean (*check)(const char *text); /* (nullable): beyond type and range */
    const char *allowed; /* (nullable): what @check allows, English and translatable */
    const char *description;
    const char *form_label; /* (nullable): name in a client's form, translatable; _ marks its key */
    const char *form_help;  /* (nullable): for the same, in place of @description */
} KvSetting;

/* Least udp-mtu, bytes: 20 of cipher header, 8 of FEC header, and the 50 KCP itself needs. */
#define KV_SETTING_UDP_MTU_MIN 78

/* The same in the native protocol: what each path is believed to take. */
#define KV_SETTING_NATIVE_UDP_MTU_MIN 1232

/* Longest list of networks or names, bytes. */
#define KV_SETTING_LIST_MAX 16383

/* Characters of a key's text. */
#define KV_SETTING_KEY_LENGTH (KV_KEY_TEXT_BYTES - 1)

/* What a frame adds to the packet: packet information, Ethernet header, VLAN tag. */
#define KV_SETTING_FRAME_OVERHEAD 22

/* Upper bound of a key file, bytes. */
#define KV_SETTING_FILE_MAX (1024 * 1024)

/* (transfer none): the row of @id; never NULL for a valid id. */
const KvSetting *kv_setting_get(KvSettingId id);

/* (transfer none) (nullable): the row whose key or alias is @key. */
const KvSetting *kv_setting_find(const char *key);

/* (transfer none) (nullable): what counts if a profile of the desktop does not say. */
const char *kv_setting_get_desktop_default(const KvSetting *setting);

/* (transfer full) (nullable): the same for people, translated: of both protocols where they differ.
 * @is_desktop: in a profile of the desktop */
char *kv_setting_format_default(const KvSetting *setting, gboolean is_desktop);

KvSettingSide kv_setting_side_of_role(KvRole role);

/* A role's word, and the role of a word, if it is one. */
const char *kv_role_to_string(KvRole role);
gboolean kv_role_from_string(const char *word, KvRole *role);

/* (transfer full): what the row allows, translated, such as "a whole number from 0 to 63". */
char *kv_setting_format_allowed(const KvSetting *setting);

/**
 * KvSettings:
 *
 * A set of values for one tunnel of one role. Holds only valid values; cross checks happen in
 * kv_settings_validate(). One thread at a time, or any number while nobody changes it.
 */
typedef struct _KvSettings KvSettings;

/* kv-peer-list.h */
typedef struct _KvPeerList KvPeerList;

KvSettings *kv_settings_new(KvRole role) KV_MUST_USE;
KvSettings *kv_settings_copy(const KvSettings *settings) KV_MUST_USE;
void kv_settings_free(KvSettings *settings);
KvRole kv_settings_get_role(const KvSettings *settings);

/**
 * kv_settings_set_text:
 * @text: the value as a user writes it
 *
 * The one place where a value is parsed and checked, whatever door it came in by. The error
 * (%KV_ERROR_INVALID_SETTING) names the key, the value (never a secret's) and what is allowed,
 * also when the key does not belong to the role.
 */
gboolean kv_settings_set_text(KvSettings *settings, KvSettingId id, const char *text,
                              GError **error) KV_MUST_USE;

/* From here on "secret" may have bytes of any kind, as the Go program takes them: for settings that
 * are to run and never become a key file or go over the bus, which know text alone. */
void kv_settings_allow_any_secret(KvSettings *settings);

/**
 * kv_settings_set_older_text:
 *
 * The same for a command line that may have been written for the Go program: what that program
 * takes and the row does not counts as what it comes to there, an empty text as none
 * (kv-setting-older.h). kv_settings_list_warnings() tells what is not as given.
 */
gboolean kv_settings_set_older_text(KvSettings *settings, KvSettingId id, const char *text,
                                    GError **error) KV_MUST_USE;

/* Back to the default. */
void kv_settings_unset(KvSettings *settings, KvSettingId id);

/* Whether a value was given, as opposed to the default. */
gboolean kv_settings_is_set(const KvSettings *settings, KvSettingId id);

gboolean kv_settings_get_boolean(const KvSettings *settings, KvSettingId id);
guint64 kv_settings_get_uint(const KvSettings *settings, KvSettingId id);
/*
 * (transfer none) (nullable): STRING and CHOICE; NULL when unset without a default. An IPv6 "ip"
 * comes without brackets, a list with "," between its items and nothing else.
 */
const char *kv_settings_get_string(const KvSettings *settings, KvSettingId id);
/* CHOICE: index into the row's choices; 0 when unset without a default. */
guint kv_settings_get_choice(const KvSettings *settings, KvSettingId id);
/* (transfer none) (nullable): SECRET; a key is its text, see kv_settings_get_key(). */
const KvSecret *kv_settings_get_secret(const KvSettings *settings, KvSettingId id);

/* "private-key", "public-key" and "preshared-key" as bytes, which the caller wipes; %FALSE and @key
 * unchanged if it is unset. */
gboolean kv_settings_get_key(const KvSettings *settings, KvSettingId id, uint8_t key[KV_KEY_BYTES]);

/* (transfer full) (element-type KvNetwork): the addresses or networks of a list, or the one address
 * of "local-ip" or "local-ip6", with its prefix; of other settings none. */
GArray *kv_settings_list_networks(const KvSettings *settings, KvSettingId id) KV_MUST_USE;

/* What "crypt" names: a client speaks this one protocol, and so does a server with a native
 * "crypt"; a server with a cipher of v1 admits both. */
KvProtocol kv_settings_get_protocol(const KvSettings *settings);

/* The cipher of v1; only if the protocol is that. */
KvCipher kv_settings_get_v1_cipher(const KvSettings *settings);

/* Whether the native protocol may use @aead: one that "crypt" names alone, else any. Whether the
 * processor is good at it is not asked. */
gboolean kv_settings_allows_aead(const KvSettings *settings, KvAead aead);

/* Whether a protocol that is spoken has a use for the setting. */
gboolean kv_settings_has_use_for(const KvSettings *settings, KvSettingId id);

/* (transfer none): the tunnel's peers, maybe none. */
const KvPeerList *kv_settings_get_peers(const KvSettings *settings);

/* @peers: (transfer full): in the place of all that were there, each of the role of @settings. */
void kv_settings_set_peers(KvSettings *settings, KvPeerList *peers);

/* Back to none, as if they had not been given. */
void kv_settings_unset_peers(KvSettings *settings);

/* Whether peers were given, even if it is none. */
gboolean kv_settings_has_peers(const KvSettings *settings);

/* Whether a value was given that makes the tunnel run a program: who may set other values over
 * the bus may not set these. */
gboolean kv_settings_runs_programs(const KvSettings *settings);

/* (transfer full): the value as text, "(set)" for a secret; NULL when unset and no default. */
char *kv_settings_to_text(const KvSettings *settings, KvSettingId id);

/* (transfer full): a line "key = value" for every value in effect; a secret is "(set)". */
char *kv_settings_format_effective(const KvSettings *settings);

/*
 * Required keys, and values that must go together. Names the keys at fault. To be called once all
 * doors have been read, the secret file among them.
 */
gboolean kv_settings_validate(const KvSettings *settings, GError **error) KV_MUST_USE;

/* The same of settings that are kept for later: all but the secret, which may come with the start.
 */
gboolean kv_settings_validate_saved(const KvSettings *settings, GError **error) KV_MUST_USE;

/* (transfer full): a line, translated, for each value in whose place another one counts, or none.
 */
char **kv_settings_list_warnings(const KvSettings *settings);

/* (transfer full): keys of values in effect that differ, and that a tunnel which runs takes only
 * when it starts the next time. Of the same role; peers count at once. */
char **kv_settings_list_waiting(const KvSettings *old, const KvSettings *now);

/* Whether role and values in effect are the same, whether given or by default. */
gboolean kv_settings_equal(const KvSettings *a, const KvSettings *b);

/**
 * kv_settings_merge:
 * @over: settings of the same role
 *
 * Takes over every value that @over was given, so that a command line can override a key file.
 * A secret and its file replace each other. Peers are taken over as a whole; one that came
 * without a preshared key keeps the one that its public key had.
 */
void kv_settings_merge(KvSettings *settings, const KvSettings *over);

/* --- command line (kv-settings-argv.c) ------------------------------------------------------- */

/**
 * kv_settings_parse_argv:
 * @except: rows with one of these flags are taken for unknown
 * @older: whether the command line may have been written for the Go program, see
 *   kv_settings_set_older_text()
 * @argv: (inout): NULL-terminated as main()'s; what is recognised is removed; "-key value", "--key
 * value", "--key=value", booleans also bare or "=true"/"=false", as the Go program takes them
 * @argc: (inout)
 *
 * Secrets are wiped from the original strings. Flags unknown to the table, other words, and all
 * from "--" on are left for the caller; a wrong value or a missing one is an error and leaves
 * @settings unchanged. What is given here overrides what @settings had.
 */
gboolean kv_settings_parse_argv(KvSettings *settings, KvSettingFlags except, gboolean older,
                                int *argc, char **argv, GError **error) KV_MUST_USE;

/*
 * (transfer full): the options part of --help for @role, translated, wrapped at @width columns
 * (kv-settings-help.c).
 */
char *kv_settings_format_help(KvRole role, guint width);

/* --- key files (kv-settings-keyfile.c) -------------------------------------------------------- */

/**
 * kv_settings_load_file:
 * @path: a .kcpvpn file
 *
 * Reads the groups [tunnel] and [peer NAME]. With "role" in the file, it must be the role of
 * @settings. Without "name", the file's base name is the tunnel's. An error names file, line, key,
 * value and what is allowed; a file that holds a secret and that everybody can read is refused.
 * @settings is unchanged on failure.
 */
gboolean kv_settings_load_file(KvSettings *settings, const char *path, GError **error) KV_MUST_USE;
gboolean kv_settings_load_data(KvSettings *settings, const char *data, gsize len, const char *where,
                               GError **error) KV_MUST_USE;

/*
 * (transfer full): a key file of every value that was given, with the role; secrets only if asked
 * for (wipe the text then), and never one that came out of a secret file.
 */
char *kv_settings_to_data(const KvSettings *settings, gboolean with_secrets);

/**
 * kv_settings_new_from_data:
 * @where: what errors call the text, such as a path
 *
 * Reads a key file's text that names its role itself.
 * Returns: (transfer full): the settings, or %NULL and an error that names @where, line, key,
 * value and what is allowed.
 */
KvSettings *kv_settings_new_from_data(const char *data, gsize len, const char *where,
                                      GError **error) KV_MUST_USE;

/* The same for a file, which is looked at as kv_settings_load_file() does. */
KvSettings *kv_settings_new_from_file(const char *path, GError **error) KV_MUST_USE;

/* --- desktop profiles (kv-settings-strings.c) ------------------------------------------------- */

/* Whether a desktop profile may have the setting; an error that says that it may not. */
gboolean kv_settings_check_desktop(const KvSetting *row, GError **error) KV_MUST_USE;

/**
 * kv_settings_load_strings:
 * @values: (element-type utf8 utf8): values by their keys, as a profile of NetworkManager has them
 *
 * Replaces the values that @values names. A key that is not for the desktop, unknown or a secret's
 * is an error, and so is a value that its row does not allow. @settings is unchanged on failure.
 */
gboolean kv_settings_load_strings(KvSettings *settings, GHashTable *values,
                                  GError **error) KV_MUST_USE;

/* The same, for secrets alone: another key is an error. */
gboolean kv_settings_load_secret_strings(KvSettings *settings, GHashTable *secrets,
                                         GError **error) KV_MUST_USE;

/* --- secrets from elsewhere (kv-settings-secret.c) -------------------------------------------- */

/**
 * kv_settings_load_secret_file:
 * @path: a regular file, no symbolic link, that neither group nor others can read
 *
 * Takes "secret" from the file's first line, 1 to 4096 bytes. What settings name is loaded by
 * whoever owns them, before kv_settings_validate().
 */
gboolean kv_settings_load_secret_file(KvSettings *settings, const char *path,
                                      GError **error) KV_MUST_USE;

/* The same for each secret whose file is named by "secret-file" or "private-key-file". */
gboolean kv_settings_load_secret_files(KvSettings *settings, GError **error) KV_MUST_USE;

/* Whether one of these is set. */
gboolean kv_settings_names_secret_files(const KvSettings *settings);

/* Puts the secrets themselves in the place of the files' names: for whoever cannot or shall not
 * read the files. */
gboolean kv_settings_embed_secret_files(KvSettings *settings, GError **error) KV_MUST_USE;

/**
 * kv_settings_load_environment:
 *
 * Takes the secret from KCPVPN_KEY, unless "secret" or "secret-file" was given; wipes the variable
 * and takes it out of the environment in any case. Main thread, before others are started.
 */
gboolean kv_settings_load_environment(KvSettings *settings, GError **error) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSettings, kv_settings_free)
