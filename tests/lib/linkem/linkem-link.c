/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "linkem-link.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_QUEUE_NS 100000000u /* a rate without a bound of its own */
#define ECN_CE           3          /* congestion was met */
#define ETHERNET_BYTES   14

typedef struct {
    uint64_t in, in_bytes, out, out_bytes, loss, burst_loss, queue_drop, down, too_long, over_limit;
    uint64_t dup, corrupt, marked, ect, reorder, write_errors, wakeups;
    uint64_t late_sum, late_n, late_max; /* ns a frame left after it was due */
    uint64_t queue_ns_max;
} Counters;

typedef struct {
    uint64_t due, seq;
    uint32_t len, buf;
} Frame;

struct _LinkemLink {
    LinkemLinkConfig config;
    LinkemSettings settings;
    pthread_mutex_t lock;
    Counters counters;
    uint64_t frame_number; /* the key of every random draw */
    bool in_burst;
    uint64_t link_free, last_due, seq;
    /* frames that come in due order stand in a ring, the others in a heap */
    Frame *ring, *heap;
    size_t ring_head, ring_tail, heap_n, capacity;
    uint64_t *release; /* ring: when frames leave the queue before the rate */
    size_t release_head, release_tail;
    char *buffers;
    uint32_t *free_list;
    size_t free_n, used_n, buffer_bytes;
};

typedef enum {
    DICE_LOSS,
    DICE_BURST_STATE,
    DICE_BURST_LOSS,
    DICE_JITTER,
    DICE_JITTER_2,
    DICE_REORDER,
    DICE_DUP,
    DICE_CORRUPT,
    DICE_CORRUPT_WHERE,
    DICE_MARK,
} Dice;

static uint64_t
mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t
draw_bits(const LinkemLink *link, uint64_t n, Dice dice)
{
    return mix(mix(link->config.seed * 2 + (uint64_t) link->config.id) ^ mix(n * 16 + dice));
}

/* 0 to below 1 */
static double
draw(const LinkemLink *link, uint64_t n, Dice dice)
{
    return (double) (draw_bits(link, n, dice) >> 11) * 0x1p-53;
}

static double
draw_jitter(const LinkemLink *link, uint64_t n)
{
    double jitter = (double) link->settings.jitter;
    double u = draw(link, n, DICE_JITTER);
    double tail;

    switch (link->settings.jitter_kind) {
    case LINKEM_JITTER_NORMAL:
        return jitter * sqrt(-2.0 * log(fmax(u, 1e-12))) *
               cos(6.283185307179586 * draw(link, n, DICE_JITTER_2));
    case LINKEM_JITTER_PARETO: /* shape 3: a heavy positive tail, mean about half of it */
        tail = jitter * (pow(1.0 - u, -1.0 / 3.0) - 1.0);
        return fmin(tail, 20 * jitter);
    case LINKEM_JITTER_UNIFORM:
        break;
    }
    return jitter * (2.0 * u - 1.0);
}

static char *
buffer_at(const LinkemLink *link, uint32_t index)
{
    return link->buffers + (size_t) index * link->buffer_bytes;
}

static bool
buffer_take(LinkemLink *link, uint32_t *index)
{
    if (link->free_n > 0) {
        *index = link->free_list[--link->free_n];
        return true;
    }
    if (link->used_n == link->config.held_max)
        return false;
    *index = (uint32_t) link->used_n++; /* untouched pages of a lazy mapping */
    return true;
}

static void
buffer_put(LinkemLink *link, uint32_t index)
{
    link->free_list[link->free_n++] = index;
}

static bool
frame_before(const Frame *a, const Frame *b)
{
    return a->due < b->due || (a->due == b->due && a->seq < b->seq);
}

