/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-print.h"

#include "kv-i18n.h"
#include "kv-text.h"

#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMN_GAP 2

#define SECONDS_PER_MINUTE 60
#define SECONDS_PER_HOUR   3600
#define SECONDS_PER_DAY    86400

/* Select Graphic Rendition, in the order of KvStyle. */
static const char *const sequences[] = {"",         "\x1b[1m",  "\x1b[2m",
                                        "\x1b[32m", "\x1b[33m", "\x1b[31m"};
#define SEQUENCE_END "\x1b[0m"

gboolean
kv_print_wants_colour(FILE *file)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (no_colour != NULL && no_colour[0] != '\0')
        return FALSE;
    return isatty(fileno(file)) && term != NULL && strcmp(term, "dumb") != 0;
}

void
kv_print_append(GString *out, KvStyle style, gboolean colour, const char *text)
{
    g_autofree char *printable = kv_text_make_printable(text);

    g_return_if_fail(style < G_N_ELEMENTS(sequences));
    if (!colour || style == KV_STYLE_PLAIN) {
        g_string_append(out, printable);
        return;
    }
    g_string_append_printf(out, "%s%s" SEQUENCE_END, sequences[style], printable);
}

KvStyle
kv_print_get_state_style(const char *state)
{
    static const struct {
        const char *state;
        KvStyle style;
    } styles[] = {
        {"connected", KV_STYLE_GOOD}, {"connecting", KV_STYLE_PENDING},
        {"waiting", KV_STYLE_BAD},    {"stopping", KV_STYLE_PENDING},
        {"failed", KV_STYLE_BAD},     {"stopped", KV_STYLE_FAINT},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(styles); i++) {
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    }
    return KV_STYLE_PLAIN;
}

char *
kv_print_format_json(GVariant *value, gboolean pretty)
{
    g_autoptr(JsonNode) node = json_gvariant_serialize(value);
    g_autofree char *text = json_to_string(node, pretty);
    GString *out = g_string_new(NULL);

    /* JSON-GLib leaves in what only terminals mind; of line ends there are only its own. */
    for (const char *at = text; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);

        if (c == '\n' || !kv_text_is_control(c))
            g_string_append_unichar(out, c);
        else
            g_string_append_printf(out, "\\u%04x", c);
    }
    return g_string_free(out, FALSE);
}

void
kv_print_json(FILE *file, GVariant *value)
{
    g_autofree char *text = kv_print_format_json(value, isatty(fileno(file)));

    fprintf(file, "%s\n", text);
}

static char *
format_scaled(double value, const char *const *units, guint n_units)
{
    guint unit = 0;

    while (value >= 999.5 && unit + 1 < n_units) {
        value /= 1000;
        unit++;
    }
    /* Three digits tell enough, and keep columns narrow. */
    return g_strdup_printf(unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

char *
kv_print_format_bytes(guint64 bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

    return format_scaled((double) bytes, units, G_N_ELEMENTS(units));
}

char *
kv_print_format_rate(double bits_per_s)
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};

    return format_scaled(bits_per_s, units, G_N_ELEMENTS(units));
}

char *
kv_print_format_span(guint64 seconds)
{
    guint64 days = seconds / SECONDS_PER_DAY;
    guint hours = (guint) (seconds % SECONDS_PER_DAY / SECONDS_PER_HOUR);
    guint minutes = (guint) (seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE);
    guint rest = (guint) (seconds % SECONDS_PER_MINUTE);

    if (days > 0)
        return g_strdup_printf(_("%" PRIu64 " d %u h"), days, hours);
    if (hours > 0)
        return g_strdup_printf(_("%u h %u min"), hours, minutes);
    if (minutes > 0)
        return g_strdup_printf(_("%u min %u s"), minutes, rest);
    return g_strdup_printf(_("%u s"), rest);
}

