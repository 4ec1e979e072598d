/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/*
 * Checks of single values, for the table's rows. Each looks at text that is already known to be
 * UTF-8, free of control characters and within the row's length. Pure; any thread.
 */

/* Bytes an interface name may have (the kernel's IFNAMSIZ less its NUL). */
#define KV_INTERFACE_NAME_MAX 15

/* An IPv4 or IPv6 address, the latter also in brackets or with a zone, or a host name. */
gboolean kv_check_host(const char *text);

/* A dotted IPv4 address other than 0.0.0.0. */
gboolean kv_check_ip4(const char *text);

/* A dotted netmask: ones, then zeros, not all zero. */
gboolean kv_check_netmask(const char *text);

/* ADDRESS/PREFIX, ADDRESS/NETMASK or FIRST-LAST. */
gboolean kv_check_address_range(const char *text);

/* An IPv6 address that one computer can have beyond its own link, or that and a prefix. */
gboolean kv_check_ip6(const char *text);

/* The same without a prefix. */
gboolean kv_check_address6(const char *text);

/* HOST:PORT, an IPv6 address in brackets. */
gboolean kv_check_endpoint(const char *text);

/* IPv6 ADDRESS/PREFIX or FIRST-LAST. */
gboolean kv_check_address_range6(const char *text);

/* A network of either family, without a bit below its prefix; a whole address needs none. */
gboolean kv_check_network(const char *text);

/* An address of either family that one computer can have. */
gboolean kv_check_address(const char *text);

/* A domain name, or "." for the root, with or without "~" in front. */
gboolean kv_check_domain(const char *text);

/* The text of a key. */
gboolean kv_check_key(const char *text);

/* The same of one that can be public. */
gboolean kv_check_public_key(const char *text);

/* What the kernel takes as an interface's name and no template of it. */
gboolean kv_check_interface_name(const char *text);

/* Letters, digits, "_" and "-" of ASCII. */
gboolean kv_check_client_id(const char *text);

/* No "/" and no "." in front, so that a file can bear the name. */
gboolean kv_check_tunnel_name(const char *text);

/* A name that a user of the system can have. */
gboolean kv_check_user_name(const char *text);

/* Words that are quoted as in a shell: a program, and at most 64 arguments in which a % is followed
 * by i or %. */
gboolean kv_check_command(const char *text);

/* 0, or an MTU that IPv4 can live with. */
gboolean kv_check_vni_mtu(const char *text);
