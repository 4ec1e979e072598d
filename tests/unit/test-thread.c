/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-test.h"
#include "kv-thread.h"

#include <sys/resource.h>
#include <unistd.h>

#define NOBODY 65534

typedef struct {
    GThread *ran_in;
    GThread *done_in;
    guint value; /* of whose turn it is */
} Work;

static void
run(gpointer data)
{
    Work *work = data;

    work->ran_in = g_thread_self();
    work->value *= 2;
}

static void
done(gpointer data)
{
    Work *work = data;

    work->done_in = g_thread_self();
    work->value += 1;
}

static void
wait_for(const Work *work)
{
    while (work->done_in == NULL)
        g_main_context_iteration(NULL, TRUE);
}

/* Proves: the work runs elsewhere, its end is told here and after it, and each sees what the other
 * wrote, without a lock of their own. */
static void
test_run(void)
{
    Work works[32] = {{0}};

    for (guint i = 0; i < G_N_ELEMENTS(works); i++) {
        works[i].value = i;
        g_assert_true(kv_thread_run(run, done, &works[i], NULL));
    }
    for (guint i = 0; i < G_N_ELEMENTS(works); i++) {
        wait_for(&works[i]);
        g_assert_true(works[i].ran_in != g_thread_self());
        g_assert_true(works[i].done_in == g_thread_self());
        g_assert_cmpuint(works[i].value, ==, 2 * i + 1);
    }
}

/* Proves: without a thread nothing is run, now or later, the error says so, and the next one that
 * finds a thread runs. In a process of its own, of a user who has limits. */
static void
test_none(void)
{
    g_autoptr(GError) error = NULL;
    struct rlimit limit;
    Work refused = {0};
    Work work = {.value = 3};

    if (geteuid() != 0) {
        g_test_skip("not root: no user of its own");
        return;
    }
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        return;
    }
    g_assert_cmpint(setuid(NOBODY), ==, 0);
    g_assert_cmpint(getrlimit(RLIMIT_NPROC, &limit), ==, 0);
    g_assert_cmpint(setrlimit(RLIMIT_NPROC, &(struct rlimit){0, limit.rlim_max}), ==, 0);
    g_assert_false(kv_thread_run(run, done, &refused, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_EXHAUSTED);
    g_assert_true(g_str_has_prefix(error->message, "cannot start a thread: "));
    g_assert_cmpint(setrlimit(RLIMIT_NPROC, &limit), ==, 0);
    g_assert_true(kv_thread_run(run, done, &work, NULL));
    wait_for(&work);
    g_assert_cmpuint(work.value, ==, 7);
    g_assert_null(refused.ran_in);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/thread/run", test_run);
    g_test_add_func("/thread/none", test_none);
    return kv_test_main(&argc, &argv);
}