char *
kv_print_format_sparkline(const double *values, guint n, gboolean unicode)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    const char *const *steps = unicode ? blocks : plain;
    GString *out = g_string_new(NULL);
    double largest = 0;

    for (guint i = 0; i < n; i++)
        largest = MAX(largest, values[i]);
    for (guint i = 0; i < n; i++) {
        guint step = largest > 0 ? (guint) (values[i] / largest * G_N_ELEMENTS(blocks)) : 0;

        g_string_append(out, steps[MIN(step, G_N_ELEMENTS(blocks) - 1)]);
    }
    return g_string_free(out, FALSE);
}

/* --- tables ---------------------------------------------------------------------------------- */

typedef struct {
    char *text; /* printable */
    KvStyle style;
} Cell;

typedef struct {
    char *heading; /* (nullable) */
    KvAlign align;
} Column;

struct _KvTable {
    guint n_columns;
    Column *columns;
    GArray *cells; /* of Cell, row by row */
};

static void
cell_clear(gpointer data)
{
    Cell *cell = data;

    g_free(cell->text);
}

KvTable *
kv_table_new(guint n_columns)
{
    KvTable *table;

    g_return_val_if_fail(n_columns > 0, NULL);
    table = g_new0(KvTable, 1);
    table->n_columns = n_columns;
    table->columns = g_new0(Column, n_columns);
    table->cells = g_array_new(FALSE, FALSE, sizeof(Cell));
    g_array_set_clear_func(table->cells, cell_clear);
    return table;
}

void
kv_table_free(KvTable *table)
{
    if (table == NULL)
        return;
    for (guint i = 0; i < table->n_columns; i++)
        g_free(table->columns[i].heading);
    g_free(table->columns);
    g_array_unref(table->cells);
    g_free(table);
}

void
kv_table_set_heading(KvTable *table, guint column, const char *text, KvAlign align)
{
    g_return_if_fail(column < table->n_columns);
    g_free(table->columns[column].heading);
    table->columns[column].heading = kv_text_make_printable(text);
    table->columns[column].align = align;
}

void
kv_table_add(KvTable *table, KvStyle style, const char *text)
{
    Cell cell = {.text = kv_text_make_printable(text != NULL ? text : "-"), .style = style};

    g_array_append_val(table->cells, cell);
}

gboolean
kv_table_is_empty(const KvTable *table)
{
    return table->cells->len == 0;
}

static guint
get_width(const KvTable *table, guint column)
{
    const char *heading = table->columns[column].heading;
    guint width = heading != NULL ? kv_text_columns(heading, strlen(heading)) : 0;

    for (guint i = column; i < table->cells->len; i += table->n_columns) {
        const char *text = g_array_index(table->cells, Cell, i).text;

        width = MAX(width, kv_text_columns(text, strlen(text)));
    }
    return width;
}

static void
append_cell(const KvTable *table, GString *out, guint column, const Cell *cell, guint width,
            gboolean colour)
{
    int padding = (int) (width - kv_text_columns(cell->text, strlen(cell->text)));
    gboolean right = table->columns[column].align == KV_ALIGN_RIGHT;
    gboolean last = column + 1 == table->n_columns;

    if (right)
        g_string_append_printf(out, "%*s", padding, "");
    kv_print_append(out, cell->style, colour, cell->text);
    if (!last)
        g_string_append_printf(out, "%*s", (right ? 0 : padding) + COLUMN_GAP, "");
    else
        g_string_append_c(out, '\n');
}

char *
kv_table_format(const KvTable *table, gboolean colour)
{
    g_autofree guint *widths = g_new(guint, table->n_columns);
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < table->n_columns; i++)
        widths[i] = get_width(table, i);
    for (guint i = 0; i < table->n_columns && table->columns[0].heading != NULL; i++) {
        Cell cell = {.text = table->columns[i].heading, .style = KV_STYLE_STRONG};

        append_cell(table, out, i, &cell, widths[i], colour);
    }
    for (guint i = 0; i < table->cells->len; i++) {
        guint column = i % table->n_columns;

        append_cell(table, out, column, &g_array_index(table->cells, Cell, i), widths[column],
                    colour);
    }
    return g_string_free(out, FALSE);
}

void
kv_table_print(const KvTable *table, FILE *file)
{
    g_autofree char *text = kv_table_format(table, kv_print_wants_colour(file));

    fputs(text, file);
}
