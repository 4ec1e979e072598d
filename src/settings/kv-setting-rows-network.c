/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-setting-check.h"
#include "kv-settings-private.h"

#include "kv-i18n.h"

/* The interface, its addresses, and what is said of the network. */
#define FIRST KV_SETTING_LOCAL_IP

#define GROUP_NETWORK N_("Interface and network")

/* In the order of KvVniMode. */
static const char *const vni_modes[] = {"tun", "tap", NULL};

const KvSetting kv_setting_network_rows[] = {
    [KV_SETTING_LOCAL_IP - FIRST] =
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
    [KV_SETTING_LOCAL_IP6 - FIRST] =
        {
            .id = KV_SETTING_LOCAL_IP6,
            .key = "local-ip6",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_ALL,
            .flags = KV_SETTING_FLAG_DESKTOP | KV_SETTING_FLAG_NATIVE,
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
    [KV_SETTING_NETMASK - FIRST] =
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
    [KV_SETTING_VNI_MTU - FIRST] =
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
    [KV_SETTING_FULL_FRAME_MTU - FIRST] =
        {
            .id = KV_SETTING_FULL_FRAME_MTU,
            .key = "full-frame-mtu",
            .type = KV_SETTING_TYPE_UINT,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_V1,
            .group = GROUP_NETWORK,
            .default_text = "0",
            .max = 65535,
            .value_name = "BYTES",
            .description = N_("Buffer for one frame, at least vni-mtu + 22; 0 is automatic"),
        },
    [KV_SETTING_VNI_NAME_PREFIX - FIRST] =
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
    [KV_SETTING_VNI_MODE - FIRST] =
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
    [KV_SETTING_ASSIGNABLE_IPS - FIRST] =
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
    [KV_SETTING_ASSIGNABLE_IPS6 - FIRST] =
        {
            .id = KV_SETTING_ASSIGNABLE_IPS6,
            .key = "assignable-ips6",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_NATIVE,
            .group = GROUP_NETWORK,
            .min = 5,
            .max = 79,
            .value_name = "RANGE",
            .check = kv_check_address_range6,
            .allowed = N_("ADDRESS/PREFIX or FIRST-LAST with IPv6 addresses"),
            .description =
                N_("IPv6 addresses for the clients; without it they have none but fixed ones"),
        },
    [KV_SETTING_ROUTES - FIRST] =
        {
            .id = KV_SETTING_ROUTES,
            .key = "routes",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_LIST | KV_SETTING_FLAG_NATIVE,
            .group = GROUP_NETWORK,
            .min = 1,
            .max = KV_SETTING_LIST_MAX,
            .value_name = "NETWORK,...",
            .check = kv_check_network,
            .allowed = KV_SETTING_NETWORKS_ALLOWED,
            .description = N_("Networks that the clients are told to reach through the tunnel"),
        },
    [KV_SETTING_DNS - FIRST] =
        {
            .id = KV_SETTING_DNS,
            .key = "dns",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_LIST | KV_SETTING_FLAG_NATIVE,
            .group = GROUP_NETWORK,
            .min = 1,
            .max = 1023,
            .value_name = "ADDRESS,...",
            .check = kv_check_address,
            .allowed = N_("IPv4 and IPv6 addresses of single computers"),
            .description = N_("Name servers that the clients are told to ask"),
        },
    [KV_SETTING_DNS_SEARCH - FIRST] =
        {
            .id = KV_SETTING_DNS_SEARCH,
            .key = "dns-search",
            .type = KV_SETTING_TYPE_STRING,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_LIST | KV_SETTING_FLAG_NATIVE,
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
    [KV_SETTING_CLIENT_TO_CLIENT - FIRST] =
        {
            .id = KV_SETTING_CLIENT_TO_CLIENT,
            .key = "client-to-client",
            .type = KV_SETTING_TYPE_BOOLEAN,
            .side = KV_SIDE_SERVER,
            .flags = KV_SETTING_FLAG_LIVE | KV_SETTING_FLAG_NATIVE,
            .group = GROUP_NETWORK,
            .default_text = "false",
            .description = N_("Clients reach one another through the server"),
        },
    [KV_SETTING_BRIDGE - FIRST] =
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
    [KV_SETTING_VNI_NAME - FIRST] =
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
    [KV_SETTING_PERSISTENT_VNI - FIRST] =
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
    [KV_SETTING_NO_IP_CONFIGURATION - FIRST] =
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
};
G_STATIC_ASSERT(G_N_ELEMENTS(kv_setting_network_rows) == KV_SETTING_HOOK_DIR - FIRST);
