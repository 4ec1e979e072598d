/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "native/kv-native-config.h"

#include "kv-text.h"

#include <string.h>

/* What there may be none of any more. */
#define FIRST_LIST KV_RECORD_WANT4
#define LAST_LIST  KV_RECORD_DOMAIN

#define KNOWN_CAPABILITIES KV_CAPABILITY_PARITY

/* Of each type: the least a value may have, and whether it may stand more than once. */
static const struct {
    uint8_t min;
    gboolean is_list;
} rules[] = {
    [KV_RECORD_PADDING] = {0, TRUE},       [KV_RECORD_CLIENT_ID] = {1, FALSE},
    [KV_RECORD_MODE] = {1, FALSE},         [KV_RECORD_MTU] = {2, FALSE},
    [KV_RECORD_CIPHERS] = {1, FALSE},      [KV_RECORD_WINDOW] = {4, FALSE},
    [KV_RECORD_DATAGRAM] = {2, FALSE},     [KV_RECORD_KEEPALIVE] = {2, FALSE},
    [KV_RECORD_ASSOCIATION] = {16, FALSE}, [KV_RECORD_RESET] = {16, FALSE},
    [KV_RECORD_WANT4] = {4, TRUE},         [KV_RECORD_WANT6] = {16, TRUE},
    [KV_RECORD_ADDRESS4] = {5, TRUE},      [KV_RECORD_ADDRESS6] = {17, TRUE},
    [KV_RECORD_GATEWAY4] = {4, FALSE},     [KV_RECORD_GATEWAY6] = {16, FALSE},
    [KV_RECORD_ROUTE4] = {5, TRUE},        [KV_RECORD_ROUTE6] = {17, TRUE},
    [KV_RECORD_DNS4] = {4, TRUE},          [KV_RECORD_DNS6] = {16, TRUE},
    [KV_RECORD_DOMAIN] = {2, TRUE},        [KV_RECORD_BANNER] = {0, FALSE},
    [KV_RECORD_MORE] = {0, FALSE},         [KV_RECORD_REFUSED] = {1, FALSE},
    [KV_RECORD_LAST_NUMBER] = {8, FALSE},  [KV_RECORD_CAPABILITIES] = {4, FALSE},
};

void
kv_native_config_init(KvNativeConfig *config)
{
    *config = (KvNativeConfig){0};
    config->wants = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    config->addresses = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    config->gateways = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    config->routes = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    config->dns = g_array_new(FALSE, FALSE, sizeof(KvNetwork));
    config->domains = g_ptr_array_new_with_free_func(g_free);
}

void
kv_native_config_clear(KvNativeConfig *config)
{
    g_clear_pointer(&config->wants, g_array_unref);
    g_clear_pointer(&config->addresses, g_array_unref);
    g_clear_pointer(&config->gateways, g_array_unref);
    g_clear_pointer(&config->routes, g_array_unref);
    g_clear_pointer(&config->dns, g_array_unref);
    g_clear_pointer(&config->domains, g_ptr_array_unref);
    g_clear_pointer(&config->banner, g_free);
    g_clear_pointer(&config->refusal_text, g_free);
}

static gpointer
copy_string(gconstpointer text, gpointer data)
{
    return g_strdup(text);
}

void
kv_native_config_copy(const KvNativeConfig *config, KvNativeConfig *copy)
{
    kv_native_config_clear(copy);
    *copy = *config;
    copy->wants = g_array_copy(config->wants);
    copy->addresses = g_array_copy(config->addresses);
    copy->gateways = g_array_copy(config->gateways);
    copy->routes = g_array_copy(config->routes);
    copy->dns = g_array_copy(config->dns);
    copy->domains = g_ptr_array_copy(config->domains, copy_string, NULL);
    copy->banner = g_strdup(config->banner);
    copy->refusal_text = g_strdup(config->refusal_text);
}

/* --- reading -------------------------------------------------------------------------------- */