static void
heap_push(LinkemLink *link, Frame frame)
{
    size_t i = link->heap_n++;

    while (i > 0 && frame_before(&frame, &link->heap[(i - 1) / 2])) {
        link->heap[i] = link->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    link->heap[i] = frame;
}

static Frame
heap_pop(LinkemLink *link)
{
    Frame first = link->heap[0];
    Frame last = link->heap[--link->heap_n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= link->heap_n)
            break;
        if (child + 1 < link->heap_n && frame_before(&link->heap[child + 1], &link->heap[child]))
            child++;
        if (!frame_before(&link->heap[child], &last))
            break;
        link->heap[i] = link->heap[child];
        i = child;
    }
    link->heap[i] = last;
    return first;
}

static void
schedule(LinkemLink *link, uint64_t due, uint32_t buf, uint32_t len)
{
    Frame frame = {due, link->seq++, len, buf};

    if (link->ring_head == link->ring_tail ||
        due >= link->ring[(link->ring_tail - 1) % link->capacity].due)
        link->ring[link->ring_tail++ % link->capacity] = frame;
    else
        heap_push(link, frame);
}

static bool
heap_is_next(const LinkemLink *link)
{
    return link->heap_n > 0 &&
           (link->ring_head == link->ring_tail ||
            frame_before(&link->heap[0], &link->ring[link->ring_head % link->capacity]));
}

static uint64_t
next_due(const LinkemLink *link)
{
    if (heap_is_next(link))
        return link->heap[0].due;
    if (link->ring_head != link->ring_tail)
        return link->ring[link->ring_head % link->capacity].due;
    return UINT64_MAX;
}

static void
corrupt_frame(LinkemLink *link, uint8_t *frame, uint32_t len, uint64_t n)
{
    uint64_t where = draw_bits(link, n, DICE_CORRUPT_WHERE);
    uint32_t offset = ETHERNET_BYTES;

    if (link->settings.corrupt_kind == LINKEM_CORRUPT_UDP) {
        /* A payload bit of IPv4 UDP, and no checksum: the program and not the kernel meets it. */
        if (len < ETHERNET_BYTES + 20 + 8 + 1 || frame[12] != 8 || frame[13] != 0 ||
            frame[23] != 17)
            return;
        offset += (frame[14] & 15u) * 4;
        if (offset + 8 >= len)
            return;
        frame[offset + 6] = frame[offset + 7] = 0;
        offset += 8;
    }
    if (len <= offset)
        return;
    frame[offset + (where >> 8) % (len - offset)] ^= (uint8_t) (1u << (where & 7));
    link->counters.corrupt++;
}

static bool
is_ip6(const uint8_t *frame, uint32_t len)
{
    return len >= ETHERNET_BYTES + 40 && frame[12] == 0x86 && frame[13] == 0xdd;
}

static bool
is_ip4(const uint8_t *frame, uint32_t len)
{
    return len >= ETHERNET_BYTES + 20 && frame[12] == 8 && frame[13] == 0;
}

/* Of an IP packet; 0 of others. */
static unsigned
get_ecn(const uint8_t *frame, uint32_t len)
{
    const uint8_t *ip = frame + ETHERNET_BYTES;

    if (is_ip6(frame, len))
        return ip[1] >> 4 & 3u;
    return is_ip4(frame, len) ? ip[1] & 3u : 0;
}

/* Gives an IP packet another field, as no path may if its sender knows no ECN (RFC 3168). */
static void
set_ecn(uint8_t *frame, uint32_t len, unsigned ecn)
{
    uint8_t *ip = frame + ETHERNET_BYTES;
    uint32_t sum = 0;

    if (is_ip6(frame, len))
        ip[1] = (uint8_t) ((ip[1] & ~0x30u) | ecn << 4);
    if (!is_ip4(frame, len))
        return;
    ip[1] = (uint8_t) ((ip[1] & ~3u) | ecn);
    ip[10] = ip[11] = 0;
    for (uint32_t i = 0; i < (ip[0] & 15u) * 4 && ETHERNET_BYTES + i + 1 < len; i += 2)
        sum += (uint32_t) ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    ip[10] = (uint8_t) (~sum >> 8);
    ip[11] = (uint8_t) ~sum;
}

