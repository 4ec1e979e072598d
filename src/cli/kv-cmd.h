/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-args.h"
#include "kv-types.h"

#include <glib.h>

/* How the program ends; documented in kcpvpn(1). */
typedef enum {
    KV_EXIT_OK = 0,
    KV_EXIT_FAILURE = 1,
    KV_EXIT_USAGE = 2,         /* wrong usage or setting */
    KV_EXIT_REFUSED = 3,       /* the server refused, or broke the protocol */
    KV_EXIT_PERMISSION = 4,    /* a right is missing */
    KV_EXIT_NO_ANSWER = 5,     /* the server does not answer */
    KV_EXIT_LOST = 6,          /* the connection was lost */
    KV_EXIT_NO_DAEMON = 7,     /* kcpvpnd or the bus cannot be reached */
    KV_EXIT_NOT_FOUND = 8,     /* no such tunnel or client */
    KV_EXIT_NOT_CONNECTED = 9, /* "status": the tunnel is not connected */
} KvExit;

/**
 * kv_cmd_run:
 *
 * "server", "client" and "peer": runs one tunnel in the foreground until a signal or its end.
 * Returns: the exit status.
 */
KvExit kv_cmd_run(KvRole role, KvArgs *args);

/* The commands that talk to the daemon, by their names; each complains when it fails. */
KvExit kv_cmd_list(KvArgs *args);    /* kv-cmd-list.c */
KvExit kv_cmd_clients(KvArgs *args); /* kv-cmd-list.c */
KvExit kv_cmd_show(KvArgs *args);    /* kv-cmd-show.c */
KvExit kv_cmd_status(KvArgs *args);  /* kv-cmd-show.c */
KvExit kv_cmd_up(KvArgs *args);      /* kv-cmd-up.c */
KvExit kv_cmd_down(KvArgs *args);    /* kv-cmd-control.c */
KvExit kv_cmd_delete(KvArgs *args);  /* kv-cmd-control.c */
KvExit kv_cmd_kick(KvArgs *args);    /* kv-cmd-control.c */
KvExit kv_cmd_reload(KvArgs *args);  /* kv-cmd-control.c */
KvExit kv_cmd_add(KvArgs *args);     /* kv-cmd-add.c */
KvExit kv_cmd_edit(KvArgs *args);    /* kv-cmd-edit.c */
KvExit kv_cmd_import(KvArgs *args);  /* kv-cmd-transfer.c */
KvExit kv_cmd_export(KvArgs *args);  /* kv-cmd-transfer.c */
KvExit kv_cmd_monitor(KvArgs *args); /* kv-cmd-monitor.c */

/* The commands that need nobody else. */
KvExit kv_cmd_genkey(KvArgs *args); /* kv-cmd-keys.c */
KvExit kv_cmd_pubkey(KvArgs *args); /* kv-cmd-keys.c */
KvExit kv_cmd_genpsk(KvArgs *args); /* kv-cmd-keys.c */

/* The exit status that says @error (of %KV_ERROR or another domain) best. */
KvExit kv_exit_from_error(const GError *error);

/* Writes "kcpvpn: @message" to stderr, made printable. */
void kv_cmd_complain(const char *message);
