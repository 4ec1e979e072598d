/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "linkem-device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void
enter_namespace(const char *name)
{
    char path[128];
    int fd;

    if (*name == '\0')
        return;
    snprintf(path, sizeof(path), "/run/netns/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        linkem_die("namespace %s: %s", name, strerror(errno));
    close(fd);
}

static void
leave_namespace(int home)
{
    if (setns(home, CLONE_NEWNET) != 0)
        linkem_die("setns: %s", strerror(errno));
}

static void
control(int fd, unsigned long request, struct ifreq *ifr, const char *what)
{
    if (ioctl(fd, request, ifr) != 0)
        linkem_die("%s: %s: %s", ifr->ifr_name, what, strerror(errno));
}

static void
set_address(int sock, struct ifreq *ifr, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN] = "";
    int bits = 24;

    if (sscanf(text, "%15[0-9.]/%d", host, &bits) < 1 || bits < 0 || bits > 32 ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        linkem_die("no address: %s", text);
    memcpy(&ifr->ifr_addr, &address, sizeof(address));
    control(sock, SIOCSIFADDR, ifr, "address");
    address.sin_addr.s_addr = htonl(bits > 0 ? ~0u << (32 - bits) : 0);
    memcpy(&ifr->ifr_netmask, &address, sizeof(address));
    control(sock, SIOCSIFNETMASK, ifr, "netmask");
}

static void
configure(struct ifreq *ifr, int side, int mtu, int queue, const char *address)
{
    const unsigned char mac[6] = {2, 0x4c, 0x45, 0, 0, (unsigned char) (side + 1)};
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (sock < 0)
        linkem_die("socket: %s", strerror(errno));
    ifr->ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr->ifr_hwaddr.sa_data, mac, sizeof(mac));
    control(sock, SIOCSIFHWADDR, ifr, "hardware address");
    ifr->ifr_mtu = mtu;
    control(sock, SIOCSIFMTU, ifr, "MTU");
    ifr->ifr_qlen = queue;
    control(sock, SIOCSIFTXQLEN, ifr, "queue length");
    if (*address != '\0')
        set_address(sock, ifr, address);
    control(sock, SIOCGIFFLAGS, ifr, "flags");
    ifr->ifr_flags |= IFF_UP;
    control(sock, SIOCSIFFLAGS, ifr, "up");
    close(sock);
}

void
linkem_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "linkem: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

void
linkem_device_open(LinkemDevice *device, const char *spec, int side, int home, int mtu, int queue)
{
    char address[32] = "";
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

    if (sscanf(spec, "%63[^:]:%15[^:]:%31s", device->namespace_name, device->name, address) < 2)
        linkem_die("a device is namespace:interface[:address/length], not %s", spec);
    if (strcmp(device->namespace_name, "-") == 0)
        device->namespace_name[0] = '\0';
    enter_namespace(device->namespace_name);
    device->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device->fd < 0)
        linkem_die("/dev/net/tun: %s", strerror(errno));
    memcpy(ifr.ifr_name, device->name, sizeof(ifr.ifr_name));
    control(device->fd, TUNSETIFF, &ifr, "TUNSETIFF");
    configure(&ifr, side, mtu, queue, address);
    leave_namespace(home);
}

bool
linkem_device_get_drops(const LinkemDevice *device, int home, uint64_t *drops)
{
    char line[512];
    FILE *file;
    bool found = false;

    enter_namespace(device->namespace_name);
    file = fopen("/proc/thread-self/net/dev", "r");
    leave_namespace(home);
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        char *name = line + strspn(line, " ");
        char *colon = strchr(name, ':');
        unsigned long long value;

        if (colon == NULL)
            continue;
        *colon = '\0';
        /* the twelfth column: frames dropped on their way out */
        if (strcmp(name, device->name) == 0 &&
            sscanf(colon + 1, "%*u%*u%*u%*u%*u%*u%*u%*u%*u%*u%*u%llu", &value) == 1) {
            *drops = value;
            found = true;
        }
    }
    fclose(file);
    return found;
}
