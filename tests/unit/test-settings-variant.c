/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-peer-list.h"
#include "kv-settings-variant.h"
#include "kv-test.h"

#include <string.h>

#define CLIENT "'role': <'client'>"

static GVariant *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *dict = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);

    g_assert_no_error(error);
    return dict;
}

/* Proves: every integer type, text and, for truths, booleans are the same to a setting. */
static void
test_number_types(void)
{
    static const char *const same[] = {
        "{'port': <byte 63>, 'tcp': <true>}",     "{'port': <int16 63>, 'tcp': <byte 1>}",
        "{'port': <uint16 63>, 'tcp': <'1'>}",    "{'port': <63>, 'tcp': <'true'>}",
        "{'port': <uint32 63>, 'tcp': <1>}",      "{'port': <int64 63>, 'tcp': <uint64 1>}",
        "{'port': <uint64 63>, 'tcp': <<true>>}", "{'port': <'63'>, 'tcp': <'t'>}",
        "{'port': <'0x3f'>, 'tcp': <true>}",      "{'port': <<<63>>>, 'tcp': <true>}",
    };

    for (guint i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);
        g_autoptr(GVariant) dict = parse(same[i]);
        g_autoptr(GError) error = NULL;

        g_assert_true(kv_settings_load_variant(settings, dict, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(kv_settings_get_uint(settings, KV_SETTING_PORT), ==, 63);
        g_assert_true(kv_settings_get_boolean(settings, KV_SETTING_TCP));
    }
}

static const struct {
    const char *dict;
    const char *message;
} wrong[] = {
    {"{'port': <99>}", "role: required, but not given; allowed: one of client, server, peer"},
    {"{'role': <'both'>}", "role: \"both\" is not allowed; allowed: one of client, server, peer"},
    {"{'role': <1>}",
     "role: a value of type \"i\" is not allowed; allowed: one of client, server, peer"},
    {"{'role': <'client'>, 'role': <'server'>}", "role: was given twice"},
    {"{" CLIENT ", 'prot': <1>}", "\"prot\" is not a known setting"},
    {"{" CLIENT ", 'ds': <1>}", "\"ds\" is not a known setting"},
    {"{" CLIENT ", '\x01': <1>}", "\"\\x01\" is not a known setting"},
    {"{" CLIENT ", 'port': <-1>}",
     "port: \"-1\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"{" CLIENT ", 'port': <uint64 18446744073709551615>}",
     "port: \"18446744073709551615\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"{" CLIENT ", 'port': <1.5>}",
     "port: a value of type \"d\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"{" CLIENT ", 'port': <true>}",
     "port: a value of type \"b\" is not allowed; allowed: a whole number from 1 to 65535"},
    {"{" CLIENT ", 'tcp': <2>}", "tcp: \"2\" is not allowed; allowed: true or false"},
    {"{" CLIENT ", 'tcp': <b'true'>}",
     "tcp: a value of type \"ay\" is not allowed; allowed: true or false"},
    {"{" CLIENT ", 'name': <7>}",
     "name: a value of type \"i\" is not allowed; allowed: 1 to 64 bytes without control "
     "characters or /, and no . in front"},
    {"{" CLIENT ", 'name': <'a\\nb'>}",
     "name: \"a\\x0ab\" is not allowed; allowed: 1 to 64 bytes without control characters or /, "
     "and no . in front"},
    {"{" CLIENT ", 'ip': <['a']>}",
     "ip: a value of type \"as\" is not allowed; allowed: an IPv4 address, an IPv6 address with "
     "or without brackets, or a host name"},
    {"{" CLIENT ", 'users': <['a,b']>}",
     "users: a value of type \"as\" is not allowed; allowed: user names of 1 to 32 visible ASCII "
     "characters without , : ; or /"},
    {"{" CLIENT ", 'users': <@as []>}",
     "users: \"\" is not allowed; allowed: user names of 1 to 32 visible ASCII characters without "
     ", : ; or /"},
    {"{" CLIENT ", 'users': <['a', '']>}",
     "users: \"a,\" is not allowed; allowed: user names of 1 to 32 visible ASCII characters "
     "without , : ; or /"},
    {"{" CLIENT ", 'secret': <'hush\\n'>}",
     "secret: this value is not allowed; allowed: 1 to 4096 bytes of UTF-8 text without control "
     "characters"},
    {"{" CLIENT ", 'secret': <1234>}",
     "secret: a value of type \"i\" is not allowed; allowed: 1 to 4096 bytes of UTF-8 text "
     "without control characters"},
    {"{" CLIENT ", 'hook-dir': <'/x'>}",
     "hook-dir: only a server has this setting, this is a client"},
};

/* Proves: each mistake is named with its key, its value or type, and what is allowed. */
static void
test_mistakes(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GVariant) dict = parse(wrong[i].dict);
        g_autoptr(GError) error = NULL;
        g_autoptr(KvSettings) settings = kv_settings_new_from_variant(dict, &error);

        g_assert_null(settings);
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_cmpstr(error->message, ==, wrong[i].message);
    }
}

