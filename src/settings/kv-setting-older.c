/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-older.h"

#include <string.h>

/* Numbers outside of the rows' ranges, and what becomes of them. The Go program keeps KCP's own
 * payload of 1400 and window of 32 when it is given others than it takes. What it refuses, what
 * breaks its tunnel and what it cuts to fewer bits (ports, DSCP, MTUs) is in no line. */
static const struct {
    KvSettingId id;
    guint64 first, last;
    guint64 becomes;
    gboolean is_same;
} bent[] = {
    {KV_SETTING_UDP_MTU, 0, 49, 1400, FALSE},
    {KV_SETTING_UDP_MTU, 1501, G_MAXUINT16, 1400, FALSE},
    {KV_SETTING_NODELAY, 2, G_MAXINT32, 1, TRUE},
    {KV_SETTING_INTERVAL, 0, 0, 10, TRUE},
    {KV_SETTING_INTERVAL, 60001, G_MAXINT32, 5000, TRUE},
    {KV_SETTING_RESEND, 256, G_MAXINT32, 255, TRUE}, /* as good as never */
    {KV_SETTING_NC, 2, G_MAXINT32, 1, TRUE},
    {KV_SETTING_SNDWND, 0, 0, 32, FALSE},
    {KV_SETTING_SNDWND, 65536, G_MAXINT32, 65535, TRUE}, /* no peer has a larger window */
    {KV_SETTING_RCVWND, 0, 0, 32, FALSE},
    {KV_SETTING_RCVWND, 1, 1, 2, FALSE},
    {KV_SETTING_RCVWND, 65536, G_MAXINT32, 65535, FALSE},
    {KV_SETTING_SOCKBUF, 0, 2047, 2048, FALSE}, /* about the kernel's least */
    {KV_SETTING_SOCKBUF, 268435457, G_MAXINT32, 268435456, FALSE},
    {KV_SETTING_SMUXBUF, 1, 65535, 65536, FALSE},
    {KV_SETTING_SMUXBUF, 268435457, G_MAXINT32, 268435456, TRUE}, /* the window is less */
};

static gboolean
read_number(const char *text, guint64 *number)
{
    gboolean is_hex = g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X");

    return g_ascii_string_to_unsigned(is_hex ? text + 2 : text, is_hex ? 16 : 10, 0, G_MAXINT32,
                                      number, NULL);
}

/* The Go program has no such flag. */
static gboolean
is_new(const KvSetting *row)
{
    switch (row->id) {
    case KV_SETTING_SECRET_FILE:
    case KV_SETTING_PRIVATE_KEY_FILE:
    case KV_SETTING_PUBLIC_KEY:
    case KV_SETTING_LOCAL_IP6:
    case KV_SETTING_ASSIGNABLE_IPS6:
    case KV_SETTING_ROUTES:
    case KV_SETTING_DNS:
    case KV_SETTING_DNS_SEARCH:
    case KV_SETTING_UP:
    case KV_SETTING_DOWN:
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean
is_absent(const KvSetting *row, const char *text)
{
    if (row->type != KV_SETTING_TYPE_STRING || row->default_text != NULL || is_new(row))
        return FALSE;
    if (text[0] == '\0')
        return TRUE;
    return (row->id == KV_SETTING_LOCAL_IP || row->id == KV_SETTING_NETMASK) &&
           strcmp(text, "0.0.0.0") == 0;
}

KvOlder
kv_setting_read_older(const KvSetting *row, const char *text, guint64 *number)
{
    guint64 given;

    if (is_absent(row, text))
        return KV_OLDER_ABSENT;
    if (row->type != KV_SETTING_TYPE_UINT || !read_number(text, &given))
        return KV_OLDER_NONE;
    for (gsize i = 0; i < G_N_ELEMENTS(bent); i++) {
        if (row->id != bent[i].id || given < bent[i].first || given > bent[i].last)
            continue;
        *number = bent[i].becomes;
        return bent[i].is_same ? KV_OLDER_SAME : KV_OLDER_OTHER;
    }
    return KV_OLDER_NONE;
}
