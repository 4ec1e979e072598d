/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-device.h"
#include "kv-error.h"
#include "kv-netlink.h"
#include "kv-route-watch.h"
#include "kv-test.h"
#include "kv-tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define IP4(a, b, c, d) ((KvIp4) (a) << 24 | (KvIp4) (b) << 16 | (KvIp4) (c) << 8 | (KvIp4) (d))

static KvNetlink *netlink;

static void
assert_ip_shows(const char *args, const char *want)
{
    g_autofree char *out = kv_test_ip(args);

    if (strstr(out, want) == NULL)
        g_error("ip %s: no \"%s\" in:\n%s", args, want, out);
}

static void
assert_ip_hides(const char *args, const char *unwanted)
{
    g_autofree char *out = kv_test_ip(args);

    if (strstr(out, unwanted) != NULL)
        g_error("ip %s: unwanted \"%s\" in:\n%s", args, unwanted, out);
}

static KvTun *
open_device(KvVniMode mode, const char *name, gboolean persistent)
{
    g_autoptr(GError) error = NULL;
    KvTun *tun = kv_tun_open(mode, name, persistent, &error);

    g_assert_no_error(error);
    g_assert_nonnull(tun);
    return tun;
}

static void
assert_open_fails(KvVniMode mode, const char *name, KvError code, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvTun) tun = kv_tun_open(mode, name, FALSE, &error);

    g_assert_null(tun);
    g_assert_error(error, KV_ERROR, (int) code);
    g_assert_nonnull(strstr(error->message, says));
}

