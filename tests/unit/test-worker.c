/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-clock.h"
#include "kv-test.h"
#include "kv-worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#define N_TIMERS  50
#define N_THREADS 4
#define N_MAILS   5000

typedef struct {
    KvWorker *worker;
    sem_t done;
} Fixture;

static void
wait_until_done(Fixture *fixture)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    while (sem_timedwait(&fixture->done, &deadline) < 0)
        g_assert_cmpint(errno, ==, EINTR);
}

static void
set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    sem_init(&fixture->done, 0, 0);
    fixture->worker = kv_worker_new(3, &error);
    g_assert_no_error(error);
    g_assert_true(kv_worker_start(fixture->worker, NULL));
}

static void
tear_down(Fixture *fixture, gconstpointer unused)
{
    g_clear_pointer(&fixture->worker, kv_worker_free);
    sem_destroy(&fixture->done);
}

static int
make_ready_fd(void)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* --- timers --------------------------------------------------------------------------------- */

typedef struct {
    KvTimer timer;
    Fixture *fixture;
    KvTime want;
    KvTime *last;
    guint *left;
    guint fired;
} TestTimer;

static void
on_ordered_timer(KvTimer *timer, KvTime now)
{
    TestTimer *self = (TestTimer *) timer;

    g_assert_cmpuint(now, >=, self->want);
    g_assert_cmpuint(now, ==, kv_worker_get_now(self->fixture->worker));
    g_assert_cmpuint(self->want, >=, *self->last);
    *self->last = self->want;
    self->fired++;
    if (--*self->left == 0)
        sem_post(&self->fixture->done);
}

typedef struct {
    Fixture *fixture;
    TestTimer timers[N_TIMERS];
    KvTime last;
    guint left;
} OrderTest;

static void
start_ordered_timers(KvWorker *worker, gpointer data)
{
    OrderTest *test = data;
    KvTime now = kv_worker_get_now(worker);
    KvTestRandom random;

    kv_test_random_init(&random, kv_test_get_seed());
    for (guint i = 0; i < N_TIMERS; i++) {
        TestTimer *timer = &test->timers[i];

        *timer = (TestTimer){.fixture = test->fixture, .last = &test->last, .left = &test->left};
        timer->timer.due = on_ordered_timer;
        timer->want = now + 5 * KV_TIME_MS + kv_test_random_below(&random, 30) * KV_TIME_MS;
        /* First somewhere else, so that each is moved, earlier or later. */
        kv_worker_set_timer(worker, &timer->timer,
                            now + kv_test_random_below(&random, 60) * KV_TIME_MS + 1);
        kv_worker_set_timer(worker, &timer->timer, timer->want);
    }
    for (guint i = 0; i < N_TIMERS; i += 5) {
        kv_worker_set_timer(worker, &test->timers[i].timer, KV_TIME_NEVER);
        test->left--;
    }
}

/* Proves: timers fire once, in order, never early; "never" takes one out. */
static void
test_timers_in_order(Fixture *fixture, gconstpointer unused)
{
    static OrderTest test;

    test = (OrderTest){.fixture = fixture, .left = N_TIMERS};
    kv_worker_send(fixture->worker, start_ordered_timers, &test);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    for (guint i = 0; i < N_TIMERS; i++)
        g_assert_cmpuint(test.timers[i].fired, ==, i % 5 == 0 ? 0 : 1);
}

typedef struct {
    KvTimer timer;
    Fixture *fixture;
    KvTime started;
    KvTime fired_at;
    guint fired;
} LateTest;

static void
on_late_timer(KvTimer *timer, KvTime now)
{
    LateTest *test = (LateTest *) timer;

    test->fired_at = now;
    test->fired++;
    sem_post(&test->fixture->done);
}

static void
start_late_timer(KvWorker *worker, gpointer data)
{
    LateTest *test = data;

    test->started = kv_worker_get_now(worker);
    kv_worker_set_timer(worker, &test->timer, 1);
}

