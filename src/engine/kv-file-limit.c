/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-file-limit.h"

#include "kv-log.h"

#include <errno.h>
#include <sys/resource.h>

static struct {
    gboolean is_raised;
    rlim_t soft; /* before that */
} original;

void
kv_file_limit_raise(guint needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        original.soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
            original.is_raised = TRUE;
            if (limit.rlim_max < needed)
                kv_log(KV_LOG_WARNING, "file-limit", NULL, NULL,
                       "only %" G_GUINT64_FORMAT " files may be open at a time (RLIMIT_NOFILE), "
                       "%u are needed to serve %d clients",
                       (guint64) limit.rlim_max, needed, KV_CLIENTS_MAX);
            return;
        }
    }
    kv_log(KV_LOG_WARNING, "file-limit", NULL, NULL, "cannot raise the limit of open files: %s",
           g_strerror(errno));
}

/* Neither way can be refused: the hard limit stays as it is. */
static void
set_soft(rlim_t soft)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = MIN(soft, limit.rlim_max);
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

void
kv_file_limit_lend(void)
{
    if (original.is_raised)
        set_soft(original.soft);
}

void
kv_file_limit_take_back(void)
{
    if (original.is_raised)
        set_soft(RLIM_INFINITY);
}
