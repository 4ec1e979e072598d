/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-tun.h"

#include "kv-error.h"
#include "kv-gso.h"
#include "kv-text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

/* Since Linux 6.2, and not in the headers of older systems. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define DEVICE_NODE "/dev/net/tun"

/* More than a device queues; a program that goes on writing must not hold this one up. */
#define STALE_MAX 4096

struct _KvTun {
    int fd;
    int ifindex;
    KvVniMode mode;
    gboolean has_uso;
    gboolean was_in_use;
    char name[IFNAMSIZ];
};

static const char *
mode_to_string(KvVniMode mode)
{
    return mode == KV_VNI_MODE_TAP ? "TAP" : "TUN";
}

/* The kernel's own rules, plus one "%d" at most. */
static gboolean
name_is_valid(const char *name)
{
    const char *percent = strchr(name, '%');

    if (name[0] == '\0' || strlen(name) >= IFNAMSIZ)
        return FALSE;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return FALSE;
    for (const char *p = name; *p != '\0'; p++) {
        if (!g_ascii_isgraph(*p) || *p == '/' || *p == ':')
            return FALSE;
    }
    return percent == NULL || (percent[1] == 'd' && strchr(percent + 1, '%') == NULL);
}

static int
open_node(GError **error)
{
    int fd = open(DEVICE_NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND,
                    "Cannot open " DEVICE_NODE ": %s; is the kernel module \"tun\" loaded, and "
                    "the device present in this container?",
                    g_strerror(errno));
        break;
    case EACCES:
    case EPERM:
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "Cannot open " DEVICE_NODE ": %s; this user must be able to read and write "
                    "it (its usual mode is 0666)",
                    g_strerror(errno));
        break;
    default:
        kv_error_set_errno(error, errno, "Cannot open " DEVICE_NODE);
        break;
    }
    return -1;
}

static void
set_attach_error(GError **error, int errnum, KvVniMode mode, const char *name)
{
    switch (errnum) {
    case EPERM:
    case EACCES:
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "Cannot make %s interface %s: the capability CAP_NET_ADMIN is missing",
                    mode_to_string(mode), name);
        break;
    case EBUSY:
        g_set_error(error, KV_ERROR, KV_ERROR_EXISTS,
                    "Cannot open interface %s: another tunnel or program uses it", name);
        break;
    case EINVAL:
        if (if_nametoindex(name) != 0)
            g_set_error(error, KV_ERROR, KV_ERROR_EXISTS,
                        "Cannot open interface %s: it exists already and is not a %s device", name,
                        mode_to_string(mode));
        else
            kv_error_set_errno(error, errnum, "Cannot make %s interface %s", mode_to_string(mode),
                               name);
        break;
    default:
        kv_error_set_errno(error, errnum, "Cannot make %s interface %s", mode_to_string(mode),
                           name);
        break;
    }
}

/* if_nametoindex() does not tell a missing interface from a missing file descriptor. */
static gboolean
find_index(KvTun *tun, GError **error)
{
    kv_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    g_strlcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
    if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) < 0) {
        kv_error_set_errno(error, errno, "Cannot find interface %s", tun->name);
        return FALSE;
    }
    tun->ifindex = request.ifr_ifindex;
    return TRUE;
}

static gboolean
attach(KvTun *tun, const char *name, GError **error)
{
    short flags =
        (short) (IFF_NO_PI | IFF_VNET_HDR | (tun->mode == KV_VNI_MODE_TAP ? IFF_TAP : IFF_TUN));
    struct ifreq request = {.ifr_flags = flags};
    int errnum;

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    if (ioctl(tun->fd, TUNSETIFF, &request) < 0) {
        errnum = errno;
        /* Of a left-over persistent interface every flag can be set anew but this one. */
        request.ifr_flags = (short) (flags | IFF_MULTI_QUEUE);
        if (errnum != EINVAL || if_nametoindex(name) == 0 ||
            ioctl(tun->fd, TUNSETIFF, &request) < 0) {
            set_attach_error(error, errnum, tun->mode, name);
            return FALSE;
        }
    }
    g_strlcpy(tun->name, request.ifr_name, sizeof tun->name);
    return find_index(tun, error);
}

/* An older kernel refuses a set with a bit it does not know as a whole. */
static gboolean
set_offloads(KvTun *tun, GError **error)
{
    static const unsigned int tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    const unsigned int wishes[] = {tso | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
                                   tso | TUN_F_TSO_ECN, tso, TUN_F_CSUM, 0};

    for (guint i = 0; i < G_N_ELEMENTS(wishes); i++) {
        if (ioctl(tun->fd, TUNSETOFFLOAD, (unsigned long) wishes[i]) == 0) {
            tun->has_uso = (wishes[i] & TUN_F_USO4) != 0;
            return TRUE;
        }
    }
    kv_error_set_errno(error, errno, "Cannot set the offloads of interface %s", tun->name);
    return FALSE;
}

