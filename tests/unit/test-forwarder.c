/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-forwarder.h"

#include "kv-test.h"

#include <string.h>

#define START     (1000 * KV_TIME_S)
#define INTERFACE 0xff /* the last byte of its Ethernet address */
#define EVERYBODY 0xee /* a group address */

typedef struct {
    KvForwarder *forwarder;
    KvForwarderPort ports[4];
    guint n_taken;
    KvForwarderPort *loser;
    KvForwarderPort *winner;
} Fixture;

static const uint8_t key[KV_SWITCH_KEY_BYTES] = {7};

static void
fill_mac(uint8_t mac[6], guint number)
{
    memset(mac, 0, 6);
    mac[0] = number == EVERYBODY ? 3 : 2;
    mac[5] = (uint8_t) number;
}

static void
begin(Fixture *fixture, KvVniMode mode, KvBetweenPorts between_ports)
{
    uint8_t mac[6];

    *fixture = (Fixture){0};
    fill_mac(mac, INTERFACE);
    fixture->forwarder =
        kv_forwarder_new(mode, mode == KV_VNI_MODE_TAP ? mac : NULL, between_ports, key);
    for (guint i = 0; i < G_N_ELEMENTS(fixture->ports); i++)
        kv_forwarder_add_port(fixture->forwarder, &fixture->ports[i]);
}

static void
end(Fixture *fixture)
{
    kv_forwarder_free(fixture->forwarder);
}

static void
note_taken(KvForwarderPort *loser, KvForwarderPort *winner, const KvNetwork *network, gpointer data)
{
    Fixture *fixture = data;

    fixture->n_taken++;
    fixture->loser = loser;
    fixture->winner = winner;
}

/* @text: networks, separated by spaces */
static void
set_networks(Fixture *fixture, guint port, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    KvNetwork networks[8];
    guint n = 0;

    while (words[n] != NULL && *words[n] != '\0') {
        g_assert_true(kv_network_parse(&networks[n], words[n]));
        n++;
    }
    kv_forwarder_set_networks(fixture->forwarder, &fixture->ports[port], networks, n, note_taken,
                              fixture);
}

/* An IP packet that is nothing but its header. */
static KvForwarding
decide(Fixture *fixture, KvForwarderPort *from, const char *source, const char *destination)
{
    uint8_t packet[40] = {0};
    KvNetwork a, b;

    g_assert_true(kv_network_parse(&a, source) && kv_network_parse(&b, destination));
    packet[0] = a.is_ip6 ? 0x60 : 0x45;
    memcpy(packet + (a.is_ip6 ? 8 : 12), a.ip, a.is_ip6 ? 16 : 4);
    memcpy(packet + (a.is_ip6 ? 24 : 16), b.ip, a.is_ip6 ? 16 : 4);
    return kv_forwarder_decide(fixture->forwarder, from, packet, a.is_ip6 ? 40 : 20, START);
}

static void
assert_port(KvForwarding got, const KvForwarderPort *port)
{
    g_assert_true(got.port == port);
    g_assert_false(got.to_interface || got.to_other_ports);
    g_assert_cmpint(got.drop, ==, KV_DROP_NONE);
}

static void
assert_drop(KvForwarding got, KvDrop drop)
{
    g_assert_null(got.port);
    g_assert_false(got.to_interface || got.to_other_ports);
    g_assert_cmpint(got.drop, ==, drop);
}

static void
assert_interface(KvForwarding got)
{
    g_assert_null(got.port);
    g_assert_true(got.to_interface);
    g_assert_false(got.to_other_ports);
    g_assert_cmpint(got.drop, ==, KV_DROP_NONE);
}

/* Proves: what the interface sends goes to the port with the longest network that holds its
 * destination, of either family, and nowhere without one. */
static void
test_from_interface(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TUN, KV_BETWEEN_PORTS_NEVER);
    set_networks(&f, 0, "10.0.0.2 10.1.0.0/16 fd00::2");
    set_networks(&f, 1, "10.0.0.3 10.1.2.0/24 fd00::/64");
    assert_port(decide(&f, NULL, "10.0.0.1", "10.0.0.2"), &f.ports[0]);
    assert_port(decide(&f, NULL, "10.0.0.1", "10.0.0.3"), &f.ports[1]);
    assert_port(decide(&f, NULL, "1.2.3.4", "10.1.2.3"), &f.ports[1]);
    assert_port(decide(&f, NULL, "1.2.3.4", "10.1.3.3"), &f.ports[0]);
    assert_port(decide(&f, NULL, "fd00::1", "fd00::2"), &f.ports[0]);
    assert_port(decide(&f, NULL, "fd00::1", "fd00::3"), &f.ports[1]);
    assert_drop(decide(&f, NULL, "10.0.0.1", "10.0.0.4"), KV_DROP_DESTINATION);
    assert_drop(decide(&f, NULL, "fd00::1", "ff02::1"), KV_DROP_DESTINATION);
    end(&f);
}

