/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-check.h"
#include "kv-settings-private.h"

#include "kv-i18n.h"

/* Programs that are run, and how a tunnel is kept and run itself. */
#define FIRST KV_SETTING_HOOK_DIR

#define GROUP_PROGRAM N_("Programs and operation")

#define COMMAND_ALLOWED                                                                            \
    N_("a program and at most 64 arguments, quoted as in a shell; in an argument, %i is the "      \
       "interface and %% a percent sign")

/* In the order of KvRole. */
static const char *const roles[] = {"client", "server", "peer", NULL};

const KvSetting kv_setting_program_rows[] = {
    [KV_SETTING_HOOK_DIR - FIRST] =
        {
            .id = KV_SETTING_HOOK_DIR,
            .key = "hook-dir",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_PROGRAM,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4095,
            .value_name = "DIRECTORY",
            .description =
                N_("Directory with the programs on_<client-id>_connected or else on_connected, and "
                   "the same for disconnected"),
        },
    [KV_SETTING_ON_CONNECTED_HOOK - FIRST] =
        {
            .id = KV_SETTING_ON_CONNECTED_HOOK,
            .key = "on-connected-hook",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_PROGRAM,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4095,
            .value_name = "PROGRAM",
            .description = N_("Program to run once connected"),
        },
    [KV_SETTING_NAME - FIRST] =
        {
            .id = KV_SETTING_NAME,
            .key = "name",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NO_ARGV | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 64,
            .value_name = "NAME",
            .check = kv_check_tunnel_name,
            .allowed = N_("1 to 64 bytes without control characters or /, and no . in front"),
            .description = N_("Name of the tunnel; without it the file's name"),
        },
    [KV_SETTING_ROLE - FIRST] =
        {
            .id = KV_SETTING_ROLE,
            .key = "role",
            .type = KV_SETTING_TYPE_CHOICE,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NO_ARGV | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_PROGRAM,
            .choices = roles,
            .value_name = "ROLE",
            .description = N_("Side the file is for"),
        },
    [KV_SETTING_WORKERS - FIRST] =
        {
            .id = KV_SETTING_WORKERS,
            .key = "workers",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_PROGRAM,
            .default_text = "0",
            .max = KV_WORKERS_MAX,
            .value_name = "COUNT",
            .description = N_("Threads that move packets; 0 is one for each processor"),
        },
    [KV_SETTING_AUTOSTART - FIRST] =
        {
            .id = KV_SETTING_AUTOSTART,
            .key = "autostart",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_NO_ARGV,
            .group = GROUP_PROGRAM,
            .default_text = "false",
            .description = N_("The system service starts the tunnel when it starts itself"),
        },
    [KV_SETTING_USERS - FIRST] =
        {
            .id = KV_SETTING_USERS,
            .key = "users",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_NO_ARGV | KV_SETTING_FLAG_LIST,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4096,
            .value_name = "USER,...",
            .check = kv_check_user_name,
            .allowed = N_("user names of 1 to 32 visible ASCII characters without , : ; or /"),
            .description = N_("Users who may start and stop the tunnel by the system service "
                              "without an administrator's password"),
        },
    [KV_SETTING_UP - FIRST] =
        {
            .id = KV_SETTING_UP,
            .key = "up",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_PROGRAM,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4095,
            .value_name = "COMMAND",
            .check = kv_check_command,
            .allowed = COMMAND_ALLOWED,
            .description = N_("Program and arguments to run once the interface is up, on a server "
                              "once it listens; %i is the interface's name"),
        },
    [KV_SETTING_DOWN - FIRST] =
        {
            .id = KV_SETTING_DOWN,
            .key = "down",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_PROGRAM,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4095,
            .value_name = "COMMAND",
            .check = kv_check_command,
            .allowed = COMMAND_ALLOWED,
            .description =
                N_("The same for when the interface is gone, on a server when it has ended"),
        },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kv_setting_program_rows) == KV_N_SETTINGS - FIRST);