static gboolean
configure(KvTun *tun, gboolean persistent, GError **error)
{
    int header_bytes = KV_VNET_HDR_BYTES;
    int little_endian = 1;

    if (ioctl(tun->fd, TUNSETVNETHDRSZ, &header_bytes) < 0 ||
        ioctl(tun->fd, TUNSETVNETLE, &little_endian) < 0) {
        kv_error_set_errno(error, errno, "Cannot set the packet header of interface %s", tun->name);
        return FALSE;
    }
    if (!set_offloads(tun, error))
        return FALSE;
    if (ioctl(tun->fd, TUNSETPERSIST, (unsigned long) (persistent ? 1 : 0)) < 0) {
        kv_error_set_errno(error, errno, "Cannot make interface %s %s", tun->name,
                           persistent ? "persistent" : "temporary");
        return FALSE;
    }
    return TRUE;
}

KvTun *
kv_tun_open(KvVniMode mode, const char *name, gboolean persistent, GError **error)
{
    g_autoptr(KvTun) tun = NULL;

    if (!name_is_valid(name)) {
        g_autofree char *escaped = kv_text_quote(name);

        g_set_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING,
                    "Bad interface name \"%s\": it must be 1 to 15 printable characters without "
                    "space, slash and colon, and at most one %%d",
                    escaped);
        return NULL;
    }
    tun = g_new0(KvTun, 1);
    tun->mode = mode;
    tun->fd = open_node(error);
    if (tun->fd < 0)
        return NULL;
    if (!attach(tun, name, error) || !configure(tun, persistent, error))
        return NULL;
    return g_steal_pointer(&tun);
}

gboolean
kv_tun_check_rights(GError **error)
{
    struct ifreq request = {.ifr_name = "lo"};
    kv_autofd int node = open_node(error);
    kv_autofd int fd = -1;

    if (node < 0)
        return FALSE;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* Setting the MTU it has changes nothing and takes the same right. */
    if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0 || ioctl(fd, SIOCSIFMTU, &request) == 0 ||
        errno != EPERM)
        return TRUE;
    g_set_error_literal(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                        "Cannot make interfaces: the capability CAP_NET_ADMIN is missing");
    return FALSE;
}

void
kv_tun_close(KvTun *tun)
{
    if (tun == NULL)
        return;
    if (tun->fd >= 0)
        close(tun->fd);
    g_free(tun);
}

int
kv_tun_get_fd(const KvTun *tun)
{
    return tun->fd;
}

KvVniMode
kv_tun_get_mode(const KvTun *tun)
{
    return tun->mode;
}

const char *
kv_tun_get_name(const KvTun *tun)
{
    return tun->name;
}

int
kv_tun_get_ifindex(const KvTun *tun)
{
    return tun->ifindex;
}

gboolean
kv_tun_has_uso(const KvTun *tun)
{
    return tun->has_uso;
}

gboolean
kv_tun_get_mac(const KvTun *tun, uint8_t mac[KV_TUN_MAC_BYTES], GError **error)
{
    struct ifreq request = {0};

    if (ioctl(tun->fd, SIOCGIFHWADDR, &request) < 0) {
        kv_error_set_errno(error, errno, "cannot find out the Ethernet address of \"%s\"",
                           tun->name);
        return FALSE;
    }
    memcpy(mac, request.ifr_hwaddr.sa_data, KV_TUN_MAC_BYTES);
    return TRUE;
}

gboolean
kv_tun_is_gone(const KvTun *tun)
{
    struct ifreq request = {0};

    return ioctl(tun->fd, TUNGETIFF, &request) < 0 && errno == EBADFD;
}

ssize_t
kv_tun_read(KvTun *tun, void *buf, size_t cap)
{
    ssize_t n;

    do
        n = read(tun->fd, buf, cap);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? 0 : -errno;
}

gboolean
kv_tun_write(KvTun *tun, const struct iovec *iov, guint n)
{
    ssize_t written;

    do
        written = writev(tun->fd, iov, (int) n);
    while (written < 0 && errno == EINTR);
    return written >= 0;
}

gboolean
kv_tun_write_packet(KvTun *tun, const uint8_t *packet, size_t len)
{
    uint8_t vnet[KV_VNET_HDR_BYTES] = {0};
    struct iovec iov[] = {{vnet, sizeof vnet}, {(uint8_t *) packet, len}};

    return kv_tun_write(tun, iov, G_N_ELEMENTS(iov));
}

void
kv_tun_begin_use(KvTun *tun, void *buf, size_t cap)
{
    for (guint i = 0; tun->was_in_use && i < STALE_MAX; i++) {
        if (kv_tun_read(tun, buf, cap) <= 0)
            break;
    }
    tun->was_in_use = TRUE;
}
