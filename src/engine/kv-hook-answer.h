/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* How the run of a hook ended. */
typedef enum {
    KV_HOOK_EXITED,
    KV_HOOK_SIGNALLED,
    KV_HOOK_TIMED_OUT, /* and was killed */
    KV_HOOK_REFUSED,   /* and was never started */
} KvHookEnd;

typedef struct {
    KvHookEnd end;
    int number;   /* EXITED: status; SIGNALLED: signal; TIMED_OUT: its limit in ms */
    char *reason; /* REFUSED: why, a sentence; else NULL */
} KvHookAnswer;

/* One line of log, a warning unless all went well. @tunnel, @peer: (nullable). Any thread. */
void kv_hook_answer_log(const KvHookAnswer *answer, const char *program, const char *tunnel,
                        const char *peer);

void kv_hook_answer_clear(KvHookAnswer *answer);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvHookAnswer, kv_hook_answer_clear)
