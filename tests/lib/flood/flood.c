/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

/* flood: UDP datagrams at a pace, from whatever addresses. README.md has its use. */
#include "flood-frames.h"
#include "flood-replies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH      64
#define TICK_NS    500000      /* between two looks at the clock */
#define BEHIND_NS  20000000    /* that are made up for; more than that is not sent at all */
#define LINGER_NS  100000000   /* for the last replies */
#define SECOND_NS  1000000000u /* of a timespec */
#define MAC_FORMAT 17

typedef struct {
    const char *device;
    FloodFramesConfig frames;
    double rate;
    double seconds;
    guint64 count;
} Options;

typedef struct {
    int fd;
    FloodFrames *frames;
    FloodReplies *replies;
    guint64 sent;
    guint64 bytes;
    guint64 refused; /* by the device */
} Flood;

static volatile sig_atomic_t stopped;

static const char usage[] =
    "flood device=IF mac=MAC to=ADDRESS:PORT from=ADDRESS:PORT [rate=PPS] [seconds=S] [count=N]\n"
    "      [sources=N] [sizes=MIN-MAX | corpus=FILE]\n";

static void
on_signal(int number)
{
    stopped = 1;
}

static guint64
get_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (guint64) now.tv_sec * SECOND_NS + (guint64) now.tv_nsec;
}

static void
sleep_until(guint64 ns)
{
    struct timespec at = {.tv_sec = (time_t) (ns / SECOND_NS), .tv_nsec = (long) (ns % SECOND_NS)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* --- options -------------------------------------------------------------------------------- */

static gboolean
parse_endpoint(const char *text, struct sockaddr_in *address)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    guint64 port;

    address->sin_family = AF_INET;
    if (g_strv_length(parts) != 2 || inet_pton(AF_INET, parts[0], &address->sin_addr) != 1 ||
        !g_ascii_string_to_unsigned(parts[1], 10, 0, 65535, &port, NULL))
        return FALSE;
    address->sin_port = htons((uint16_t) port);
    return TRUE;
}

static gboolean
parse_mac(const char *text, uint8_t mac[ETH_ALEN])
{
    return strlen(text) == MAC_FORMAT &&
           ether_aton_r(text, (struct ether_addr *) (void *) mac) != NULL;
}

static gboolean
parse_sizes(const char *text, FloodFramesConfig *frames)
{
    return sscanf(text, "%u-%u", &frames->size_min, &frames->size_max) == 2 &&
           frames->size_min <= frames->size_max && frames->size_max <= FLOOD_PAYLOAD_MAX;
}

static gboolean
parse_number(const char *text, double *number)
{
    char *end;

    *number = g_ascii_strtod(text, &end);
    return end != text && *end == '\0' && *number > 0;
}

static gboolean
parse_option(Options *options, const char *key, const char *value)
{
    double number;

    if (strcmp(key, "device") == 0)
        options->device = value;
    else if (strcmp(key, "corpus") == 0)
        options->frames.corpus = value;
    else if (strcmp(key, "mac") == 0)
        return parse_mac(value, options->frames.to_mac);
    else if (strcmp(key, "to") == 0)
        return parse_endpoint(value, &options->frames.to);
    else if (strcmp(key, "from") == 0)
        return parse_endpoint(value, &options->frames.from);
    else if (strcmp(key, "sizes") == 0)
        return parse_sizes(value, &options->frames);
    else if (strcmp(key, "rate") == 0)
        return parse_number(value, &options->rate);
    else if (strcmp(key, "seconds") == 0)
        return parse_number(value, &options->seconds);
    else if (!parse_number(value, &number))
        return FALSE;
    else if (strcmp(key, "count") == 0)
        options->count = (guint64) number;
    else if (strcmp(key, "sources") == 0 && number >= 1)
        options->frames.sources = (guint) number;
    else
        return FALSE;
    return TRUE;
}

static gboolean
parse_options(Options *options, char **args)
{
    for (; *args != NULL; args++) {
        char *value = strchr(*args, '=');

        if (value == NULL)
            return FALSE;
        *value++ = '\0';
        if (!parse_option(options, *args, value)) {
            g_printerr("flood: %s cannot be %s\n", *args, value);
            return FALSE;
        }
    }
    return options->device != NULL && options->frames.to.sin_port != 0 &&
           options->frames.from.sin_family == AF_INET;
}

/* --- sending -------------------------------------------------------------------------------- */

/* Frames skip the queue of the device, which would only hold them up. */
static int
open_socket(int ifindex)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
    int yes = 1;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *) &at, sizeof at) < 0)
        return -1;
    return fd;
}

