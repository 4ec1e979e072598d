/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

#define KV_IP4_TEXT_BYTES 16 /* "255.255.255.255" and its NUL */

/* Writes @ip as four decimal octets into @text and returns that. Any thread. */
const char *kv_ip4_to_string(KvIp4 ip, char text[KV_IP4_TEXT_BYTES]);

/* Whether @mask is ones and then zeroes, or either alone. */
gboolean kv_ip4_is_netmask(KvIp4 mask);

/* The number of leading ones of a netmask, 0 to 32. Any thread. */
guint kv_ip4_mask_to_prefix(KvIp4 mask);
