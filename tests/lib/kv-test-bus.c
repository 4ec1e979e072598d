/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-test-bus.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WAIT_MAX_S 20

struct _KvTestBus {
    char *folder;
    char *config;
    char *address;
    GSubprocess *daemon;
};

static const char config_text[] =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
    " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
    "<busconfig>\n"
    "  <type>system</type>\n"
    "  <listen>unix:path=%s/bus</listen>\n"
    "  <policy context=\"default\">\n"
    "    <allow user=\"*\"/>\n"
    "    <allow own=\"*\"/>\n"
    "    <allow send_type=\"method_call\"/>\n"
    "    <allow send_requested_reply=\"true\" send_type=\"method_return\"/>\n"
    "    <allow send_requested_reply=\"true\" send_type=\"error\"/>\n"
    "    <allow send_type=\"signal\"/>\n"
    "    <allow receive_type=\"method_call\"/>\n"
    "    <allow receive_type=\"method_return\"/>\n"
    "    <allow receive_type=\"error\"/>\n"
    "    <allow receive_type=\"signal\"/>\n"
    "  </policy>\n"
    "</busconfig>\n";

static void
die_with_parent(gpointer data)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

KvTestBus *
kv_test_bus_new(void)
{
    g_autofree char *program = g_find_program_in_path("dbus-daemon");
    g_autofree char *text = NULL;
    g_autofree char *option = NULL;
    g_autoptr(GSubprocessLauncher) launcher = NULL;
    g_autoptr(GDataInputStream) out = NULL;
    g_autoptr(GError) error = NULL;
    KvTestBus *bus;

    if (program == NULL) {
        g_printerr("SKIPPED: dbus-daemon is not installed\n");
        return NULL;
    }
    bus = g_new0(KvTestBus, 1);
    bus->folder = g_dir_make_tmp("kv-test-bus-XXXXXX", &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_chmod(bus->folder, 0755), ==, 0);
    bus->config = g_build_filename(bus->folder, "bus.conf", NULL);
    text = g_strdup_printf(config_text, bus->folder);
    g_file_set_contents(bus->config, text, -1, &error);
    g_assert_no_error(error);
    option = g_strdup_printf("--config-file=%s", bus->config);
    launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    bus->daemon = g_subprocess_launcher_spawn(launcher, &error, program, option, "--nofork",
                                              "--nopidfile", "--print-address", NULL);
    g_assert_no_error(error);
    out = g_data_input_stream_new(g_subprocess_get_stdout_pipe(bus->daemon));
    bus->address = g_data_input_stream_read_line(out, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_nonnull(bus->address);
    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address, TRUE);
    return bus;
}

void
kv_test_bus_free(KvTestBus *bus)
{
    g_autofree char *socket = NULL;

    if (bus == NULL)
        return;
    g_subprocess_force_exit(bus->daemon);
    g_subprocess_wait(bus->daemon, NULL, NULL);
    g_object_unref(bus->daemon);
    socket = g_build_filename(bus->folder, "bus", NULL);
    g_unlink(socket);
    g_unlink(bus->config);
    g_rmdir(bus->folder);
    g_free(bus->folder);
    g_free(bus->config);
    g_free(bus->address);
    g_free(bus);
}

const char *
kv_test_bus_get_address(KvTestBus *bus)
{
    return bus->address;
}

GDBusConnection *
kv_test_bus_connect(KvTestBus *bus, uid_t uid)
{
    g_autoptr(GError) error = NULL;
    uid_t self = geteuid();
    GDBusConnection *connection;

    /* The bus sees the effective user of the moment of connecting. */
    if (uid != self)
        g_assert_cmpint(seteuid(uid), ==, 0);
    connection =
        g_dbus_connection_new_for_address_sync(bus->address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    if (uid != self)
        g_assert_cmpint(seteuid(self), ==, 0);
    g_assert_no_error(error);
    return connection;
}

static gboolean
waited_too_long(gpointer data)
{
    g_error("nothing happened within %d seconds", WAIT_MAX_S);
    return G_SOURCE_REMOVE;
}

void
kv_test_bus_wait(const gboolean *flag)
{
    guint limit = g_timeout_add_seconds(WAIT_MAX_S, waited_too_long, NULL);

    while (!*flag)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(limit);
}
