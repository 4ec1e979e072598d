/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-log.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static int max_priority = LOG_INFO;
static gboolean to_syslog;

static int
get_priority(GLogLevelFlags level)
{
    if ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL)) != 0)
        return LOG_ERR;
    if ((level & G_LOG_LEVEL_WARNING) != 0)
        return LOG_WARNING;
    if ((level & G_LOG_LEVEL_MESSAGE) != 0)
        return LOG_NOTICE;
    return (level & G_LOG_LEVEL_INFO) != 0 ? LOG_INFO : LOG_DEBUG;
}

static GLogWriterOutput
write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
    int priority = get_priority(level);
    g_autofree char *line = NULL;

    if (priority > max_priority)
        return G_LOG_WRITER_HANDLED;
    if (g_log_writer_is_journald(STDERR_FILENO))
        return g_log_writer_journald(level, fields, n_fields, data);
    if (to_syslog) {
        line = g_log_writer_format_fields(level, fields, n_fields, FALSE);
        syslog(LOG_DAEMON | priority, "%s", line);
    }
    return g_log_writer_standard_streams(level, fields, n_fields, data);
}

void
kv_nm_log_init(gboolean debug)
{
    const char *level = g_getenv("NM_VPN_LOG_LEVEL");
    guint64 number;

    if (debug)
        max_priority = LOG_DEBUG;
    else if (level != NULL &&
             g_ascii_string_to_unsigned(level, 10, LOG_EMERG, LOG_DEBUG, &number, NULL))
        max_priority = (int) number;
    to_syslog = !debug && g_strcmp0(g_getenv("NM_VPN_LOG_SYSLOG"), "1") == 0;
    g_log_set_writer_func(write_line, NULL, NULL);
}