/* Proves: a deadline that passed long ago, as after suspend, fires once and at once. */
static void
test_timer_long_past(Fixture *fixture, gconstpointer unused)
{
    LateTest test = {.timer.due = on_late_timer, .fixture = fixture};

    kv_worker_send(fixture->worker, start_late_timer, &test);
    wait_until_done(fixture);
    g_usleep(20 * 1000);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(test.fired, ==, 1);
    g_assert_cmpuint(test.fired_at, >, test.started);
    g_assert_cmpuint(test.fired_at - test.started, <, KV_TIME_S);
}

static void
start_moved_timer(KvWorker *worker, gpointer data)
{
    LateTest *test = data;

    if (test->started == 0) {
        test->started = kv_worker_get_now(worker);
        kv_worker_set_timer(worker, &test->timer, test->started + 3600 * KV_TIME_S);
        kv_worker_send(worker, start_moved_timer, test);
        return;
    }
    /* The timerfd is set for an hour from now: this has to set it again. */
    kv_worker_set_timer(worker, &test->timer, test->started + 10 * KV_TIME_MS);
}

/* Proves: a deadline that moves nearer in a later wake-up is met. */
static void
test_timer_moves_nearer(Fixture *fixture, gconstpointer unused)
{
    LateTest test = {.timer.due = on_late_timer, .fixture = fixture};

    kv_worker_send(fixture->worker, start_moved_timer, &test);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(test.fired_at, >=, test.started + 10 * KV_TIME_MS);
}

static void
start_postponed_timer(KvWorker *worker, gpointer data)
{
    LateTest *test = data;

    if (test->started == 0) {
        test->started = kv_worker_get_now(worker);
        kv_worker_set_timer(worker, &test->timer, test->started + 10 * KV_TIME_MS);
        kv_worker_send(worker, start_postponed_timer, test);
        return;
    }
    kv_worker_set_timer(worker, &test->timer, test->started + 40 * KV_TIME_MS);
}

/* Proves: a deadline that moves away fires at its new time, once. */
static void
test_timer_moves_away(Fixture *fixture, gconstpointer unused)
{
    LateTest test = {.timer.due = on_late_timer, .fixture = fixture};

    kv_worker_send(fixture->worker, start_postponed_timer, &test);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(test.fired, ==, 1);
    g_assert_cmpuint(test.fired_at, >=, test.started + 40 * KV_TIME_MS);
}

static void
on_greedy_timer(KvTimer *timer, KvTime now)
{
    LateTest *test = (LateTest *) timer;

    test->fired++;
    kv_worker_set_timer(test->fixture->worker, timer, now);
    if (test->fired == 100)
        sem_post(&test->fixture->done);
}

static void
stop_timer(KvWorker *worker, gpointer data)
{
    LateTest *test = data;

    kv_worker_set_timer(worker, &test->timer, KV_TIME_NEVER);
    test->started = test->fired;
    sem_post(&test->fixture->done);
}

/* Proves: a timer that is always due again starves neither messages nor itself. */
static void
test_timer_always_due(Fixture *fixture, gconstpointer unused)
{
    LateTest test = {.timer.due = on_greedy_timer, .fixture = fixture};

    kv_worker_send(fixture->worker, start_late_timer, &test);
    wait_until_done(fixture);
    kv_worker_send(fixture->worker, stop_timer, &test);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(test.fired, >=, 100);
    g_assert_cmpuint(test.fired, ==, test.started);
}

/* --- watches -------------------------------------------------------------------------------- */

typedef struct _WatchTest WatchTest;

typedef struct {
    KvWatch watch;
    WatchTest *test;
} TestWatch;

struct _WatchTest {
    Fixture *fixture;
    TestWatch *watches[2];
    guint delivered;
    int fds[2];
};

