/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-peer-list.h"
#include "kv-test.h"

#include <glib/gstdio.h>
#include <string.h>

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "j0DFrbaPJWJK5bIU6nZ6bslNgp09e15a0bpvPiE4KF8="
#define PSK   "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
#define HEAD  "[tunnel]\nrole=server\n"

/* Both peers with all that a server's can have. */
#define TWO_PEERS                                                                                  \
    "[peer b]\npublic-key=" KEY_A "\npreshared-key=" PSK                                           \
    "\nallowed-ips=10.1.0.0/16;2001:db8:1::/48;\nlocal-ip=10.0.0.7\nlocal-ip6=fd00::7\n"           \
    "routes=192.168.7.0/24;\nkeepalive=0\n\n[peer A_-9]\npublic-key=" KEY_B "\n"

static KvSettings *
load(const char *text, GError **error)
{
    return kv_settings_new_from_data(text, strlen(text), "x.kcpvpn", error);
}

static void
check_message(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvSettings) settings = load(text, &error);

    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, message);
    g_assert_cmpint(settings == NULL, ==, message != NULL);
    if (error != NULL)
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
}

/* Proves: each row is of the sides it should be, with all that a person is told. */
static void
test_rows(void)
{
    static const char *const keys[] = {"public-key", "preshared-key", "allowed-ips", "local-ip",
                                       "local-ip6",  "routes",        "endpoint",    "keepalive"};

    g_assert_cmpuint(G_N_ELEMENTS(keys), ==, KV_N_PEER_SETTINGS);
    for (guint i = 0; i < KV_N_PEER_SETTINGS; i++) {
        const KvSetting *row = kv_peer_setting_get(i);

        g_assert_cmpuint(row->id, ==, i);
        g_assert_cmpstr(row->key, ==, keys[i]);
        g_assert_true(kv_peer_setting_find(row->key) == row);
        g_assert_cmpint((row->side & KV_SIDE_CLIENT), ==, 0);
        g_assert_nonnull(row->description);
        g_assert_nonnull(row->value_name);
    }
    g_assert_null(kv_peer_setting_find("secret"));
}

/* Proves: what is read is written again, in its order, secrets only if asked for. */
static void
test_round_trip(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KvSettings) settings = load(HEAD TWO_PEERS, &error);
    g_autofree char *with = NULL;
    g_autofree char *without = NULL;

    g_assert_no_error(error);
    with = kv_settings_to_data(settings, TRUE);
    without = kv_settings_to_data(settings, FALSE);
    g_assert_cmpstr(with, ==, HEAD "\n" TWO_PEERS);
    g_assert_null(strstr(without, PSK));
    g_assert_nonnull(strstr(without, "[peer b]\npublic-key=" KEY_A "\nallowed-ips="));
}

/* Proves: values come out as what they stand for. */
static void
test_getters(void)
{
    g_autoptr(KvSettings) settings = load(HEAD TWO_PEERS, NULL);
    const KvPeerList *peers = kv_settings_get_peers(settings);
    const KvPeerSettings *peer = kv_peer_list_get(peers, 0);
    g_autoptr(GArray) networks = kv_peer_settings_list_networks(peer, KV_PEER_SETTING_ALLOWED_IPS);
    g_autofree char *secret = kv_peer_settings_to_text(peer, KV_PEER_SETTING_PRESHARED_KEY);
    char text[KV_NETWORK_TEXT_BYTES];
    uint8_t key[KV_KEY_BYTES] = {0};

    g_assert_cmpuint(kv_peer_list_get_length(peers), ==, 2);
    g_assert_cmpstr(kv_peer_settings_get_name(peer), ==, "b");
    g_assert_true(kv_peer_list_find(peers, "b") == peer);
    g_assert_null(kv_peer_list_find(peers, "B"));
    g_assert_null(kv_peer_list_find_key(peers, key));
    g_assert_true(kv_peer_settings_get_key(peer, KV_PEER_SETTING_PUBLIC_KEY, key));
    g_assert_cmpuint(key[31], ==, 31);
    g_assert_true(kv_peer_list_find_key(peers, key) == peer);
    g_assert_true(kv_peer_settings_get_key(peer, KV_PEER_SETTING_PRESHARED_KEY, key));
    g_assert_cmpuint(key[31], ==, 1);
    g_assert_cmpstr(secret, ==, "(set)");
    g_assert_cmpuint(networks->len, ==, 2);
    g_assert_cmpstr(kv_network_to_string(&g_array_index(networks, KvNetwork, 1), text), ==,
                    "2001:db8:1::/48");
    g_assert_true(kv_peer_settings_is_set(peer, KV_PEER_SETTING_KEEPALIVE));
    g_assert_cmpuint(kv_peer_settings_get_uint(peer, KV_PEER_SETTING_KEEPALIVE), ==, 0);
    g_assert_cmpstr(kv_peer_settings_get_string(peer, KV_PEER_SETTING_LOCAL_IP), ==, "10.0.0.7");
    g_assert_false(kv_peer_settings_is_set(kv_peer_list_get(peers, 1), KV_PEER_SETTING_KEEPALIVE));
}

