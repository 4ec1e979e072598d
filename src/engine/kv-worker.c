/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-worker.h"

#include "kv-clock.h"
#include "kv-error.h"
#include "kv-mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#define EVENTS_PER_WAKE_UP 64
#define POOL_BYTES         (64 * 1024 * 1024)
#define POOL_PACKETS       (POOL_BYTES / sizeof(KvPacket))

/* How long the datagrams of a bulk transfer collect in the socket. */
#define REST 250 /* us */

/* Idle work may queue idle work; after this many rounds the rest waits for the next wake-up, so
 * that the sockets are looked at in between. */
#define IDLE_ROUNDS 4

G_STATIC_ASSERT(G_STRUCT_OFFSET(KvTimer, node) == 0);

struct _KvWorker {
    /* the worker's own */
    KvTime now;
    KvTime armed; /* what the timerfd is set to; %KV_TIME_NEVER: nothing */
    KvHeap timers;
    KvIdle *first_idle;
    KvIdle *last_idle;
    guint n_idles;
    int epoll_fd;
    int timer_fd;
    struct epoll_event events[EVENTS_PER_WAKE_UP];
    int n_events;
    gboolean rests; /* after this wake-up */
    gboolean mail_waiting;
    gboolean stopping;
    pthread_t self;
    KvWatch timer_watch;
    KvWatch mail_watch;
    KvPacketPool *pool;

    /* of any thread */
    KvMailbox mailbox;
    int mail_fd;

    /* the main thread's */
    pthread_t thread;
    gboolean started;
    guint index;
};

static inline void
assert_on_thread(const KvWorker *worker)
{
    g_assert(pthread_equal(worker->self, pthread_self()));
}

/* The eventfd is edge triggered and never read: each write is one event, and the sum of all
 * writes does not reach its limit in the life of a machine. */