static gboolean
read_client_id(KvNativeConfig *config, const KvRecord *record)
{
    if (!kv_native_client_id_is_valid((const char *) record->value, record->len))
        return FALSE;
    memset(config->client_id, 0, sizeof config->client_id);
    memcpy(config->client_id, record->value, record->len);
    return TRUE;
}

static gboolean
read_mode(KvNativeConfig *config, const KvRecord *record)
{
    if (record->value[0] > KV_VNI_MODE_TAP)
        return FALSE;
    config->mode = record->value[0];
    config->said |= KV_SAID_MODE;
    return TRUE;
}

/* Those that this program does not know are as if they had not been named. */
static void
read_ciphers(KvNativeConfig *config, const KvRecord *record)
{
    guint n = 0;

    memset(config->ciphers, 0, sizeof config->ciphers);
    for (guint i = 0; i < record->len && n < G_N_ELEMENTS(config->ciphers); i++) {
        uint8_t cipher = record->value[i];

        if (cipher != KV_AEAD_CHACHA20_POLY1305 && cipher != KV_AEAD_AES_256_GCM)
            continue;
        if (memchr(config->ciphers, cipher, n) == NULL)
            config->ciphers[n++] = cipher;
    }
}

static void
read_id(KvNativeConfig *config, const KvRecord *record, uint8_t id[KV_NATIVE_ID_BYTES], KvSaid said)
{
    memcpy(id, record->value, KV_NATIVE_ID_BYTES);
    config->said |= said;
}

/* (transfer full) (nullable): text that steers no terminal; NULL: it does, or is too long. */
static char *
read_text(const uint8_t *text, size_t len, gboolean lines)
{
    const char *start = (const char *) text;

    if (len > KV_NATIVE_TEXT_MAX || !g_utf8_validate_len(start, len, NULL))
        return NULL;
    for (const char *p = start; p < start + len; p = g_utf8_next_char(p)) {
        if (kv_text_is_control(g_utf8_get_char(p)) && !(lines && *p == '\n'))
            return NULL;
    }
    return g_strndup(start, len);
}

static gboolean
read_banner(KvNativeConfig *config, const KvRecord *record)
{
    g_free(config->banner);
    config->banner = read_text(record->value, record->len, TRUE);
    return config->banner != NULL;
}

static gboolean
read_refusal(KvNativeConfig *config, const KvRecord *record)
{
    config->refusal = record->value[0];
    g_free(config->refusal_text);
    config->refusal_text = read_text(record->value + 1, record->len - 1u, FALSE);
    return config->refusal != KV_REFUSED_NOT && config->refusal_text != NULL;
}

/* Labels of 1 to 63 bytes with dots between them; "." alone is the root. */
static gboolean
is_domain(const char *name, size_t len)
{
    size_t label = 0;

    if (len == 1 && name[0] == '.')
        return TRUE;
    if (len > KV_NATIVE_DOMAIN_MAX)
        return FALSE;
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '.' && label == 0)
            return FALSE;
        if (name[i] != '.' && !g_ascii_isalnum(name[i]) && name[i] != '-' && name[i] != '_')
            return FALSE;
        label = name[i] == '.' ? 0 : label + 1;
        if (label > 63)
            return FALSE;
    }
    return label > 0;
}

static gboolean
read_domain(KvNativeConfig *config, const KvRecord *record)
{
    const char *name = (const char *) record->value + 1;
    guint len = record->len - 1u;

    if (record->value[0] > 1 || !is_domain(name, len) || config->domains->len >= KV_NATIVE_LIST_MAX)
        return FALSE;
    g_ptr_array_add(config->domains,
                    g_strdup_printf("%s%.*s", record->value[0] == 1 ? "~" : "", (int) len, name));
    return TRUE;
}

static void
remove_family(GArray *list, gboolean is_ip6)
{
    guint kept = 0;

    for (guint i = 0; i < list->len; i++) {
        if (g_array_index(list, KvNetwork, i).is_ip6 != is_ip6)
            g_array_index(list, KvNetwork, kept++) = g_array_index(list, KvNetwork, i);
    }
    g_array_set_size(list, kept);
}

