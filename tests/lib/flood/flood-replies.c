/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "flood-replies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH         64
#define HEAD_BYTES    (sizeof(struct iphdr) + sizeof(struct udphdr)) /* no IP options */
#define RECEIVE_BYTES (16 << 20)

struct _FloodReplies {
    int fd;
    guint64 count;
    guint64 bytes;
};

/* Inwards, without IP options, of UDP, from the port. */
static gboolean
set_filter(int fd, uint16_t port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t) (SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 7, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x45, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, G_STRUCT_OFFSET(struct iphdr, protocol)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, sizeof(struct iphdr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, HEAD_BYTES),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = G_N_ELEMENTS(code), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

FloodReplies *
flood_replies_new(int ifindex, uint16_t port, GError **error)
{
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = ifindex};
    g_autoptr(FloodReplies) replies = g_new0(FloodReplies, 1);
    int bytes = RECEIVE_BYTES;

    /* Of no protocol yet, so that nothing comes before the filter stands. */
    replies->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (replies->fd < 0 || !set_filter(replies->fd, port) ||
        setsockopt(replies->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0 ||
        bind(replies->fd, (struct sockaddr *) &at, sizeof at) < 0) {
        g_set_error(error, G_FILE_ERROR, (gint) g_file_error_from_errno(errno),
                    "cannot open a raw socket for replies: %s", g_strerror(errno));
        return NULL;
    }
    return g_steal_pointer(&replies);
}

void
flood_replies_free(FloodReplies *replies)
{
    if (replies->fd >= 0)
        close(replies->fd);
    g_free(replies);
}

static int
read_batch(FloodReplies *replies)
{
    uint8_t heads[BATCH][HEAD_BYTES];
    struct iovec iovs[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    int n;

    for (guint i = 0; i < BATCH; i++) {
        iovs[i] = (struct iovec){.iov_base = heads[i], .iov_len = HEAD_BYTES};
        messages[i].msg_hdr.msg_iov = &iovs[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(replies->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        const uint8_t *udp_len =
            heads[i] + sizeof(struct iphdr) + G_STRUCT_OFFSET(struct udphdr, len);

        replies->count++;
        replies->bytes += ((guint) udp_len[0] << 8 | udp_len[1]) - sizeof(struct udphdr);
    }
    return n;
}

void
flood_replies_poll(FloodReplies *replies)
{
    while (read_batch(replies) == BATCH)
        ;
}

guint64
flood_replies_get_count(const FloodReplies *replies)
{
    return replies->count;
}

guint64
flood_replies_get_bytes(const FloodReplies *replies)
{
    return replies->bytes;
}
