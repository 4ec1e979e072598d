/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"
#include "kv-types.h"

#include <sys/uio.h>

/**
 * KvTun:
 *
 * One open TUN or TAP device, non-blocking, with IFF_NO_PI and IFF_VNET_HDR and every offload
 * the kernel grants, so that a read or a write may carry a super-packet behind a virtio header.
 * Opened on the main thread, then owned by one worker.
 */
typedef struct _KvTun KvTun;

#define KV_TUN_MAC_BYTES 6

/**
 * kv_tun_open:
 * @name: interface name, or a pattern such as "kvs%d"; 1 to 15 bytes
 * @persistent: the device stays when it is closed
 *
 * An interface of that name and mode that an earlier run left behind is taken over, whatever
 * flags it had. The virtio header is 10 bytes, little-endian on every machine. Errors name the
 * interface and the right or device that is missing; a name that is taken is %KV_ERROR_EXISTS.
 */
KvTun *kv_tun_open(KvVniMode mode, const char *name, gboolean persistent,
                   GError **error) KV_MUST_USE;

/* Whether interfaces can be made here at all; nothing is made. Errors as of kv_tun_open(). */
gboolean kv_tun_check_rights(GError **error);

/* Closes it; unless persistent, the interface goes with it. */
void kv_tun_close(KvTun *tun);

int kv_tun_get_fd(const KvTun *tun);

/* Before its first packet is read for a session. What queued up in one that had a session before is
 * stale, nobody waits for it: it is thrown away. In a new one it is the first packets of those who
 * were told that the tunnel is up. @buf: scratch memory of @cap bytes */
void kv_tun_begin_use(KvTun *tun, void *buf, size_t cap);
KvVniMode kv_tun_get_mode(const KvTun *tun);
/* (transfer none): the real name. */
const char *kv_tun_get_name(const KvTun *tun);
int kv_tun_get_ifindex(const KvTun *tun);

/* TAP: the interface's Ethernet address, as it is now. */
gboolean kv_tun_get_mac(const KvTun *tun, uint8_t mac[KV_TUN_MAC_BYTES],
                        GError **error) KV_MUST_USE;

/* Whether the kernel (6.2 or later) also hands over and takes UDP super-packets. */
gboolean kv_tun_has_uso(const KvTun *tun);

/* Whether somebody deleted the interface under it; it can then only be closed. */
gboolean kv_tun_is_gone(const KvTun *tun);

/* Bytes read: virtio header and packet; 0: none ready; < 0: -errno (-EBADFD: device is gone;
 * -EINVAL: one packet could not be told and is lost). */
ssize_t kv_tun_read(KvTun *tun, void *buf, size_t cap);

/* TRUE if written; FALSE with errno set: dropped. An interface that is down is not an error of
 * the tunnel: the caller counts the drop. */
gboolean kv_tun_write(KvTun *tun, const struct iovec *iov, guint n);

/* The same of one plain packet with complete checksums, without a virtio header. */
gboolean kv_tun_write_packet(KvTun *tun, const uint8_t *packet, size_t len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvTun, kv_tun_close)
