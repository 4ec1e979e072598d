/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* The first pause is about a second, the longest about half a minute. */
#define KV_BACKOFF_FIRST_MS 1000
#define KV_BACKOFF_MAX_MS   30000

/**
 * KvBackoff:
 *
 * The pauses between tries: each is twice as long as the one before, up to the longest, and up to a
 * quarter shorter or longer by chance, so that the clients of a restarted server do not come all at
 * once. All zero: a series that has not begun. One thread.
 */
typedef struct {
    guint tries; /* whose pause was less than the longest */
} KvBackoff;

/* Begins the series anew. */
void kv_backoff_reset(KvBackoff *backoff);

/* The next pause in ms. @random: any number, all of them equally likely */
guint kv_backoff_next(KvBackoff *backoff, guint32 random);
