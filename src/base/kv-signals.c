/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-signals.h"

#include <glib.h>
#include <signal.h>
#include <unistd.h>

static const int end_signals[] = {SIGTERM, SIGINT, SIGHUP};

static void
change_mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (gsize i = 0; i < G_N_ELEMENTS(end_signals); i++)
        sigaddset(&set, end_signals[i]);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(how, &set, NULL);
}

void
kv_signals_hold(void)
{
    change_mask(SIG_BLOCK);
}

void
kv_signals_release(void)
{
    change_mask(SIG_UNBLOCK);
}

static void
end_now(int number)
{
    _exit(0);
}

/* Unlike SIG_IGN not inherited by programs that are run. */
static void
do_nothing(int number)
{
}

void
kv_signals_end_by(void)
{
    struct sigaction end = {.sa_handler = end_now};
    struct sigaction ignore = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};

    for (gsize i = 0; i < G_N_ELEMENTS(end_signals); i++)
        sigaction(end_signals[i], &end, NULL);
    sigaction(SIGUSR1, &ignore, NULL);
    kv_signals_release();
}
