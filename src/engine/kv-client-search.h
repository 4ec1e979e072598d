/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-sockaddr.h"

/**
 * KvClientSearch:
 *
 * Asks the name service where a client's server is by now, while the client's session lives. Main
 * thread.
 */
typedef struct _KvClientSearch KvClientSearch;

typedef void (*KvClientSearchFunc)(const KvSockaddr *address, gpointer data);

/* @log_name: (nullable): of the tunnel. @func: hears of each address that is found */
KvClientSearch *kv_client_search_new(const char *host, uint16_t port, const char *log_name,
                                     KvClientSearchFunc func, gpointer data) KV_MUST_USE;

/* @func hears of nothing more. */
void kv_client_search_free(KvClientSearch *search);

/* Asks, unless an answer is being waited for; what cannot be found is logged. @turn: as for
 * kv_resolve() */
void kv_client_search_begin(KvClientSearch *search, guint turn);
