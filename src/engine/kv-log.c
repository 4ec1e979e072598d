/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-log.h"

#include "kv-clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_LINES      10
#define LIMIT_WINDOW     KV_TIME_S
#define OWN_DOMAIN_START "kcpvpn"
#define SLOW_READER_MS   50

typedef struct {
    KvTime start;
    guint n_lines;
    guint n_left_out;
} LimitClass;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* Written before any thread starts. */
static KvLogLevel least_level = KV_LOG_DEBUG;
static KvLogFormat line_format = KV_LOG_FORMAT_TEXT;
static gboolean to_journal;
static gboolean names_tunnels;
static GLogLevelFlags fatal_levels;

static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static guint n_unwritten; /* lines, since stderr took one last */

static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *limit_classes; /* class id → LimitClass */

static char *
dup_field(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (!g_str_equal(fields[i].key, key))
            continue;
        if (fields[i].length < 0)
            return g_utf8_make_valid(fields[i].value, -1);
        return g_utf8_make_valid(fields[i].value, fields[i].length);
    }
    return NULL;
}

/* syslog's scale, which our own lines use as it is: theirs have no GLib level, see emit(). */
static KvLogLevel
level_from_priority(const char *priority)
{
    int value = priority != NULL ? atoi(priority) : 6;

    if (value <= 3)
        return KV_LOG_ERROR;
    if (value == 4)
        return KV_LOG_WARNING;
    return value <= 6 ? KV_LOG_INFO : KV_LOG_DEBUG;
}

/* A line break in a message must not look like another line. */
static void
append_text(GString *line, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((guchar) *p < 0x20 || *p == 0x7f)
            g_string_append_printf(line, "\\x%02x", (guchar) *p);
        else
            g_string_append_c(line, *p);
    }
}

static void
append_json(GString *line, const char *key, const char *value)
{
    if (value == NULL)
        return;
    g_string_append_printf(line, "%s\"%s\":\"", line->str[line->len - 1] == '{' ? "" : ",", key);
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf(line, "\\%c", *p);
        else if ((guchar) *p < 0x20 || *p == 0x7f)
            g_string_append_printf(line, "\\u%04x", (guchar) *p);
        else
            g_string_append_c(line, *p);
    }
    g_string_append_c(line, '"');
}

static GString *
format_json(KvLogLevel level, const char *domain, const GLogField *fields, gsize n_fields)
{
    static const struct {
        const char *key;
        const char *field;
    } members[] = {
        {"event", "KV_EVENT"},
        {"tunnel", "KV_TUNNEL"},
        {"peer", "KV_PEER"},
        {"message", "MESSAGE"},
    };
    GString *line = g_string_new("{");
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *seconds = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S");
    g_autofree char *stamp =
        g_strdup_printf("%s.%03dZ", seconds, g_date_time_get_microsecond(now) / 1000);

    append_json(line, "time", stamp);
    append_json(line, "level", level_names[level]);
    if (!g_str_has_prefix(domain, OWN_DOMAIN_START))
        append_json(line, "domain", domain);
    for (guint i = 0; i < G_N_ELEMENTS(members); i++) {
        g_autofree char *value = dup_field(fields, n_fields, members[i].field);

        append_json(line, members[i].key, value);
    }
    g_string_append(line, "}\n");
    return line;
}

static GString *
format_text(KvLogLevel level, const char *domain, const GLogField *fields, gsize n_fields)
{
    GString *line = g_string_new(NULL);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d %H:%M:%S");
    g_autofree char *message = dup_field(fields, n_fields, "MESSAGE");

    g_string_append_printf(line, "%s %s: ", stamp, level_names[level]);
    if (!g_str_has_prefix(domain, OWN_DOMAIN_START))
        g_string_append_printf(line, "%s: ", domain);
    append_text(line, message != NULL ? message : "");
    g_string_append_c(line, '\n');
    return line;
}

/* Whether stderr takes PIPE_BUF bytes now. A reader may be slow; one who does not read at all is
 * waited for once, not at each line. */
