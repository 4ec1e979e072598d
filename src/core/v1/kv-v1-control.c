/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1-control.h"

#include "kv-bytes.h"

#define TAG 0xd5

/* Whole length by type. */
static const uint8_t message_bytes[] = {34, 16, 3, 20, 3, 16, 3, 3};

static void
put_config(uint8_t *p, const KvNetworkConfig *config)
{
    p[0] = (uint8_t) config->vni_mode;
    kv_put_le16(p + 1, config->mtu);
    kv_put_le16(p + 3, config->full_frame_mtu);
    kv_put_le32(p + 5, config->server_ip);
    kv_put_le32(p + 9, config->netmask);
}

static void
put_client(uint8_t *p, const KvClientInfo *client)
{
    size_t n = strnlen(client->id, KV_CLIENT_ID_MAX);

    p[0] = (uint8_t) n;
    memcpy(p + 1, client->id, n);
    p += 1 + n;
    kv_put_le16(p, client->mtu);
    p[2] = (uint8_t) client->address_mode;
    kv_put_le32(p + 3, client->ip);
}

static gboolean
read_config(KvReader *reader, KvNetworkConfig *config)
{
    uint8_t mode = kv_reader_u8(reader);

    config->vni_mode = mode;
    config->mtu = kv_reader_le16(reader);
    config->full_frame_mtu = kv_reader_le16(reader);
    config->server_ip = kv_reader_le32(reader);
    config->netmask = kv_reader_le32(reader);
    return !reader->failed && mode <= KV_VNI_MODE_TAP;
}

static gboolean
read_client(KvReader *reader, KvClientInfo *client)
{
    uint8_t n = kv_reader_u8(reader);
    const uint8_t *id;
    uint8_t mode;

    if (n > KV_CLIENT_ID_MAX)
        return FALSE;
    id = kv_reader_bytes(reader, n);
    client->mtu = kv_reader_le16(reader);
    mode = kv_reader_u8(reader);
    client->ip = kv_reader_le32(reader);
    if (reader->failed || mode > KV_ADDRESS_MODE_OTHER)
        return FALSE;
    if (!kv_v1_client_id_is_valid((const char *) id, n))
        return FALSE;
    memcpy(client->id, id, n);
    client->address_mode = mode;
    /* In the other modes the field is filled by habit and means nothing. */
    if (mode != KV_ADDRESS_MODE_CLIENT_SET)
        client->ip = 0;
    return TRUE;
}

size_t
kv_v1_control_encode(const KvV1Control *message, uint8_t buf[KV_V1_CONTROL_MAX])
{
    size_t len = message_bytes[message->type];
    uint8_t *p = buf + 2;

    memset(buf, 0, len);
    buf[0] = TAG;
    buf[1] = (uint8_t) message->type;
    buf[len - 1] = TAG;
    switch (message->type) {
    case KV_V1_CONTROL_CLIENT_INFO:
        put_client(p, &message->client);
        break;
    case KV_V1_CONTROL_ASSIGNED:
        kv_put_le32(p, message->ip);
        put_config(p + 4, &message->config);
        break;
    case KV_V1_CONTROL_ACCEPTED:
    case KV_V1_CONTROL_CONFIGURATION:
        put_config(p, &message->config);
        break;
    default:
        break;
    }
    return len;
}

KvV1ControlResult
kv_v1_control_decode(const uint8_t *data, size_t len, KvV1Control *message, size_t *used)
{
    KvReader reader;
    gboolean good = TRUE;
    size_t whole;

    if (len > 0 && data[0] != TAG)
        return KV_V1_CONTROL_BAD;
    if (len < 2)
        return KV_V1_CONTROL_MORE;
    if (data[1] >= G_N_ELEMENTS(message_bytes))
        return KV_V1_CONTROL_BAD;
    whole = message_bytes[data[1]];
    if (len < whole)
        return KV_V1_CONTROL_MORE;
    if (data[whole - 1] != TAG)
        return KV_V1_CONTROL_BAD;

    memset(message, 0, sizeof *message);
    message->type = data[1];
    kv_reader_init(&reader, data + 2, whole - 3);
    switch (message->type) {
    case KV_V1_CONTROL_CLIENT_INFO:
        good = read_client(&reader, &message->client);
        break;
    case KV_V1_CONTROL_ASSIGNED:
        message->ip = kv_reader_le32(&reader);
        good = read_config(&reader, &message->config);
        break;
    case KV_V1_CONTROL_ACCEPTED:
    case KV_V1_CONTROL_CONFIGURATION:
        good = read_config(&reader, &message->config);
        break;
    default:
        break;
    }
    *used = whole;
    return good ? KV_V1_CONTROL_DONE : KV_V1_CONTROL_BAD;
}

gboolean
kv_v1_client_id_is_valid(const char *id, size_t len)
{
    if (len > KV_CLIENT_ID_MAX)
        return FALSE;
    for (size_t i = 0; i < len; i++) {
        if (!g_ascii_isalnum(id[i]) && id[i] != '_' && id[i] != '-')
            return FALSE;
    }
    return TRUE;
}