static gboolean
find_mac(int fd, const char *device, uint8_t mac[ETH_ALEN])
{
    struct ifreq request = {0};

    g_strlcpy(request.ifr_name, device, sizeof request.ifr_name);
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return FALSE;
    memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
    return TRUE;
}

static void
send_batch(Flood *flood, guint n)
{
    FloodHead heads[BATCH];
    struct iovec iovs[BATCH][2];
    struct mmsghdr messages[BATCH] = {0};
    guint done = 0;

    for (guint i = 0; i < n; i++) {
        flood->bytes += flood_frames_next(flood->frames, &heads[i], iovs[i]);
        messages[i].msg_hdr.msg_iov = iovs[i];
        messages[i].msg_hdr.msg_iovlen = 2;
    }
    while (done < n) {
        int sent = sendmmsg(flood->fd, messages + done, n - done, 0);

        if (sent <= 0) {
            flood->refused++;
            sent = 1;
        }
        done += (guint) sent;
    }
    flood->sent += n;
}

/* Returns: how long it took, ns. */
static guint64
run(Flood *flood, const Options *options)
{
    guint64 start = get_ns();
    guint64 end = start + (guint64) (options->seconds * SECOND_NS);
    guint64 base = start; /* since when the pace counts */
    guint64 paced = 0;    /* sent since then */
    guint64 now = start;

    while (!stopped && flood->sent < options->count && (now = get_ns()) < end) {
        guint64 due = (guint64) ((double) (now - base) * options->rate / SECOND_NS);
        guint64 behind = (guint64) (options->rate * BEHIND_NS / SECOND_NS) + BATCH;

        if (due > paced + behind) {
            base = now;
            paced = 0;
            continue;
        }
        if (due == paced) {
            sleep_until(now + TICK_NS);
            continue;
        }
        due = MIN(MIN(due - paced, BATCH), options->count - flood->sent);
        send_batch(flood, (guint) due);
        paced += due;
        flood_replies_poll(flood->replies);
    }
    return now - start;
}

static void
report(const Flood *flood, guint64 ns)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    printf("{\"sent\": %" G_GUINT64_FORMAT ", \"bytes\": %" G_GUINT64_FORMAT
           ", \"refused\": %" G_GUINT64_FORMAT ", \"replies\": %" G_GUINT64_FORMAT
           ", \"reply_bytes\": %" G_GUINT64_FORMAT ", \"seconds\": %.6f, \"cpu\": %.3f}\n",
           flood->sent, flood->bytes, flood->refused, flood_replies_get_count(flood->replies),
           flood_replies_get_bytes(flood->replies), (double) ns / SECOND_NS,
           (double) (use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
               (double) (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
}

int
main(int argc, char **argv)
{
    Options options = {.rate = 1000,
                       .seconds = 1e6,
                       .count = G_MAXUINT64,
                       .frames = {.sources = 1, .size_max = FLOOD_PAYLOAD_MAX}};
    g_autoptr(FloodReplies) replies = NULL;
    g_autoptr(FloodFrames) frames = NULL;
    g_autoptr(GError) error = NULL;
    Flood flood = {0};
    int ifindex;
    guint64 ns;

    if (!parse_options(&options, argv + 1)) {
        g_printerr("%s", usage);
        return 2;
    }
    ifindex = (int) if_nametoindex(options.device);
    flood.fd = ifindex > 0 ? open_socket(ifindex) : -1;
    if (flood.fd < 0 || !find_mac(flood.fd, options.device, options.frames.from_mac)) {
        g_printerr("flood: cannot send to %s: %s\n", options.device, g_strerror(errno));
        return 1;
    }
    flood.replies = replies = flood_replies_new(ifindex, ntohs(options.frames.to.sin_port), &error);
    flood.frames = frames = replies != NULL ? flood_frames_new(&options.frames, &error) : NULL;
    if (frames == NULL) {
        g_printerr("flood: %s\n", error->message);
        return 1;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    ns = run(&flood, &options);
    sleep_until(get_ns() + LINGER_NS);
    flood_replies_poll(replies);
    report(&flood, ns);
    close(flood.fd);
    return 0;
}
