/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define FLOOD_PAYLOAD_MAX 1472 /* of a frame that no veth pair cuts */

/**
 * FloodFrames:
 *
 * Frames with UDP datagrams in IPv4: from one address or from many in turn, with payloads of a file
 * in turn, or with random bytes of random lengths. Nothing is allocated once it is there.
 */
typedef struct _FloodFrames FloodFrames;

typedef struct {
    uint8_t to_mac[ETH_ALEN];
    uint8_t from_mac[ETH_ALEN];
    struct sockaddr_in to;
    struct sockaddr_in from; /* the first source; port 0: another one for each datagram */
    guint sources;           /* addresses from @from on, in turn */
    guint size_min;          /* of random payloads, bytes */
    guint size_max;
    const char *corpus; /* (nullable): file of payloads, each after its length as a u16 */
} FloodFramesConfig;

/* The headers of a frame as they are sent. */
typedef struct __attribute__((packed)) {
    struct ether_header ether;
    struct iphdr ip;
    struct udphdr udp;
} FloodHead;

FloodFrames *flood_frames_new(const FloodFramesConfig *config, GError **error);
void flood_frames_free(FloodFrames *frames);

/* Writes the next frame's headers to @head and points @iov at both parts of the frame. Returns:
 * length of its UDP payload. */
size_t flood_frames_next(FloodFrames *frames, FloodHead *head, struct iovec iov[2]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FloodFrames, flood_frames_free)