/* Proves: an endpoint is split into host and port, and is of equals only. */
static void
test_endpoint(void)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: not allowed */
        guint port;
    } cases[] = {
        {"vpn.example.org:1235", "vpn.example.org", 1235},
        {"[2001:db8::1]:65535", "2001:db8::1", 65535},
        {"192.0.2.1:1", "192.0.2.1", 1},
        {"2001:db8::1:1235", NULL, 0},
        {"host", NULL, 0},
        {"host:", NULL, 0},
        {":1", NULL, 0},
        {"host:0", NULL, 0},
        {"host:65536", NULL, 0},
        {"host:+1", NULL, 0},
        {"host:01", NULL, 0},
        {"a b:1", NULL, 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(KvPeerSettings) peer = kv_peer_settings_new(KV_ROLE_PEER, "x", NULL);
        g_autofree char *host = NULL;
        uint16_t port = 0;
        gboolean good =
            kv_peer_settings_set_text(peer, KV_PEER_SETTING_ENDPOINT, cases[i].text, NULL);

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(good, ==, cases[i].host != NULL);
        g_assert_cmpint(kv_peer_settings_get_endpoint(peer, &host, &port), ==, good);
        g_assert_cmpstr(host, ==, cases[i].host);
        g_assert_cmpuint(port, ==, cases[i].port);
    }
    check_message(HEAD "[peer x]\nendpoint=a:1\n",
                  "x.kcpvpn:4: peer x: endpoint: a server's peers do not have this setting");
    check_message("[tunnel]\nrole=peer\n[peer x]\nlocal-ip=10.0.0.1\n",
                  "x.kcpvpn:4: peer x: local-ip: only a server's peers have this setting");
}

/* Proves: each mistake is told with its line, peer, key, value and what is allowed. */
static void
test_mistakes(void)
{
    check_message(
        HEAD "[peer x]\n",
        "x.kcpvpn:3: peer x: public-key: required, but not given; allowed: 44 "
        "characters of base64 as kcpvpn pubkey writes them; not one of the few keys, such "
        "as zeros alone, that protect nothing");
    check_message(HEAD "[peer a b]\n", "x.kcpvpn:3: peer: \"a b\" is not allowed as a name; "
                                       "allowed: 1 to 64 characters of A-Z, a-z, 0-9, _ and -");
    check_message(HEAD "[peer ]\n", "x.kcpvpn:3: peer: \"\" is not allowed as a name; allowed: 1 "
                                    "to 64 characters of A-Z, a-z, 0-9, _ and -");
    check_message(HEAD "[peer]\n",
                  "x.kcpvpn:3: \"peer\" is not a known group; allowed: tunnel, peer NAME");
    check_message(HEAD "[peer x]\nsecret=s\n",
                  "x.kcpvpn:4: \"secret\" is not a known setting of a peer");
    check_message(HEAD "[peer x]\nkeepalive=1\nkeepalive=2\n",
                  "x.kcpvpn:5: keepalive: stands here for the second time, after line 4");
    check_message(HEAD "[peer x]\nkeepalive=65536\n",
                  "x.kcpvpn:4: peer x: keepalive: \"65536\" is not allowed; allowed: a whole "
                  "number from 0 to 65535");
    check_message(HEAD "[peer x]\nallowed-ips=10.0.0.1/8\n",
                  "x.kcpvpn:4: peer x: allowed-ips: \"10.0.0.1/8\" is not allowed; allowed: "
                  "networks such as 10.0.0.0/8 or 2001:db8::/32, without a bit set below the "
                  "prefix");
    check_message(HEAD "[peer x]\npreshared-key=hush\n",
                  "x.kcpvpn:4: peer x: preshared-key: this value is not allowed; allowed: a key of "
                  "32 bytes in base64, 44 characters, as kcpvpn genkey, pubkey and genpsk write "
                  "them");
    check_message("[tunnel]\nrole=client\n[peer x]\npublic-key=" KEY_A "\n",
                  "x.kcpvpn:3: peer x: a client has no peers; its server is the one of public-key");
}

