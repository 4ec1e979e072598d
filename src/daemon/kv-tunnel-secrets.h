/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"
#include "kv-tunnel-params.h"

#include <gio/gio.h>

/*
 * Files and credentials with secrets are the administrator's, and only for tunnels that are the
 * administrator's, too: whoever may make or change another tunnel would else have the daemon read
 * them, use the secret of somebody else, and lead it where it can be guessed at.
 */

/**
 * kv_tunnel_secrets_check:
 * @of_admin: whether @settings are from a file of the administrator's
 *
 * Whether "secret-file" and "private-key-file" may be as they are there. Else
 * %KV_ERROR_INVALID_SETTING. Pure.
 */
gboolean kv_tunnel_secrets_check(const KvSettings *settings, gboolean of_admin,
                                 GError **error) KV_MUST_USE;

/**
 * kv_tunnel_secrets_load_async:
 * @settings: nobody else's until @callback; what is given there wins
 * @of_admin: as above
 *
 * Completes @settings for a start: secrets out of the files that "secret-file" and
 * "private-key-file" name, or else out of the systemd credentials NAME.secret and
 * NAME.private-key, checks that nothing is missing, and derives the key,
 * which takes some milliseconds. All of it happens in a thread.
 */
void kv_tunnel_secrets_load_async(KvSettings *settings, gboolean of_admin,
                                  GAsyncReadyCallback callback, gpointer data);
/* (transfer full) (nullable): what a tunnel is made of. */
KvTunnelParams *kv_tunnel_secrets_load_finish(GAsyncResult *result, GError **error) KV_MUST_USE;