/* The list that records of @type are in; NULL: it is no address. */
static GArray *
get_list(const KvNativeConfig *config, uint8_t type)
{
    switch (type) {
    case KV_RECORD_WANT4:
    case KV_RECORD_WANT6:
        return config->wants;
    case KV_RECORD_ADDRESS4:
    case KV_RECORD_ADDRESS6:
        return config->addresses;
    case KV_RECORD_GATEWAY4:
    case KV_RECORD_GATEWAY6:
        return config->gateways;
    case KV_RECORD_ROUTE4:
    case KV_RECORD_ROUTE6:
        return config->routes;
    case KV_RECORD_DNS4:
    case KV_RECORD_DNS6:
        return config->dns;
    default:
        return NULL;
    }
}

/* Types of addresses come in pairs, IPv4 with the even number. */
static gboolean
is_ip6(uint8_t type)
{
    return type % 2 == 1;
}

static gboolean
read_network(const KvRecord *record, GArray *list)
{
    guint bytes = is_ip6(record->type) ? 16 : 4;
    gboolean has_prefix = rules[record->type].min > bytes;
    KvNetwork network = {.is_ip6 = is_ip6(record->type), .prefix = (uint8_t) (8 * bytes)};

    memcpy(network.ip, record->value, bytes);
    if (has_prefix && record->value[bytes] > network.prefix)
        return FALSE;
    if (has_prefix)
        network.prefix = record->value[bytes];
    if (record->type == KV_RECORD_ROUTE4 || record->type == KV_RECORD_ROUTE6)
        kv_network_make_base(&network);
    if (list->len >= KV_NATIVE_LIST_MAX)
        return FALSE;
    g_array_append_val(list, network);
    return TRUE;
}

static gboolean
read_numbers(KvNativeConfig *config, const KvRecord *record)
{
    const uint8_t *value = record->value;

    switch (record->type) {
    case KV_RECORD_MTU:
        config->mtu = kv_get_le16(value);
        return config->mtu >= KV_VNI_MTU_MIN;
    case KV_RECORD_WINDOW:
        config->window = kv_get_le32(value);
        return config->window > 0;
    case KV_RECORD_DATAGRAM:
        config->datagram = kv_get_le16(value);
        return config->datagram >= KV_NATIVE_DATAGRAM_MIN;
    case KV_RECORD_KEEPALIVE:
        config->keepalive = kv_get_le16(value);
        config->said |= KV_SAID_KEEPALIVE;
        return TRUE;
    case KV_RECORD_LAST_NUMBER:
        config->number = kv_get_le64(value);
        config->said |= KV_SAID_NUMBER;
        return TRUE;
    case KV_RECORD_CAPABILITIES:
        config->capabilities = kv_get_le32(value) & KNOWN_CAPABILITIES;
        return TRUE;
    default:
        g_assert_not_reached();
    }
}

static gboolean
read_record(KvNativeConfig *config, const KvRecord *record)
{
    GArray *list = get_list(config, record->type);

    if (list != NULL)
        return read_network(record, list);
    switch (record->type) {
    case KV_RECORD_PADDING:
        return TRUE;
    case KV_RECORD_CLIENT_ID:
        return read_client_id(config, record);
    case KV_RECORD_MODE:
        return read_mode(config, record);
    case KV_RECORD_CIPHERS:
        read_ciphers(config, record);
        return TRUE;
    case KV_RECORD_ASSOCIATION:
        read_id(config, record, config->association, KV_SAID_ASSOCIATION);
        return TRUE;
    case KV_RECORD_RESET:
        read_id(config, record, config->reset, KV_SAID_RESET);
        return TRUE;
    case KV_RECORD_DOMAIN:
        return read_domain(config, record);
    case KV_RECORD_BANNER:
        return read_banner(config, record);
    case KV_RECORD_MORE:
        config->said |= KV_SAID_MORE;
        return TRUE;
    case KV_RECORD_REFUSED:
        return read_refusal(config, record);
    default:
        return read_numbers(config, record);
    }
}

