/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-heap.h"
#include "kv-macros.h"
#include "kv-main.h"
#include "kv-packet.h"
#include "kv-time.h"

/**
 * KvWorker:
 *
 * A thread that moves packets. Its file descriptors sit in one epoll set, which is all it waits on,
 * and its deadlines in one heap behind one CLOCK_BOOTTIME timerfd. Functions marked [worker] may be
 * called on its thread only, which debug builds assert, and only from what the worker itself calls:
 * messages, watches, timers and idles; the others on the main thread.
 *
 * A wake-up reads the time, then runs what is ready of watches, timers, messages and idles, in
 * that order, and sets the timerfd if the next deadline came nearer.
 */
typedef struct _KvWorker KvWorker;

KvWorker *kv_worker_new(guint index, GError **error) KV_MUST_USE;

/* Starts the thread. Returns: FALSE: none is to be had, and the worker is as it was. */
gboolean kv_worker_start(KvWorker *worker, GError **error) KV_MUST_USE;

/* Stops the thread after the messages sent so far and those they send to the same worker, joins
 * it and frees everything. Every message is run, also if the thread was never started. Watches,
 * timers, idles and packets must have been given back by then. */
void kv_worker_free(KvWorker *worker);

/**
 * kv_worker_send:
 * @func: run on the worker's thread, in order
 *
 * The mailbox to the worker; any thread. Never blocks on the worker.
 */
void kv_worker_send(KvWorker *worker, void (*func)(KvWorker *worker, gpointer data), gpointer data);

/* [worker] The pool every session of this worker takes its packets from. */
KvPacketPool *kv_worker_get_pool(KvWorker *worker);

/* [worker] The time of this wake-up, read once at its start. */
KvTime kv_worker_get_now(const KvWorker *worker);

/* [worker] Lets the next wake-up come no sooner than a quarter of a millisecond after this one, so
 * that it finds more to do at a time; while work is left over it is at once. */
void kv_worker_rest(KvWorker *worker);

/**
 * KvWatch: a file descriptor in the epoll set; embedded by its owner.
 */
typedef struct _KvWatch KvWatch;
struct _KvWatch {
    void (*ready)(KvWatch *watch, uint32_t events, KvTime now); /* EPOLL* bits */
    int fd;
    uint32_t events;
};

/* [worker] Watches @fd for @events, level triggered, EPOLLERR and EPOLLHUP always among them; 0
 * pauses without removing. @watch->ready is set by the caller before; on failure @watch->fd is
 * -1. A watch is removed before its descriptor is closed, at any time, also from its own or
 * another callback: nothing is delivered to it any more. Removing one with fd -1 does nothing. */
gboolean kv_worker_add_watch(KvWorker *worker, KvWatch *watch, int fd, uint32_t events,
                             GError **error) KV_MUST_USE;
void kv_worker_set_watch_events(KvWorker *worker, KvWatch *watch, uint32_t events);
void kv_worker_remove_watch(KvWorker *worker, KvWatch *watch);

/**
 * KvTimer: a deadline in the heap; embedded by its owner.
 */
typedef struct _KvTimer KvTimer;
struct _KvTimer {
    KvHeapNode node;
    void (*due)(KvTimer *timer, KvTime now);
};

/* [worker] Fires @timer->due once at @when, at the next wake-up if that has passed;
 * %KV_TIME_NEVER: not at all. O(log n). */
void kv_worker_set_timer(KvWorker *worker, KvTimer *timer, KvTime when);

/**
 * KvIdle: work to be done once at the end of this wake-up; embedded by its owner.
 */
typedef struct _KvIdle KvIdle;
struct _KvIdle {
    void (*run)(KvIdle *idle, KvTime now);
    KvIdle *next;
    gboolean queued;
};

/* [worker] Runs @idle->run at the end of this wake-up; once however often it is asked for. Idle
 * work that queues idle work runs in the same wake-up, up to 4 rounds of it, then in the next.
 * Removing costs O(n). */
void kv_worker_add_idle(KvWorker *worker, KvIdle *idle);
void kv_worker_remove_idle(KvWorker *worker, KvIdle *idle);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvWorker, kv_worker_free)
