/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>
#include <stdio.h>

/*
 * What the commands print: tables for people, JSON for programs. Text that comes from outside goes
 * through kv_text_make_printable() on its way, so it cannot steer the terminal.
 */

typedef enum {
    KV_STYLE_PLAIN,
    KV_STYLE_STRONG, /* headings, names */
    KV_STYLE_FAINT,  /* what matters less */
    KV_STYLE_GOOD,
    KV_STYLE_PENDING,
    KV_STYLE_BAD,
} KvStyle;

typedef enum {
    KV_ALIGN_LEFT,
    KV_ALIGN_RIGHT, /* numbers */
} KvAlign;

/* Whether @file is a terminal that wants colours: not with NO_COLOR set, nor if TERM is "dumb". */
gboolean kv_print_wants_colour(FILE *file);

/* Appends @text, made printable, and if @colour the sequences of @style around it. */
void kv_print_append(GString *out, KvStyle style, gboolean colour, const char *text);

/* The style that fits a tunnel's state as the bus names it. */
KvStyle kv_print_get_state_style(const char *state);

/**
 * kv_print_format_json:
 * @value: what to write; dictionaries become objects, variants what they hold
 * @pretty: indented, else one line
 *
 * Returns: (transfer full): JSON without a line end; control characters are escaped.
 */
char *kv_print_format_json(GVariant *value, gboolean pretty);

/* Writes @value and a line end; indented if @file is a terminal. */
void kv_print_json(FILE *file, GVariant *value);

/* (transfer full): a number of bytes as "1.5 MB", of powers of 1000. */
char *kv_print_format_bytes(guint64 bytes);
/* (transfer full): a rate as "1.5 Mbit/s". */
char *kv_print_format_rate(double bits_per_s);
/* (transfer full): a span as "3 d 4 h", "4 h 5 min", "5 min 6 s" or "6 s". */
char *kv_print_format_span(guint64 seconds);

/**
 * kv_print_format_sparkline:
 * @values: (array length=n): oldest first
 * @unicode: eighths of blocks, else "_.:-=+*#"
 *
 * Returns: (transfer full): a character for each value, scaled to the largest.
 */
char *kv_print_format_sparkline(const double *values, guint n, gboolean unicode);

/**
 * KvTable:
 *
 * Rows of cells, printed in columns as wide as their widest cell. The last cell of a row is not
 * padded. Without headings the first column is taken for labels.
 */
typedef struct _KvTable KvTable;

/* @n_columns: at least 1 */
KvTable *kv_table_new(guint n_columns) KV_MUST_USE;
void kv_table_free(KvTable *table);

/* The heading of column @column, and how its cells stand. */
void kv_table_set_heading(KvTable *table, guint column, const char *text, KvAlign align);

/* Adds the next cell; a row begins when the one before is full. @text: (nullable): NULL is "-". */
void kv_table_add(KvTable *table, KvStyle style, const char *text);

/* Whether no cell was added. */
gboolean kv_table_is_empty(const KvTable *table);

/* (transfer full): all of it, each line ended. */
char *kv_table_format(const KvTable *table, gboolean colour);

/* Writes the table, in colours if @file wants them. */
void kv_table_print(const KvTable *table, FILE *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTable, kv_table_free)
