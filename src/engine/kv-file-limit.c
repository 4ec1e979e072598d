/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-file-limit.h"

#include "kv-log.h"

#include <errno.h>
#include <sys/resource.h>

void
kv_file_limit_raise(guint needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
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