/* Proves: names, public keys and networks are of one peer each; a peer may repeat its own. */
static void
test_unique(void)
{
    check_message(HEAD "[peer x]\npublic-key=" KEY_A "\n[peer x]\npublic-key=" KEY_B "\n",
                  "x.kcpvpn:5: peer x: stands here for the second time");
    check_message(HEAD "[peer x]\npublic-key=" KEY_A "\n[peer y]\npublic-key=" KEY_A "\n",
                  "x.kcpvpn:5: peer y: public-key: " KEY_A " is already that of peer x");
    check_message(HEAD "[peer x]\npublic-key=" KEY_A "\nallowed-ips=10.0.0.0/8\n"
                       "[peer y]\npublic-key=" KEY_B "\nroutes=::/0;10.0.0.0/8\n",
                  "x.kcpvpn:6: peer y: routes: 10.0.0.0/8 is already that of peer x");
    check_message(HEAD "[peer x]\npublic-key=" KEY_A "\nlocal-ip6=fd00::1\n"
                       "[peer y]\npublic-key=" KEY_B "\nallowed-ips=fd00:0::1/128\n",
                  "x.kcpvpn:6: peer y: allowed-ips: fd00::1 is already that of peer x");
    check_message(HEAD "[peer x]\npublic-key=" KEY_A "\nallowed-ips=10.0.0.0/8\n"
                       "routes=10.0.0.0/8\n[peer y]\npublic-key=" KEY_B
                       "\nallowed-ips=10.0.0.0/16\n",
                  NULL);
}

/* (transfer full): of number @i. */
static KvPeerSettings *
make_peer(guint i, const char *allowed_ips)
{
    g_autofree char *name = g_strdup_printf("p%u", i);
    KvPeerSettings *peer = kv_peer_settings_new(KV_ROLE_SERVER, name, NULL);
    uint8_t key[KV_KEY_BYTES] = {9, (uint8_t) i, (uint8_t) (i >> 8)};
    char text[KV_KEY_TEXT_BYTES];

    kv_key_to_string(key, text);
    g_assert_true(kv_peer_settings_set_text(peer, KV_PEER_SETTING_PUBLIC_KEY, text, NULL));
    if (allowed_ips != NULL)
        g_assert_true(
            kv_peer_settings_set_text(peer, KV_PEER_SETTING_ALLOWED_IPS, allowed_ips, NULL));
    return peer;
}

/* Adds peers with 700 addresses each. Returns: how many, with the one that was too much. */
static guint
fill(gboolean ip6, GError **error)
{
    g_autoptr(KvPeerList) list = kv_peer_list_new();
    guint n = 0;

    for (gboolean ok = TRUE; ok; n++) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < 700; i++) {
            g_autofree char *address =
                !ip6 ? g_strdup_printf("%s10.%u.%u.%u", i > 0 ? "," : "", n, i >> 8, i & 255)
                     : g_strdup_printf("%sfd00:1234::%x:%x", i > 0 ? "," : "", 0x1000 + n,
                                       0x1000 + i);

            g_string_append(text, address);
        }
        ok = kv_peer_list_add(list, make_peer(n, text->str), error);
    }
    return n;
}

/* Proves: an address that no client can have is not one's for good: the server's own, and the ends
 * of its network, which v1 gives away. */