/* Proves: a mistake anywhere leaves all as it was, and a key of two kinds of secret replaces. */
static void
test_all_or_nothing(void)
{
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_CLIENT);
    g_autoptr(KvSettings) before = NULL;
    g_autoptr(GVariant) good = parse("{'port': <1>, 'secret': <'one'>}");
    g_autoptr(GVariant) bad = parse("{'port': <2>, 'secret': <'two'>, 'dscp': <64>}");
    g_autoptr(GVariant) other = parse("{'port': <2>}");

    g_assert_true(kv_settings_load_variant(settings, good, NULL));
    before = kv_settings_copy(settings);
    g_assert_false(kv_settings_load_variant(settings, bad, NULL));
    g_assert_true(kv_settings_equal(settings, before));
    g_assert_false(kv_settings_load_secrets_variant(settings, other, NULL));
    g_assert_true(kv_settings_equal(settings, before));
}

/* Proves: what goes out has its own types, no secret is in it, and it comes back the same. */
static void
test_round_trip(void)
{
    g_autoptr(GVariant) dict =
        parse("{'name': <'n'>, 'role': <'server'>, 'port': <'99'>, 'tcp': <'true'>, "
              "'crypt': <'aes'>, 'users': <' alice , bob'>, 'secret': <'hush'>}");
    g_autoptr(KvSettings) settings = kv_settings_new_from_variant(dict, NULL);
    g_autoptr(GVariant) out = g_variant_ref_sink(kv_settings_to_variant(settings));
    g_autoptr(GVariant) secrets = g_variant_ref_sink(kv_settings_secrets_to_variant(settings));
    g_autoptr(GVariant) want =
        parse("{'name': <'n'>, 'role': <'server'>, 'port': <uint32 99>, 'tcp': <true>, "
              "'crypt': <'aes'>, 'users': <['alice', 'bob']>}");
    g_autoptr(KvSettings) again = kv_settings_new_from_variant(out, NULL);
    g_auto(GStrv) keys = kv_settings_list_secrets(settings);
    g_autofree char *text = g_variant_print(secrets, FALSE);
    g_autoptr(GVariantDict) left = g_variant_dict_new(out);
    g_autoptr(GVariant) rest = NULL;
    GVariantIter iter;
    const char *key;
    GVariant *value;

    g_variant_iter_init(&iter, want);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &value)) {
        g_autoptr(GVariant) got = g_variant_lookup_value(out, key, NULL);

        g_assert_true(got != NULL && g_variant_equal(got, value));
        g_variant_dict_remove(left, key);
    }
    rest = g_variant_ref_sink(g_variant_dict_end(left));
    g_assert_cmpuint(g_variant_n_children(rest), ==, 0);
    g_assert_cmpstr(text, ==, "{'secret': <'hush'>}");
    g_assert_cmpstr(keys[0], ==, "secret");
    g_assert_null(keys[1]);
    g_assert_false(kv_settings_equal(settings, again));
    g_assert_true(kv_settings_load_secrets_variant(again, secrets, NULL));
    g_assert_true(kv_settings_equal(settings, again));
}

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define PSK "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="

/* Proves: peers go in and out whole and in their order, secrets apart; other doors keep them shut.
 */