/* Proves: a port is believed its own sources alone, also for what looks like no IP packet. */
static void
test_source(void)
{
    static const uint8_t junk[40] = {0x15};
    Fixture f;

    begin(&f, KV_VNI_MODE_TUN, KV_BETWEEN_PORTS_DIRECT);
    set_networks(&f, 0, "10.0.0.2 fd00::2");
    set_networks(&f, 1, "10.0.0.3");
    assert_interface(decide(&f, &f.ports[0], "10.0.0.2", "192.0.2.1"));
    assert_interface(decide(&f, &f.ports[0], "fd00::2", "2001:db8::1"));
    assert_drop(decide(&f, &f.ports[0], "10.0.0.3", "192.0.2.1"), KV_DROP_SOURCE);
    assert_drop(decide(&f, &f.ports[0], "10.0.0.9", "10.0.0.3"), KV_DROP_SOURCE);
    assert_drop(decide(&f, &f.ports[2], "10.0.0.2", "192.0.2.1"), KV_DROP_SOURCE);
    assert_drop(kv_forwarder_decide(f.forwarder, &f.ports[0], junk, sizeof junk, START),
                KV_DROP_SOURCE);
    assert_drop(kv_forwarder_decide(f.forwarder, &f.ports[0], junk, 0, START), KV_DROP_SOURCE);
    end(&f);
}

/* Proves: ports reach each other only if that is allowed, and nothing goes back where it came
 * from. */
static void
test_between_ports(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TUN, KV_BETWEEN_PORTS_NEVER);
    set_networks(&f, 0, "10.0.0.2 10.1.0.0/16");
    set_networks(&f, 1, "10.0.0.3");
    assert_drop(decide(&f, &f.ports[0], "10.0.0.2", "10.0.0.3"), KV_DROP_DESTINATION);
    end(&f);
    begin(&f, KV_VNI_MODE_TUN, KV_BETWEEN_PORTS_DIRECT);
    set_networks(&f, 0, "10.0.0.2 10.1.0.0/16");
    set_networks(&f, 1, "10.0.0.3");
    assert_port(decide(&f, &f.ports[0], "10.0.0.2", "10.0.0.3"), &f.ports[1]);
    assert_interface(decide(&f, &f.ports[0], "10.0.0.2", "10.1.9.9"));
    kv_forwarder_set_between_ports(f.forwarder, KV_BETWEEN_PORTS_NEVER);
    assert_drop(decide(&f, &f.ports[0], "10.0.0.2", "10.0.0.3"), KV_DROP_DESTINATION);
    kv_forwarder_set_between_ports(f.forwarder, KV_BETWEEN_PORTS_KERNEL);
    assert_interface(decide(&f, &f.ports[0], "10.0.0.2", "10.0.0.3"));
    assert_port(decide(&f, NULL, "10.0.0.2", "10.0.0.3"), &f.ports[1]);
    assert_drop(decide(&f, &f.ports[0], "10.0.0.3", "10.0.0.2"), KV_DROP_SOURCE);
    end(&f);
}

/* Proves: of two ports with one network the later has it, which is told; new networks replace all
 * old ones, and a port that leaves takes its own along. */
static void
test_networks_move(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TUN, KV_BETWEEN_PORTS_NEVER);
    set_networks(&f, 0, "10.0.0.2 10.1.0.0/16");
    set_networks(&f, 0, "10.0.0.2 10.1.0.0/16");
    g_assert_cmpuint(f.n_taken, ==, 0);
    set_networks(&f, 1, "10.0.0.3 10.1.7.7/16 10.1.2.0/24");
    g_assert_cmpuint(f.n_taken, ==, 1);
    g_assert_true(f.loser == &f.ports[0] && f.winner == &f.ports[1]);
    assert_port(decide(&f, NULL, "10.0.0.1", "10.1.3.3"), &f.ports[1]);
    assert_drop(decide(&f, &f.ports[0], "10.1.3.3", "192.0.2.1"), KV_DROP_SOURCE);
    set_networks(&f, 1, "10.0.0.4");
    assert_drop(decide(&f, NULL, "10.0.0.1", "10.0.0.3"), KV_DROP_DESTINATION);
    assert_drop(decide(&f, NULL, "10.0.0.1", "10.1.3.3"), KV_DROP_DESTINATION);
    assert_port(decide(&f, NULL, "10.0.0.1", "10.0.0.4"), &f.ports[1]);
    kv_forwarder_remove_port(f.forwarder, &f.ports[1]);
    assert_drop(decide(&f, NULL, "10.0.0.1", "10.0.0.4"), KV_DROP_DESTINATION);
    assert_port(decide(&f, NULL, "10.0.0.1", "10.0.0.2"), &f.ports[0]);
    end(&f);
}