/* Proves: a name that the kernel or a shell could misread is refused before the device opens. */
static void
test_bad_names(void)
{
    const char *names[] = {"",     ".",    "..",     "a/b",  "sixteen-bytes-xx",
                           "a b",  "a\nb", "a\x80z", "kvs%", "a:b",
                           "kv%s", "%d%d"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        assert_open_fails(KV_VNI_MODE_TUN, names[i], KV_ERROR_INVALID_SETTING, "name");
}

/* Proves: exact names are kept, patterns get the lowest free number, and closing removes. */
static void
test_names(void)
{
    g_autoptr(KvTun) exact = open_device(KV_VNI_MODE_TUN, "kvs0", FALSE);
    g_autoptr(KvTun) second = open_device(KV_VNI_MODE_TAP, "kvs%d", FALSE);

    g_assert_cmpstr(kv_tun_get_name(exact), ==, "kvs0");
    g_assert_cmpstr(kv_tun_get_name(second), ==, "kvs1");
    g_assert_cmpint(kv_tun_get_ifindex(exact), ==, if_nametoindex("kvs0"));
    g_assert_cmpint(kv_tun_get_mode(second), ==, KV_VNI_MODE_TAP);
    g_test_message("USO: %s", kv_tun_has_uso(exact) ? "yes" : "no");
    g_assert_cmpint(fcntl(kv_tun_get_fd(exact), F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_true(kv_netlink_link_exists(netlink, "kvs1"));
    kv_tun_close(g_steal_pointer(&second));
    g_assert_false(kv_netlink_link_exists(netlink, "kvs1"));
}

/* Proves: a name that is taken is an error of its own, and says why. */
static void
test_taken_names(void)
{
    g_autoptr(KvTun) tun = open_device(KV_VNI_MODE_TUN, "kvs0", FALSE);

    assert_open_fails(KV_VNI_MODE_TUN, "kvs0", KV_ERROR_EXISTS, "another tunnel or program");
    assert_open_fails(KV_VNI_MODE_TAP, "kvs0", KV_ERROR_EXISTS, "not a TAP");
    assert_open_fails(KV_VNI_MODE_TUN, "lo", KV_ERROR_EXISTS, "not a TUN");
    g_assert_true(kv_netlink_tun_is_in_use(netlink, "kvs0"));
    g_assert_false(kv_netlink_tun_is_in_use(netlink, "lo"));
    g_assert_false(kv_netlink_tun_is_in_use(netlink, "kvs1"));
}

/* Makes a persistent interface the way other programs do. */
static void
leave_interface(const char *name, short flags)
{
    kv_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = flags};

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    g_assert_cmpint(ioctl(fd, TUNSETIFF, &request), ==, 0);
    g_assert_cmpint(ioctl(fd, TUNSETPERSIST, 1UL), ==, 0);
}

/* Proves: a left-over interface is taken over whatever its flags were, and stays or goes as asked.
 */
static void
test_persistent(void)
{
    const short flags[] = {IFF_TUN, IFF_TUN | IFF_NO_PI, IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE};

    for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(KvTun) tun = NULL;

        leave_interface("kvc0", flags[i]);
        tun = open_device(KV_VNI_MODE_TUN, "kvc0", TRUE);
        kv_tun_close(g_steal_pointer(&tun));
        g_assert_true(kv_netlink_link_exists(netlink, "kvc0"));
        g_assert_false(kv_netlink_tun_is_in_use(netlink, "kvc0"));
        tun = open_device(KV_VNI_MODE_TUN, "kvc0", FALSE);
        kv_tun_close(g_steal_pointer(&tun));
        g_assert_false(kv_netlink_link_exists(netlink, "kvc0"));
    }
}

/* Proves: a TUN looks as the Go program's: peer address, flags, MTU; setting twice is fine. */
static void
test_tun_settings(void)
{
    g_autoptr(KvTun) tun = open_device(KV_VNI_MODE_TUN, "kvc0", FALSE);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 2; i++) {
        kv_netlink_set_mtu(netlink, "kvc0", 1234, &error);
        g_assert_no_error(error);
        kv_netlink_set_tun_flags(netlink, "kvc0", &error);
        g_assert_no_error(error);
        kv_netlink_add_peer_address(netlink, "kvc0", IP4(192, 168, 88, 0), IP4(192, 168, 88, 1),
                                    &error);
        g_assert_no_error(error);
        kv_netlink_set_up(netlink, "kvc0", TRUE, &error);
        g_assert_no_error(error);
    }
    assert_ip_shows("-4 address show dev kvc0", "inet 192.168.88.0 peer 192.168.88.1/32");
    assert_ip_shows("link show dev kvc0", "<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1234");
    assert_ip_shows("-4 route get 192.168.88.1", "dev kvc0 src 192.168.88.0");
    kv_netlink_remove_address(netlink, "kvc0", IP4(192, 168, 88, 0), &error);
    g_assert_no_error(error);
    assert_ip_hides("-4 address show dev kvc0", "inet");
    kv_netlink_remove_address(netlink, "kvc0", IP4(192, 168, 88, 0), &error);
    g_assert_no_error(error);
    kv_netlink_add_peer_address(netlink, "kvc0", IP4(10, 0, 0, 1), 0, &error);
    g_assert_no_error(error);
    assert_ip_shows("-4 address show dev kvc0", "inet 10.0.0.1/32");
    kv_netlink_set_up(netlink, "kvc0", FALSE, &error);
    g_assert_no_error(error);
    assert_ip_hides("link show dev kvc0", "UP");
}

/* Proves: a TAP takes a netmask, /32 without one, and a bridge; it leaves the bridge again. */
static void
test_tap_settings(void)
{
    g_autoptr(KvTun) tap = open_device(KV_VNI_MODE_TAP, "kvs7", FALSE);
    g_autofree char *made = kv_test_ip("link add name br0 type bridge");
    g_autoptr(GError) error = NULL;

    kv_netlink_add_address(netlink, "kvs7", IP4(192, 168, 88, 2), IP4(255, 255, 255, 0), &error);
    g_assert_no_error(error);
    kv_netlink_add_address(netlink, "kvs7", IP4(10, 1, 1, 1), 0, &error);
    g_assert_no_error(error);
    assert_ip_shows("-4 address show dev kvs7", "inet 192.168.88.2/24");
    assert_ip_shows("-4 address show dev kvs7", "inet 10.1.1.1/32");
    g_assert_true(kv_netlink_bridge_exists(netlink, "br0", &error));
    kv_netlink_set_bridge(netlink, "kvs7", "br0", &error);
    g_assert_no_error(error);
    assert_ip_shows("link show dev kvs7", "master br0");
    kv_netlink_set_bridge(netlink, "kvs7", NULL, &error);
    g_assert_no_error(error);
    assert_ip_hides("link show dev kvs7", "master");
    kv_netlink_delete_link(netlink, "br0", &error);
    g_assert_no_error(error);
    kv_netlink_delete_link(netlink, "br0", &error);
    g_assert_no_error(error);
}

