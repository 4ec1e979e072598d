/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-check.h"
#include "kv-settings-private.h"

#include "kv-i18n.h"

/* How the two ends reach one another, and how packets are sent. */
#define FIRST KV_SETTING_IP

#define GROUP_CONNECTION   N_("Connection")
#define GROUP_TRANSMISSION N_("Transmission")
#define GROUP_MANUAL       N_("Transmission in detail (with kcp-mode manual)")
#define GROUP_REPAIR       N_("Forward error correction")

static const char *const kcp_modes[] = {"normal", "fast", "fast2", "fast3", "manual", NULL};

const KvSetting kv_setting_connection_rows[] = {
    [KV_SETTING_IP - FIRST] =
        {
            .id = KV_SETTING_IP,
            .key = "ip",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .min = 1,
            .max = 255,
            .value_name = "ADDRESS",
            .check = kv_check_host,
            .allowed =
                N_("an IPv4 address, an IPv6 address with or without brackets, or a host name"),
            .description =
                N_("Address to listen on (server), or the server's address or host name (client)"),
            .form_label = N_("_Gateway"),
            .form_help = N_("Address or host name of the server"),
        },
    [KV_SETTING_PORT - FIRST] =
        {
            .id = KV_SETTING_PORT,
            .key = "port",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .min = 1,
            .max = 65535,
            .value_name = "PORT",
            .description = N_("UDP port"),
            .form_label = N_("_Port"),
        },
    [KV_SETTING_UDP_MTU - FIRST] =
        {
            .id = KV_SETTING_UDP_MTU,
            .key = "udp-mtu",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "1350",
            .native_default_text = "1472",
            .min = KV_SETTING_UDP_MTU_MIN,
            .max = 1500,
            .value_name = "BYTES",
            .description = N_("Largest UDP payload to send"),
            .form_label = N_("Ma_x. UDP payload"),
        },
    [KV_SETTING_KCP_MODE - FIRST] =
        {
            .id = KV_SETTING_KCP_MODE,
            .key = "kcp-mode",
            .type = KV_SETTING_TYPE_CHOICE,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_TRANSMISSION,
            .default_text = "fast",
            .choices = kcp_modes,
            .value_name = "MODE",
            .description = N_("How eagerly lost packets are sent again; fast3 is the most eager, "
                              "manual takes the single values"),
            .form_label = N_("_KCP mode"),
        },
    [KV_SETTING_NODELAY - FIRST] =
        {
            .id = KV_SETTING_NODELAY,
            .key = "nodelay",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_MANUAL,
            .default_text = "0",
            .max = 1,
            .value_name = "0|1",
            .description = N_("1 lowers the least retransmission timeout from 100 to 30 ms"),
            .form_label = N_("Short _timeout"),
        },
    [KV_SETTING_INTERVAL - FIRST] =
        {
            .id = KV_SETTING_INTERVAL,
            .key = "interval",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_MANUAL,
            .default_text = "50",
            .min = 1,
            .max = 60000,
            .value_name = "MS",
            .description = N_("Milliseconds between two looks at the timers; held to 10..5000"),
            .form_label = N_("Timer inter_val"),
        },
    [KV_SETTING_RESEND - FIRST] =
        {
            .id = KV_SETTING_RESEND,
            .key = "resend",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_MANUAL,
            .default_text = "0",
            .max = 255,
            .value_name = "COUNT",
            .description = N_("Later acknowledgements after which a packet is sent again at once; "
                              "0 waits for the timeout"),
            .form_label = N_("_Fast resend"),
        },
    [KV_SETTING_NC - FIRST] =
        {
            .id = KV_SETTING_NC,
            .key = "nc",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_MANUAL,
            .default_text = "0",
            .max = 1,
            .value_name = "0|1",
            .description = N_("1 turns the congestion window off"),
            .form_label = N_("No congestion _window"),
        },
    [KV_SETTING_ACKNODELAY - FIRST] =
        {
            .id = KV_SETTING_ACKNODELAY,
            .key = "acknodelay",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_MANUAL,
            .default_text = "false",
            .description = N_("Acknowledge every packet at once instead of at the next interval"),
            .form_label = N_("Acknow_ledge at once"),
        },
    [KV_SETTING_SNDWND - FIRST] =
        {
            .id = KV_SETTING_SNDWND,
            .key = "sndwnd",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_TRANSMISSION,
            .default_text = "1024",
            .min = 1,
            .max = 65535,
            .value_name = "PACKETS",
            .description = N_("Packets that may be under way at a time"),
            .form_label = N_("Sen_d window"),
        },
    [KV_SETTING_RCVWND - FIRST] =
        {
            .id = KV_SETTING_RCVWND,
            .key = "rcvwnd",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_TRANSMISSION,
            .default_text = "1024",
            .min = 2,
            .max = 65535,
            .value_name = "PACKETS",
            .description = N_("Packets kept while an earlier one is missing"),
            .form_label = N_("_Receive window"),
        },
    [KV_SETTING_DATASHARD - FIRST] =
        {
            .id = KV_SETTING_DATASHARD,
            .key = "datashard",
            .alias = "ds",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_REPAIR,
            .default_text = "10",
            .max = 255,
            .value_name = "COUNT",
            .description = N_("Data packets in a group of forward error correction; in protocol v1 "
                              "the same on both ends; 0 turns it off"),
            .form_label = N_("Data packets in a _group"),
        },
    [KV_SETTING_PARITYSHARD - FIRST] =
        {
            .id = KV_SETTING_PARITYSHARD,
            .key = "parityshard",
            .alias = "ps",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_REPAIR,
            .default_text = "3",
            .max = 255,
            .value_name = "COUNT",
            .description = N_("Repair packets added to a group; in protocol v1 the same on both "
                              "ends; 0 turns forward error correction off"),
            .form_label = N_("Repa_ir packets"),
        },
    [KV_SETTING_RAPID_FEC - FIRST] =
        {
            .id = KV_SETTING_RAPID_FEC,
            .key = "rapid-fec",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_REPAIR,
            .default_text = "false",
            .description = N_("Repair early when only a few packets a second are sent, for a "
                              "little more traffic"),
            .form_label = N_("_Early repair"),
        },
    [KV_SETTING_DSCP - FIRST] =
        {
            .id = KV_SETTING_DSCP,
            .key = "dscp",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "0",
            .max = 63,
            .value_name = "VALUE",
            .description = N_("Differentiated services code point of the outer packets"),
            .form_label = N_("DSC_P"),
        },
    [KV_SETTING_SOCKBUF - FIRST] =
        {
            .id = KV_SETTING_SOCKBUF,
            .key = "sockbuf",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "4194304",
            .min = 2048,
            .max = 268435456,
            .value_name = "BYTES",
            .description = N_("Buffer of the UDP socket in each direction"),
            .form_label = N_("Socket buffer si_ze"),
        },
    [KV_SETTING_SMUXBUF - FIRST] =
        {
            .id = KV_SETTING_SMUXBUF,
            .key = "smuxbuf",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_V1,
            .group = GROUP_TRANSMISSION,
            .default_text = "4194304",
            .min = 65536,
            .max = 268435456,
            .value_name = "BYTES",
            .description = N_("Buffer for received packets that wait to be delivered"),
            .form_label = N_("Receive _queue"),
        },
    [KV_SETTING_KEEPALIVE - FIRST] =
        {
            .id = KV_SETTING_KEEPALIVE,
            .key = "keepalive",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "10",
            .native_default_text = N_("none"),
            .min = 1,
            .max = 30,
            .value_name = "SECONDS",
            .description = N_("Seconds between two heartbeats"),
            .form_label = N_("_Heartbeat"),
        },
    [KV_SETTING_TCP - FIRST] =
        {
            .id = KV_SETTING_TCP,
            .key = "tcp",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_CONNECTION,
            .default_text = "false",
            .description =
                N_("Disguise the datagrams as TCP packets; this version does not support it"),
        },
    [KV_SETTING_CLIENT_ID - FIRST] =
        {
            .id = KV_SETTING_CLIENT_ID,
            .key = "client-id",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .min = 1,
            .max = KV_CLIENT_ID_MAX,
            .value_name = "ID",
            .check = kv_check_client_id,
            .allowed = N_("1 to 16 characters of A-Z, a-z, 0-9, _ and -"),
            .description = N_("Name by which the server knows the client"),
            .form_label = N_("_Identity"),
        },
    [KV_SETTING_AUTO_RECONNECT - FIRST] =
        {
            .id = KV_SETTING_AUTO_RECONNECT,
            .key = "auto-reconnect",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "false",
            .desktop_default_text = "true",
            .description = N_("Connect again after the connection was lost"),
            .form_label = N_("Reconnect _automatically"),
        },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kv_setting_connection_rows) == KV_SETTING_SECRET - FIRST);
