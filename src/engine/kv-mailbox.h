/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib-object.h>
#include <pthread.h>

/**
 * KvMailbox:
 *
 * Messages from any thread to one reader, in the order they were sent. It does not wake the
 * reader: whoever fills an empty mailbox is told to. A message is a function and its argument;
 * the reader casts @func back to the type it was sent as.
 */
typedef struct _KvMessage KvMessage;
struct _KvMessage {
    KvMessage *next;
    GCallback func;
    gpointer data;
};

typedef struct {
    pthread_mutex_t lock;
    KvMessage *first;
    KvMessage *last;
} KvMailbox;

#define KV_MAILBOX_INIT                                                                            \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

void kv_mailbox_init(KvMailbox *mailbox);

/* Every message must have been taken. */
void kv_mailbox_clear(KvMailbox *mailbox);

/* Any thread. Returns: whether the mailbox was empty, so that its reader has to be woken. */
gboolean kv_mailbox_send(KvMailbox *mailbox, GCallback func, gpointer data);

/* (transfer full) (nullable): everything sent so far, oldest first; free each with g_free(). */
KvMessage *kv_mailbox_take(KvMailbox *mailbox);