/* (transfer full): one that the kernel does not answer any more. */
static KvNetlink *
open_mute_netlink(void)
{
    kv_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    int fd = fcntl(null, F_DUPFD_CLOEXEC, 0); /* the next that is free */
    int domain = 0;
    socklen_t len = sizeof domain;
    KvNetlink *mute;

    close(fd);
    mute = kv_netlink_new(&error);
    g_assert_no_error(error);
    g_assert_cmpint(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), ==, 0);
    g_assert_cmpint(domain, ==, AF_NETLINK);
    g_assert_cmpint(dup2(null, fd), ==, fd);
    return mute;
}

static void
assert_bridge_fails(const char *says)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(kv_device_check_bridge(netlink, "br0", "kvs7", &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_CONNECTION_LOST);
    g_assert_nonnull(strstr(error->message, says));
}

/* Proves: a bridge that is gone, or has lost the port, is told from one that is well, and from a
 * kernel that does not answer, or an interface that has another name by now. */
static void
test_bridge_check(void)
{
    g_autoptr(KvTun) tap = open_device(KV_VNI_MODE_TAP, "kvs7", FALSE);
    KvNetlink *mute = open_mute_netlink();

    g_free(kv_test_ip("link add name br0 type bridge"));
    g_free(kv_test_ip("link set dev kvs7 master br0"));
    g_assert_true(kv_device_check_bridge(netlink, "br0", "kvs7", NULL));
    g_assert_true(kv_device_check_bridge(netlink, "br0", NULL, NULL));
    g_assert_true(kv_device_check_bridge(netlink, "br0", "kvs8", NULL));
    g_assert_true(kv_device_check_bridge(netlink, NULL, "kvs7", NULL));
    g_assert_true(kv_device_check_bridge(mute, "br0", "kvs7", NULL));
    g_free(kv_test_ip("link set dev kvs7 nomaster"));
    assert_bridge_fails("took the interface kvs7 out of the bridge br0");
    g_free(kv_test_ip("link del dev br0"));
    assert_bridge_fails("removed the bridge br0");
    kv_netlink_free(mute);
}

static KvNetlinkAddress
find_address(guint prefix)
{
    g_autoptr(GError) error = NULL;
    KvNetlinkAddress address;

    g_assert_true(kv_netlink_find_address(netlink, "kvs7", prefix, &address, &error));
    g_assert_no_error(error);
    return address;
}

/* Proves: of the addresses with one prefix length the first is found, with its peer. */
static void
test_find_address(void)
{
    g_autoptr(KvTun) tun = open_device(KV_VNI_MODE_TUN, "kvs7", FALSE);
    g_autoptr(GError) error = NULL;

    g_assert_cmphex(find_address(32).local, ==, 0);
    kv_netlink_add_address(netlink, "kvs7", IP4(10, 1, 1, 1), IP4(255, 255, 255, 0), &error);
    g_assert_no_error(error);
    kv_netlink_add_peer_address(netlink, "kvs7", IP4(10, 2, 2, 2), IP4(10, 2, 2, 3), &error);
    g_assert_no_error(error);
    kv_netlink_add_peer_address(netlink, "kvs7", IP4(10, 4, 4, 4), 0, &error);
    g_assert_no_error(error);
    g_assert_cmphex(find_address(32).local, ==, IP4(10, 2, 2, 2));
    g_assert_cmphex(find_address(32).peer, ==, IP4(10, 2, 2, 3));
    g_assert_cmphex(find_address(24).local, ==, IP4(10, 1, 1, 1));
    g_assert_cmphex(find_address(24).peer, ==, IP4(10, 1, 1, 1));
    g_assert_cmphex(find_address(16).local, ==, 0);
}