static void
wake(KvWorker *worker)
{
    const uint64_t one = 1;

    while (write(worker->mail_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void
on_mail(KvWatch *watch, uint32_t events, KvTime now)
{
    KvWorker *worker = G_STRUCT_MEMBER_P(watch, -(glong) G_STRUCT_OFFSET(KvWorker, mail_watch));

    worker->mail_waiting = TRUE;
}

static void
on_timer(KvWatch *watch, uint32_t events, KvTime now)
{
    KvWorker *worker = G_STRUCT_MEMBER_P(watch, -(glong) G_STRUCT_OFFSET(KvWorker, timer_watch));

    worker->armed = KV_TIME_NEVER;
}

static void
run_watches(KvWorker *worker)
{
    for (int i = 0; i < worker->n_events; i++) {
        KvWatch *watch = worker->events[i].data.ptr;
        uint32_t events;

        /* An earlier callback of this batch may have removed or paused the watch. */
        if (watch == NULL || watch->events == 0)
            continue;
        events = worker->events[i].events & (watch->events | EPOLLERR | EPOLLHUP);
        if (events != 0)
            watch->ready(watch, events, worker->now);
    }
    worker->n_events = 0;
}

static void
run_timers(KvWorker *worker)
{
    /* A timer that sets itself to the past again has to wait for the next wake-up. */
    for (guint left = worker->timers.len; left > 0; left--) {
        KvHeapNode *node = kv_heap_peek(&worker->timers);
        KvTimer *timer = (KvTimer *) node;

        if (node == NULL || node->when > worker->now)
            return;
        kv_heap_remove(&worker->timers, node);
        timer->due(timer, worker->now);
    }
}

static gboolean
run_mail(KvWorker *worker)
{
    KvMessage *message = kv_mailbox_take(&worker->mailbox);
    gboolean any = message != NULL;

    worker->mail_waiting = FALSE;
    while (message != NULL) {
        g_autofree KvMessage *done = message;

        message = message->next;
        ((void (*)(KvWorker *, gpointer)) done->func)(worker, done->data);
    }
    return any;
}

static void
run_idles(KvWorker *worker)
{
    for (guint round = 0; round < IDLE_ROUNDS; round++) {
        for (guint left = worker->n_idles; left > 0 && worker->first_idle != NULL; left--) {
            KvIdle *idle = worker->first_idle;

            kv_worker_remove_idle(worker, idle);
            idle->run(idle, worker->now);
        }
    }
}

/* A deadline that moved away leaves the timer as it is: one wake-up too many now and then is
 * cheaper than a system call in each. Never reading it is fine, it is edge triggered. */
static void
arm_timer(KvWorker *worker)
{
    KvHeapNode *node = kv_heap_peek(&worker->timers);
    struct itimerspec spec = {0};

    if (worker->armed <= worker->now)
        worker->armed = KV_TIME_NEVER;
    if (node == NULL || node->when >= worker->armed)
        return;
    worker->armed = node->when;
    spec.it_value.tv_sec = (time_t) (node->when / KV_TIME_S);
    /* All zeroes would switch it off. */
    spec.it_value.tv_nsec = MAX((long) (node->when % KV_TIME_S) * 1000, 1);
    if (timerfd_settime(worker->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
        g_error("timerfd_settime: %s", g_strerror(errno));
}

static void
rest(KvWorker *worker)
{
    KvTime until = worker->now + REST;
    struct timespec at = {
        .tv_sec = (time_t) (until / KV_TIME_S),
        .tv_nsec = (long) (until % KV_TIME_S) * 1000,
    };

    worker->rests = FALSE;
    if (worker->first_idle == NULL && kv_clock_now() < until)
        clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &at, NULL);
}

static void
run_once(KvWorker *worker)
{
    int timeout_ms = worker->first_idle != NULL ? 0 : -1;

    if (worker->rests)
        rest(worker);
    worker->n_events = epoll_wait(worker->epoll_fd, worker->events, EVENTS_PER_WAKE_UP, timeout_ms);
    worker->now = kv_clock_now();
    run_watches(worker);
    run_timers(worker);
    if (worker->mail_waiting)
        run_mail(worker);
    run_idles(worker);
    arm_timer(worker);
}

static void *
run_thread(void *data)
{
    KvWorker *worker = data;

    worker->self = pthread_self();
    while (!worker->stopping)
        run_once(worker);
    /* What the last messages sent to this worker in their turn. */
    while (run_mail(worker))
        run_idles(worker);
    return NULL;
}

static gboolean
add_internal_watch(KvWorker *worker, KvWatch *watch, int fd, GError **error)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = watch};

    watch->fd = fd;
    watch->events = EPOLLIN;
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return TRUE;
    kv_error_set_errno(error, errno, "cannot watch a worker's timer and mailbox");
    return FALSE;
}

static gboolean
open_fds(KvWorker *worker, GError **error)
{
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    worker->mail_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->epoll_fd < 0 || worker->timer_fd < 0 || worker->mail_fd < 0) {
        kv_error_set_errno(error, errno, "cannot open a worker's epoll set, timer and mailbox");
        return FALSE;
    }
    worker->timer_watch.ready = on_timer;
    worker->mail_watch.ready = on_mail;
    return add_internal_watch(worker, &worker->timer_watch, worker->timer_fd, error) &&
           add_internal_watch(worker, &worker->mail_watch, worker->mail_fd, error);
}

static void
free_worker(KvWorker *worker)
{
    kv_autofd_clear(&worker->epoll_fd);
    kv_autofd_clear(&worker->timer_fd);
    kv_autofd_clear(&worker->mail_fd);
    kv_mailbox_clear(&worker->mailbox);
    kv_heap_clear(&worker->timers);
    kv_packet_pool_free(worker->pool);
    g_free(worker);
}

KvWorker *
kv_worker_new(guint index, GError **error)
{
    KvWorker *worker = g_new0(KvWorker, 1);

    worker->index = index;
    worker->armed = KV_TIME_NEVER;
    kv_heap_init(&worker->timers);
    kv_mailbox_init(&worker->mailbox);
    worker->pool = kv_packet_pool_new(POOL_PACKETS);
    if (!open_fds(worker, error)) {
        free_worker(worker);
        return NULL;
    }
    return worker;
}

/* Signals belong to the main thread, so the worker starts with all of them blocked. */
gboolean
kv_worker_start(KvWorker *worker, GError **error)
{
    char name[16];
    sigset_t all;
    sigset_t before;
    int failed;

    g_return_val_if_fail(!worker->started, FALSE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&worker->thread, NULL, run_thread, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        kv_error_set_errno(error, failed, "cannot start a worker thread");
        return FALSE;
    }
    worker->started = TRUE;
    g_snprintf(name, sizeof(name), "kcpvpn-w%u", worker->index);
    pthread_setname_np(worker->thread, name);
    return TRUE;
}

static void
stop(KvWorker *worker, gpointer data)
{
    worker->stopping = TRUE;
}

void
kv_worker_free(KvWorker *worker)
{
    if (worker == NULL)
        return;
    kv_worker_send(worker, stop, NULL);
    /* Messages own what they carry: a worker that never ran still has to run them. */
    if (worker->started)
        pthread_join(worker->thread, NULL);
    else
        run_thread(worker);
    free_worker(worker);
}

void
kv_worker_send(KvWorker *worker, void (*func)(KvWorker *worker, gpointer data), gpointer data)
{
    if (kv_mailbox_send(&worker->mailbox, G_CALLBACK(func), data))
        wake(worker);
}

KvPacketPool *
kv_worker_get_pool(KvWorker *worker)
{
    assert_on_thread(worker);
    return worker->pool;
}

KvTime
kv_worker_get_now(const KvWorker *worker)
{
    assert_on_thread(worker);
    return worker->now;
}

gboolean
kv_worker_add_watch(KvWorker *worker, KvWatch *watch, int fd, uint32_t events, GError **error)
{
    struct epoll_event event = {.events = events != 0 ? events : EPOLLET, .data.ptr = watch};

    assert_on_thread(worker);
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        kv_error_set_errno(error, errno, "cannot watch file descriptor %d", fd);
        watch->fd = -1;
        return FALSE;
    }
    watch->fd = fd;
    watch->events = events;
    return TRUE;
}

