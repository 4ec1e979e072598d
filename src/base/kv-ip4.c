/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-ip4.h"

const char *
kv_ip4_to_string(KvIp4 ip, char text[KV_IP4_TEXT_BYTES])
{
    g_snprintf(text, KV_IP4_TEXT_BYTES, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
               ip & 255);
    return text;
}

gboolean
kv_ip4_is_netmask(KvIp4 mask)
{
    return (~mask & (~mask + 1)) == 0;
}

guint
kv_ip4_mask_to_prefix(KvIp4 mask)
{
    return mask == UINT32_MAX ? 32 : (guint) __builtin_clz(~mask);
}