static void
on_watch_removes_other(KvWatch *watch, uint32_t events, KvTime now)
{
    WatchTest *test = ((TestWatch *) watch)->test;

    g_assert_cmpuint(events, ==, EPOLLIN);
    test->delivered++;
    for (guint i = 0; i < 2; i++) {
        kv_worker_remove_watch(test->fixture->worker, &test->watches[i]->watch);
        g_clear_pointer(&test->watches[i], g_free);
        close(test->fds[i]);
    }
    sem_post(&test->fixture->done);
}

static void
add_two_watches(KvWorker *worker, gpointer data)
{
    WatchTest *test = data;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 2; i++) {
        test->watches[i] = g_new0(TestWatch, 1);
        test->watches[i]->test = test;
        test->watches[i]->watch.ready = on_watch_removes_other;
        test->fds[i] = make_ready_fd();
        g_assert_true(
            kv_worker_add_watch(worker, &test->watches[i]->watch, test->fds[i], EPOLLIN, &error));
        g_assert_no_error(error);
    }
}

/* Proves: of two watches ready at once the second gets nothing when the first removes and frees
 * it. */
static void
test_remove_within_batch(Fixture *fixture, gconstpointer unused)
{
    WatchTest test = {.fixture = fixture};

    kv_worker_send(fixture->worker, add_two_watches, &test);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(test.delivered, ==, 1);
}

typedef struct {
    KvWatch watch;
    KvTimer timer;
    Fixture *fixture;
    guint delivered;
    guint delivered_paused;
    gint64 cpu_us;
    int fd;
    int peer;
} PauseTest;

static gint64
thread_cpu_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

static void
on_pause_watch(KvWatch *watch, uint32_t events, KvTime now)
{
    PauseTest *test = (PauseTest *) watch;
    KvWorker *worker = test->fixture->worker;

    test->delivered++;
    if (test->delivered == 1) {
        kv_worker_set_watch_events(worker, watch, 0);
        close(test->peer);
        test->cpu_us = thread_cpu_us();
        kv_worker_set_timer(worker, &test->timer, now + 100 * KV_TIME_MS);
        return;
    }
    g_assert_cmpuint(events & EPOLLHUP, !=, 0);
    kv_worker_remove_watch(worker, watch);
    close(test->fd);
    sem_post(&test->fixture->done);
}

static void
on_pause_over(KvTimer *timer, KvTime now)
{
    PauseTest *test = G_STRUCT_MEMBER_P(timer, -(glong) G_STRUCT_OFFSET(PauseTest, timer));

    test->cpu_us = thread_cpu_us() - test->cpu_us;
    test->delivered_paused = test->delivered;
    kv_worker_set_watch_events(test->fixture->worker, &test->watch, EPOLLIN);
}

static void
add_pause_watch(KvWorker *worker, gpointer data)
{
    PauseTest *test = data;
    g_autoptr(GError) error = NULL;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    test->fd = fds[0];
    test->peer = fds[1];
    g_assert_cmpint(write(test->peer, "x", 1), ==, 1);
    g_assert_true(kv_worker_add_watch(worker, &test->watch, fds[0], EPOLLIN, &error));
    g_assert_no_error(error);
}

/* Proves: a paused watch gets nothing, not even a hang-up, nor keeps the thread busy with it; and
 * gets everything once it goes on. */
static void
test_pause_and_resume(Fixture *fixture, gconstpointer unused)
{
    PauseTest test = {
        .watch.ready = on_pause_watch, .timer.due = on_pause_over, .fixture = fixture};

    kv_worker_send(fixture->worker, add_pause_watch, &test);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(test.delivered_paused, ==, 1);
    g_assert_cmpuint(test.delivered, ==, 2);
    g_assert_cmpint(test.cpu_us, <, 50 * 1000);
}

static void
add_bad_watch(KvWorker *worker, gpointer data)
{
    Fixture *fixture = data;
    g_autoptr(GError) error = NULL;
    KvWatch watch = {.ready = on_pause_watch};

    g_assert_false(kv_worker_add_watch(worker, &watch, 9999, EPOLLIN, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, "9999"));
    kv_worker_remove_watch(worker, &watch);
    sem_post(&fixture->done);
}

