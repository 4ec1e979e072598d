#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The service of the plugin between stand-ins of NetworkManager and of kcpvpnd; see kvnm.py.

Usage: test_service.py SERVICE [NAME...]
"""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import kvnm  # noqa: E402, I001 (it finds kvfake)
import kvfake  # noqa: E402
from gi.repository import GLib  # noqa: E402
from kvfake import BusError, equal, test, want  # noqa: E402
from kvnm import (BAD_IP_CONFIG, CONNECT_FAILED, DATA, INIT, SECRETS, STARTED, STARTING, STOPPED,  # noqa: E402
                  address, connected, ip4, ip6, one_address)

PRIVATE_KEY = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
SERVER_KEY = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
PRESHARED_KEY = "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
BY_KEYS = {**DATA, "public-key": SERVER_KEY}
ASKED = {**DATA, "secret-flags": "2"}


def refused(call, word, *parts):
    try:
        call()
    except kvnm.Error as error:
        want(error.name, word)
        want(str(error), *parts)
        return
    raise AssertionError("not refused")


def check_failed(world, reason, *log):
    """NetworkManager believes the last reason that it hears."""
    signals = world.wait_signal("StateChanged", STOPPED)
    equal([signal for signal in signals if signal[0] == "Failure"], [("Failure", reason)])
    want(world.wait_end(), *log)


@test("the secret is missing if the profile lacks it, unless it is not required")
def need_secrets(world):
    world.start()
    equal(world.need_secrets(), "")
    for flags in ("0", "1", "2"):
        equal(world.need_secrets(data={**DATA, "secret-flags": flags}, secrets={}), "vpn")
        equal(world.need_secrets(data={**DATA, "secret-flags": flags}), "")
    equal(world.need_secrets(data={**DATA, "secret-flags": "4"}, secrets={}), "")


@test("with keys the private one is missing, the preshared one if it has a keeper, and never the secret")
def need_keys(world):
    world.start()
    equal(world.need_secrets(data=BY_KEYS), "vpn")
    equal(world.need_secrets(data=BY_KEYS, secrets={"private-key": PRIVATE_KEY}), "")
    kept = {**BY_KEYS, "preshared-key-flags": "1"}
    equal(world.need_secrets(data=kept, secrets={"private-key": PRIVATE_KEY}), "vpn")
    equal(world.need_secrets(data=kept, secrets={"private-key": PRIVATE_KEY, "preshared-key": PRESHARED_KEY}), "")
    # Without it the daemon would have none to start with, whatever NetworkManager was told.
    refused(lambda: world.up(data={**BY_KEYS, "private-key-flags": "4"}, secrets={}), "BadArguments",
            "private-key: required, but not given")
    world.wait_end()
    world.start()
    refused(lambda: world.up(data={**BY_KEYS, "crypt": "aes"}, secrets={"private-key": PRIVATE_KEY}),
            "BadArguments", "private-key: protocol v1 has no keys")


@test("keys go the way of the secret: to the start alone, and to nobody's log")
def with_keys(world):
    world.start()
    keys = {"private-key": PRIVATE_KEY, "preshared-key": PRESHARED_KEY}
    world.up(data=BY_KEYS, secrets=keys)
    _, _, (settings, _), _ = world.wait_call("CreateTunnel")
    equal((settings["public-key"], settings.get("crypt")), (SERVER_KEY, None))
    equal([key for key in settings if key in (*keys, "secret")], [])
    equal(world.wait_call("Start")[2][0]["secrets"], keys)
    world.set_state("connected", **connected())
    world.wait_signal("StateChanged", STARTED)
    world.call("Disconnect", "()")
    log = world.wait_end()
    assert PRIVATE_KEY not in log and PRESHARED_KEY not in log, log


@test("a tunnel is made transient and started with the secret, and NetworkManager is told all of it, in order")
def comes_up(world):
    world.start()
    world.up(data={**DATA, "crypt": "salsa20", "rapid-fec": "true"})
    _, _, (settings, options), _ = world.wait_call("CreateTunnel")
    equal({key: settings[key] for key in settings if key != "name"},
          {"ip": "203.0.113.1", "port": 1235, "role": "client", "crypt": "salsa20", "rapid-fec": True,
           "vni-name": "kvc0", "auto-reconnect": True})
    equal(settings["name"], f"nm-office-{world.process.pid}-1")
    equal(options, {"transient": True})
    _, path, (options,), _ = world.wait_call("Start")
    equal((path, options), (world.path(), {"secrets": SECRETS, "configure": False}))
    world.set_state("connecting")
    world.set_state("connected", **connected())
    signals = world.wait_signal("StateChanged", STARTED)
    equal([signal for signal in signals if signal != ("StateChanged", INIT)], [
        ("StateChanged", STARTING),
        ("Config", {"tundev": "kvc0", "gateway": ip4("203.0.113.1"), "mtu": 1400, "has-ip4": True,
                    "has-ip6": False, "can-persist": True}),
        ("Ip4Config", {"address": ip4("10.1.0.2"), "prefix": 32, "ptp": ip4("10.1.0.1"), "dns": [],
                       "tundev": "kvc0", "gateway": ip4("203.0.113.1"), "mtu": 1400}),
        ("StateChanged", STARTED)])


@test("a profile that does not want to reconnect says so to the daemon, and NetworkManager is told")
def no_reconnect(world):
    world.start()
    world.up(data={**DATA, "auto-reconnect": "false"})
    equal(world.wait_call("CreateTunnel")[2][0]["auto-reconnect"], False)
    world.wait_call("Start")
    world.set_state("connected", **connected())
    equal(world.wait_signal("Config")[-1][1]["can-persist"], False)


@test("what the server pushes arrives: routes, name servers, domains, IPv6, banner")
def pushed(world):
    world.start()
    world.up()
    world.wait_call("Start")
    world.set_state("connected", **connected(
        Addresses=GLib.Variant("aa{sv}", [one_address("10.1.0.2", 24), one_address("fd00::2", 64)]),
        Routes=GLib.Variant("aa{sv}", [
            {"destination": GLib.Variant("s", "10.2.0.0"), "prefix": GLib.Variant("u", 16)},
            {"destination": GLib.Variant("s", "fd01::"), "prefix": GLib.Variant("u", 48),
             "gateway": GLib.Variant("s", "fd00::1")}]),
        Dns=GLib.Variant("a{sv}", {"servers": GLib.Variant("as", ["10.1.0.53", "fd00::53"]),
                                   "search": GLib.Variant("as", ["corp.example"])}),
        Details=GLib.Variant("a{sv}", {"link-type": GLib.Variant("s", "tap"),
                                       "banner": GLib.Variant("s", "Be nice.")})))
    found = dict(signal[:2] for signal in world.wait_signal("StateChanged", STARTED))
    equal((found["Config"]["banner"], found["Config"]["has-ip6"]), ("Be nice.", True))
    equal(found["Ip4Config"]["routes"], [[ip4("10.2.0.0"), 16, 0, 0]])
    equal((found["Ip4Config"]["dns"], found["Ip4Config"]["domains"]), ([ip4("10.1.0.53")], ["corp.example"]))
    equal(found["Ip4Config"]["never-default"], True)
    equal(found["Ip6Config"], {"address": ip6("fd00::2"), "prefix": 64, "dns": [ip6("fd00::53")],
                               "domains": ["corp.example"], "never-default": True,
                               "routes": [(ip6("fd01::"), 48, ip6("fd00::1"), 0)]})


@test("a reconnect is silent; only what the server changed is told again, and STARTING does not come back")
def reconnects(world):
    world.start()
    world.bring_up()
    world.set_state("waiting", "the server went away", "ConnectionLost")
    world.set_state("connecting")
    world.set_state("connected")
    world.settle()
    equal(world.signals, [])
    world.set_state("waiting", "the server went away", "ConnectionLost")
    world.set_state("connected", **connected(Addresses=address("10.1.0.9", 32, "10.1.0.1")))
    told = world.wait_signal("Ip4Config")
    equal([signal[0] for signal in told], ["Config", "Ip4Config"])
    equal(told[1][1]["address"], ip4("10.1.0.9"))
    world.settle()
    equal(world.signals, [])


@test("what the server changes while it is connected is told: another route, other name servers, a family less")
def changes(world):
    world.start()
    world.up()
    world.wait_call("Start")
    both = GLib.Variant("aa{sv}", [one_address("10.1.0.2", 24), one_address("fd00::2", 64)])
    world.set_state("connected", **connected(Addresses=both))
    found = dict(signal[:2] for signal in world.wait_signal("StateChanged", STARTED))
    equal((found["Config"]["has-ip6"], "routes" in found["Ip4Config"]), (True, False))
    everything = [{"destination": GLib.Variant("s", "0.0.0.0"), "prefix": GLib.Variant("u", 0)},
                  {"destination": GLib.Variant("s", "10.2.0.0"), "prefix": GLib.Variant("u", 16)}]
    world.set_state("connected", Routes=GLib.Variant("aa{sv}", everything),
                    Dns=GLib.Variant("a{sv}", {"servers": GLib.Variant("as", ["10.1.0.53"])}))
    # Other name servers NetworkManager takes only from a VPN that becomes active.
    told = world.wait_signal("Ip6Config")
    equal((told[0], told[2]), (("StateChanged", STARTING), ("StateChanged", STARTED)))
    told = [signal for signal in told if signal[0] != "StateChanged"]
    equal([signal[0] for signal in told], ["Config", "Ip4Config", "Ip6Config"])
    equal((told[1][1]["routes"], told[1][1]["never-default"]), ([[ip4("10.2.0.0"), 16, 0, 0]], False))
    equal((told[1][1]["dns"], told[2][1]["never-default"]), ([ip4("10.1.0.53")], True))
    world.set_state("connected", Addresses=GLib.Variant("aa{sv}", [one_address("10.1.0.2", 24)]))
    told = world.wait_signal("Ip4Config")
    equal([signal[0] for signal in told], ["Config", "Ip4Config"])
    equal(told[0][1]["has-ip6"], False)
    world.settle()
    equal(world.signals, [])


@test("a server at another address is told before the daemon has reached it, for its route")
def roams(world):
    world.start()
    world.bring_up()
    world.set_state("waiting", "the server went away", "ConnectionLost")
    world.set_state("connecting", Endpoint=GLib.Variant("s", "[2001:db8::7]:1235"))
    [(_, config)] = world.wait_signal("Config")
    equal(config["gateway"], ip6("2001:db8::7"))


@test("while the server cannot be reached the way to it is taken away and made again, for a gateway that has changed")
def new_way(world):
    world.start()
    world.bring_up("lo")
    for _ in range(2):
        world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
        gateways = [config[1]["gateway"] for config in world.wait_signal("Ip4Config")[:2]]
        equal(gateways, [ip4("127.0.0.1"), ip4("203.0.113.1")])
        world.set_state("connecting")
        world.settle()
        equal(world.signals, [])


@test("NetworkManager is not told of an interface that is gone, as it would give the connection up")
def interface_gone(world):
    world.start()
    world.bring_up("lo")
    world.set_state("connected", **connected("kvgone0"))
    world.settle()
    equal(world.signals, [])
    world.set_state("connected", **connected("lo", Mtu=GLib.Variant("u", 1300)))
    equal(world.wait_signal("Config")[-1][1]["mtu"], 1300)


@test("while the interface is gone nothing is told, and all of it with the next one")
def loses_interface(world):
    world.start()
    world.bring_up("kvc0")
    world.set_state("waiting", "another program removed the interface kvc0", "ConnectionLost",
                    Interface=GLib.Variant("s", ""))
    world.settle()
    equal(world.signals, [])
    world.set_state("connected", **connected("lo"))
    equal([signal[0] for signal in world.wait_signal("Ip4Config")], ["Config", "Ip4Config"])


@test("a connection that NetworkManager takes down leaves no tunnel and no process")
def disconnects(world):
    world.start()
    world.bring_up()
    world.call("Disconnect")
    equal(world.wait_call("Delete")[1], world.path())
    world.wait_signal("StateChanged", STOPPED)
    want(world.wait_end(), "connected, interface kvc0", "disconnected")


@test("with --persist the process stays and connects again")
def persists(world):
    world.start("--persist")
    for _ in range(3):
        world.bring_up()
        world.call("Disconnect")
        world.wait_call("Delete")
        world.wait_signal("StateChanged", STOPPED)
    equal(world.process.poll(), None)


@test("a connection that was given up while it was made is deleted when it has been")
def given_up(world):
    world.start("--persist")
    world.up()
    world.wait_call("Start")
    world.call("Disconnect")
    world.wait_call("Delete")
    equal(world.process.poll(), None)


@test("a second connection on the same service is refused")
def once(world):
    world.start()
    world.bring_up()
    refused(world.up, "WrongState")


@test("NetworkManager's end ends the connection and the process")
def manager_gone(world):
    world.start()
    world.bring_up()
    world.nm.close_sync(None)
    world.wait_call("Delete")
    world.wait_end()


@test("with --debug somebody else may call, and go")
def debug(world):
    world.start("--debug")
    world.bring_up()
    world.nm.close_sync(None)
    world.nm = world.connect()
    world.settle()
    equal((world.process.poll(), world.n_calls("Delete")), (None, 0))
    world.call("Disconnect")
    world.wait_call("Delete")
    want(world.wait_end(), "connected, interface kvc0")


@test("SIGTERM ends the connection in good order")
def terminated(world):
    world.start()
    world.bring_up()
    world.process.send_signal(signal.SIGTERM)
    world.wait_call("Delete")
    world.wait_signal("StateChanged", STOPPED)
    world.wait_end()


# --- what goes wrong ----------------------------------------------------------------------------

@test("a profile with what is not for the desktop, what is unknown or wrong is refused before a tunnel is made")
def bad_profiles(world):
    world.start("--persist")
    for data, parts in (({"up": "/bin/sh"}, ("up: a desktop profile may not have this setting",)),
                        ({"colour": "red"}, ('"colour" is not a known setting',)),
                        ({"port": "0"}, ('port: "0" is not allowed; allowed: a whole number from 1 to 65535',)),
                        ({"ip": "a\nb"}, ('ip: "a\\x0ab" is not allowed',)),
                        ({"role": "server"}, ("role: these are settings of a server",)),
                        ({"secret": "x"}, ("secret: not allowed here; allowed: among the secrets",))):
        refused(lambda: world.up(data={**DATA, **data}), "BadArguments", *parts)
    world.wait_signal("StateChanged", STOPPED)
    for flags in ("0", "4"):
        refused(lambda: world.up(data={**DATA, "secret-flags": flags}, secrets={}), "BadArguments",
                "secret: required, but not given; allowed: in the profile, or from its user's agent")
    world.end_service()
    world.start()
    refused(lambda: world.up(data={**DATA, "up": "/bin/sh"}), "BadArguments", "up: ")
    want(world.wait_end(), "the profile is refused: up: ")
    equal(world.n_calls("CreateTunnel"), 0)


@test("a server that refuses an address is a bad configuration: the secret was right")
def refuses(world):
    world.start()
    world.up()
    world.wait_call("Start")
    world.set_state("waiting", "203.0.113.1:1235 refused: no address is left", "Refused")
    check_failed(world, BAD_IP_CONFIG, "203.0.113.1:1235 refused: no address is left")


@test("a server that does not answer is a failed connection if nobody can be asked")
def silent(world):
    world.start()
    world.up(interactive=False, data=ASKED)
    world.wait_call("Start")
    world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
    check_failed(world, CONNECT_FAILED, "no answer from 203.0.113.1:1235")
    equal(world.n_calls("Delete"), 1)


@test("nor is anybody asked for a secret that the profile keeps")
def silent_saved(world):
    world.start()
    world.up(data={**DATA, "secret-flags": "0"})
    world.wait_call("Start")
    world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
    check_failed(world, CONNECT_FAILED, "no answer")


@test("a person is asked for another secret; the same one again is a failure, another one may connect")
def asks_again(world):
    world.start()
    world.up(data=ASKED, secrets={"secret": "wrong"})
    world.wait_call("Start")
    world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
    message, hints = world.wait_signal("SecretsRequired")[-1][1:]
    want(message, "does not answer")
    equal(hints, ["secret"])
    world.new_secrets(data=ASKED, secrets={"secret": "also wrong"})
    equal(world.wait_call("Start")[2][0]["secrets"], {"secret": "also wrong"})
    world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
    world.wait_signal("SecretsRequired")
    world.new_secrets(data=ASKED, secrets=SECRETS)
    equal(world.wait_call("Start")[2][0]["secrets"], SECRETS)
    world.set_state("connected", **connected())
    world.wait_signal("StateChanged", STARTED)


@test("an agent that has no other secret is not asked for ever")
def same_again(world):
    world.start()
    world.up(data=ASKED)
    world.wait_call("Start")
    world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
    world.wait_signal("SecretsRequired")
    world.new_secrets(data=ASKED)
    world.wait_call("Start")
    world.set_state("waiting", "no answer from 203.0.113.1:1235", "Timeout")
    check_failed(world, CONNECT_FAILED, "no answer")


@test("what cannot be told NetworkManager is a bad configuration, and only before there was a good one")
def bad_config(world):
    world.start()
    world.bring_up()
    world.set_state("connected", Addresses=address("10.1.0", 32))
    world.settle()
    equal(world.signals, [])
    world.call("Disconnect")
    world.wait_signal("StateChanged", STOPPED)
    want(world.wait_end(), "the tunnel's address cannot be used")
    world.start()
    world.up()
    world.wait_call("Start")
    world.set_state("connected", **connected(Addresses=address("10.1.0", 32)))
    check_failed(world, BAD_IP_CONFIG, "the tunnel's address cannot be used")


@test("a tunnel that somebody else stops, or that will not connect again, is the end")
def stopped_by_others(world):
    for state, reason, error, log in (("stopped", "", "", "stopped by somebody else"),
                                      ("failed", "the connection was lost", "ConnectionLost", "was lost")):
        world.start()
        world.bring_up()
        world.set_state(state, reason, error)
        check_failed(world, CONNECT_FAILED, log)
    

@test("errors of CreateTunnel and Start end the attempt, with their sentence in the log")
def call_errors(world):
    def fail(_path, _arguments):
        raise BusError("Exhausted", "too many tunnels")
    world.start()
    world.daemon.answers["Start"] = fail
    world.up()
    check_failed(world, CONNECT_FAILED, "too many tunnels")
    world.daemon.answers["CreateTunnel"] = fail
    world.start()
    world.up()
    check_failed(world, CONNECT_FAILED, "too many tunnels")


@test("without a daemon the log says so")
def no_daemon(world):
    world.daemon.stop()
    world.start()
    world.up()
    check_failed(world, CONNECT_FAILED, "the system service kcpvpnd cannot be reached")


@test("an interface name that is taken is replaced by the next one, unless the profile has it")
def next_name(world):
    world.start()
    world.up()
    equal(world.wait_call("CreateTunnel")[2][0]["vni-name"], "kvc0")
    world.wait_call("Start")
    world.set_state("failed", "interface kvc0 is in use", "Exists")
    equal(world.wait_call("CreateTunnel")[2][0]["vni-name"], "kvc1")
    world.wait_call("Start")
    world.set_state("connected", **connected("kvc1"))
    world.wait_signal("StateChanged", STARTED)
    world.call("Disconnect")
    world.wait_end()
    world.start()
    world.signals.clear()
    world.up(data={**DATA, "vni-name": "mine"})
    equal(world.wait_call("CreateTunnel")[2][0]["vni-name"], "mine")
    world.wait_call("Start")
    world.set_state("failed", "interface mine is in use", "Exists")
    check_failed(world, CONNECT_FAILED, "interface mine is in use")


# --- a daemon that is restarted -----------------------------------------------------------------

@test("after a restart of the daemon the tunnel is made anew, the VPN stays, and all of it is told again")
def daemon_restarts(world):
    world.start()
    world.bring_up()
    world.daemon.stop()
    world.settle(0.5)
    world.start_daemon()
    equal(world.wait_call("Start")[2][0], {"secrets": SECRETS, "configure": False})
    world.set_state("connected", **connected(Addresses=address("10.1.0.3", 32, "10.1.0.1")))
    told = world.wait_signal("Ip4Config")
    equal([signal[0] for signal in told], ["Config", "Ip4Config"])
    equal(told[1][1]["address"], ip4("10.1.0.3"))
    world.call("Disconnect")
    equal(world.wait_call("Delete")[1], world.path())
    world.wait_end()


@test("a tunnel that the next daemon made but did not start is deleted before another try, which takes its name")
def remade_twice(world):
    def fail(_path, _arguments):
        del world.daemon.answers["Start"]
        raise BusError("Cancelled", "the service ends")
    world.start()
    world.bring_up()
    world.daemon.stop()
    world.settle(0.5)
    world.start_daemon()
    world.daemon.answers["Start"] = fail
    world.wait_call("Start")
    first = world.path()
    equal(world.wait_call("Delete")[1], first)
    world.wait_call("Start")
    equal(world.path() != first, True)
    world.set_state("connected", **connected(Addresses=address("10.1.0.3", 32, "10.1.0.1")))
    world.wait_signal("Ip4Config")


@test("a daemon that has a tunnel of somebody else at the same path is not asked to delete that")
def others_tunnel(world):
    world.start()
    world.bring_up()
    world.daemon.stop()
    world.n_tunnels = 0
    world.daemon = kvfake.Daemon(world.bus)
    world.daemon.add_tunnel(1, "theirs")
    world.call("Disconnect")
    world.wait_end()
    equal((world.n_calls("Delete"), world.n_calls("Stop")), (0, 0))


@test("a connection can be taken down while there is no daemon")
def down_without_daemon(world):
    world.start()
    world.bring_up()
    world.daemon.stop()
    world.settle(0.5)
    equal(world.signals, [])
    world.call("Disconnect")
    world.wait_end()


# --- the command line ---------------------------------------------------------------------------

@test("options that are wrong are told, and --version needs no bus")
def options(world):
    for words, status, text in ((["--version"], 0, "nm-kcpvpn-service "), (["--bus-name", "x"], 2, '"x" is not allowed'),
                                (["--colour"], 2, "Unknown option --colour"), (["x"], 2, '"x" is not allowed'),
                                (["--help"], 0, "--persist")):
        done = subprocess.run([world.program, *words], capture_output=True, text=True, timeout=20, check=False,
                              env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent", "LC_ALL": "C.UTF-8"})
        equal(done.returncode, status)
        want(done.stdout + done.stderr, text)


@test("NetworkManager's level decides what is logged, and --debug wins")
def log_level(world):
    for level, options, there in (("3", (), False), ("6", (), True), ("3", ("--debug",), True)):
        world.start(*options, env={"NM_VPN_LOG_LEVEL": level, "NM_VPN_LOG_SYSLOG": "0"})
        world.bring_up()
        world.call("Disconnect")
        equal("connected, interface kvc0" in world.wait_end(), there)
        world.signals.clear()


if __name__ == "__main__":
    kvfake.World = kvnm.World
    kvfake.main()
