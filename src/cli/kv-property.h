/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * Properties of the daemon's objects as text for people. They come from outside: what has not the
 * type it should have is left out. Pure; texts are (transfer full).
 */

/* Addresses (aa{sv}) as "192.168.88.2/24, fd00::2/64"; NULL if there is none. */
char *kv_property_format_addresses(GVariant *addresses);

/* Routes (aa{sv}) as "10.0.0.0/8 via 192.168.88.1, ..."; NULL if there is none. */
char *kv_property_format_routes(GVariant *routes);

/* Dns (a{sv}) as "192.0.2.53, search example.org"; NULL if it is empty. */
char *kv_property_format_dns(GVariant *dns);

/* Microseconds since 1970 as the span from then to @now_us; NULL for 0. */
char *kv_property_format_since(guint64 since_us, gint64 now_us);

/* A setting's value, whatever its type, as a key file has it. */
char *kv_property_format_setting(GVariant *value);

/* A counter out of statistics (a{sv}) of type t or u; 0 if it is not there. */
guint64 kv_property_get_counter(GVariant *statistics, const char *key);

/* A share from 0 to 1 out of statistics; FALSE if it is not there. */
gboolean kv_property_get_share(GVariant *statistics, const char *key, double *share);

/* Loss each way as "in 0.1 %, out 2.0 %", what of it is known; NULL if nothing is. */
char *kv_property_format_loss(GVariant *statistics);

/* Statistics' drops by reason as "checksum 3, queue 1"; NULL if nothing was dropped. */
char *kv_property_format_drops(GVariant *statistics);

/* Their sum. */
guint64 kv_property_sum_drops(GVariant *statistics);

/* Entry @i of the manager's Problems (a(sus)) as "FILE:LINE: what is wrong". */
char *kv_property_format_problem(GVariant *problems, gsize i);