static gboolean
is_writable(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&fd, 1, n_unwritten > 0 ? 0 : SLOW_READER_MS) > 0 && (fd.revents & POLLOUT) != 0;
}

/* Returns: FALSE if nothing of it was written because nobody reads. Who cannot write to stderr
 * has nowhere to say so. */
static gboolean
write_text(const char *text, gsize len)
{
    gsize done = 0;

    while (done < len) {
        ssize_t n;

        if (!is_writable())
            return done > 0;
        n = write(STDERR_FILENO, text + done, MIN(len - done, PIPE_BUF));
        if (n < 0 && errno != EINTR)
            return TRUE;
        done += n > 0 ? (gsize) n : 0;
    }
    return TRUE;
}

/* One line at a time, so that lines of two threads do not mix, and never more than stderr takes
 * without blocking: a pipe that nobody reads must not stop the tunnel. */
static void
write_line(const GString *line)
{
    pthread_mutex_lock(&write_lock);
    if (n_unwritten > 0) {
        g_autofree char *what = g_strdup_printf(
            n_unwritten == 1 ? "%u line lost, nobody read it" : "%u lines lost, nobody read them",
            n_unwritten);
        g_autofree char *note = g_strdup_printf(line_format == KV_LOG_FORMAT_JSON
                                                    ? "{\"level\":\"warning\",\"message\":\"%s\"}\n"
                                                    : "warning: %s\n",
                                                what);

        if (write_text(note, strlen(note)))
            n_unwritten = 0;
    }
    if (n_unwritten > 0 || !write_text(line->str, line->len))
        n_unwritten++;
    pthread_mutex_unlock(&write_lock);
}

static gboolean
is_hidden(GLogLevelFlags flags, KvLogLevel level, const char *domain)
{
    if (level > least_level)
        return TRUE;
    return !g_str_has_prefix(domain, OWN_DOMAIN_START) &&
           g_log_writer_default_would_drop(flags, domain);
}

static void
write_fields(GLogLevelFlags flags, const GLogField *fields, gsize n_fields)
{
    g_autofree char *found = dup_field(fields, n_fields, "GLIB_DOMAIN");
    g_autofree char *priority = dup_field(fields, n_fields, "PRIORITY");
    const char *domain = found != NULL ? found : "GLib";
    KvLogLevel level = level_from_priority(priority);
    GString *line;

    if (is_hidden(flags, level, domain))
        return;
    if (to_journal && g_log_writer_journald(flags, fields, n_fields, NULL) == G_LOG_WRITER_HANDLED)
        return;
    if (line_format == KV_LOG_FORMAT_JSON)
        line = format_json(level, domain, fields, n_fields);
    else
        line = format_text(level, domain, fields, n_fields);
    write_line(line);
    g_string_free(line, TRUE);
}

/* A writer of one's own is also in charge of what GLib's does with fatal messages; those of the
 * old interface are ended by g_log(). */
static gboolean
is_fatal(GLogLevelFlags flags, const GLogField *fields, gsize n_fields)
{
    if ((flags & (G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL)) != 0)
        return TRUE;
    if ((flags & fatal_levels) == 0)
        return FALSE;
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "GLIB_OLD_LOG_API"))
            return FALSE;
    }
    return TRUE;
}

static GLogWriterOutput
writer(GLogLevelFlags flags, const GLogField *fields, gsize n_fields, gpointer data)
{
    write_fields(flags, fields, n_fields);
    if (is_fatal(flags, fields, n_fields))
        abort();
    return G_LOG_WRITER_HANDLED;
}

void
kv_log_init(KvLogLevel level, KvLogFormat format)
{
    least_level = level;
    line_format = format;
    to_journal = g_log_writer_is_journald(STDERR_FILENO);
    /* There is no getter. */
    fatal_levels = g_log_set_always_fatal(G_LOG_FATAL_MASK);
    g_log_set_always_fatal(fatal_levels);
    g_log_set_writer_func(writer, NULL, NULL);
}

