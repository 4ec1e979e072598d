/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-thread.h"

#include "kv-error.h"
#include "kv-main.h"

typedef struct {
    void (*run)(gpointer data);
    void (*done)(gpointer data);
    gpointer data;
} Work;

static gpointer
run_thread(gpointer data)
{
    g_autofree Work *work = data;

    work->run(work->data);
    kv_main_send(work->done, work->data);
    return NULL;
}

gboolean
kv_thread_run(void (*run)(gpointer data), void (*done)(gpointer data), gpointer data,
              GError **error)
{
    g_autofree Work *work = g_new0(Work, 1);
    g_autoptr(GError) why = NULL;
    GThread *thread;

    work->run = run;
    work->done = done;
    work->data = data;
    thread = g_thread_try_new("kcpvpn-work", run_thread, work, &why);
    if (thread == NULL) {
        g_set_error(error, KV_ERROR, KV_ERROR_EXHAUSTED, "cannot start a thread: %s", why->message);
        return FALSE;
    }
    g_steal_pointer(&work);
    g_thread_unref(thread);
    return TRUE;
}
