/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-check.h"
#include "kv-settings-private.h"

#include "kv-i18n.h"

#define GROUP_CONNECTION   N_("Connection")
#define GROUP_TRANSMISSION N_("Transmission")
#define GROUP_MANUAL       N_("Transmission in detail (with kcp-mode manual)")
#define GROUP_REPAIR       N_("Forward error correction")
#define GROUP_SECURITY     N_("Security")
#define GROUP_NETWORK      N_("Interface and network")
#define GROUP_PROGRAM      N_("Programs and operation")

#define COMMAND_ALLOWED                                                                            \
    N_("a program and at most 64 arguments, quoted as in a shell; in an argument, %i is the "      \
       "interface and %% a percent sign")

static const char *const kcp_modes[] = {"normal", "fast", "fast2", "fast3", "manual", NULL};

/* In the order of KvCipher, and behind it of KvNativeCrypt. */
static const char *const ciphers[] = {
    "aes",         "aes-128", "aes-192", "salsa20", "blowfish",
    "twofish",     "cast5",   "3des",    "tea",     "xtea",
    "xor",         "sm4",     "none",    "auto",    "chacha20-poly1305",
    "aes-256-gcm", NULL,
};
G_STATIC_ASSERT(G_N_ELEMENTS(ciphers) == KV_N_CIPHERS + KV_N_NATIVE_CRYPTS + 1);

/* In the orders of KvVniMode and KvRole. */
static const char *const vni_modes[] = {"tun", "tap", NULL};
static const char *const roles[] = {"client", "server", "peer", NULL};

