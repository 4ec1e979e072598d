/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-kcptun-path.h"

#include "kv-error.h"
#include "kv-test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 1500
#define SOCKET_BYTES (4 << 20)
#define WAIT_MAX     (100 * KV_TIME_MS)

typedef struct {
    KvTime due;
    size_t len;
    uint8_t data[DATAGRAM_MAX];
} Datagram;

struct _KvKcptunPath {
    KvKcptunPathConfig config;
    KvTestRandom dice;
    int fd;
    struct sockaddr_in remote; /* port 0: not known yet */
    GQueue coming, going;      /* of Datagram, by due */
    guint lost;
};

static gboolean
open_socket(KvKcptunPath *path, GError **error)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = SOCKET_BYTES;

    path->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (path->fd < 0 || bind(path->fd, (const struct sockaddr *) &local, sizeof local) != 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_FAILED, "no socket: %s", g_strerror(errno));
        return FALSE;
    }
    setsockopt(path->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(path->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return TRUE;
}

KvKcptunPath *
kv_kcptun_path_new(const KvKcptunPathConfig *config, GError **error)
{
    g_autoptr(KvKcptunPath) path = g_new0(KvKcptunPath, 1);

    path->config = *config;
    path->fd = -1;
    path->remote = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(config->port)};
    kv_test_random_init(&path->dice, config->seed);
    if (inet_pton(AF_INET, config->address, &path->remote.sin_addr) != 1) {
        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_ARGUMENT, "\"%s\" is no IPv4 address",
                    config->address);
        return NULL;
    }
    if (!open_socket(path, error))
        return NULL;
    return g_steal_pointer(&path);
}

void
kv_kcptun_path_free(KvKcptunPath *path)
{
    g_queue_clear_full(&path->coming, g_free);
    g_queue_clear_full(&path->going, g_free);
    if (path->fd >= 0)
        close(path->fd);
    g_free(path);
}

uint16_t
kv_kcptun_path_get_port(const KvKcptunPath *path)
{
    struct sockaddr_in local = {0};
    socklen_t len = sizeof local;

    getsockname(path->fd, (struct sockaddr *) &local, &len);
    return ntohs(local.sin_port);
}

/* Puts one datagram on its way in @queue, or loses it. */
static void
enter(KvKcptunPath *path, GQueue *queue, const uint8_t *data, size_t len, KvTime now)
{
    Datagram *datagram;

    if (kv_test_random_below(&path->dice, 1000000) < path->config.loss * 1e6) {
        path->lost++;
        return;
    }
    g_return_if_fail(len <= DATAGRAM_MAX);
    datagram = g_new(Datagram, 1);
    datagram->due = kv_time_add(now, path->config.delay);
    datagram->len = len;
    memcpy(datagram->data, data, len);
    g_queue_push_tail(queue, datagram);
}

static KvTime
get_due(GQueue *queue)
{
    const Datagram *datagram = g_queue_peek_head(queue);

    return datagram != NULL ? datagram->due : KV_TIME_NEVER;
}

static void
read_socket(KvKcptunPath *path, KvTime now)
{
    uint8_t buf[DATAGRAM_MAX];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n;

    while ((n = recvfrom(path->fd, buf, sizeof buf, MSG_DONTWAIT, (struct sockaddr *) &from,
                         &from_len)) >= 0) {
        if (path->remote.sin_port == 0)
            path->remote = from;
        enter(path, &path->coming, buf, (size_t) n, now);
    }
}

size_t
kv_kcptun_path_receive(KvKcptunPath *path, uint8_t *buf, size_t cap, KvTime now)
{
    g_autofree Datagram *datagram = NULL;

    read_socket(path, now);
    if (now < get_due(&path->coming))
        return 0;
    datagram = g_queue_pop_head(&path->coming);
    g_return_val_if_fail(datagram->len <= cap, 0);
    memcpy(buf, datagram->data, datagram->len);
    return datagram->len;
}

void
kv_kcptun_path_send(KvKcptunPath *path, const uint8_t *data, size_t len, KvTime now)
{
    enter(path, &path->going, data, len, now);
}

void
kv_kcptun_path_advance(KvKcptunPath *path, KvTime now)
{
    while (now >= get_due(&path->going)) {
        g_autofree Datagram *datagram = g_queue_pop_head(&path->going);

        /* A full socket buffer is one more loss. */
        if (sendto(path->fd, datagram->data, datagram->len, MSG_DONTWAIT,
                   (const struct sockaddr *) &path->remote, sizeof path->remote) < 0)
            path->lost++;
    }
}

void
kv_kcptun_path_wait(KvKcptunPath *path, KvTime until, KvTime now)
{
    KvTime next = MIN(until, MIN(get_due(&path->coming), get_due(&path->going)));
    struct pollfd pollfd = {.fd = path->fd, .events = POLLIN};
    struct timespec timeout = {.tv_nsec = (long) MIN(kv_time_until(now, next), WAIT_MAX) * 1000};

    ppoll(&pollfd, 1, &timeout, NULL);
}

guint
kv_kcptun_path_get_lost(const KvKcptunPath *path)
{
    return path->lost;
}
