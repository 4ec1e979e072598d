/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * Structured log lines, from the engine upwards. One domain for each folder (G_LOG_DOMAIN);
 * fields KV_EVENT, KV_TUNNEL, KV_PEER and MESSAGE_ID where they apply. Peer data is escaped by
 * the caller with kv_text_escape(); secrets appear at no level. Any thread.
 */
typedef enum {
    KV_LOG_ERROR,
    KV_LOG_WARNING,
    KV_LOG_INFO,
    KV_LOG_DEBUG,
} KvLogLevel;

typedef enum {
    KV_LOG_FORMAT_TEXT, /* "2026-11-20 14:00:00 warning: …", local time */
    KV_LOG_FORMAT_JSON, /* one object a line: time (UTC), level, event, tunnel, peer, message */
} KvLogFormat;

/**
 * kv_log_init:
 * @level: the least important level that is shown
 *
 * Installs the writer of all log lines, GLib's own included: to stderr, or as fields to the
 * journal when stderr is one, whatever @format says. Once, at start, before any thread. Debug
 * lines of other libraries appear only if G_MESSAGES_DEBUG names their domain.
 */
void kv_log_init(KvLogLevel level, KvLogFormat format);

/* From now on a tunnel's lines begin with its name: for programs with several tunnels. Once, before
 * any thread. */
void kv_log_name_tunnels(void);

/* "error", "warning", "info" or "debug". */
gboolean kv_log_level_from_string(const char *text, KvLogLevel *level);

/**
 * kv_log:
 * @event: (nullable): a stable word for a state change, such as "connected"; the JSON field
 *     "event" and the journal field KV_EVENT. MESSAGE_ID is made from it: the MD5 sum of
 *     "kcpvpn:" and the word
 * @tunnel: (nullable): the tunnel's name, or an interface if it has none
 * @peer: (nullable): the peer, escaped
 * @format: the message, without the tunnel's name; it names the peer itself where a person needs
 * it, as text lines and journalctl show nothing else
 */
void kv_log(KvLogLevel level, const char *event, const char *tunnel, const char *peer,
            const char *format, ...) G_GNUC_PRINTF(5, 6);

/* At most 10 lines a second for each @class_id (a string literal); the next line after that
 * second is preceded by one that tells how many were left out. For what a peer can cause. */
void kv_log_limited(const char *class_id, KvLogLevel level, const char *event, const char *tunnel,
                    const char *peer, const char *format, ...) G_GNUC_PRINTF(6, 7);
