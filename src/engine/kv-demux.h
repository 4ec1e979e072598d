/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-stats.h"
#include "kv-time.h"
#include "kv-udp.h"

/**
 * KvDemux:
 *
 * Finds the session a datagram belongs to, by its sender's address and port, and decides
 * whether a stranger may start one: strangers are bounded in rate (a token bucket) and in number
 * (half-open sessions). One worker's thread.
 */
typedef struct _KvDemux KvDemux;

#define KV_DEMUX_HALF_OPEN_MAX 512 /* of a server, over all of its workers */
#define KV_DEMUX_NEW_PER_S     20
#define KV_DEMUX_NEW_BURST     50

/* An element: embedded by what a datagram is handed to. */
typedef struct {
    KvSockaddr remote;
    uint32_t slot; /* place in the table + 1; 0: not in it */
    gboolean half_open;
} KvDemuxEntry;

/* @half_open_max: this worker's part of KV_DEMUX_HALF_OPEN_MAX. */
KvDemux *kv_demux_new(guint half_open_max) KV_MUST_USE;
void kv_demux_free(KvDemux *demux);

/* (transfer none) (nullable): whose datagrams come from @remote. O(1). */
KvDemuxEntry *kv_demux_find(KvDemux *demux, const KvSockaddr *remote);

/* Whether a stranger may try now; takes a token if so. Otherwise the reason. */
KvDrop kv_demux_admit(KvDemux *demux, KvTime now);

/* Adds @entry, whose address must not be in the table yet, as half-open. */
void kv_demux_add(KvDemux *demux, KvDemuxEntry *entry);

/* @entry's handshake is done: it no longer counts as half-open. */
void kv_demux_establish(KvDemux *demux, KvDemuxEntry *entry);
void kv_demux_remove(KvDemux *demux, KvDemuxEntry *entry);

guint kv_demux_get_size(const KvDemux *demux);
guint kv_demux_get_half_open(const KvDemux *demux);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvDemux, kv_demux_free)
