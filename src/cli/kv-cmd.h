/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

#include <glib.h>

/* How the program ends; documented in kcpvpn(1). */
typedef enum {
    KV_EXIT_OK = 0,
    KV_EXIT_FAILURE = 1,
    KV_EXIT_USAGE = 2,      /* wrong usage or setting */
    KV_EXIT_REFUSED = 3,    /* the server refused, or broke the protocol */
    KV_EXIT_PERMISSION = 4, /* a right is missing */
    KV_EXIT_NO_ANSWER = 5,  /* the server does not answer */
    KV_EXIT_LOST = 6,       /* the connection was lost */
} KvExit;

/**
 * kv_cmd_run:
 * @argv: (array length=argc): what follows the command word; secrets in it are wiped
 *
 * "server" and "client": runs one tunnel in the foreground until a signal or its end.
 * Returns: the exit status.
 */
KvExit kv_cmd_run(KvRole role, int argc, char **argv);

/* The exit status that says @error (of %KV_ERROR or another domain) best. */
KvExit kv_exit_from_error(const GError *error);

/* Writes "kcpvpn: @message" to stderr. */
void kv_cmd_complain(const char *message);