static void
test_peers(void)
{
    g_autoptr(GVariant) dict = parse(
        "{'role': <'server'>, 'peers': <{'z': {'public-key': <'" KEY "'>, 'preshared-key': <'" PSK
        "'>, 'allowed-ips': <['10.0.0.0/8', '::/0']>, 'keepalive': <byte 0x19>}, 'a': "
        "{'public-key': <'" PSK "'>}}>}");
    g_autoptr(KvSettings) settings = kv_settings_new_from_variant(dict, NULL);
    g_autoptr(GVariant) values = g_variant_ref_sink(kv_settings_to_variant(settings));
    g_autoptr(GVariant) secrets = g_variant_ref_sink(kv_settings_secrets_to_variant(settings));
    g_autoptr(GVariant) all = g_variant_ref_sink(kv_settings_to_full_variant(settings));
    g_autoptr(KvSettings) again = kv_settings_new_from_variant(values, NULL);
    g_autoptr(KvSettings) whole = kv_settings_new_from_variant(all, NULL);
    g_autoptr(GVariant) peers = g_variant_lookup_value(values, "peers", NULL);
    g_autofree char *text = g_variant_print(peers, FALSE);
    g_autofree char *hidden = g_variant_print(secrets, FALSE);
    g_auto(GStrv) keys = kv_settings_list_secrets(settings);

    g_assert_cmpstr(text, ==,
                    "{'z': {'public-key': <'" KEY "'>, 'allowed-ips': <['10.0.0.0/8', '::/0']>, "
                    "'keepalive': <uint32 25>}, 'a': {'public-key': <'" PSK "'>}}");
    g_assert_cmpstr(hidden, ==, "{'peers': <{'z': {'preshared-key': <'" PSK "'>}}>}");
    g_assert_cmpstr(keys[0], ==, "peers");
    g_assert_null(keys[1]);
    g_assert_true(kv_settings_equal(settings, whole));
    g_assert_false(kv_settings_equal(settings, again));
    g_assert_true(kv_settings_load_secrets_variant(again, secrets, NULL));
    g_assert_true(kv_settings_equal(settings, again));
}

/* Proves: a change replaces all peers, keeps preshared keys by their public keys, and may take all
 * away. */
static void
test_peers_replaced(void)
{
    g_autoptr(GVariant) two =
        parse("{'role': <'server'>, 'peers': <{'z': {'public-key': <'" KEY
              "'>, 'preshared-key': <'" PSK "'>}, 'a': {'public-key': <'" PSK "'>}}>}");
    g_autoptr(GVariant) other = parse("{'port': <1>}");
    g_autoptr(GVariant) renamed = parse("{'peers': <{'new': {'public-key': <'" KEY "'>}}>}");
    g_autoptr(GVariant) bare =
        parse("{'peers': <{'new': {'public-key': <'" KEY "'>, 'preshared-key': <''>}}>}");
    g_autoptr(GVariant) none = parse("{'peers': <@a{sa{sv}} {}>}");
    g_autoptr(KvSettings) settings = kv_settings_new_from_variant(two, NULL);
    g_autoptr(GVariant) kept = NULL;

    g_assert_true(kv_settings_load_variant(settings, other, NULL));
    g_assert_cmpuint(kv_peer_list_get_length(kv_settings_get_peers(settings)), ==, 2);
    g_assert_true(kv_settings_load_variant(settings, renamed, NULL));
    g_assert_cmpuint(kv_peer_list_get_length(kv_settings_get_peers(settings)), ==, 1);
    g_assert_true(kv_peer_list_has_secrets(kv_settings_get_peers(settings)));
    g_assert_true(kv_settings_load_variant(settings, bare, NULL));
    g_assert_false(kv_peer_list_has_secrets(kv_settings_get_peers(settings)));
    g_assert_true(kv_settings_load_variant(settings, none, NULL));
    g_assert_cmpuint(kv_peer_list_get_length(kv_settings_get_peers(settings)), ==, 0);
    kept = g_variant_ref_sink(kv_settings_to_variant(settings));
    g_assert_true(g_variant_lookup(kept, "peers", "a{sa{sv}}", NULL));
}

