/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "flood-frames.h"

#include <string.h>

#define NOISE_BYTES (1 << 20) /* that random payloads are cut from */
#define PORTS_FROM  1024
#define TTL         64

typedef struct {
    const uint8_t *data;
    size_t len;
} Payload;

struct _FloodFrames {
    FloodFramesConfig config;
    FloodHead head; /* what all have in common */
    GRand *random;
    uint8_t *noise;
    char *corpus;
    GArray *payloads; /* of Payload, within @corpus */
    guint64 n;
};

static gboolean
read_corpus(FloodFrames *frames, GError **error)
{
    gsize len;
    gsize at = 0;

    if (!g_file_get_contents(frames->config.corpus, &frames->corpus, &len, error))
        return FALSE;
    while (at + 2 <= len) {
        const uint8_t *entry = (const uint8_t *) frames->corpus + at;
        Payload payload = {.data = entry + 2, .len = entry[0] | (size_t) entry[1] << 8};

        if (payload.len > FLOOD_PAYLOAD_MAX || at + 2 + payload.len > len)
            break;
        g_array_append_val(frames->payloads, payload);
        at += 2 + payload.len;
    }
    if (at == len && frames->payloads->len > 0)
        return TRUE;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is no file of payloads",
                frames->config.corpus);
    return FALSE;
}

static void
make_noise(FloodFrames *frames)
{
    frames->noise = g_malloc(NOISE_BYTES + FLOOD_PAYLOAD_MAX);
    for (gsize i = 0; i < NOISE_BYTES + FLOOD_PAYLOAD_MAX; i++)
        frames->noise[i] = (uint8_t) g_rand_int(frames->random);
}

static void
prepare_head(FloodFrames *frames)
{
    FloodHead *head = &frames->head;

    memcpy(head->ether.ether_dhost, frames->config.to_mac, ETH_ALEN);
    memcpy(head->ether.ether_shost, frames->config.from_mac, ETH_ALEN);
    head->ether.ether_type = htons(ETHERTYPE_IP);
    head->ip.version = 4;
    head->ip.ihl = sizeof head->ip / 4;
    head->ip.ttl = TTL;
    head->ip.protocol = IPPROTO_UDP;
    head->ip.daddr = frames->config.to.sin_addr.s_addr;
    head->udp.dest = frames->config.to.sin_port;
}

FloodFrames *
flood_frames_new(const FloodFramesConfig *config, GError **error)
{
    g_autoptr(FloodFrames) frames = g_new0(FloodFrames, 1);

    frames->config = *config;
    frames->random = g_rand_new_with_seed(1);
    frames->payloads = g_array_new(FALSE, FALSE, sizeof(Payload));
    if (config->corpus == NULL)
        make_noise(frames);
    else if (!read_corpus(frames, error))
        return NULL;
    prepare_head(frames);
    return g_steal_pointer(&frames);
}

void
flood_frames_free(FloodFrames *frames)
{
    g_array_unref(frames->payloads);
    g_rand_free(frames->random);
    g_free(frames->noise);
    g_free(frames->corpus);
    g_free(frames);
}

static Payload
choose_payload(FloodFrames *frames)
{
    const FloodFramesConfig *config = &frames->config;
    guint32 drawn;

    if (config->corpus != NULL)
        return g_array_index(frames->payloads, Payload, frames->n % frames->payloads->len);
    drawn = g_rand_int(frames->random);
    return (Payload){.data = frames->noise + drawn % NOISE_BYTES,
                     .len = config->size_min + drawn % (config->size_max - config->size_min + 1)};
}

/* RFC 1071 */
static uint16_t
sum_header(const FloodHead *head)
{
    uint16_t words[sizeof head->ip / 2];
    uint32_t sum = 0;

    memcpy(words, (const uint8_t *) head + G_STRUCT_OFFSET(FloodHead, ip), sizeof words);
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

size_t
flood_frames_next(FloodFrames *frames, FloodHead *head, struct iovec iov[2])
{
    const FloodFramesConfig *config = &frames->config;
    guint source = (guint) (frames->n % config->sources);
    Payload payload = choose_payload(frames);
    uint16_t port = ntohs(config->from.sin_port);

    if (port == 0)
        port = (uint16_t) (PORTS_FROM + g_rand_int(frames->random) % (65536 - PORTS_FROM));
    *head = frames->head;
    head->ip.tot_len = htons((uint16_t) (sizeof head->ip + sizeof head->udp + payload.len));
    head->ip.saddr = htonl(ntohl(config->from.sin_addr.s_addr) + source);
    head->ip.check = sum_header(head);
    head->udp.source = htons(port);
    /* No checksum, which IPv4 allows. */
    head->udp.len = htons((uint16_t) (sizeof head->udp + payload.len));
    iov[0] = (struct iovec){.iov_base = head, .iov_len = sizeof *head};
    iov[1] = (struct iovec){.iov_base = (void *) payload.data, .iov_len = payload.len};
    frames->n++;
    return payload.len;
}