/* Proves: a bad descriptor is an error that names it, and removing its watch is harmless. */
static void
test_bad_watch(Fixture *fixture, gconstpointer unused)
{
    kv_worker_send(fixture->worker, add_bad_watch, fixture);
    wait_until_done(fixture);
}

/* --- messages ------------------------------------------------------------------------------- */

typedef struct {
    KvWorker *worker;
    guint sender;
} Sender;

static guint mail_seen[N_THREADS];

static void
receive_mail(KvWorker *worker, gpointer data)
{
    guint sender = GPOINTER_TO_UINT(data) / N_MAILS;
    guint n = GPOINTER_TO_UINT(data) % N_MAILS;

    g_assert_cmpuint(mail_seen[sender], ==, n);
    mail_seen[sender]++;
}

static void *
send_mails(void *data)
{
    Sender *sender = data;

    for (guint i = 0; i < N_MAILS; i++)
        kv_worker_send(sender->worker, receive_mail,
                       GUINT_TO_POINTER(sender->sender * N_MAILS + i));
    return NULL;
}

/* Proves: messages of several threads all arrive, each thread's in the order it sent them. */
static void
test_mail_from_threads(Fixture *fixture, gconstpointer unused)
{
    pthread_t threads[N_THREADS];
    Sender senders[N_THREADS];

    memset(mail_seen, 0, sizeof(mail_seen));
    for (guint i = 0; i < N_THREADS; i++) {
        senders[i] = (Sender){.worker = fixture->worker, .sender = i};
        g_assert_cmpint(pthread_create(&threads[i], NULL, send_mails, &senders[i]), ==, 0);
    }
    for (guint i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    for (guint i = 0; i < N_THREADS; i++)
        g_assert_cmpuint(mail_seen[i], ==, N_MAILS);
}

typedef struct {
    GMainLoop *loop;
    guint next;
    pthread_t main;
} MainTest;

static MainTest main_test;

static void
receive_on_main(gpointer data)
{
    g_assert_true(pthread_equal(pthread_self(), main_test.main));
    g_assert_cmpuint(GPOINTER_TO_UINT(data), ==, main_test.next);
    if (++main_test.next == N_MAILS)
        g_main_loop_quit(main_test.loop);
}

static void
send_to_main(KvWorker *worker, gpointer data)
{
    for (guint i = 0; i < N_MAILS; i++)
        kv_main_send(receive_on_main, GUINT_TO_POINTER(i));
}

/* Proves: messages to the main thread run there, in order, also when it sleeps. */
static void
test_mail_to_main(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);

    main_test = (MainTest){.loop = loop, .main = pthread_self()};
    kv_worker_send(fixture->worker, send_to_main, NULL);
    g_main_loop_run(loop);
    g_assert_cmpuint(main_test.next, ==, N_MAILS);
}

static void
count_and_send_again(KvWorker *worker, gpointer data)
{
    guint *count = data;

    if (++*count % 10 != 0)
        kv_worker_send(worker, count_and_send_again, data);
}

static void
never_due(KvTimer *timer, KvTime now)
{
    g_assert_not_reached();
}

static void
set_far_timer(KvWorker *worker, gpointer data)
{
    kv_worker_set_timer(worker, data, kv_worker_get_now(worker) + 3600 * KV_TIME_S);
}

/* Proves: freeing a worker runs what was sent, and what that sent, even if it never started. */
static void
test_free_with_pending(void)
{
    static KvTimer timer = {.due = never_due};

    for (guint started = 0; started < 2; started++) {
        KvWorker *worker = kv_worker_new(0, NULL);
        guint count = 0;

        if (started)
            g_assert_true(kv_worker_start(worker, NULL));
        kv_worker_send(worker, set_far_timer, &timer);
        kv_worker_send(worker, count_and_send_again, &count);
        kv_worker_free(worker);
        g_assert_cmpuint(count, ==, 10);
        g_assert_false(kv_heap_node_is_queued(&timer.node));
    }
}

