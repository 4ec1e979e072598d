/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-check.h"

#include "kv-ip4.h"
#include "kv-key.h"
#include "kv-network.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_NAME_MAX_BYTES  253
#define HOST_LABEL_MAX_BYTES 63
#define USER_NAME_MAX_BYTES  32 /* utmp's bound */
#define ARGUMENTS_MAX        64

static gboolean
parse_ip4(const char *text, guint32 *value)
{
    struct in_addr address;

    if (inet_pton(AF_INET, text, &address) != 1)
        return FALSE;
    *value = ntohl(address.s_addr);
    return TRUE;
}

static gboolean
is_ip6(const char *text, size_t len)
{
    g_autofree char *copy = g_strndup(text, len);
    char *zone = strchr(copy, '%');
    struct in6_addr address;

    if (zone != NULL) {
        *zone++ = '\0';
        if (!kv_check_interface_name(zone))
            return FALSE;
    }
    return inet_pton(AF_INET6, copy, &address) == 1;
}

static gboolean
is_host_label(const char *label)
{
    size_t len = strlen(label);

    if (len == 0 || len > HOST_LABEL_MAX_BYTES || label[0] == '-' || label[len - 1] == '-')
        return FALSE;
    for (const char *c = label; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && *c != '-' && *c != '_')
            return FALSE;
    }
    return TRUE;
}

static gboolean
is_host_name(const char *text)
{
    g_auto(GStrv) labels = NULL;
    guint n;

    if (strlen(text) > HOST_NAME_MAX_BYTES)
        return FALSE;
    labels = g_strsplit(text, ".", 0);
    n = g_strv_length(labels);
    if (n > 1 && labels[n - 1][0] == '\0')
        n--; /* the root's dot */
    for (guint i = 0; i < n; i++) {
        if (!is_host_label(labels[i]))
            return FALSE;
    }
    /* A last label of digits is an address with a mistake in it, never a name (RFC 1123). */
    return n > 0 && strspn(labels[n - 1], "0123456789") != strlen(labels[n - 1]);
}

gboolean
kv_check_host(const char *text)
{
    size_t len = strlen(text);
    guint32 ip4;

    if (len > 2 && text[0] == '[' && text[len - 1] == ']')
        return is_ip6(text + 1, len - 2);
    return parse_ip4(text, &ip4) || is_ip6(text, len) || is_host_name(text);
}

gboolean
kv_check_ip4(const char *text)
{
    guint32 address;

    return parse_ip4(text, &address) && address != 0;
}

gboolean
kv_check_netmask(const char *text)
{
    guint32 mask;

    return parse_ip4(text, &mask) && mask != 0 && kv_ip4_is_netmask(mask);
}

static gboolean
is_prefix_length(const char *text)
{
    guint64 bits;

    return g_ascii_string_to_unsigned(text, 10, 0, 32, &bits, NULL);
}

gboolean
kv_check_address_range(const char *text)
{
    g_auto(GStrv) parts = g_strsplit_set(text, "/-", 3);
    guint32 first;
    guint32 last;

    if (g_strv_length(parts) != 2 || !parse_ip4(parts[0], &first))
        return FALSE;
    /* 0.0.0.0 is nobody's address, so that alone it makes no range. */
    if (strchr(text, '/') == NULL)
        return parse_ip4(parts[1], &last) && first <= last && last != 0;
    if (strcmp(parts[1], "32") == 0 || strcmp(parts[1], "255.255.255.255") == 0)
        return first != 0;
    return is_prefix_length(parts[1]) || kv_check_netmask(parts[1]);
}

/* Neither nobody's nor this computer's nor that of a group. */
static gboolean
is_of_one_computer(const KvNetwork *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    static const uint8_t nobody[16];

    if (memcmp(address->ip, nobody, sizeof nobody) == 0)
        return FALSE;
    if (address->is_ip6)
        return address->ip[0] != 0xff && memcmp(address->ip, loopback6, sizeof loopback6) != 0;
    return address->ip[0] != 0 && address->ip[0] != 127 && address->ip[0] < 224;
}

gboolean
kv_check_ip6(const char *text)
{
    KvNetwork address;

    return kv_network_parse(&address, text) && address.is_ip6 && address.prefix > 0 &&
           is_of_one_computer(&address);
}

