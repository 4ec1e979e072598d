/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-cmd.h"
#include "kv-i18n.h"
#include "kv-key.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "genkey", "genpsk" and "pubkey": keys on standard output, as WireGuard's tools write them. */

static void
complain_errno(const char *what)
{
    g_autofree char *message = g_strdup_printf("%s: %s", what, g_strerror(errno));

    kv_cmd_complain(message);
}

/* Others would find a secret in a file that they may read. */
static void
warn_about_mode(void)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO) != 0)
        kv_cmd_complain(_("warning: other users may read the file that the key goes to; "
                          "\"umask 077\" before prevents that"));
}

static KvExit
print_key(const uint8_t key[KV_KEY_BYTES])
{
    char line[KV_KEY_TEXT_BYTES];
    KvExit status = KV_EXIT_OK;

    kv_key_to_string(key, line);
    line[KV_KEY_TEXT_BYTES - 1] = '\n';
    /* Not through stdio, which would keep a copy. */
    if (write(STDOUT_FILENO, line, sizeof line) != (ssize_t) sizeof line) {
        complain_errno(_("the key cannot be written"));
        status = KV_EXIT_FAILURE;
    }
    sodium_memzero(line, sizeof line);
    return status;
}

static KvExit
print_new_key(void (*generate)(uint8_t key[KV_KEY_BYTES]))
{
    uint8_t key[KV_KEY_BYTES];
    KvExit status;

    if (sodium_init() < 0) {
        kv_cmd_complain(_("there is no source of randomness"));
        return KV_EXIT_FAILURE;
    }
    warn_about_mode();
    generate(key);
    status = print_key(key);
    sodium_memzero(key, sizeof key);
    return status;
}

KvExit
kv_cmd_genkey(KvArgs *args)
{
    return print_new_key(kv_key_generate_private);
}

KvExit
kv_cmd_genpsk(KvArgs *args)
{
    return print_new_key(kv_key_generate_preshared);
}

/* One key, with a line end behind it or without. */
static gboolean
read_key(uint8_t key[KV_KEY_BYTES])
{
    char text[KV_KEY_TEXT_BYTES + 1];
    size_t len = 0;
    ssize_t n;
    gboolean ok;

    while (len < sizeof text && (n = read(STDIN_FILENO, text + len, sizeof text - len)) > 0)
        len += (size_t) n;
    if (len == KV_KEY_TEXT_BYTES && text[len - 1] == '\n')
        len--;
    ok = len == KV_KEY_TEXT_BYTES - 1;
    if (ok) {
        text[len] = '\0';
        ok = kv_key_parse(key, text);
    }
    sodium_memzero(text, sizeof text);
    return ok;
}

KvExit
kv_cmd_pubkey(KvArgs *args)
{
    uint8_t private_key[KV_KEY_BYTES];
    uint8_t public_key[KV_KEY_BYTES];

    if (!read_key(private_key)) {
        kv_cmd_complain(_("standard input is no private key; allowed: one line of 44 characters "
                          "as \"kcpvpn genkey\" writes it"));
        return KV_EXIT_USAGE;
    }
    kv_key_get_public(private_key, public_key);
    sodium_memzero(private_key, sizeof private_key);
    return print_key(public_key);
}