static void
check_thread(KvWorker *worker, gpointer data)
{
    Fixture *fixture = data;
    sigset_t blocked;
    char name[16];

    g_assert_cmpint(pthread_sigmask(SIG_BLOCK, NULL, &blocked), ==, 0);
    g_assert_cmpint(sigismember(&blocked, SIGTERM), ==, 1);
    g_assert_cmpint(sigismember(&blocked, SIGINT), ==, 1);
    g_assert_cmpuint(kv_packet_pool_get_used(kv_worker_get_pool(worker)), ==, 0);
    /* The name is set by the starter, maybe a moment later. */
    for (guint i = 0; i < 1000; i++) {
        g_assert_cmpint(pthread_getname_np(pthread_self(), name, sizeof(name)), ==, 0);
        if (g_str_equal(name, "kcpvpn-w3"))
            break;
        g_usleep(1000);
    }
    g_assert_cmpstr(name, ==, "kcpvpn-w3");
    sem_post(&fixture->done);
}

/* Proves: the thread has its name and takes no signals, and its starter's mask is as before. */
static void
test_thread(Fixture *fixture, gconstpointer unused)
{
    sigset_t blocked;

    kv_worker_send(fixture->worker, check_thread, fixture);
    wait_until_done(fixture);
    g_assert_cmpint(pthread_sigmask(SIG_BLOCK, NULL, &blocked), ==, 0);
    g_assert_cmpint(sigismember(&blocked, SIGTERM), ==, 0);
}

/* --- rests ---------------------------------------------------------------------------------- */

#define N_RESTS 50

typedef struct {
    KvWatch watch;
    Fixture *fixture;
    int fd;
    KvTime first;
    KvTime last;
    guint n;
} RestTest;

static void
on_resting_watch(KvWatch *watch, uint32_t events, KvTime now)
{
    RestTest *test = (RestTest *) watch;

    if (test->n++ == 0)
        test->first = now;
    test->last = now;
    if (test->n <= N_RESTS) {
        kv_worker_rest(test->fixture->worker);
        return;
    }
    kv_worker_remove_watch(test->fixture->worker, watch);
    close(test->fd);
    sem_post(&test->fixture->done);
}

static void
add_resting_watch(KvWorker *worker, gpointer data)
{
    RestTest *test = data;
    g_autoptr(GError) error = NULL;

    test->fd = make_ready_fd();
    g_assert_true(kv_worker_add_watch(worker, &test->watch, test->fd, EPOLLIN, &error));
    g_assert_no_error(error);
}

/* Proves: a worker that was asked to rests for a moment before it looks again. */
static void
test_rest(Fixture *fixture, gconstpointer unused)
{
    RestTest test = {.watch.ready = on_resting_watch, .fixture = fixture};

    kv_worker_send(fixture->worker, add_resting_watch, &test);
    wait_until_done(fixture);
    g_assert_cmpuint(test.n, ==, N_RESTS + 1);
    g_assert_cmpuint(test.last - test.first, >=, N_RESTS * 250);
}

/* --- idles ---------------------------------------------------------------------------------- */

typedef struct {
    KvIdle first;
    KvIdle second;
    KvIdle removed;
    KvIdle greedy;
    Fixture *fixture;
    KvTime asked_at;
    guint n_first;
    guint n_second;
    guint n_greedy;
    gboolean mail_over;
} IdleTest;

static IdleTest idle_test;

static void
run_second(KvIdle *idle, KvTime now)
{
    g_assert_cmpuint(idle_test.n_first, ==, 1);
    g_assert_cmpuint(now, ==, idle_test.asked_at);
    idle_test.n_second++;
    sem_post(&idle_test.fixture->done);
}

