/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-hook-answer.h"

#include "kv-log.h"

static char *
describe(const KvHookAnswer *answer)
{
    switch (answer->end) {
    case KV_HOOK_EXITED:
        return answer->number == 0 ? g_strdup("is done")
                                   : g_strdup_printf("failed with status %d", answer->number);
    case KV_HOOK_SIGNALLED:
        return g_strdup_printf("was ended by signal %d", answer->number);
    case KV_HOOK_TIMED_OUT:
        return g_strdup_printf("was killed after %d ms", answer->number);
    case KV_HOOK_REFUSED:
        return g_strdup_printf("was not run: %s", answer->reason);
    }
    g_return_val_if_reached(NULL);
}

void
kv_hook_answer_log(const KvHookAnswer *answer, const char *program, const char *tunnel,
                   const char *peer)
{
    gboolean is_good = answer->end == KV_HOOK_EXITED && answer->number == 0;
    g_autofree char *what = describe(answer);

    kv_log(is_good ? KV_LOG_DEBUG : KV_LOG_WARNING, is_good ? "hook-done" : "hook-failed", tunnel,
           peer, "Hook %s %s", program, what);
}

void
kv_hook_answer_clear(KvHookAnswer *answer)
{
    g_clear_pointer(&answer->reason, g_free);
}
