/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-services.h"

/**
 * KvCallFunc:
 * @object: what the method was called on; it may have gone from the bus during the check
 * @invocation: (transfer full): to be answered
 * @uid: the caller's user
 */
typedef void (*KvCallFunc)(gpointer object, GDBusMethodInvocation *invocation, guint32 uid);

/**
 * KvCallRead:
 * @also: what these arguments demand on top, as in #KvAuthRequest
 * @tunnel: (transfer full) (nullable): the name that they give, if the request has none
 *
 * Reads arguments, before anybody is asked for a password. Returns: FALSE with the answer in
 * @error.
 */
typedef gboolean (*KvCallRead)(gpointer object, GDBusMethodInvocation *invocation,
                               KvAuthActions *also, char **tunnel, GError **error);

/**
 * kv_call_run:
 * @object: (type GObject): kept alive until it is over
 * @request: as for kv_auth_check_async(), but without the user; copied. It takes over a reference
 *     to @invocation, as every handler of a method does
 * @read: (nullable): called past the quotas, for arguments of any length
 *
 * The way of every method: past the quotas, @read and the gate to @then. Who is turned away gets
 * the error as the answer. Arguments are best read again in @then, from the invocation.
 */
void kv_call_run(const KvServices *services, gpointer object, const KvAuthRequest *request,
                 KvCallRead read, KvCallFunc then);
