/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* The mailbox to the main thread: runs @func in the default main context, in order. Any thread. */
void kv_main_send(void (*func)(gpointer data), gpointer data);