static bool
is_neighbour_discovery(const uint8_t *frame, uint32_t len)
{
    if (len < ETHERNET_BYTES)
        return false;
    if (frame[12] == 0x08 && frame[13] == 0x06)
        return true;
    return frame[12] == 0x86 && frame[13] == 0xdd && len > 54 && frame[20] == 58 &&
           frame[54] >= 133 && frame[54] <= 137;
}

/* Takes the frame's turn on the wire. Returns: whether the queue before it had room. */
static bool
pass_rate(LinkemLink *link, uint32_t len, uint64_t now, uint64_t *due)
{
    const LinkemSettings *s = &link->settings;
    uint64_t start = link->link_free > now ? link->link_free : now;
    uint64_t wait = start - now;
    uint64_t tx = (uint64_t) ((double) (len + (uint32_t) s->overhead) * 8e9 / s->rate);
    uint64_t wait_max = (uint64_t) s->queue_ns;
    size_t queued;

    if (s->queue_ns == 0)
        wait_max = s->queue_bytes == 0 && s->queue_max == 0 ? DEFAULT_QUEUE_NS : UINT64_MAX;
    while (link->release_head != link->release_tail &&
           link->release[link->release_head % link->capacity] <= now)
        link->release_head++;
    queued = link->release_tail - link->release_head;
    if (wait > wait_max || queued >= link->capacity ||
        (s->queue_max > 0 && (int64_t) queued >= s->queue_max) ||
        (s->queue_bytes > 0 && (double) wait * s->rate / 8e9 + len > (double) s->queue_bytes))
        return false;
    link->release[link->release_tail++ % link->capacity] = start + tx;
    link->link_free = *due = start + tx;
    if (wait > link->counters.queue_ns_max)
        link->counters.queue_ns_max = wait;
    return true;
}

static bool
is_lost(LinkemLink *link, uint64_t n)
{
    const LinkemSettings *s = &link->settings;

    if (s->bursts) {
        if (draw(link, n, DICE_BURST_STATE) < (link->in_burst ? s->to_good : s->to_bad))
            link->in_burst = !link->in_burst;
        if (draw(link, n, DICE_BURST_LOSS) < (link->in_burst ? s->loss_bad : s->loss_good)) {
            link->counters.burst_loss++;
            return true;
        }
    }
    if (s->loss > 0 && draw(link, n, DICE_LOSS) < s->loss) {
        link->counters.loss++;
        return true;
    }
    return false;
}

static uint64_t
add_delay(LinkemLink *link, uint64_t n, bool spared, uint64_t due, uint64_t now)
{
    const LinkemSettings *s = &link->settings;

    due += (uint64_t) s->delay;
    if (s->jitter != 0) {
        int64_t when = (int64_t) due + (int64_t) draw_jitter(link, n);

        due = when < (int64_t) now ? now : (uint64_t) when;
    }
    if (s->order && due < link->last_due)
        due = link->last_due;
    if (!spared && s->reorder > 0 && draw(link, n, DICE_REORDER) < s->reorder) {
        link->counters.reorder++;
        return due + (uint64_t) s->reorder_delay;
    }
    link->last_due = due;
    return due;
}