gboolean
kv_check_address6(const char *text)
{
    return strchr(text, '/') == NULL && kv_check_ip6(text);
}

gboolean
kv_check_endpoint(const char *text)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;
    guint64 port;

    if (colon == NULL || !g_ascii_isdigit(colon[1]) || colon[1] == '0' ||
        !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
        return FALSE;
    host = g_strndup(text, (gsize) (colon - text));
    /* Without its brackets an IPv6 address hides where it ends. */
    return (host[0] == '[' || strchr(host, ':') == NULL) && kv_check_host(host);
}

gboolean
kv_check_address_range6(const char *text)
{
    g_auto(GStrv) ends = g_strsplit(text, "-", 2);
    KvNetwork first;
    KvNetwork last;

    if (!kv_network_parse(&first, ends[0]) || !first.is_ip6)
        return FALSE;
    if (ends[1] == NULL)
        return strchr(text, '/') != NULL && is_of_one_computer(&first);
    return strchr(text, '/') == NULL && kv_network_parse(&last, ends[1]) && last.is_ip6 &&
           memcmp(first.ip, last.ip, sizeof first.ip) <= 0 && is_of_one_computer(&last);
}

gboolean
kv_check_network(const char *text)
{
    KvNetwork network;

    return kv_network_parse(&network, text) && kv_network_is_base(&network);
}

gboolean
kv_check_address(const char *text)
{
    KvNetwork address;

    return strchr(text, '/') == NULL && kv_network_parse(&address, text) &&
           is_of_one_computer(&address);
}

gboolean
kv_check_domain(const char *text)
{
    g_auto(GStrv) labels = NULL;

    if (text[0] == '~')
        text++;
    if (strcmp(text, ".") == 0)
        return TRUE;
    if (strlen(text) > HOST_NAME_MAX_BYTES)
        return FALSE;
    labels = g_strsplit(text, ".", 0);
    for (guint i = 0; labels[i] != NULL; i++) {
        if (!is_host_label(labels[i]))
            return FALSE;
    }
    return labels[0] != NULL;
}

gboolean
kv_check_key(const char *text)
{
    uint8_t key[KV_KEY_BYTES];
    gboolean good = kv_key_parse(key, text);

    explicit_bzero(key, sizeof key);
    return good;
}

gboolean
kv_check_public_key(const char *text)
{
    uint8_t key[KV_KEY_BYTES];

    return kv_key_parse(key, text) && kv_key_is_public(key);
}

gboolean
kv_check_interface_name(const char *text)
{
    if (text[0] == '\0' || strlen(text) > KV_INTERFACE_NAME_MAX || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0)
        return FALSE;
    for (const char *c = text; *c != '\0'; c++) {
        if (!g_ascii_isgraph(*c) || strchr("/:%", *c) != NULL)
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_check_client_id(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (!g_ascii_isalnum(*c) && *c != '_' && *c != '-')
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_check_tunnel_name(const char *text)
{
    return text[0] != '.' && strchr(text, '/') == NULL;
}

gboolean
kv_check_user_name(const char *text)
{
    if (text[0] == '\0' || text[0] == '-' || strlen(text) > USER_NAME_MAX_BYTES)
        return FALSE;
    for (const char *c = text; *c != '\0'; c++) {
        if (!g_ascii_isgraph(*c) || strchr(",:;/", *c) != NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean
has_known_escapes(const char *word)
{
    for (const char *p = strchr(word, '%'); p != NULL; p = strchr(p + 2, '%')) {
        if (p[1] != 'i' && p[1] != '%')
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_check_command(const char *text)
{
    g_auto(GStrv) words = NULL;
    gint n;

    if (!g_shell_parse_argv(text, &n, &words, NULL) || words[0][0] == '\0' || n > 1 + ARGUMENTS_MAX)
        return FALSE;
    for (gint i = 1; i < n; i++) {
        if (!has_known_escapes(words[i]))
            return FALSE;
    }
    return TRUE;
}

gboolean
kv_check_vni_mtu(const char *text)
{
    guint64 mtu = g_ascii_strtoull(text, NULL, 0);

    return mtu == 0 || mtu >= KV_VNI_MTU_MIN;
}
