/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-time.h"

#include <glib.h>
#include <stdint.h>

#define KV_SWITCH_MAC_BYTES 6
#define KV_SWITCH_KEY_BYTES 16
#define KV_SWITCH_AGE       (300 * KV_TIME_S) /* IEEE 802.1Q's default */
#define KV_SWITCH_PORT_MACS 256               /* addresses of one port */

/**
 * KvSwitch:
 *
 * The address table of a learning Ethernet switch. What a frame comes from is learned and forgotten
 * after five minutes of silence; until then, or until its port goes, no other port may have it. The
 * first address of a port is its own for as long as it is there. A port that makes up addresses
 * fills only its own share, and the hash is salted, so it can neither push out others' nor aim at
 * one place. A look-up costs no memory and no lock. One thread at a time.
 */
typedef struct _KvSwitch KvSwitch;

typedef struct _KvSwitchEntry KvSwitchEntry;

/* One port; embedded by what is behind it, zero at first. */
typedef struct {
    KvSwitchEntry *entries;
    guint n_entries;
    gboolean had_entries; /* so the next is not its first */
    gboolean may_take;    /* what it uses is its, whoever had it; it has no address of its own */
    KvTime swept_at;      /* when its old entries were thrown out last */
} KvSwitchPort;

/* @key: random, of the hash. */
KvSwitch *kv_switch_new(const uint8_t key[KV_SWITCH_KEY_BYTES]) KV_MUST_USE;

/* Its ports need not be removed before. */
void kv_switch_free(KvSwitch *table);

/* Forgets all that @port has. */
void kv_switch_remove_port(KvSwitch *table, KvSwitchPort *port);

/* Whether the address is for many: then it is nobody's. */
gboolean kv_switch_is_group(const uint8_t *mac);

/* A frame came from @mac behind @port. Addresses for many, and those beyond a port's share, are not
 * learned. Returns: %FALSE if the address is another port's. */
gboolean kv_switch_learn(KvSwitch *table, KvSwitchPort *port, const uint8_t *mac, KvTime now);

/* (transfer none) (nullable): where @mac is; %NULL: not known, the frame goes everywhere. */
KvSwitchPort *kv_switch_find(const KvSwitch *table, const uint8_t *mac, KvTime now);

guint kv_switch_get_size(const KvSwitch *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvSwitch, kv_switch_free)