static void
assert_message(GError **error, KvError code, const char *one, const char *two)
{
    g_assert_error(*error, KV_ERROR, (int) code);
    if (strstr((*error)->message, one) == NULL || strstr((*error)->message, two) == NULL)
        g_error("no \"%s\" and \"%s\" in: %s", one, two, (*error)->message);
    g_clear_error(error);
}

/* Proves: each failure names the interface and the value. */
static void
test_netlink_errors(void)
{
    g_autoptr(KvTun) tap = open_device(KV_VNI_MODE_TAP, "kvs7", FALSE);
    g_autoptr(GError) error = NULL;

    g_assert_false(kv_netlink_set_mtu(netlink, "kvs7", 10, &error));
    assert_message(&error, KV_ERROR_INVALID_SETTING, "kvs7", "10");
    g_assert_false(kv_netlink_set_mtu(netlink, "kvs8", 1400, &error));
    assert_message(&error, KV_ERROR_NOT_FOUND, "kvs8", "no interface");
    g_assert_false(
        kv_netlink_add_address(netlink, "kvs7", IP4(10, 0, 0, 1), IP4(255, 0, 255, 0), &error));
    assert_message(&error, KV_ERROR_INVALID_SETTING, "kvs7", "255.0.255.0");
    g_assert_false(kv_netlink_set_bridge(netlink, "kvs7", "br9", &error));
    assert_message(&error, KV_ERROR_NOT_FOUND, "br9", "no interface");
    g_assert_false(kv_netlink_set_bridge(netlink, "kvs7", "lo", &error));
    assert_message(&error, KV_ERROR_INVALID_SETTING, "lo", "bridge");
    g_assert_false(kv_netlink_bridge_exists(netlink, "lo", &error));
    assert_message(&error, KV_ERROR_INVALID_SETTING, "lo", "bridge");
    g_assert_false(kv_netlink_delete_link(netlink, "lo", &error));
    assert_message(&error, KV_ERROR_NOT_SUPPORTED, "lo", "delete");
}

/* In a child without any capability: 0 if every door answers "permission denied". */
static int
try_without_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    g_autoptr(GError) tun_error = NULL;
    g_autoptr(GError) link_error = NULL;
    g_autoptr(KvTun) tun = NULL;

    if (syscall(SYS_capset, &header, none) < 0)
        return 1;
    tun = kv_tun_open(KV_VNI_MODE_TUN, "kvs0", FALSE, &tun_error);
    if (!g_error_matches(tun_error, KV_ERROR, KV_ERROR_PERMISSION_DENIED) ||
        strstr(tun_error->message, "CAP_NET_ADMIN") == NULL)
        return 2;
    if (kv_netlink_set_mtu(netlink, "lo", 1500, &link_error) ||
        !g_error_matches(link_error, KV_ERROR, KV_ERROR_PERMISSION_DENIED) ||
        strstr(link_error->message, "CAP_NET_ADMIN") == NULL)
        return 3;
    return 0;
}

