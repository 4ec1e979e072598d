/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* Text as a terminal shows it. Pure; any thread. */

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