/* What the first record of a list replaces. */
static void
empty_list(KvNativeConfig *config, uint8_t type)
{
    GArray *list = get_list(config, type);

    if (list != NULL)
        remove_family(list, is_ip6(type));
    else if (type == KV_RECORD_DOMAIN)
        g_ptr_array_set_size(config->domains, 0);
}

/* Of lists and gateways there may be none any more, which an empty value says. */
static gboolean
is_taken_back(const KvRecord *record)
{
    return record->len == 0 && record->type >= FIRST_LIST && record->type <= LAST_LIST;
}

static gboolean
is_allowed(const KvRecord *record, gboolean was_seen)
{
    if (was_seen && !rules[record->type].is_list)
        return FALSE;
    return record->len >= rules[record->type].min || is_taken_back(record);
}

gboolean
kv_native_config_read(KvNativeConfig *config, const uint8_t *data, size_t len, uint8_t *bad)
{
    uint32_t seen = 0;
    KvReader reader;
    KvRecord record = {0};

    G_STATIC_ASSERT(G_N_ELEMENTS(rules) <= 8 * sizeof seen);
    kv_reader_init(&reader, data, len);
    while (kv_record_next(&reader, &record)) {
        guint bit;

        if (record.type >= G_N_ELEMENTS(rules))
            continue;
        bit = KV_RECORD_BIT(record.type);
        *bad = record.type;
        if (!is_allowed(&record, (seen & bit) != 0))
            return FALSE;
        if ((seen & bit) == 0)
            empty_list(config, record.type);
        seen |= bit;
        if (!is_taken_back(&record) && !read_record(config, &record))
            return FALSE;
    }
    *bad = record.type;
    return !reader.failed;
}

gboolean
kv_native_client_id_is_valid(const char *id, size_t len)
{
    if (len < 1 || len > KV_NATIVE_CLIENT_ID_MAX)
        return FALSE;
    for (size_t i = 0; i < len; i++) {
        if (!g_ascii_isalnum(id[i]) && id[i] != '_' && id[i] != '-')
            return FALSE;
    }
    return TRUE;
}

/* --- writing -------------------------------------------------------------------------------- */

/* @type4 is the type of its IPv4 records. */
static void
write_list(KvRecordWriter *writer, KvRecordType type4, const GArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        const KvNetwork *network = &g_array_index(list, KvNetwork, i);
        KvRecordType type = type4 + (network->is_ip6 ? 1 : 0);
        guint bytes = network->is_ip6 ? 16 : 4;
        uint8_t value[17];

        memcpy(value, network->ip, bytes);
        value[bytes] = network->prefix;
        kv_record_put(writer, type, value, rules[type].min);
    }
}

static void
write_domains(KvRecordWriter *writer, const GPtrArray *domains)
{
    for (guint i = 0; i < domains->len; i++) {
        const char *name = g_ptr_array_index(domains, i);
        gboolean routing = name[0] == '~';
        size_t len = strlen(name) - (routing ? 1 : 0);
        uint8_t value[1 + KV_NATIVE_DOMAIN_MAX];

        g_assert(len <= KV_NATIVE_DOMAIN_MAX);
        value[0] = routing ? 1 : 0;
        memcpy(value + 1, name + (routing ? 1 : 0), len);
        kv_record_put(writer, KV_RECORD_DOMAIN, value, 1 + len);
    }
}

static void
write_refusal(KvRecordWriter *writer, const KvNativeConfig *config)
{
    uint8_t value[1 + KV_NATIVE_TEXT_MAX];
    size_t len = config->refusal_text != NULL ? strlen(config->refusal_text) : 0;

    g_assert(len <= KV_NATIVE_TEXT_MAX);
    value[0] = (uint8_t) config->refusal;
    if (len > 0)
        memcpy(value + 1, config->refusal_text, len);
    kv_record_put(writer, KV_RECORD_REFUSED, value, 1 + len);
}

