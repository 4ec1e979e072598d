/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-mailbox.h"

void
kv_mailbox_init(KvMailbox *mailbox)
{
    *mailbox = (KvMailbox) KV_MAILBOX_INIT;
}

void
kv_mailbox_clear(KvMailbox *mailbox)
{
    g_assert(mailbox->first == NULL);
    pthread_mutex_destroy(&mailbox->lock);
}

gboolean
kv_mailbox_send(KvMailbox *mailbox, GCallback func, gpointer data)
{
    KvMessage *message = g_new(KvMessage, 1);
    gboolean was_empty;

    *message = (KvMessage){.func = func, .data = data};
    pthread_mutex_lock(&mailbox->lock);
    was_empty = mailbox->first == NULL;
    if (was_empty)
        mailbox->first = message;
    else
        mailbox->last->next = message;
    mailbox->last = message;
    pthread_mutex_unlock(&mailbox->lock);
    return was_empty;
}

KvMessage *
kv_mailbox_take(KvMailbox *mailbox)
{
    KvMessage *first;

    pthread_mutex_lock(&mailbox->lock);
    first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}