/* Proves: without CAP_NET_ADMIN the error says so. */
static void
test_missing_capability(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(try_without_capabilities());
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

/* Proves: packets pass in both directions behind a virtio header, a read never waits, a device
 * that is down costs the packet only, and one that was deleted is told apart. */
static void
test_read_write(void)
{
    static const uint8_t packet[] = {
        0x45, 0, 0,  28, 0, 1, 0, 0, 64, 17, 0x66, 0xbc, 10, 9,
        0,    2, 10, 9,  0, 1, 0, 9, 0,  33, 0,    8,    0,  0,
    };
    static uint8_t header[10];
    const struct iovec iov[] = {{header, sizeof header}, {(void *) packet, sizeof packet}};
    g_autoptr(KvTun) tun = open_device(KV_VNI_MODE_TUN, "kvs3", FALSE);
    struct pollfd pollfd = {.fd = kv_tun_get_fd(tun), .events = POLLIN};
    g_autoptr(GError) error = NULL;
    uint8_t buf[2048];
    ssize_t n = 0;

    g_assert_cmpint(kv_tun_read(tun, buf, sizeof buf), ==, 0);
    g_assert_false(kv_tun_write(tun, iov, 2));
    g_assert_cmpint(errno, ==, EIO);
    kv_netlink_add_peer_address(netlink, "kvs3", IP4(10, 9, 0, 1), IP4(10, 9, 0, 2), &error);
    g_assert_no_error(error);
    kv_netlink_set_up(netlink, "kvs3", TRUE, &error);
    g_assert_no_error(error);
    g_assert_true(kv_tun_write(tun, iov, 2));
    /* Nobody listens on port 33, so the kernel answers with an ICMP message. */
    for (guint i = 0; i < 10 && poll(&pollfd, 1, 1000) == 1; i++) {
        n = kv_tun_read(tun, buf, sizeof buf);
        if (n > 10 && buf[10] >> 4 == 4)
            break;
    }
    g_assert_cmpint(n, ==, 10 + 20 + 8 + sizeof packet);
    g_assert_cmpint(buf[10 + 9], ==, 1);
    kv_netlink_delete_link(netlink, "kvs3", &error);
    g_assert_no_error(error);
    g_assert_cmpint(kv_tun_read(tun, buf, sizeof buf), ==, -EBADFD);
}

/* --- watching ------------------------------------------------------------------------------- */

typedef struct {
    KvRouteWatch *watch;
    guint n_told;
} Listener;

static void
on_changed(gpointer data)
{
    Listener *listener = data;

    listener->n_told++;
}

static void
on_changed_once(gpointer data)
{
    Listener *listener = data;

    listener->n_told++;
    kv_route_watch_remove(listener->watch, listener);
}

static void
run_until_told(const Listener *listener, guint n)
{
    while (listener->n_told < n)
        g_main_context_iteration(NULL, TRUE);
}

/* Proves: changes are told to who asks as long as he asks, those in a row once, and more of them
 * than the kernel keeps do no harm. */
static void
test_route_watch(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvRouteWatch) watch = kv_route_watch_new(&error);
    Listener all = {.watch = watch}, one = {.watch = watch};

    g_assert_no_error(error);
    kv_route_watch_add(watch, on_changed, &all);
    kv_route_watch_add(watch, on_changed_once, &one);
    kv_tun_close(open_device(KV_VNI_MODE_TUN, "kvc0", FALSE));
    run_until_told(&all, 1);
    for (guint i = 0; i < 300; i++)
        kv_tun_close(open_device(KV_VNI_MODE_TUN, "kvc0", FALSE));
    run_until_told(&all, 2);
    kv_tun_close(open_device(KV_VNI_MODE_TUN, "kvc0", FALSE));
    run_until_told(&all, 3);
    g_assert_cmpuint(all.n_told, ==, 3);
    g_assert_cmpuint(one.n_told, ==, 1);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "skipped: no network namespace: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) {
        fprintf(stderr, "skipped: /dev/net/tun: %s\n", g_strerror(errno));
        return KV_TEST_SKIPPED;
    }
    g_test_add_func("/tun/bad-names", test_bad_names);
    g_test_add_func("/tun/names", test_names);
    g_test_add_func("/tun/taken-names", test_taken_names);
    g_test_add_func("/tun/persistent", test_persistent);
    g_test_add_func("/tun/read-write", test_read_write);
    g_test_add_func("/tun/missing-capability", test_missing_capability);
    g_test_add_func("/netlink/tun-settings", test_tun_settings);
    g_test_add_func("/netlink/tap-settings", test_tap_settings);
    g_test_add_func("/netlink/bridge-check", test_bridge_check);
    g_test_add_func("/netlink/find-address", test_find_address);
    g_test_add_func("/netlink/errors", test_netlink_errors);
    g_test_add_func("/route-watch/all", test_route_watch);
    netlink = kv_netlink_new(&error);
    g_assert_no_error(error);
    status = kv_test_main(&argc, &argv);
    kv_netlink_free(netlink);
    return status;
}