/* What says nothing without being said needs no record. */
static void
write_small(KvRecordWriter *writer, const KvNativeConfig *config)
{
    size_t n_ciphers = strnlen((const char *) config->ciphers, sizeof config->ciphers);

    if (config->refusal != KV_REFUSED_NOT)
        write_refusal(writer, config);
    if (config->said & KV_SAID_NUMBER)
        kv_record_put_u64(writer, KV_RECORD_LAST_NUMBER, config->number);
    if (config->client_id[0] != '\0')
        kv_record_put(writer, KV_RECORD_CLIENT_ID, config->client_id, strlen(config->client_id));
    if (config->said & KV_SAID_MODE)
        kv_record_put_u8(writer, KV_RECORD_MODE, (uint8_t) config->mode);
    if (config->mtu != 0)
        kv_record_put_u16(writer, KV_RECORD_MTU, config->mtu);
    if (n_ciphers > 0)
        kv_record_put(writer, KV_RECORD_CIPHERS, config->ciphers, n_ciphers);
    if (config->window != 0)
        kv_record_put_u32(writer, KV_RECORD_WINDOW, config->window);
    if (config->datagram != 0)
        kv_record_put_u16(writer, KV_RECORD_DATAGRAM, config->datagram);
    if (config->said & KV_SAID_KEEPALIVE)
        kv_record_put_u16(writer, KV_RECORD_KEEPALIVE, config->keepalive);
    if (config->said & KV_SAID_ASSOCIATION)
        kv_record_put(writer, KV_RECORD_ASSOCIATION, config->association, KV_NATIVE_ID_BYTES);
    if (config->said & KV_SAID_RESET)
        kv_record_put(writer, KV_RECORD_RESET, config->reset, KV_NATIVE_ID_BYTES);
    if (config->capabilities != 0)
        kv_record_put_u32(writer, KV_RECORD_CAPABILITIES, config->capabilities);
    if (config->said & KV_SAID_MORE)
        kv_record_put(writer, KV_RECORD_MORE, NULL, 0);
}

static void
write_none(KvRecordWriter *writer, uint32_t none)
{
    for (guint type = FIRST_LIST; type <= LAST_LIST; type++) {
        if (none & KV_RECORD_BIT(type))
            kv_record_put(writer, type, NULL, 0);
    }
}

void
kv_native_config_write(const KvNativeConfig *config, KvRecordWriter *writer)
{
    write_small(writer, config);
    write_list(writer, KV_RECORD_WANT4, config->wants);
    write_list(writer, KV_RECORD_ADDRESS4, config->addresses);
    write_list(writer, KV_RECORD_GATEWAY4, config->gateways);
    write_list(writer, KV_RECORD_ROUTE4, config->routes);
    write_list(writer, KV_RECORD_DNS4, config->dns);
    write_domains(writer, config->domains);
    write_none(writer, config->none);
    if (config->banner != NULL)
        kv_record_put(writer, KV_RECORD_BANNER, config->banner, strlen(config->banner));
}

/* --- later words ----------------------------------------------------------------------------- */

static gboolean
has_any(const KvNativeConfig *config, uint8_t type)
{
    const GArray *list = get_list(config, type);

    if (list == NULL)
        return config->domains->len > 0;
    for (guint i = 0; i < list->len; i++) {
        if (!g_array_index(list, KvNetwork, i).is_ip6 == !is_ip6(type))
            return TRUE;
    }
    return FALSE;
}

void
kv_native_config_take_back(KvNativeConfig *config, const KvNativeConfig *before)
{
    for (uint8_t type = FIRST_LIST; type <= LAST_LIST; type++) {
        if (has_any(before, type) && !has_any(config, type))
            config->none |= KV_RECORD_BIT(type);
    }
}

gboolean
kv_native_config_fits(const KvNativeConfig *config)
{
    g_autofree uint8_t *records = g_malloc(KV_RECORDS_MAX);
    KvRecordWriter writer;

    kv_record_writer_init(&writer, records, KV_RECORDS_MAX);
    kv_native_config_write(config, &writer);
    return writer.left_out == 0;
}
