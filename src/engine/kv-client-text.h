/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-event.h"
#include "kv-sockaddr.h"
#include "kv-tunnel-params.h"

/* What a client says of how it went, in sentences for people. Main thread. */

/* (transfer full): why a session with the server at @remote is over. @said: what the server said,
 * natively */
GError *kv_client_text_error(const KvTunnelParams *params, const KvSockaddr *remote,
                             KvReason reason, const KvNativeConfig *said);

/* (transfer full): somebody deleted a living client's interface. */
GError *kv_client_text_device_error(const char *interface);

/* (transfer full): the server at @remote has interfaces of another mode by now: of @mode. */
GError *kv_client_text_mode_error(const KvSockaddr *remote, KvVniMode mode);

/* (transfer none): the data cipher as the setting crypt names it. */
const char *kv_client_text_cipher(const KvTunnelParams *params, const KvNativeConfig *said);

/* (transfer none): why it is that one, as the end of a sentence. */
const char *kv_client_text_why(const KvTunnelParams *params, const KvNativeConfig *said);
