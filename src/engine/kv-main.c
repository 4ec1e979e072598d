/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-main.h"

#include "kv-mailbox.h"

static KvMailbox mailbox = KV_MAILBOX_INIT;
static GSource *source;
static pthread_once_t source_once = PTHREAD_ONCE_INIT;

static gboolean
run_mail(GSource *self, GSourceFunc func, gpointer data)
{
    KvMessage *message;

    /* Before taking, so that a message sent from now on is not slept over. */
    g_source_set_ready_time(self, -1);
    message = kv_mailbox_take(&mailbox);
    while (message != NULL) {
        g_autofree KvMessage *done = message;

        message = message->next;
        ((void (*)(gpointer)) done->func)(done->data);
    }
    return G_SOURCE_CONTINUE;
}

static void
make_source(void)
{
    static GSourceFuncs funcs = {.dispatch = run_mail};

    source = g_source_new(&funcs, sizeof(GSource));
    g_source_set_name(source, "kv-main-mailbox");
    g_source_attach(source, NULL);
}

void
kv_main_send(void (*func)(gpointer data), gpointer data)
{
    pthread_once(&source_once, make_source);
    if (kv_mailbox_send(&mailbox, G_CALLBACK(func), data))
        g_source_set_ready_time(source, 0);
}