/* Returns: whether the frame was scheduled; else its buffer is free again. */
static bool
model(LinkemLink *link, uint32_t buf, uint32_t len, uint64_t now)
{
    const LinkemSettings *s = &link->settings;
    Counters *counters = &link->counters;
    uint8_t *frame = (uint8_t *) buffer_at(link, buf);
    /* a test is about IP traffic; a lost ARP answer stalls the kernel for a second */
    bool spared = s->spare_neighbours && is_neighbour_discovery(frame, len);
    uint64_t n = spared ? 0 : ++link->frame_number;
    uint64_t due = now;
    uint32_t copy;
    bool twice;

    counters->in++;
    counters->in_bytes += len;
    if (s->down) {
        counters->down++;
        return false;
    }
    if (s->maxlen > 0 && (int) len - ETHERNET_BYTES > s->maxlen) {
        counters->too_long++;
        return false;
    }
    if (s->drops_ect && get_ecn(frame, len) != 0) {
        counters->ect++;
        return false;
    }
    if (s->rate > 0 && !pass_rate(link, len, now, &due)) {
        counters->queue_drop++;
        return false;
    }
    if (!spared && is_lost(link, n))
        return false;
    if (!spared && s->corrupt > 0 && draw(link, n, DICE_CORRUPT) < s->corrupt)
        corrupt_frame(link, frame, len, n);
    if (!spared && s->rewrites_ecn)
        set_ecn(frame, len, s->ecn);
    if (!spared && s->mark > 0 && draw(link, n, DICE_MARK) < s->mark) {
        set_ecn(frame, len, ECN_CE);
        counters->marked += is_ip4(frame, len) || is_ip6(frame, len);
    }
    twice = !spared && s->dup > 0 && draw(link, n, DICE_DUP) < s->dup;
    due = add_delay(link, n, spared, due, now);
    schedule(link, due, buf, len);
    if (twice && buffer_take(link, &copy)) {
        counters->dup++;
        memcpy(buffer_at(link, copy), frame, len);
        schedule(link, due, copy, len);
    }
    return true;
}

/* Returns: frames read, at most the burst. */
static unsigned
read_frames(LinkemLink *link, uint64_t now)
{
    unsigned n;

    for (n = 0; n < link->config.burst; n++) {
        uint32_t buf;
        ssize_t len;

        if (!buffer_take(link, &buf)) { /* held_max: read and forget */
            static __thread char sink[65600];

            if (read(link->config.in, sink, sizeof(sink)) <= 0)
                return n;
            link->counters.in++;
            link->counters.over_limit++;
            continue;
        }
        len = read(link->config.in, buffer_at(link, buf), link->buffer_bytes);
        if (len <= 0) {
            buffer_put(link, buf);
            return n;
        }
        if (!model(link, buf, (uint32_t) len, now))
            buffer_put(link, buf);
    }
    return n;
}

static void
write_frame(LinkemLink *link, uint64_t now)
{
    Counters *counters = &link->counters;
    Frame frame =
        heap_is_next(link) ? heap_pop(link) : link->ring[link->ring_head++ % link->capacity];
    uint64_t late = now - frame.due;

    if (write(link->config.out, buffer_at(link, frame.buf), frame.len) < 0) {
        counters->write_errors++;
    } else {
        counters->out++;
        counters->out_bytes += frame.len;
    }
    buffer_put(link, frame.buf);
    counters->late_sum += late;
    counters->late_n++;
    if (late > counters->late_max)
        counters->late_max = late;
}

static uint64_t
step_locked(LinkemLink *link, bool *more)
{
    uint64_t now = linkem_now();
    unsigned n_read = read_frames(link, now);

    if (n_read > 0)
        now = linkem_now();
    for (unsigned i = 0; i < link->config.burst * 2; i++) {
        uint64_t due = next_due(link);

        if (due > now) {
            *more = n_read == link->config.burst;
            return due;
        }
        write_frame(link, now);
    }
    *more = true;
    return now;
}

uint64_t
linkem_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

LinkemLink *
linkem_link_new(const LinkemLinkConfig *config)
{
    LinkemLink *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->config = *config;
    linkem_settings_clear(&link->settings);
    pthread_mutex_init(&link->lock, NULL);
    link->buffer_bytes = (config->frame_max + 63) & ~(size_t) 63;
    link->capacity = config->held_max + 1;
    /* of this size malloc is a lazy mapping: only what is used costs memory */
    link->buffers = malloc(config->held_max * link->buffer_bytes);
    link->free_list = malloc(config->held_max * sizeof(*link->free_list));
    link->ring = malloc(link->capacity * sizeof(*link->ring));
    link->heap = malloc(link->capacity * sizeof(*link->heap));
    link->release = malloc(link->capacity * sizeof(*link->release));
    if (link->buffers == NULL || link->free_list == NULL || link->ring == NULL ||
        link->heap == NULL || link->release == NULL) {
        linkem_link_free(link);
        return NULL;
    }
    return link;
}

