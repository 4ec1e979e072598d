/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>

/**
 * FloodReplies:
 *
 * Counts on a raw socket what comes out of an interface from one UDP port over IPv4, whomever it is
 * for. Equal datagrams to one address that the kernel carries as one count as one, but all of their
 * bytes do.
 */
typedef struct _FloodReplies FloodReplies;

/* @port: in host order */
FloodReplies *flood_replies_new(int ifindex, uint16_t port, GError **error);
void flood_replies_free(FloodReplies *replies);

/* Counts what came since. */
void flood_replies_poll(FloodReplies *replies);

guint64 flood_replies_get_count(const FloodReplies *replies);

/* Of their UDP payloads. */
guint64 flood_replies_get_bytes(const FloodReplies *replies);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FloodReplies, flood_replies_free)
