/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

#include <gio/gio.h>

/**
 * kv_tunnel_secrets_load_async:
 * @settings: nobody else's until @callback; what is given there wins
 *
 * Completes @settings for a start: the secret out of the file that "secret-file" names, or else
 * out of the systemd credential NAME.secret, and checks that nothing is missing. Files are read in
 * a thread.
 */
void kv_tunnel_secrets_load_async(KvSettings *settings, GAsyncReadyCallback callback,
                                  gpointer data);
gboolean kv_tunnel_secrets_load_finish(GAsyncResult *result, GError **error) KV_MUST_USE;