void
linkem_link_free(LinkemLink *link)
{
    pthread_mutex_destroy(&link->lock);
    free(link->buffers);
    free(link->free_list);
    free(link->ring);
    free(link->heap);
    free(link->release);
    free(link);
}

uint64_t
linkem_link_step(LinkemLink *link, bool *more)
{
    uint64_t next;

    pthread_mutex_lock(&link->lock);
    next = step_locked(link, more);
    link->counters.wakeups++;
    pthread_mutex_unlock(&link->lock);
    return next;
}

bool
linkem_link_set(LinkemLink *link, const char *key, const char *value)
{
    bool ok;

    pthread_mutex_lock(&link->lock);
    ok = linkem_settings_set(&link->settings, key, value);
    pthread_mutex_unlock(&link->lock);
    return ok;
}

void
linkem_link_clear(LinkemLink *link)
{
    pthread_mutex_lock(&link->lock);
    linkem_settings_clear(&link->settings);
    link->link_free = 0;
    link->in_burst = false;
    pthread_mutex_unlock(&link->lock);
}

void
linkem_link_rewind(LinkemLink *link)
{
    pthread_mutex_lock(&link->lock);
    link->frame_number = 0;
    link->in_burst = false;
    pthread_mutex_unlock(&link->lock);
}

void
linkem_link_zero_counters(LinkemLink *link)
{
    pthread_mutex_lock(&link->lock);
    memset(&link->counters, 0, sizeof(link->counters));
    pthread_mutex_unlock(&link->lock);
}

void
linkem_link_print(LinkemLink *link, FILE *file, double seconds)
{
    Counters c;
    size_t held;

    pthread_mutex_lock(&link->lock);
    c = link->counters;
    held = link->ring_tail - link->ring_head + link->heap_n;
    pthread_mutex_unlock(&link->lock);
    fprintf(file, "{\"linkem\":\"%s\",\"t\":%.3f", link->config.name, seconds);
    fprintf(file, ",\"in\":%" PRIu64 ",\"inbytes\":%" PRIu64, c.in, c.in_bytes);
    fprintf(file, ",\"out\":%" PRIu64 ",\"outbytes\":%" PRIu64, c.out, c.out_bytes);
    fprintf(file, ",\"loss\":%" PRIu64 ",\"burstloss\":%" PRIu64, c.loss, c.burst_loss);
    fprintf(file, ",\"qdrop\":%" PRIu64 ",\"down\":%" PRIu64, c.queue_drop, c.down);
    fprintf(file, ",\"toolong\":%" PRIu64 ",\"overlimit\":%" PRIu64, c.too_long, c.over_limit);
    fprintf(file, ",\"dup\":%" PRIu64 ",\"corrupt\":%" PRIu64, c.dup, c.corrupt);
    fprintf(file, ",\"ce\":%" PRIu64 ",\"ect\":%" PRIu64, c.marked, c.ect);
    fprintf(file, ",\"reorder\":%" PRIu64 ",\"werr\":%" PRIu64, c.reorder, c.write_errors);
    fprintf(file, ",\"held\":%zu,\"wakeups\":%" PRIu64, held, c.wakeups);
    fprintf(file, ",\"qmax_ms\":%.3f,\"late_mean_us\":%.1f,\"late_max_us\":%.1f}\n",
            (double) c.queue_ns_max / 1e6,
            c.late_n > 0 ? (double) c.late_sum / (double) c.late_n / 1e3 : 0.0,
            (double) c.late_max / 1e3);
}