const KvSetting kv_setting_table[] = {
    [KV_SETTING_IP] =
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
    [KV_SETTING_PORT] =
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
    [KV_SETTING_UDP_MTU] =
        {
            .id = KV_SETTING_UDP_MTU,
            .key = "udp-mtu",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "1350",
            .min = KV_SETTING_UDP_MTU_MIN,
            .max = 1500,
            .value_name = "BYTES",
            .description = N_("Largest UDP payload to send"),
            .form_label = N_("Ma_x. UDP payload"),
        },
    [KV_SETTING_KCP_MODE] =
        {
            .id = KV_SETTING_KCP_MODE,
            .key = "kcp-mode",
            .type = KV_SETTING_TYPE_CHOICE,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_TRANSMISSION,
            .default_text = "fast",
            .choices = kcp_modes,
            .value_name = "MODE",
            .description = N_("How eagerly lost packets are sent again; fast3 is the most eager, "
                              "manual takes the single values"),
            .form_label = N_("_KCP mode"),
        },
    [KV_SETTING_NODELAY] =
        {
            .id = KV_SETTING_NODELAY,
            .key = "nodelay",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_MANUAL,
            .default_text = "0",
            .max = 1,
            .value_name = "0|1",
            .description = N_("1 lowers the least retransmission timeout from 100 to 30 ms"),
            .form_label = N_("Short _timeout"),
        },
    [KV_SETTING_INTERVAL] =
        {
            .id = KV_SETTING_INTERVAL,
            .key = "interval",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_MANUAL,
            .default_text = "50",
            .min = 1,
            .max = 60000,
            .value_name = "MS",
            .description = N_("Milliseconds between two looks at the timers; held to 10..5000"),
            .form_label = N_("Timer inter_val"),
        },
    [KV_SETTING_RESEND] =
        {
            .id = KV_SETTING_RESEND,
            .key = "resend",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_MANUAL,
            .default_text = "0",
            .max = 255,
            .value_name = "COUNT",
            .description = N_("Later acknowledgements after which a packet is sent again at once; "
                              "0 waits for the timeout"),
            .form_label = N_("_Fast resend"),
        },
    [KV_SETTING_NC] =
        {
            .id = KV_SETTING_NC,
            .key = "nc",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_MANUAL,
            .default_text = "0",
            .max = 1,
            .value_name = "0|1",
            .description = N_("1 turns the congestion window off"),
            .form_label = N_("No congestion _window"),
        },
    [KV_SETTING_ACKNODELAY] =
        {
            .id = KV_SETTING_ACKNODELAY,
            .key = "acknodelay",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_HIDDEN | KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_MANUAL,
            .default_text = "false",
            .description = N_("Acknowledge every packet at once instead of at the next interval"),
            .form_label = N_("Acknow_ledge at once"),
        },
    [KV_SETTING_SNDWND] =
        {
            .id = KV_SETTING_SNDWND,
            .key = "sndwnd",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_TRANSMISSION,
            .default_text = "1024",
            .min = 1,
            .max = 65535,
            .value_name = "PACKETS",
            .description = N_("Packets that may be under way at a time"),
            .form_label = N_("Sen_d window"),
        },
    [KV_SETTING_RCVWND] =
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
    [KV_SETTING_DATASHARD] =
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
            .description = N_("Data packets in a group of forward error correction; the same on "
                              "both ends; 0 turns it off"),
            .form_label = N_("Data packets in a _group"),
        },
    [KV_SETTING_PARITYSHARD] =
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
            .description = N_("Repair packets added to a group; the same on both ends; 0 turns "
                              "forward error correction off"),
            .form_label = N_("Repair pac_kets"),
        },
    [KV_SETTING_RAPID_FEC] =
        {
            .id = KV_SETTING_RAPID_FEC,
            .key = "rapid-fec",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_REPAIR,
            .default_text = "false",
            .description = N_("Repair early when only a few packets a second are sent, for a "
                              "little more traffic"),
            .form_label = N_("_Early repair"),
        },
    [KV_SETTING_DSCP] =
        {
            .id = KV_SETTING_DSCP,
            .key = "dscp",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "0",
            .max = 63,
            .value_name = "VALUE",
            .description = N_("Differentiated services code point of the outer packets"),
            .form_label = N_("DSC_P"),
        },
    [KV_SETTING_SOCKBUF] =
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
    [KV_SETTING_SMUXBUF] =
        {
            .id = KV_SETTING_SMUXBUF,
            .key = "smuxbuf",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_TRANSMISSION,
            .default_text = "4194304",
            .min = 65536,
            .max = 268435456,
            .value_name = "BYTES",
            .description = N_("Buffer for received packets that wait to be delivered"),
            .form_label = N_("Receive _queue"),
        },
    [KV_SETTING_KEEPALIVE] =
        {
            .id = KV_SETTING_KEEPALIVE,
            .key = "keepalive",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "10",
            .min = 1,
            .max = 30,
            .value_name = "SECONDS",
            .description = N_("Seconds between two heartbeats"),
            .form_label = N_("_Heartbeat"),
        },
    [KV_SETTING_SECRET] =
        {
            .id = KV_SETTING_SECRET,
            .key = "secret",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = 1,
            .max = 4096,
            .value_name = "TEXT",
            .allowed = N_("1 to 4096 bytes of UTF-8 text without control characters"),
            .description = N_("Secret that both ends share; better given by a file or by the "
                              "environment variable KCPVPN_KEY"),
            .form_label = N_("Sec_ret"),
            .form_help = N_("Secret that both ends share"),
        },
    [KV_SETTING_SECRET_FILE] =
        {
            .id = KV_SETTING_SECRET_FILE,
            .key = "secret-file",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_BOTH,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_SECURITY,
            .min = 1,
            .max = 4095,
            .value_name = "FILE",
            .description = N_("File whose first line is the secret; only its owner may read it"),
        },
    [KV_SETTING_CRYPT] =
        {
            .id = KV_SETTING_CRYPT,
            .key = "crypt",
            .type = KV_SETTING_TYPE_CHOICE,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .default_text = "aes",
            .choices = ciphers,
            .value_name = "CIPHER",
            .description =
                N_("Cipher, the same on both ends; auto, chacha20-poly1305 and aes-256-gcm "
                   "are the native protocol, the others protocol v1; none, xor, tea "
                   "and the ciphers with 64-bit blocks are weak"),
            .form_label = N_("C_ipher"),
        },
    [KV_SETTING_PRIVATE_KEY] =
        {
            .id = KV_SETTING_PRIVATE_KEY,
            .key = "private-key",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_key,
            .allowed = KV_SETTING_KEY_ALLOWED,
            .description =
                N_("Private key of this end, for the native protocol; better given by a file"),
            .form_label = N_("Private ke_y"),
            .form_help = N_("Private key of this computer, for the native protocol with keys"),
        },
    [KV_SETTING_PRIVATE_KEY_FILE] =
        {
            .id = KV_SETTING_PRIVATE_KEY_FILE,
            .key = "private-key-file",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_SECURITY,
            .min = 1,
            .max = 4095,
            .value_name = "FILE",
            .description =
                N_("File whose first line is the private key; only its owner may read it"),
        },
    [KV_SETTING_PUBLIC_KEY] =
        {
            .id = KV_SETTING_PUBLIC_KEY,
            .key = "public-key",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_public_key,
            .allowed = KV_SETTING_KEY_ALLOWED,
            .description = N_("Public key of the server"),
            .form_label = N_("Server's pu_blic key"),
        },
    [KV_SETTING_PRESHARED_KEY] =
        {
            .id = KV_SETTING_PRESHARED_KEY,
            .key = "preshared-key",
            .type = KV_SETTING_TYPE_SECRET,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_SECURITY,
            .min = KV_SETTING_KEY_LENGTH,
            .max = KV_SETTING_KEY_LENGTH,
            .value_name = "KEY",
            .check = kv_check_key,
            .allowed = KV_SETTING_KEY_ALLOWED,
            .description = N_("Key that both ends share beside their key pairs; the server has one "
                              "for each client"),
            .form_label = N_("Pre_shared key"),
            .form_help = N_("Key that both ends share beside their key pairs"),
        },
    [KV_SETTING_LOCAL_IP] =
        {
            .id = KV_SETTING_LOCAL_IP,
            .key = "local-ip",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_NETWORK,
            .min = 7,
            .max = 15,
            .value_name = "ADDRESS",
            .check = kv_check_ip4,
            .allowed = N_("an IPv4 address other than 0.0.0.0"),
            .description = N_(
                "IPv4 tunnel address of this end: the server's own, or the one a client wants to "
                "have"),
            .form_label = N_("IPv_4 tunnel address"),
            .form_help = N_("IPv4 address that this computer wants to have in the tunnel"),
        },
    [KV_SETTING_LOCAL_IP6] =
        {
            .id = KV_SETTING_LOCAL_IP6,
            .key = "local-ip6",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_NETWORK,
            .min = 3,
            .max = 43,
            .value_name = "ADDRESS",
            .check = kv_check_ip6,
            .allowed = N_("an IPv6 address for one computer such as 2001:db8::1, on a server also "
                          "with a prefix as in 2001:db8::1/64"),
            .description = N_("IPv6 tunnel address of this end: the server's own, or the one a "
                              "client wants to have"),
            .form_label = N_("IPv_6 tunnel address"),
            .form_help = N_("IPv6 address that this computer wants to have in the tunnel"),
        },
    [KV_SETTING_NETMASK] =
        {
            .id = KV_SETTING_NETMASK,
            .key = "netmask",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_NETWORK,
            .min = 7,
            .max = 15,
            .value_name = "NETMASK",
            .check = kv_check_netmask,
            .allowed = N_("an IPv4 netmask such as 255.255.255.0"),
            .description =
                N_("Netmask of the tunnel network; with tap or the native protocol only"),
            .form_label = N_("Net_mask"),
        },
    [KV_SETTING_VNI_MTU] =
        {
            .id = KV_SETTING_VNI_MTU,
            .key = "vni-mtu",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_NETWORK,
            .default_text = "1500",
            .max = 65521,
            .value_name = "BYTES",
            .check = kv_check_vni_mtu,
            .allowed = N_("0 or a whole number from 68 to 65521"),
            .description = N_("MTU of the interface; the smaller one of both ends counts; 0 on a "
                              "client has no wish"),
            .form_label = N_("MT_U"),
            .form_help = N_("MTU of the interface; the smaller one of both ends counts; 0 leaves "
                            "it to the server"),
        },
    [KV_SETTING_FULL_FRAME_MTU] =
        {
            .id = KV_SETTING_FULL_FRAME_MTU,
            .key = "full-frame-mtu",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .default_text = "0",
            .max = 65535,
            .value_name = "BYTES",
            .description = N_("Buffer for one frame, at least vni-mtu + 22; 0 is automatic"),
        },
    [KV_SETTING_VNI_NAME_PREFIX] =
        {
            .id = KV_SETTING_VNI_NAME_PREFIX,
            .key = "vni-name-prefix",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .default_text = "kvs",
            .min = 1,
            .max = KV_INTERFACE_NAME_MAX - 1,
            .value_name = "PREFIX",
            .check = kv_check_interface_name,
            .allowed =
                N_("1 to 14 printable ASCII characters, none of them / : or %, and not . or .."),
            .description = N_("Start of the names of the server's interfaces; a number follows"),
        },
    [KV_SETTING_VNI_MODE] =
        {
            .id = KV_SETTING_VNI_MODE,
            .key = "vni-mode",
            .type = KV_SETTING_TYPE_CHOICE,
            .side = KV_SIDE_SERVER | KV_SIDE_PEER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .choices = vni_modes,
            .value_name = "MODE",
            .description = N_("Kind of the interfaces: tun carries IP packets, tap Ethernet "
                              "frames; clients follow"),
        },
    [KV_SETTING_ASSIGNABLE_IPS] =
        {
            .id = KV_SETTING_ASSIGNABLE_IPS,
            .key = "assignable-ips",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .min = 9,
            .max = 31,
            .value_name = "RANGE",
            .check = kv_check_address_range,
            .allowed = N_("ADDRESS/PREFIX, ADDRESS/NETMASK or FIRST-LAST with IPv4 addresses"),
            .description = N_("Addresses for the clients; without it every client chooses its own"),
        },
    [KV_SETTING_ASSIGNABLE_IPS6] =
        {
            .id = KV_SETTING_ASSIGNABLE_IPS6,
            .key = "assignable-ips6",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .min = 5,
            .max = 79,
            .value_name = "RANGE",
            .check = kv_check_address_range6,
            .allowed = N_("ADDRESS/PREFIX or FIRST-LAST with IPv6 addresses"),
            .description =
                N_("IPv6 addresses for the clients; without it they have none but fixed ones"),
        },
    [KV_SETTING_ROUTES] =
        {
            .id = KV_SETTING_ROUTES,
            .key = "routes",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIST,
            .group = GROUP_NETWORK,
            .min = 1,
            .max = KV_SETTING_LIST_MAX,
            .value_name = "NETWORK,...",
            .check = kv_check_network,
            .allowed = KV_SETTING_NETWORKS_ALLOWED,
            .description = N_("Networks that the clients are told to reach through the tunnel"),
        },
    [KV_SETTING_DNS] =
        {
            .id = KV_SETTING_DNS,
            .key = "dns",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIST,
            .group = GROUP_NETWORK,
            .min = 1,
            .max = 1023,
            .value_name = "ADDRESS,...",
            .check = kv_check_address,
            .allowed = N_("IPv4 and IPv6 addresses of single computers"),
            .description = N_("Name servers that the clients are told to ask"),
        },
    [KV_SETTING_DNS_SEARCH] =
        {
            .id = KV_SETTING_DNS_SEARCH,
            .key = "dns-search",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIST,
            .group = GROUP_NETWORK,
            .min = 1,
            .max = KV_SETTING_LIST_MAX,
            .value_name = "DOMAIN,...",
            .check = kv_check_domain,
            .allowed = N_("domain names, with ~ in front for routing only; . is the root, so that "
                          "~. is every name"),
            .description = N_("Domains that those name servers are for; short names are looked for "
                              "in them, but in none with a ~"),
        },
    [KV_SETTING_CLIENT_TO_CLIENT] =
        {
            .id = KV_SETTING_CLIENT_TO_CLIENT,
            .key = "client-to-client",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .default_text = "false",
            .description =
                N_("Clients of the native protocol reach one another through the server"),
        },
    [KV_SETTING_HOOK_DIR] =
        {
            .id = KV_SETTING_HOOK_DIR,
            .key = "hook-dir",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_PROGRAM,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4095,
            .value_name = "DIRECTORY",
            .description =
                N_("Directory with the programs on_<client-id>_connected or else on_connected, and "
                   "the same for disconnected"),
        },
    [KV_SETTING_BRIDGE] =
        {
            .id = KV_SETTING_BRIDGE,
            .key = "bridge",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .min = 1,
            .max = KV_INTERFACE_NAME_MAX,
            .value_name = "NAME",
            .check = kv_check_interface_name,
            .allowed =
                N_("1 to 15 printable ASCII characters, none of them / : or %, and not . or .."),
            .description = N_("Existing bridge to put the interface into; with tap only"),
        },
    [KV_SETTING_TCP] =
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
    [KV_SETTING_CLIENT_ID] =
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
    [KV_SETTING_VNI_NAME] =
        {
            .id = KV_SETTING_VNI_NAME,
            .key = "vni-name",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_CLIENT | KV_SIDE_PEER,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_NETWORK,
            .default_text = "kvc0",
            .min = 1,
            .max = KV_INTERFACE_NAME_MAX,
            .value_name = "NAME",
            .check = kv_check_interface_name,
            .allowed =
                N_("1 to 15 printable ASCII characters, none of them / : or %, and not . or .."),
            .description = N_("Name of the interface"),
            .form_label = N_("Interface _name"),
        },
    [KV_SETTING_PERSISTENT_VNI] =
        {
            .id = KV_SETTING_PERSISTENT_VNI,
            .key = "persistent-vni",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_CLIENT | KV_SIDE_PEER,
            .flags = KV_SETTING_FLAG_NONE,
            .group = GROUP_NETWORK,
            .default_text = "false",
            .description = N_("Leave the interface in place when the program ends"),
        },
    [KV_SETTING_AUTO_RECONNECT] =
        {
            .id = KV_SETTING_AUTO_RECONNECT,
            .key = "auto-reconnect",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_CONNECTION,
            .default_text = "false",
            .desktop_default_text = "true",
            .description = N_("Connect again after the connection was lost"),
            .form_label = N_("Reconnect _automatically"),
        },
    [KV_SETTING_NO_IP_CONFIGURATION] =
        {
            .id = KV_SETTING_NO_IP_CONFIGURATION,
            .key = "no-ip-configuration",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_DESKTOP,
            .group = GROUP_NETWORK,
            .default_text = "false",
            .description = N_("Leave addresses to a bridge, to DHCP or to a hook"),
            .form_label = N_("Leave addresses al_one"),
        },
    [KV_SETTING_ON_CONNECTED_HOOK] =
        {
            .id = KV_SETTING_ON_CONNECTED_HOOK,
            .key = "on-connected-hook",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_CLIENT,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_PROGRAM,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4095,
            .value_name = "PROGRAM",
            .description = N_("Program to run once connected"),
        },
    [KV_SETTING_NAME] =
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
    [KV_SETTING_ROLE] =
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
    [KV_SETTING_WORKERS] =
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
    [KV_SETTING_AUTOSTART] =
        {
            .id = KV_SETTING_AUTOSTART,
            .key = "autostart",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NO_ARGV,
            .group = GROUP_PROGRAM,
            .default_text = "false",
            .description = N_("The system service starts the tunnel when it starts itself"),
        },
    [KV_SETTING_USERS] =
        {
            .id = KV_SETTING_USERS,
            .key = "users",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_NO_ARGV | KV_SETTING_FLAG_LIST,
            .group = GROUP_PROGRAM,
            .min = 1,
            .max = 4096,
            .value_name = "USER,...",
            .check = kv_check_user_name,
            .allowed = N_("user names of 1 to 32 visible ASCII characters without , : ; or /"),
            .description = N_("Users who may start and stop the tunnel by the system service "
                              "without an administrator's password"),
        },
    [KV_SETTING_UP] =
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
    [KV_SETTING_DOWN] =
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
G_STATIC_ASSERT(G_N_ELEMENTS(kv_setting_table) == KV_N_SETTINGS);