void
kv_log_name_tunnels(void)
{
    names_tunnels = TRUE;
}

gboolean
kv_log_level_from_string(const char *text, KvLogLevel *level)
{
    for (guint i = 0; i < G_N_ELEMENTS(level_names); i++) {
        if (g_strcmp0(text, level_names[i]) == 0) {
            *level = i;
            return TRUE;
        }
    }
    return FALSE;
}

/* Errors and warnings go to GLib as messages, with the true level in PRIORITY alone: a test
 * program or G_DEBUG=fatal-warnings makes GLib's own levels fatal, and these are no bugs. */
static void
emit(KvLogLevel level, const char *event, const char *tunnel, const char *peer, const char *message)
{
    static const char *const priorities[] = {"3", "4", "6", "7"};
    static const GLogLevelFlags flags[] = {G_LOG_LEVEL_MESSAGE, G_LOG_LEVEL_MESSAGE,
                                           G_LOG_LEVEL_INFO, G_LOG_LEVEL_DEBUG};
    g_autofree char *named = NULL;
    g_autofree char *id_text = NULL;
    g_autofree char *id = NULL;
    GLogField fields[7];
    gsize n = 0;

    if (names_tunnels && tunnel != NULL)
        message = named = g_strconcat(tunnel, ": ", message, NULL);
    fields[n++] = (GLogField){"PRIORITY", priorities[level], -1};
    fields[n++] = (GLogField){"GLIB_DOMAIN", G_LOG_DOMAIN, -1};
    fields[n++] = (GLogField){"MESSAGE", message, -1};
    if (event != NULL) {
        id_text = g_strconcat("kcpvpn:", event, NULL);
        id = g_compute_checksum_for_string(G_CHECKSUM_MD5, id_text, -1);
        fields[n++] = (GLogField){"KV_EVENT", event, -1};
        fields[n++] = (GLogField){"MESSAGE_ID", id, -1};
    }
    if (tunnel != NULL)
        fields[n++] = (GLogField){"KV_TUNNEL", tunnel, -1};
    if (peer != NULL)
        fields[n++] = (GLogField){"KV_PEER", peer, -1};
    g_log_structured_array(flags[level], fields, n);
}

void
kv_log(KvLogLevel level, const char *event, const char *tunnel, const char *peer,
       const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    if (level > least_level)
        return;
    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    emit(level, event, tunnel, peer, message);
}

/* Returns: whether one more line of this class may be written; @left_out: (out): how many were
 * not in the second that has just ended. */
static gboolean
count_line(const char *class_id, KvTime now, guint *left_out)
{
    LimitClass *limit;
    gboolean allowed;

    pthread_mutex_lock(&limit_lock);
    if (limit_classes == NULL)
        limit_classes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    limit = g_hash_table_lookup(limit_classes, class_id);
    if (limit == NULL) {
        limit = g_new0(LimitClass, 1);
        limit->start = now;
        g_hash_table_insert(limit_classes, (gpointer) class_id, limit);
    }
    *left_out = 0;
    if (kv_time_elapsed(now, limit->start) >= LIMIT_WINDOW) {
        *left_out = limit->n_left_out;
        *limit = (LimitClass){.start = now};
    }
    allowed = limit->n_lines < LIMIT_LINES;
    if (allowed)
        limit->n_lines++;
    else
        limit->n_left_out++;
    pthread_mutex_unlock(&limit_lock);
    return allowed;
}

void
kv_log_limited(const char *class_id, KvLogLevel level, const char *event, const char *tunnel,
               const char *peer, const char *format, ...)
{
    g_autofree char *message = NULL;
    guint left_out;
    va_list args;

    if (level > least_level || !count_line(class_id, kv_clock_now(), &left_out))
        return;
    if (left_out > 0)
        kv_log(level, NULL, tunnel, NULL, "%u more lines of kind \"%s\" left out", left_out,
               class_id);
    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    emit(level, event, tunnel, peer, message);
}
