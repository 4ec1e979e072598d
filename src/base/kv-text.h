/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* Text from outside and as a terminal shows it. Pure; any thread. */

/* How many columns of a terminal the first @len bytes of valid UTF-8 take: wide characters two. */
guint kv_text_columns(const char *text, gsize len);

/* Whether @c steers a terminal: control characters, the separators of lines and paragraphs, and
 * those that turn the direction of writing. */
gboolean kv_text_is_control(gunichar c);

/**
 * kv_text_make_printable:
 * @text: anything, also no UTF-8
 *
 * So that text from outside cannot steer a terminal: what kv_text_is_control() finds, line ends
 * among it, becomes "\x1b" or "\u202e"; wrong UTF-8 becomes U+FFFD.
 *
 * Returns: (transfer full): valid UTF-8 of one line.
 */
char *kv_text_make_printable(const char *text);

/* (transfer full): the same, cut after 64 bytes and then ending in "...": for a message that quotes
 * what was wrong. */
char *kv_text_quote(const char *text);

#define KV_TEXT_ESCAPE_MAX 128 /* bytes that kv_text_escape() keeps */

/* (transfer full): bytes of a peer or a program, for the log: the backslash and every byte outside
 * printable ASCII as \xHH, so that none stands for another; cut after %KV_TEXT_ESCAPE_MAX bytes,
 * then ending in "...". */
char *kv_text_escape(const char *bytes, gsize len);