static void
test_fixed_address(void)
{
    static const struct {
        const char *crypt;
        const char *lines; /* of the peer */
        const char *error; /* NULL: allowed */
    } cases[] = {
        {"auto", "local-ip=10.0.0.5", NULL},
        {"auto", "local-ip=10.0.0.1", "peer x: local-ip: 10.0.0.1 is the server's own address"},
        {"aes", "local-ip=10.0.0.1", "peer x: local-ip: 10.0.0.1 is the server's own address"},
        {"auto", "local-ip=10.0.0.255",
         "peer x: local-ip: 10.0.0.255 is an end of the server's network, and no client's address"},
        {"auto", "local-ip=10.0.0.0",
         "peer x: local-ip: 10.0.0.0 is an end of the server's network, and no client's address"},
        {"aes", "local-ip=10.0.0.255", NULL},
        {"auto", "local-ip=10.0.1.255", NULL},
        {"auto", "local-ip6=fd00::1", "peer x: local-ip6: fd00::1 is the server's own address"},
        {"aes", "local-ip6=fd00::",
         "peer x: local-ip6: fd00:: is an end of the server's network, and no client's address"},
        {"auto", "local-ip6=fd00::ffff:ffff:ffff:ffff", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf(
            HEAD "ip=0.0.0.0\nport=7\nvni-mode=tun\ncrypt=%s\nlocal-ip=10.0.0.1\n"
                 "netmask=255.255.255.0\nlocal-ip6=fd00::1/64\n[peer x]\npublic-key=" KEY_A
                 "\n%s\n",
            cases[i].crypt, cases[i].lines);
        g_autoptr(KvSettings) settings = load(text, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(kv_settings_validate_saved(settings, &error), ==, cases[i].error == NULL);
        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, cases[i].error);
    }
}

/* Proves: what the kernel would not set on an interface with so small an MTU is told before. */
static void
test_mtu6(void)
{
    static const struct {
        const char *lines; /* of the tunnel, and of the peer */
        const char *error; /* NULL: allowed */
    } cases[] = {
        {"role=peer\nvni-mtu=1279\n[peer x]\nallowed-ips=10.0.0.2/32", NULL},
        {"role=peer\nvni-mtu=1280\nlocal-ip6=fd00::1\n[peer x]\nallowed-ips=fd00::2/128", NULL},
        {"role=peer\nvni-mtu=1279\nlocal-ip6=fd00::1\n[peer x]",
         "local-ip6: IPv6 needs a vni-mtu of at least 1280, and it is 1279"},
        {"role=peer\nvni-mtu=68\n[peer x]\nallowed-ips=10.0.0.2/32;fd00::2/128",
         "peer x: allowed-ips: IPv6 needs a vni-mtu of at least 1280, and it is 68"},
        {"role=peer\nvni-mtu=68\nvni-mode=tap\n[peer x]\nallowed-ips=fd00::2/128", NULL},
        {"role=server\nip=::\nport=7\nvni-mode=tun\nvni-mtu=576\nassignable-ips6=fd00::/64\n[peer "
         "x]",
         "assignable-ips6: IPv6 needs a vni-mtu of at least 1280, and it is 576"},
        {"role=server\nip=::\nport=7\nvni-mode=tun\nvni-mtu=576\n[peer x]\nroutes=fd02::/64",
         "peer x: routes: IPv6 needs a vni-mtu of at least 1280, and it is 576"},
        {"role=server\nip=::\nport=7\nvni-mode=tun\nvni-mtu=576\n[peer x]\nlocal-ip6=fd00::5",
         "peer x: local-ip6: IPv6 needs a vni-mtu of at least 1280, and it is 576"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("[tunnel]\n%s\npublic-key=" KEY_A "\n", cases[i].lines);
        g_autoptr(KvSettings) settings = load(text, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(kv_settings_validate_saved(settings, &error), ==, cases[i].error == NULL);
        g_assert_cmpstr(error != NULL ? error->message : NULL, ==, cases[i].error);
    }
}

/* Proves: there are bounds to the number of peers and to what they take in a file, which all that
 * is within them can be written to and read from. */
static void
test_bounds(void)
{
    g_autoptr(KvPeerList) many = kv_peer_list_new();
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);
    g_autoptr(KvSettings) again = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) number = NULL;
    g_autoptr(GError) bytes = NULL;
    g_autoptr(GError) networks = NULL;

    for (guint i = 0; i < KV_CLIENTS_MAX; i++)
        g_assert_true(kv_peer_list_add(many, make_peer(i, NULL), NULL));
    kv_settings_set_peers(settings, kv_peer_list_ref(many));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_ROLE, "server", NULL));
    text = kv_settings_to_data(settings, TRUE);
    again = load(text, NULL);
    g_assert_true(kv_settings_equal(settings, again));
    g_assert_false(kv_peer_list_add(many, make_peer(KV_CLIENTS_MAX, NULL), &number));
    g_assert_cmpstr(number->message, ==, "peer p4096: there are more peers than 4096");
    g_assert_cmpuint(fill(FALSE, &networks), ==, 94);
    g_assert_cmpstr(networks->message, ==,
                    "peer p93: with its networks there are more than 65536 of all peers");
    g_assert_cmpuint(fill(TRUE, &bytes), <, 94);
    g_assert_nonnull(strstr(bytes->message, "take more than 983040 bytes in a key file"));
}