/* Proves: each mistake about peers is named with peer and key, and changes nothing. */
static void
test_peers_wrong(void)
{
    static const struct {
        const char *dict;
        gboolean secrets;
        const char *message;
    } cases[] = {
        {"{'peers': <'x'>}", FALSE,
         "peers: a value of type \"s\" is not allowed; allowed: a{sa{sv}}"},
        {"{'peers': <@a{sa{sv}} {}>, 'peers': <@a{sa{sv}} {}>}", FALSE, "peers: was given twice"},
        {"{'peers': <{'a b': @a{sv} {}}>}", FALSE,
         "peer: \"a b\" is not allowed as a name; allowed: 1 to 64 characters of A-Z, a-z, 0-9, _ "
         "and -"},
        {"{'peers': <{'x': {'secret': <'s'>}}>}", FALSE,
         "peer x: \"secret\" is not a known setting of a peer"},
        {"{'peers': <{'x': {'keepalive': <1>, 'keepalive': <2>}}>}", FALSE,
         "peer x: keepalive: was given twice"},
        {"{'peers': <{'x': {'keepalive': <1.5>}}>}", FALSE,
         "peer x: keepalive: a value of type \"d\" is not allowed; allowed: a whole number from 0 "
         "to 65535"},
        {"{'peers': <{'x': {'preshared-key': <'hush'>}}>}", FALSE,
         "peer x: preshared-key: this value is not allowed; allowed: a key of 32 bytes in base64, "
         "44 characters, as kcpvpn genkey, pubkey and genpsk write them"},
        {"{'peers': <{'x': {'public-key': <'" KEY "'>}, 'x': {'public-key': <'" PSK "'>}}>}", FALSE,
         "peer x: stands here for the second time"},
        {"{'peers': <{'x': {'preshared-key': <'" PSK "'>}}>}", TRUE,
         "peer x: the tunnel has no such peer"},
        {"{'peers': <{'there': {'keepalive': <1>}}>}", TRUE,
         "peer there: keepalive: only secrets are allowed here"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GVariant) start =
            parse("{'role': <'server'>, 'peers': <{'there': {'public-key': <'" KEY "'>}}>}");
        g_autoptr(KvSettings) settings = kv_settings_new_from_variant(start, NULL);
        g_autoptr(KvSettings) before = kv_settings_copy(settings);
        g_autoptr(GVariant) dict = parse(cases[i].dict);
        g_autoptr(GError) error = NULL;

        g_assert_false(cases[i].secrets ? kv_settings_load_secrets_variant(settings, dict, &error)
                                        : kv_settings_load_variant(settings, dict, &error));
        g_assert_error(error, KV_ERROR, KV_ERROR_INVALID_SETTING);
        g_assert_cmpstr(error->message, ==, cases[i].message);
        g_assert_true(kv_settings_equal(settings, before));
    }
}

/* Proves: the defaults of each side are those of a fresh set of that side; of two protocols, those
 * of the native one, or none. */
static void
test_defaults(void)
{
    g_autoptr(GVariant) client =
        g_variant_ref_sink(kv_settings_defaults_to_variant(KV_ROLE_CLIENT));
    g_autoptr(GVariant) server =
        g_variant_ref_sink(kv_settings_defaults_to_variant(KV_ROLE_SERVER));
    g_autoptr(KvSettings) settings = kv_settings_new(KV_ROLE_SERVER);
    g_autoptr(KvSettings) fresh = kv_settings_copy(settings);
    const char *text;
    guint32 mtu;

    g_assert_true(kv_settings_load_variant(settings, server, NULL));
    kv_settings_unset(settings, KV_SETTING_UDP_MTU);
    g_assert_true(kv_settings_equal(settings, fresh));
    g_assert_true(g_variant_lookup(client, "crypt", "&s", &text));
    g_assert_cmpstr(text, ==, "auto");
    g_assert_true(g_variant_lookup(client, "udp-mtu", "u", &mtu));
    g_assert_cmpuint(mtu, ==, 1472);
    g_assert_false(g_variant_lookup(client, "keepalive", "u", &mtu));
    g_assert_true(g_variant_lookup(client, "vni-name", "&s", &text));
    g_assert_false(g_variant_lookup(server, "vni-name", "&s", &text));
    g_assert_true(g_variant_lookup(server, "vni-name-prefix", "&s", &text));
    g_assert_cmpstr(text, ==, "kvs");
}

int
main(int argc, char **argv)
{
    g_test_add_func("/settings-variant/number-types", test_number_types);
    g_test_add_func("/settings-variant/mistakes", test_mistakes);
    g_test_add_func("/settings-variant/all-or-nothing", test_all_or_nothing);
    g_test_add_func("/settings-variant/round-trip", test_round_trip);
    g_test_add_func("/settings-variant/peers", test_peers);
    g_test_add_func("/settings-variant/peers-replaced", test_peers_replaced);
    g_test_add_func("/settings-variant/peers-wrong", test_peers_wrong);
    g_test_add_func("/settings-variant/defaults", test_defaults);
    return kv_test_main(&argc, &argv);
}
