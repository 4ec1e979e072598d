/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/**
 * The signals that end a program, at its start. Main thread, before there is any other.
 *
 * A signal that asks for the end must not kill the program in the wrong moment, and none may be
 * lost: the first line of main() holds them back; once it is clear what the program will do,
 * either kv_signals_release() makes it an ordinary one, or kv_signals_end_by() lets them end it
 * well for as long as there is nothing to tidy up; then g_unix_signal_add() takes over from that,
 * signal by signal.
 */

/* Holds back SIGTERM, SIGINT, SIGHUP and SIGUSR1. */
void kv_signals_hold(void);

/* Lets them through again; those held back act now, as the system has it. */
void kv_signals_release(void);

/* Lets them through again; from now on SIGTERM, SIGINT and SIGHUP end the process at once with
 * status 0, and SIGUSR1 does nothing. */
void kv_signals_end_by(void);