/* Proves: peers are replaced as a whole; one that comes without a preshared key keeps the one of
 * its public key, unless it says that it has none. */
static void
test_merge(void)
{
    g_autoptr(KvSettings) settings = load(HEAD TWO_PEERS, NULL);
    g_autoptr(KvSettings) nothing = kv_settings_new(KV_ROLE_SERVER);
    g_autoptr(KvSettings) renamed = load(HEAD "[peer new]\npublic-key=" KEY_A "\n", NULL);
    g_autoptr(KvSettings) without =
        load(HEAD "[peer new]\npublic-key=" KEY_A "\npreshared-key=\n", NULL);
    const KvPeerSettings *peer;

    kv_settings_merge(settings, nothing);
    g_assert_cmpuint(kv_peer_list_get_length(kv_settings_get_peers(settings)), ==, 2);
    kv_settings_merge(settings, renamed);
    g_assert_cmpuint(kv_peer_list_get_length(kv_settings_get_peers(settings)), ==, 1);
    peer = kv_peer_list_get(kv_settings_get_peers(settings), 0);
    g_assert_cmpstr(kv_peer_settings_get_name(peer), ==, "new");
    g_assert_true(kv_peer_settings_is_set(peer, KV_PEER_SETTING_PRESHARED_KEY));
    g_assert_false(kv_peer_settings_is_set(peer, KV_PEER_SETTING_ALLOWED_IPS));
    g_assert_false(kv_settings_equal(settings, renamed));
    kv_settings_merge(settings, without);
    peer = kv_peer_list_get(kv_settings_get_peers(settings), 0);
    g_assert_false(kv_peer_settings_is_set(peer, KV_PEER_SETTING_PRESHARED_KEY));
    g_assert_true(kv_settings_equal(settings, without));
    kv_settings_set_peers(nothing, kv_peer_list_new());
    kv_settings_merge(settings, nothing);
    g_assert_cmpuint(kv_peer_list_get_length(kv_settings_get_peers(settings)), ==, 0);
}

/* Proves: a file that everybody can read may hold no key that is a secret. */
static void
test_file_mode(void)
{
    static const char *const texts[] = {HEAD "private-key=" KEY_A "\n",
                                        HEAD "[peer x]\npublic-key=" KEY_A "\npreshared-key=" PSK,
                                        HEAD "[peer x]\npublic-key=" KEY_A};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *dir = g_dir_make_tmp("kv-peer-XXXXXX", NULL);
        g_autofree char *path = g_build_filename(dir, "a.kcpvpn", NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(KvSettings) open = NULL;
        g_autoptr(KvSettings) closed = NULL;

        g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
        g_assert_cmpint(g_chmod(path, 0644), ==, 0);
        open = kv_settings_new_from_file(path, &error);
        g_assert_cmpint(open != NULL, ==, i == 2);
        if (open == NULL)
            g_assert_nonnull(strstr(error->message, "holds a secret, but everybody has access"));
        g_assert_cmpint(g_chmod(path, 0640), ==, 0);
        closed = kv_settings_new_from_file(path, NULL);
        g_assert_nonnull(closed);
        g_assert_cmpint(g_unlink(path) + g_rmdir(dir), ==, 0);
    }
}

int
main(int argc, char **argv)
{
    g_test_add_func("/peer-settings/rows", test_rows);
    g_test_add_func("/peer-settings/round-trip", test_round_trip);
    g_test_add_func("/peer-settings/getters", test_getters);
    g_test_add_func("/peer-settings/endpoint", test_endpoint);
    g_test_add_func("/peer-settings/mistakes", test_mistakes);
    g_test_add_func("/peer-settings/unique", test_unique);
    g_test_add_func("/peer-settings/bounds", test_bounds);
    g_test_add_func("/peer-settings/merge", test_merge);
    g_test_add_func("/peer-settings/file-mode", test_file_mode);
    g_test_add_func("/peer-settings/fixed-address", test_fixed_address);
    g_test_add_func("/peer-settings/mtu6", test_mtu6);
    return kv_test_main(&argc, &argv);
}
