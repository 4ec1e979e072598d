/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-settings.h"

/* What command lines of the Go program mean that the table's rows do not allow. */
typedef enum {
    KV_OLDER_NONE,   /* that program refuses it, or nobody can mean it */
    KV_OLDER_ABSENT, /* the setting counts as not given */
    KV_OLDER_SAME,   /* another value, between which nobody can tell the difference */
    KV_OLDER_OTHER,  /* another value, which is worth a warning */
} KvOlder;

/**
 * kv_setting_read_older:
 * @text: a value that the Go program was given
 * @number: (out): for %KV_OLDER_SAME and %KV_OLDER_OTHER: the value in its place, one that @row
 *   allows
 *
 * That program takes an empty text for none, and bends numbers silently. Any thread.
 */
KvOlder kv_setting_read_older(const KvSetting *row, const char *text, guint64 *number);