static void
run_first(KvIdle *idle, KvTime now)
{
    g_assert_true(idle_test.mail_over);
    g_assert_false(idle->queued);
    g_assert_cmpuint(now, ==, idle_test.asked_at);
    idle_test.n_first++;
    kv_worker_add_idle(idle_test.fixture->worker, &idle_test.second);
}

static void
run_removed(KvIdle *idle, KvTime now)
{
    g_assert_not_reached();
}

static void
ask_for_idles(KvWorker *worker, gpointer data)
{
    idle_test.asked_at = kv_worker_get_now(worker);
    kv_worker_add_idle(worker, &idle_test.removed);
    kv_worker_add_idle(worker, &idle_test.first);
    kv_worker_add_idle(worker, &idle_test.first);
    kv_worker_remove_idle(worker, &idle_test.removed);
    kv_worker_add_idle(worker, &idle_test.removed);
    kv_worker_remove_idle(worker, &idle_test.removed);
    kv_worker_remove_idle(worker, &idle_test.removed);
    idle_test.mail_over = TRUE;
}

/* Proves: idle work runs once, after the messages, in the same wake-up, also what it adds itself;
 * removed work does not run. */
static void
test_idles(Fixture *fixture, gconstpointer unused)
{
    idle_test = (IdleTest){.fixture = fixture,
                           .first.run = run_first,
                           .second.run = run_second,
                           .removed.run = run_removed};
    kv_worker_send(fixture->worker, ask_for_idles, NULL);
    wait_until_done(fixture);
    g_clear_pointer(&fixture->worker, kv_worker_free);
    g_assert_cmpuint(idle_test.n_first, ==, 1);
    g_assert_cmpuint(idle_test.n_second, ==, 1);
}

static void
run_greedy(KvIdle *idle, KvTime now)
{
    kv_worker_add_idle(idle_test.fixture->worker, idle);
    if (++idle_test.n_greedy == 1000)
        sem_post(&idle_test.fixture->done);
}

static void
start_greedy(KvWorker *worker, gpointer data)
{
    kv_worker_add_idle(worker, &idle_test.greedy);
}

static void
stop_greedy(KvWorker *worker, gpointer data)
{
    kv_worker_remove_idle(worker, &idle_test.greedy);
    sem_post(&idle_test.fixture->done);
}

/* Proves: idle work that always adds itself goes on in later wake-ups and starves no message. */
static void
test_idle_always_again(Fixture *fixture, gconstpointer unused)
{
    idle_test = (IdleTest){.fixture = fixture, .greedy.run = run_greedy};
    kv_worker_send(fixture->worker, start_greedy, NULL);
    wait_until_done(fixture);
    kv_worker_send(fixture->worker, stop_greedy, NULL);
    wait_until_done(fixture);
    g_assert_cmpuint(idle_test.n_greedy, >=, 1000);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*func)(Fixture *, gconstpointer);
    } tests[] = {
        {"/worker/timers-in-order", test_timers_in_order},
        {"/worker/timer-long-past", test_timer_long_past},
        {"/worker/timer-moves-nearer", test_timer_moves_nearer},
        {"/worker/timer-moves-away", test_timer_moves_away},
        {"/worker/timer-always-due", test_timer_always_due},
        {"/worker/remove-within-batch", test_remove_within_batch},
        {"/worker/pause-and-resume", test_pause_and_resume},
        {"/worker/bad-watch", test_bad_watch},
        {"/worker/mail-from-threads", test_mail_from_threads},
        {"/worker/mail-to-main", test_mail_to_main},
        {"/worker/thread", test_thread},
        {"/worker/rest", test_rest},
        {"/worker/idles", test_idles},
        {"/worker/idle-always-again", test_idle_always_again},
    };

    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].func, tear_down);
    g_test_add_func("/worker/free-with-pending", test_free_with_pending);
    return kv_test_main(&argc, &argv);
}
