/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-log.h"
#include "kv-test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_THREADS 4
#define N_LINES   200

/* What this process writes to stderr goes into a file from here on. */
static int captured = -1;

static void
capture(KvLogLevel level, KvLogFormat format)
{
    g_autofree char *path = NULL;

    captured = g_file_open_tmp("kv-log-XXXXXX", &path, NULL);
    g_assert_cmpint(captured, >=, 0);
    unlink(path);
    g_assert_cmpint(dup2(captured, STDERR_FILENO), ==, STDERR_FILENO);
    kv_log_init(level, format);
}

static char **
captured_lines(void)
{
    off_t len = lseek(captured, 0, SEEK_END);
    g_autofree char *text = g_malloc0((gsize) len + 1);
    char **lines;
    guint n;

    g_assert_cmpint(pread(captured, text, (gsize) len, 0), ==, len);
    lines = g_strsplit(text, "\n", -1);
    n = g_strv_length(lines);
    g_assert_cmpuint(n, >, 0);
    /* Each line ends in a line break. */
    g_assert_cmpstr(lines[n - 1], ==, "");
    g_clear_pointer(&lines[n - 1], g_free);
    return lines;
}

/* Runs @func in a process of its own, for the writer can be installed once only. */
static void
run_alone(void (*func)(void))
{
    if (g_test_subprocess()) {
        func();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_passed();
}

/* One JSON string at *@p, which is moved behind it. */
static char *
parse_json_string(const char **p)
{
    GString *out = g_string_new(NULL);

    g_assert_cmpint(*(*p)++, ==, '"');
    for (; **p != '"'; (*p)++) {
        g_assert_cmpint((guchar) * *p, >=, 0x20);
        if (**p != '\\') {
            g_string_append_c(out, **p);
            continue;
        }
        (*p)++;
        if (**p == 'u') {
            char hex[5] = {0};

            memcpy(hex, *p + 1, 4);
            g_string_append_unichar(out, (gunichar) strtoul(hex, NULL, 16));
            *p += 4;
        } else {
            g_assert_nonnull(strchr("\"\\/", **p));
            g_string_append_c(out, **p);
        }
    }
    (*p)++;
    return g_string_free(out, FALSE);
}

static GHashTable *
parse_json(const char *p)
{
    GHashTable *object = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    g_assert_true(g_utf8_validate(p, -1, NULL));
    g_assert_cmpint(*p++, ==, '{');
    for (;;) {
        char *key = parse_json_string(&p);

        g_assert_cmpint(*p++, ==, ':');
        g_assert_true(g_hash_table_insert(object, key, parse_json_string(&p)));
        if (*p != ',')
            break;
        p++;
    }
    g_assert_cmpstr(p, ==, "}");
    return object;
}

static void
check_json(void)
{
    const char *nasty = "say \"hi\" \\ back\nslash\ttab \x01 \x7f gr\xc3\xbc\xc3\x9f";
    g_auto(GStrv) lines = NULL;
    g_autoptr(GHashTable) full = NULL;
    g_autoptr(GHashTable) bare = NULL;
    const char *stamp;

    capture(KV_LOG_INFO, KV_LOG_FORMAT_JSON);
    kv_log(KV_LOG_WARNING, "connected", "home\"1", "192.0.2.1:1", "%s", nasty);
    kv_log(KV_LOG_INFO, NULL, NULL, NULL, "broken \xff utf-8");
    kv_log(KV_LOG_DEBUG, NULL, NULL, NULL, "hidden");
    lines = captured_lines();
    g_assert_cmpuint(g_strv_length(lines), ==, 2);

    full = parse_json(lines[0]);
    g_assert_cmpuint(g_hash_table_size(full), ==, 6);
    g_assert_cmpstr(g_hash_table_lookup(full, "level"), ==, "warning");
    g_assert_cmpstr(g_hash_table_lookup(full, "event"), ==, "connected");
    g_assert_cmpstr(g_hash_table_lookup(full, "tunnel"), ==, "home\"1");
    g_assert_cmpstr(g_hash_table_lookup(full, "peer"), ==, "192.0.2.1:1");
    g_assert_cmpstr(g_hash_table_lookup(full, "message"), ==, nasty);
    stamp = g_hash_table_lookup(full, "time");
    g_assert_true(
        g_regex_match_simple("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$", stamp, 0, 0));

    bare = parse_json(lines[1]);
    g_assert_cmpuint(g_hash_table_size(bare), ==, 3);
    g_assert_cmpstr(g_hash_table_lookup(bare, "message"), ==, "broken \xef\xbf\xbd utf-8");
}

/* Proves: a JSON line parses back to what was logged, whatever bytes it holds; absent fields are
 * left out. */
static void
test_json(void)
{
    run_alone(check_json);
}

static void
check_text(void)
{
    g_auto(GStrv) lines = NULL;

    capture(KV_LOG_DEBUG, KV_LOG_FORMAT_TEXT);
    kv_log(KV_LOG_ERROR, "failed", "t", "p", "no %s", "route");
    kv_log(KV_LOG_DEBUG, NULL, NULL, NULL, "two\nlines");
    g_log_structured("Other", G_LOG_LEVEL_DEBUG, "MESSAGE", "noise of a library");
    g_log_structured("Other", G_LOG_LEVEL_MESSAGE, "MESSAGE", "word of a library");
    lines = captured_lines();
    g_assert_cmpuint(g_strv_length(lines), ==, 3);
    g_assert_true(g_regex_match_simple(
        "^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d error: no route$", lines[0], 0, 0));
    g_assert_true(g_str_has_suffix(lines[1], " debug: two\\x0alines"));
    g_assert_true(g_str_has_suffix(lines[2], " info: Other: word of a library"));
}

/* Proves: text lines have time and level and stay one line; those of libraries name their domain,
 * and their debug lines are hidden. */
static void
test_text(void)
{
    run_alone(check_text);
}

static void
check_named(void)
{
    g_auto(GStrv) lines = NULL;

    capture(KV_LOG_DEBUG, KV_LOG_FORMAT_JSON);
    kv_log_name_tunnels();
    kv_log(KV_LOG_INFO, "listening", "office", NULL, "listening");
    kv_log(KV_LOG_INFO, "ready", NULL, NULL, "no tunnel's");
    lines = captured_lines();
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
    g_assert_nonnull(strstr(lines[0], "\"tunnel\":\"office\",\"message\":\"office: listening\""));
    g_assert_nonnull(strstr(lines[1], "\"message\":\"no tunnel's\""));
}

/* Proves: a program with several tunnels says in each line whose it is. */
static void
test_named(void)
{
    run_alone(check_named);
}

static void
check_level(void)
{
    g_auto(GStrv) lines = NULL;

    capture(KV_LOG_WARNING, KV_LOG_FORMAT_TEXT);
    for (KvLogLevel level = KV_LOG_ERROR; level <= KV_LOG_DEBUG; level++)
        kv_log(level, NULL, NULL, NULL, "line %d", level);
    lines = captured_lines();
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
}

/* Proves: what is less important than the chosen level is not written. */
static void
test_level(void)
{
    run_alone(check_level);
}

static void
check_fatal(void)
{
    kv_log_init(KV_LOG_ERROR, KV_LOG_FORMAT_TEXT);
    g_log_structured("kcpvpn-test", G_LOG_LEVEL_ERROR, "MESSAGE", "a bug");
}

/* Proves: g_error() still says why and ends the program. */
static void
test_fatal(void)
{
    if (g_test_subprocess()) {
        check_fatal();
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("* error: a bug\n");
}

static void
check_limit(void)
{
    g_auto(GStrv) lines = NULL;

    capture(KV_LOG_INFO, KV_LOG_FORMAT_TEXT);
    for (guint i = 0; i < 25; i++) {
        kv_log_limited("bad-client", KV_LOG_INFO, NULL, NULL, NULL, "bad %u", i);
        kv_log_limited("not-shown", KV_LOG_DEBUG, NULL, NULL, NULL, "hidden %u", i);
    }
    kv_log_limited("other", KV_LOG_INFO, NULL, NULL, NULL, "another kind");
    g_usleep(G_USEC_PER_SEC + 50 * 1000);
    for (guint i = 25; i < 27; i++)
        kv_log_limited("bad-client", KV_LOG_INFO, NULL, NULL, NULL, "bad %u", i);
    lines = captured_lines();
    g_assert_cmpuint(g_strv_length(lines), ==, 14);
    g_assert_true(g_str_has_suffix(lines[9], "bad 9"));
    g_assert_true(g_str_has_suffix(lines[10], "another kind"));
    g_assert_true(g_str_has_suffix(lines[11], "15 more lines of kind \"bad-client\" left out"));
    g_assert_true(g_str_has_suffix(lines[12], "bad 25"));
    g_assert_true(g_str_has_suffix(lines[13], "bad 26"));
}

/* Proves: a class of lines stops at ten a second, others go on, and the rest is counted. */
static void
test_limit(void)
{
    run_alone(check_limit);
}

static void *
log_lines(void *data)
{
    for (guint i = 0; i < N_LINES; i++)
        kv_log(KV_LOG_INFO, "event", "tunnel", NULL, "thread %u line", GPOINTER_TO_UINT(data));
    return NULL;
}

static void
check_threads(void)
{
    pthread_t threads[N_THREADS];
    g_auto(GStrv) lines = NULL;

    capture(KV_LOG_INFO, KV_LOG_FORMAT_JSON);
    for (guint i = 0; i < N_THREADS; i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, log_lines, GUINT_TO_POINTER(i)), ==, 0);
    for (guint i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    lines = captured_lines();
    g_assert_cmpuint(g_strv_length(lines), ==, N_THREADS * N_LINES);
    for (guint i = 0; lines[i] != NULL; i++) {
        g_autoptr(GHashTable) object = parse_json(lines[i]);

        g_assert_cmpuint(g_hash_table_size(object), ==, 5);
    }
}

/* Proves: lines of several threads do not mix. */
static void
test_threads(void)
{
    run_alone(check_threads);
}

/* Proves: the four names are understood, nothing else. */
static void
test_level_names(void)
{
    KvLogLevel level = KV_LOG_DEBUG;

    g_assert_true(kv_log_level_from_string("error", &level));
    g_assert_cmpint(level, ==, KV_LOG_ERROR);
    g_assert_true(kv_log_level_from_string("warning", &level));
    g_assert_cmpint(level, ==, KV_LOG_WARNING);
    g_assert_true(kv_log_level_from_string("info", &level));
    g_assert_cmpint(level, ==, KV_LOG_INFO);
    g_assert_true(kv_log_level_from_string("debug", &level));
    g_assert_cmpint(level, ==, KV_LOG_DEBUG);
    g_assert_false(kv_log_level_from_string("Error", &level));
    g_assert_false(kv_log_level_from_string("", &level));
    g_assert_false(kv_log_level_from_string(NULL, &level));
}

#define N_UNREAD 5000

static void
log_to_deaf_pipe(void)
{
    g_autofree char *buf = g_malloc0(N_UNREAD * 100);
    gsize len = 0;
    int fds[2];
    ssize_t n;

    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    g_assert_cmpint(dup2(fds[1], STDERR_FILENO), ==, STDERR_FILENO);
    kv_log_init(KV_LOG_INFO, KV_LOG_FORMAT_JSON);
    alarm(20);
    for (guint i = 0; i < N_UNREAD; i++)
        kv_log(KV_LOG_INFO, "deaf", NULL, NULL, "line %u", i);
    len = (gsize) read(fds[0], buf, N_UNREAD * 100 - 1);
    kv_log(KV_LOG_INFO, "heard", NULL, NULL, "again");
    n = read(fds[0], buf + len, N_UNREAD * 100 - 1 - len);
    g_assert_cmpint(n, >, 0);
    g_assert_true(g_str_has_prefix(buf, "{\"time\""));
    g_assert_nonnull(strstr(buf + len, "lines lost, nobody read them\"}\n{"));
    g_assert_nonnull(strstr(buf + len, "\"again\"}\n"));
}

/* Proves: a pipe that nobody reads blocks no thread that logs; when it is read again a line tells
 * how much was lost, and whole lines follow. */
static void
test_deaf_pipe(void)
{
    run_alone(log_to_deaf_pipe);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/log/json", test_json);
    g_test_add_func("/log/text", test_text);
    g_test_add_func("/log/named", test_named);
    g_test_add_func("/log/level", test_level);
    g_test_add_func("/log/fatal", test_fatal);
    g_test_add_func("/log/limit", test_limit);
    g_test_add_func("/log/threads", test_threads);
    g_test_add_func("/log/deaf-pipe", test_deaf_pipe);
    g_test_add_func("/log/level-names", test_level_names);
    return kv_test_main(&argc, &argv);
}