/* Proves: every port is met once on a walk, whichever left. */
static void
test_walk(void)
{
    Fixture f;
    guint n = 0;

    begin(&f, KV_VNI_MODE_TUN, KV_BETWEEN_PORTS_NEVER);
    kv_forwarder_remove_port(f.forwarder, &f.ports[3]);
    kv_forwarder_remove_port(f.forwarder, &f.ports[1]);
    for (KvForwarderPort *port = kv_forwarder_get_first(f.forwarder); port != NULL;
         port = kv_forwarder_get_next(port)) {
        g_assert_true(port == &f.ports[0] || port == &f.ports[2]);
        n++;
    }
    g_assert_cmpuint(n, ==, 2);
    end(&f);
}

static KvForwarding
switch_frame(Fixture *fixture, KvForwarderPort *from, guint source, guint destination, KvTime now)
{
    uint8_t frame[60] = {0};

    fill_mac(frame, destination);
    fill_mac(frame + 6, source);
    return kv_forwarder_decide(fixture->forwarder, from, frame, sizeof frame, now);
}

static void
assert_flood(KvForwarding got, gboolean to_interface)
{
    g_assert_null(got.port);
    g_assert_true(got.to_other_ports);
    g_assert_cmpint(got.to_interface, ==, to_interface);
    g_assert_cmpint(got.drop, ==, KV_DROP_NONE);
}

/* Proves: frames for everybody or for nobody known go everywhere, others where their address was
 * seen, and never back. */
static void
test_switch(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_DIRECT);
    assert_flood(switch_frame(&f, &f.ports[0], 1, EVERYBODY, START), TRUE);
    assert_flood(switch_frame(&f, NULL, INTERFACE, EVERYBODY, START), FALSE);
    assert_flood(switch_frame(&f, &f.ports[0], 1, 99, START), TRUE);
    assert_port(switch_frame(&f, &f.ports[1], 2, 1, START), &f.ports[0]);
    assert_port(switch_frame(&f, NULL, INTERFACE, 2, START), &f.ports[1]);
    assert_interface(switch_frame(&f, &f.ports[1], 2, INTERFACE, START));
    assert_drop(switch_frame(&f, &f.ports[1], 3, 2, START), KV_DROP_DESTINATION);
    /* One behind the interface, as of a bridge. */
    assert_flood(switch_frame(&f, NULL, 50, EVERYBODY, START), FALSE);
    assert_interface(switch_frame(&f, &f.ports[1], 2, 50, START));
    assert_drop(switch_frame(&f, NULL, INTERFACE, 50, START), KV_DROP_DESTINATION);
    /* It moves, when it is no more where it was. */
    kv_forwarder_remove_port(f.forwarder, &f.ports[0]);
    assert_flood(switch_frame(&f, NULL, INTERFACE, 1, START), FALSE);
    assert_port(switch_frame(&f, &f.ports[2], 1, 2, START), &f.ports[1]);
    assert_port(switch_frame(&f, NULL, INTERFACE, 1, START), &f.ports[2]);
    end(&f);
}

/* Proves: no port gets what is for another by using its address, nor for what lies behind the
 * interface; and nobody sees what it sends so. The interface has what it uses. */
static void
test_switch_theft(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_DIRECT);
    switch_frame(&f, &f.ports[0], 1, EVERYBODY, START);
    switch_frame(&f, &f.ports[1], 2, EVERYBODY, START);
    switch_frame(&f, NULL, INTERFACE, EVERYBODY, START);
    switch_frame(&f, NULL, 50, EVERYBODY, START);
    for (guint i = 0; i < 1000; i++) {
        KvTime now = START + i * KV_TIME_S / 4;

        assert_drop(switch_frame(&f, &f.ports[1], 1, i % 2 == 0 ? EVERYBODY : INTERFACE, now),
                    KV_DROP_SOURCE);
        assert_drop(switch_frame(&f, &f.ports[1], 50, EVERYBODY, now), KV_DROP_SOURCE);
        assert_port(switch_frame(&f, NULL, INTERFACE, 1, now), &f.ports[0]);
        assert_interface(switch_frame(&f, &f.ports[2], 3, 50, now));
    }
    assert_flood(switch_frame(&f, NULL, 1, EVERYBODY, START), FALSE);
    assert_interface(switch_frame(&f, &f.ports[1], 2, 1, START));
    end(&f);
}

/* Proves: a computer that moves from behind the interface to behind a port, be it the first that
 * was heard of, is heard there once it was silent for as long as an address lasts. */
