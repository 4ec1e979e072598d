/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>
#include <stdint.h>

/* Counters of which the window knows whether they came: one word less, as the newest moves on. */
#define KV_REPLAY_BITS   8192
#define KV_REPLAY_WORDS  (KV_REPLAY_BITS / 64)
#define KV_REPLAY_WINDOW (KV_REPLAY_BITS - 64)

/**
 * KvReplay:
 *
 * Which counters of one direction were seen (RFC 6479: a ring of words that moves by whole words,
 * never bit by bit). All zero is a new one.
 */
typedef struct {
    uint64_t next; /* the greatest seen, and one; 0: none yet */
    uint64_t ring[KV_REPLAY_WORDS];
} KvReplay;

/* Whether @counter was not seen and is not too old. Changes nothing. */
gboolean kv_replay_may_pass(const KvReplay *replay, uint64_t counter) KV_MUST_USE;

/* Notes @counter, which may pass and was found true. At most 2^64 - 2. */
void kv_replay_note(KvReplay *replay, uint64_t counter);