void
kv_worker_set_watch_events(KvWorker *worker, KvWatch *watch, uint32_t events)
{
    /* epoll reports errors and hang-ups even if asked for nothing; the edge trigger keeps a
     * paused watch from turning them into a busy loop. */
    struct epoll_event event = {.events = events != 0 ? events : EPOLLET, .data.ptr = watch};

    assert_on_thread(worker);
    if (watch->events == events)
        return;
    watch->events = events;
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
        g_critical("cannot change the watch of file descriptor %d: %s", watch->fd,
                   g_strerror(errno));
}

void
kv_worker_remove_watch(KvWorker *worker, KvWatch *watch)
{
    assert_on_thread(worker);
    if (watch->fd < 0)
        return;
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) < 0)
        g_critical("cannot remove the watch of file descriptor %d: %s", watch->fd,
                   g_strerror(errno));
    watch->fd = -1;
    for (int i = 0; i < worker->n_events; i++) {
        if (worker->events[i].data.ptr == watch)
            worker->events[i].data.ptr = NULL;
    }
}

void
kv_worker_rest(KvWorker *worker)
{
    assert_on_thread(worker);
    worker->rests = TRUE;
}

void
kv_worker_set_timer(KvWorker *worker, KvTimer *timer, KvTime when)
{
    assert_on_thread(worker);
    kv_heap_set(&worker->timers, &timer->node, when);
}

void
kv_worker_add_idle(KvWorker *worker, KvIdle *idle)
{
    assert_on_thread(worker);
    if (idle->queued)
        return;
    idle->queued = TRUE;
    idle->next = NULL;
    if (worker->first_idle == NULL)
        worker->first_idle = idle;
    else
        worker->last_idle->next = idle;
    worker->last_idle = idle;
    worker->n_idles++;
}

void
kv_worker_remove_idle(KvWorker *worker, KvIdle *idle)
{
    KvIdle *before = NULL;

    assert_on_thread(worker);
    if (!idle->queued)
        return;
    for (KvIdle *i = worker->first_idle; i != idle; i = i->next)
        before = i;
    if (before == NULL)
        worker->first_idle = idle->next;
    else
        before->next = idle->next;
    if (worker->last_idle == idle)
        worker->last_idle = before;
    idle->queued = FALSE;
    worker->n_idles--;
}