static void
test_switch_move(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_DIRECT);
    switch_frame(&f, NULL, 50, EVERYBODY, START);
    switch_frame(&f, NULL, 51, EVERYBODY, START);
    for (guint mac = 50; mac < 52; mac++) {
        assert_drop(switch_frame(&f, &f.ports[0], mac, EVERYBODY, START + KV_SWITCH_AGE - 1),
                    KV_DROP_SOURCE);
        assert_flood(switch_frame(&f, &f.ports[0], mac, EVERYBODY, START + KV_SWITCH_AGE), TRUE);
        assert_port(switch_frame(&f, NULL, INTERFACE, mac, START + KV_SWITCH_AGE), &f.ports[0]);
    }
    end(&f);
}

/* Proves: no port may be the interface, or everybody, and what is no frame is dropped. */
static void
test_switch_source(void)
{
    static const uint8_t junk[13] = {2};
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_DIRECT);
    assert_drop(switch_frame(&f, &f.ports[0], INTERFACE, 9, START), KV_DROP_SOURCE);
    assert_drop(switch_frame(&f, &f.ports[0], EVERYBODY, 9, START), KV_DROP_SOURCE);
    assert_interface(switch_frame(&f, &f.ports[1], 2, INTERFACE, START));
    assert_drop(kv_forwarder_decide(f.forwarder, &f.ports[0], junk, sizeof junk, START),
                KV_DROP_MALFORMED);
    end(&f);
}

/* Proves: with ports kept apart frames of one reach the interface alone. */
static void
test_switch_apart(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_NEVER);
    assert_interface(switch_frame(&f, &f.ports[0], 1, EVERYBODY, START));
    assert_interface(switch_frame(&f, &f.ports[1], 2, 99, START));
    assert_drop(switch_frame(&f, &f.ports[0], 1, 2, START), KV_DROP_DESTINATION);
    assert_flood(switch_frame(&f, NULL, INTERFACE, EVERYBODY, START), FALSE);
    end(&f);
}

/* Proves: a port that floods makes no more copies than it may in a second; the interface sees all
 * of it, and other ports may still speak to everybody. */
static void
test_flood_is_bounded(void)
{
    guint copies = 0;
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_DIRECT);
    for (guint i = 0; i < 100000; i++) {
        KvForwarding got = switch_frame(&f, &f.ports[0], 1, EVERYBODY, START + 10 * i);

        g_assert_true(got.to_interface);
        g_assert_cmpint(got.drop, ==, got.to_other_ports ? KV_DROP_NONE : KV_DROP_RATE);
        copies += got.to_other_ports ? 3 : 0;
    }
    g_assert_cmpuint(copies, <=, KV_FORWARDER_FLOOD_BURST + KV_FORWARDER_FLOOD_RATE + 3);
    g_assert_cmpuint(copies, >=, KV_FORWARDER_FLOOD_RATE);
    assert_flood(switch_frame(&f, &f.ports[1], 2, EVERYBODY, START + KV_TIME_S), TRUE);
    assert_flood(switch_frame(&f, NULL, INTERFACE, EVERYBODY, START + KV_TIME_S), FALSE);
    end(&f);
}

/* Proves: one session alone at the interface gets all that it floods; nothing is multiplied. */
static void
test_flood_to_one(void)
{
    Fixture f;

    begin(&f, KV_VNI_MODE_TAP, KV_BETWEEN_PORTS_DIRECT);
    for (guint i = 1; i < G_N_ELEMENTS(f.ports); i++)
        kv_forwarder_remove_port(f.forwarder, &f.ports[i]);
    for (guint i = 0; i < 10000; i++)
        assert_flood(switch_frame(&f, NULL, INTERFACE, EVERYBODY, START), FALSE);
    end(&f);
}

int
main(int argc, char **argv)
{
    g_test_add_func("/forwarder/from-interface", test_from_interface);
    g_test_add_func("/forwarder/source", test_source);
    g_test_add_func("/forwarder/between-ports", test_between_ports);
    g_test_add_func("/forwarder/networks-move", test_networks_move);
    g_test_add_func("/forwarder/walk", test_walk);
    g_test_add_func("/forwarder/switch", test_switch);
    g_test_add_func("/forwarder/switch-source", test_switch_source);
    g_test_add_func("/forwarder/switch-theft", test_switch_theft);
    g_test_add_func("/forwarder/switch-move", test_switch_move);
    g_test_add_func("/forwarder/switch-apart", test_switch_apart);
    g_test_add_func("/forwarder/flood-is-bounded", test_flood_is_bounded);
    g_test_add_func("/forwarder/flood-to-one", test_flood_to_one);
    return kv_test_main(&argc, &argv);
}
