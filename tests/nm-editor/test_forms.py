#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of the plugin in a window of one toolkit: what it shows, marks, saves and leaves alone.

Usage: test_forms.py HARNESS PLUGIN.so KCPVPN [FUNCTION]
"""

import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

import kvscreen

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SERVICE = "org.freedesktop.NetworkManager.kcpvpn"
SAMPLES = os.path.join(HERE, "samples")
COMPLETE = {"ip": "vpn.example.org", "port": "1235"}
ON_PAGE = ("ip", "port", "crypt", "client-id", "secret", "private-key", "public-key", "preshared-key")
OF_KEYS = ("private-key", "own-public-key", "public-key", "preshared-key", "show-keys", "generate-private-key",
           "copy-public-key")
# Of key files only: a profile has a name of its own, and is a client's.
OF_FILES = ("name", "role")
AGENT_OWNED = "1"
# RFC 7748, section 6.1: a pair, and another's public key.
PRIVATE_KEY = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
PUBLIC_KEY = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
SERVER_KEY = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
PRESHARED_KEY = "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
KEY_ALLOWED = "a key of 32 bytes in base64, 44 characters, as kcpvpn genkey, pubkey and genpsk write them"
PUBLIC_KEY_ALLOWED = ("44 characters of base64 as kcpvpn pubkey writes them; not one of the few keys, such as zeros alone, "
                      "that protect nothing")
BY_KEYS = {**COMPLETE, "private-key": PRIVATE_KEY, "private-key-flags": "0", "public-key": SERVER_KEY}


class Harness:
    """The program that shows the form, and answers what is asked on its standard input."""

    def __init__(self, program, plugin, env, items):
        words = [program, plugin, SERVICE] + [f"{key}={value}" for key, value in items.items()]
        self.stderr = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr, text=True, env=env)
        self._answer()

    def _answer(self):
        lines = []
        for line in self.process.stdout:
            if line == "done\n":
                return lines
            lines.append(line.rstrip("\n"))
        self.stderr.seek(0)
        raise AssertionError(f"the harness ended: {self.stderr.read()}")

    def ask(self, *words):
        self.process.stdin.write("\t".join(words) + "\n")
        self.process.stdin.flush()
        lines = self._answer()
        self.changed = int(lines.pop().removeprefix("changed "))
        return lines

    def do(self, *words):
        lines = self.ask(*words)
        assert not lines or lines == ["picked 1"], f"{words}: {lines}"

    def dump(self):
        """What the form would save: items and secrets; or a sentence that says why not."""
        lines = self.ask("dump")
        if lines and lines[0].startswith("error "):
            return lines[0].removeprefix("error ")
        return dict(line.split(" ", 1)[1].split("=", 1) for line in lines)

    def look(self, name):
        return dict(line.split(" ", 1) for line in self.ask("look", name))

    def is_visible(self, name):
        return self.look(name)["visible"] == "1"

    def is_marked(self, name):
        return self.look(name)["marked"] == "1"

    def close(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        status = self.process.wait(timeout=20)
        self.stderr.seek(0)
        said = self.stderr.read()
        self.process.stdout.close()
        self.stderr.close()
        assert status == 0, f"the harness ended with {status}: {said}"
        complaints = re.findall(r".*(?:CRITICAL|WARNING|ERROR) \*\*.*", said)
        assert not complaints, "\n".join(complaints)


class World:
    def __init__(self, program, plugin, kcpvpn, env):
        self.program, self.plugin, self.kcpvpn, self.env = program, plugin, kcpvpn, env

    def public_key(self, private_key):
        """As the command line makes it."""
        return subprocess.run([self.kcpvpn, "pubkey"], input=private_key, capture_output=True, text=True,
                              check=True).stdout.strip()

    @contextlib.contextmanager
    def form(self, **items):
        harness = Harness(self.program, self.plugin, self.env,
                          {key.replace("_", "-"): value for key, value in items.items()})
        try:
            yield harness
            harness.close()
        finally:
            harness.process.kill()
            harness.process.wait()


def read_settings(path):
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


def read_table():
    """Key and default of each setting that a client's profile may have."""
    rows = []
    for path in glob.glob(os.path.join(TOP, "src/settings/kv-setting-rows-*.c")):
        with open(path, encoding="utf-8") as file:
            rows += re.split(r"^    \[KV_SETTING_", file.read(), flags=re.M)[1:]
    rows = [row for row in rows if "FLAG_DESKTOP" in row and "SIDE_SERVER" not in row]
    return {re.search(r'\.key = "([^"]+)"', row).group(1): read_default(row) for row in rows}


def read_default(row):
    """As people are told it."""
    found = {kind: match[1] for kind in ("desktop_default", "native_default", "default")
             if (match := re.search(rf'\.{kind}_text = (?:N_\()?"([^"]+)"', row))}
    if "native_default" in found:
        return f"{found['native_default']}, in protocol v1 {found['default']}"
    return found.get("desktop_default", found.get("default"))


# --- the tests ----------------------------------------------------------------------------------

def empty(world):
    """a new profile: nothing is marked, nothing can be saved, the user's agent keeps the secret"""
    with world.form() as form:
        assert not any(form.is_marked(key) for key in ON_PAGE)
        assert form.dump() == ("ip: required, but not given; allowed: an IPv4 address, an IPv6 "
                               "address with or without brackets, or a host name")
        form.do("set", "ip", " vpn.example.org ")
        assert form.changed >= 1
        assert form.dump().startswith("port: required, but not given; allowed: a whole number")
        form.do("set", "port", "1235")
        assert form.dump() == {**COMPLETE, "secret-flags": AGENT_OWNED}


def marks(world):
    """what is not allowed is marked while it is typed, and not saved"""
    with world.form(**COMPLETE) as form:
        for key, wrong, message in (
                ("port", "65536", 'port: "65536" is not allowed; allowed: a whole number from 1 to 65535'),
                ("port", "x", 'port: "x" is not allowed; allowed: a whole number from 1 to 65535'),
                ("port", "", "port: required, but not given; allowed: a whole number from 1 to 65535"),
                ("ip", "a b", 'ip: "a b" is not allowed; allowed: an IPv4 address, an IPv6 address '
                 'with or without brackets, or a host name'),
                ("client-id", "a.b", 'client-id: "a.b" is not allowed; allowed: 1 to 16 characters '
                 'of A-Z, a-z, 0-9, _ and -'),
                ("secret", "x" * 4097, "secret: this value is not allowed; allowed: 1 to 4096 bytes "
                 "of UTF-8 text without control characters")):
            before = form.look(key)["text"]
            form.do("set", key, wrong)
            assert form.is_marked(key), key
            assert form.dump() == message, form.dump()
            form.do("set", key, before)
            assert not form.is_marked(key), key
            assert isinstance(form.dump(), dict)


def whole_table(world):
    """there is a field for every setting of the table, with help, key and default"""
    with world.form(**COMPLETE) as form:
        form.do("press", "advanced")
        table = read_table()
        assert len(table) > 20
        for key, default in table.items():
            seen = form.look(key) if key not in OF_FILES else {}
            assert seen or form.ask("look", key) == ["missing"], key
            if not seen:
                continue
            assert seen["tip"].endswith(f"|In files and for nmcli: {key}"), seen
            assert default is None or f"|Default: {default}|" in seen["tip"], seen
            if seen["kind"] == "GtkEntry":
                assert seen["placeholder"] == ("optional" if key == "preshared-key" else default or ""), seen
                assert seen["text"] == COMPLETE.get(key, ""), seen
            elif seen["kind"] == "GtkCheckButton":
                assert seen["text"] == default, seen
            else:
                assert seen["text"] == "", seen


def advanced(world):
    """every setting can be set and is saved, but not by Cancel; unset, it is gone"""
    wanted = read_settings(os.path.join(SAMPLES, "all-settings.kcpvpn"))
    # A profile that has keys does without the secret.
    for key in (*OF_FILES, "secret"):
        del wanted[key]
    wanted |= {"private-key-flags": AGENT_OWNED, "preshared-key-flags": AGENT_OWNED}
    with world.form(**COMPLETE) as form:
        form.do("set", "authentication-type", "keys")
        for key in ON_PAGE:
            if key in wanted:
                form.do("set", key, wanted[key])
        page = form.dump()
        for word in ("cancel", "ok"):
            form.do("press", "advanced")
            for key, value in wanted.items():
                if key not in ON_PAGE and not key.endswith("-flags"):
                    form.do("set", key, value)
            form.do("answer", word)
            assert form.dump() == (page if word == "cancel" else wanted), form.dump()
        form.do("press", "advanced")
        for key in wanted:
            if key not in ON_PAGE and not key.endswith("-flags"):
                boolean = form.look(key)["kind"] == "GtkCheckButton"
                form.do("set", key, page.get(key, read_table()[key] if boolean else ""))
        form.do("answer", "ok")
        assert form.dump() == page, form.dump()


def by_default(world):
    """a box shows what counts if the profile does not say, which for reconnecting is yes, and both can be chosen"""
    for given, shown, chosen, saved in ((None, "true", "false", "false"), ("false", "false", "true", None),
                                        ("true", "true", "false", "false"), ("T", "true", "true", "T")):
        more = {"auto-reconnect": given} if given else {}
        with world.form(**COMPLETE, **more) as form:
            form.do("press", "advanced")
            assert form.look("auto-reconnect")["text"] == shown, given
            form.do("set", "auto-reconnect", chosen)
            form.do("answer", "ok")
            assert form.dump() == {**COMPLETE, **({"auto-reconnect": saved} if saved else {})}, form.dump()


def together(world):
    """values that do not go together keep the dialog open; settings by hand need their mode, and others a protocol"""
    with world.form(**COMPLETE) as form:
        assert form.look("crypt")["text"] == ""
        for crypt, v1 in (("", False), ("aes-256-gcm", False), ("aes", True), ("chacha20-poly1305", False), ("tea", True)):
            form.do("set", "crypt", crypt)
            form.do("press", "advanced")
            form.do("set", "kcp-mode", "manual")
            for key in ("kcp-mode", "smuxbuf", "nodelay", "interval", "resend", "nc", "acknodelay"):
                assert form.look(key)["sensitive"] == ("1" if v1 else "0"), (crypt, key)
            form.do("set", "kcp-mode", "fast3")
            assert form.look("nodelay")["sensitive"] == "0"
            assert form.look("local-ip6")["sensitive"] == ("0" if v1 else "1"), crypt
            for key in ("keepalive", "sndwnd", "datashard", "local-ip"):
                assert form.look(key)["sensitive"] == "1", (crypt, key)
            form.do("answer", "cancel")
    with world.form(crypt="aes", **COMPLETE) as form:
        form.do("press", "advanced")
        assert form.look("nodelay")["sensitive"] == "0"
        form.do("set", "datashard", "200")
        form.do("set", "parityshard", "100")
        assert form.ask("answer", "ok") == ["insensitive"]
        form.do("set", "parityshard", "5x")
        assert form.is_marked("parityshard")
        assert form.ask("answer", "ok") == ["insensitive"]
        form.do("set", "parityshard", "56")
        form.do("set", "kcp-mode", "manual")
        assert form.look("nodelay")["sensitive"] == "1"
        form.do("answer", "ok")
        form.do("press", "advanced")
        assert form.look("nodelay")["sensitive"] == "1"
        form.do("answer", "cancel")
        assert form.dump() == {**COMPLETE, "crypt": "aes", "datashard": "200", "parityshard": "56",
                               "kcp-mode": "manual"}
    for crypt, parity, most in (("aes", "100", "256"), ("auto", "60", "192")):
        with world.form(crypt=crypt, datashard="200", parityshard=parity, **COMPLETE) as form:
            assert form.dump() == (f"datashard and parityshard: 200 and {parity} make {200 + int(parity)}; allowed: at "
                                   f"most {most} together")


def kept(world):
    """what the form does not know, or was not asked to change, stays as it was"""
    odd = {"from-the-future": "x", "crypt": "aes", "kcp-mode": "fast", "acknodelay": "T",
           "rapid-fec": "0", "port": "0x4D3", "ip": "[2001:db8::7]", "secret-flags": "3",
           "vni-name": "kvc0", "auto-reconnect": "false"}
    with world.form(**odd) as form:
        assert form.dump() == odd, form.dump()
        form.do("press", "advanced")
        form.do("set", "dscp", "46")
        form.do("answer", "ok")
        form.do("set", "client-id", "laptop")
        assert form.dump() == {**odd, "dscp": "46", "client-id": "laptop"}
    with world.form(crypt="rot13", kcp_mode="turbo", **COMPLETE) as form:
        assert form.is_marked("crypt")
        form.do("set", "crypt", "sm4")
        assert form.dump().startswith('kcp-mode: "turbo" is not allowed; allowed: one of normal,')
        form.do("press", "advanced")
        assert form.is_marked("kcp-mode")
        form.do("set", "kcp-mode", "fast2")
        form.do("answer", "ok")
        assert form.dump() == {**COMPLETE, "crypt": "sm4", "kcp-mode": "fast2"}


def secret(world):
    """the secret is hidden until one wants to see it, and stays where it is kept"""
    with world.form(secret=" s,=:\\ ", secret_flags="0", **COMPLETE) as form:
        assert form.look("secret")["readable"] == "0"
        form.do("set", "show-secret", "true")
        assert form.look("secret")["readable"] == "1"
        assert form.dump() == {**COMPLETE, "secret": " s,=:\\ ", "secret-flags": "0"}
        form.do("set", "secret", "")
        assert form.dump() == {**COMPLETE, "secret-flags": "0"}
    for flags in ("0", "1", "2", "4"):
        with world.form(secret_flags=flags, **COMPLETE) as form:
            assert form.dump() == {**COMPLETE, "secret-flags": flags}


def way(world):
    """one chooses between a secret and keys: only what that way needs is shown and saved, and the other comes back"""
    with world.form(secret="geheim", secret_flags="0", **COMPLETE) as form:
        by_secret = form.dump()
        assert form.look("authentication-type")["text"] == "secret"
        assert form.is_visible("secret") and form.is_visible("show-secret")
        assert not any(form.is_visible(name) for name in OF_KEYS)
        form.do("set", "authentication-type", "keys")
        assert form.changed >= 1
        assert not form.is_visible("secret") and not form.is_visible("show-secret")
        assert all(form.is_visible(name) for name in OF_KEYS)
        assert not any(form.is_marked(name) for name in ON_PAGE)
        assert form.dump() == f"public-key: required, but not given; allowed: {PUBLIC_KEY_ALLOWED}"
        form.do("set", "public-key", f" {SERVER_KEY} ")
        assert form.dump() == {**COMPLETE, "public-key": SERVER_KEY, "private-key-flags": AGENT_OWNED}
        form.do("set", "private-key", PRIVATE_KEY)
        form.do("set", "preshared-key", PRESHARED_KEY)
        by_keys = {**BY_KEYS, "preshared-key": PRESHARED_KEY, "private-key-flags": AGENT_OWNED,
                   "preshared-key-flags": AGENT_OWNED}
        assert form.dump() == by_keys, form.dump()
        form.do("set", "public-key", "wrong")
        form.do("set", "authentication-type", "secret")
        assert form.dump() == by_secret, form.dump()
        form.do("set", "authentication-type", "keys")
        form.do("set", "public-key", SERVER_KEY)
        assert form.dump() == by_keys, form.dump()
        form.do("set", "preshared-key", "")
        del by_keys["preshared-key"], by_keys["preshared-key-flags"]
        assert form.dump() == by_keys, form.dump()
    with world.form(crypt="salsa20", **COMPLETE) as form:
        form.do("set", "authentication-type", "keys")
        assert form.look("crypt")["text"] == ""
        form.do("set", "authentication-type", "secret")
        assert form.look("crypt")["text"] == "salsa20"
        assert form.dump() == {**COMPLETE, "crypt": "salsa20", "secret-flags": "0"}, form.dump()
        form.do("set", "authentication-type", "keys")
        form.do("set", "public-key", SERVER_KEY)
        assert form.dump() == {**COMPLETE, "public-key": SERVER_KEY, "private-key-flags": AGENT_OWNED}, form.dump()
        form.do("set", "crypt", "chacha20-poly1305")
        form.do("set", "authentication-type", "secret")
        assert form.dump() == {**COMPLETE, "crypt": "chacha20-poly1305", "secret-flags": "0"}, form.dump()
    with world.form(crypt="aes-256-gcm", **COMPLETE) as form:
        form.do("set", "authentication-type", "keys")
        form.do("set", "public-key", SERVER_KEY)
        assert form.dump()["crypt"] == "aes-256-gcm"
        form.do("set", "crypt", "aes-128")
        assert form.dump().startswith("public-key: protocol v1 has no keys, and crypt aes-128 is one of its ciphers")


def keys(world):
    """a key pair can be made, seen and copied; who keeps it stays; what is no key is marked"""
    with world.form(**BY_KEYS) as form:
        assert form.look("authentication-type")["text"] == "keys"
        assert form.dump() == BY_KEYS
        assert form.look("own-public-key")["text"] == PUBLIC_KEY
        assert form.look("private-key")["readable"] == form.look("preshared-key")["readable"] == "0"
        form.do("set", "show-keys", "true")
        assert form.look("private-key")["readable"] == form.look("preshared-key")["readable"] == "1"
        form.do("press", "copy-public-key")
        form.do("paste", "client-id")
        assert form.look("client-id")["text"] == PUBLIC_KEY
        form.do("set", "client-id", "")
        form.do("press", "generate-private-key")
        made = form.dump()["private-key"]
        assert made != PRIVATE_KEY and form.dump() == {**BY_KEYS, "private-key": made}
        assert form.look("own-public-key")["text"] == world.public_key(made)
        form.do("press", "generate-private-key")
        assert form.dump()["private-key"] != made
        for key in ("private-key", "preshared-key"):
            for wrong in (PRIVATE_KEY[:-2], PRIVATE_KEY[:-2] + "p=", "x" * 44):
                form.do("set", key, wrong)
                assert form.dump() == f"{key}: this value is not allowed; allowed: {KEY_ALLOWED}", form.dump()
                assert form.is_marked(key)
            form.do("set", key, "")
        assert form.look("own-public-key")["text"] == ""
        assert form.look("copy-public-key")["sensitive"] == "0"
        for wrong in (SERVER_KEY[:-1], "A" * 43 + "="):
            form.do("set", "public-key", wrong)
            assert form.dump() == f'public-key: "{wrong}" is not allowed; allowed: {PUBLIC_KEY_ALLOWED}', form.dump()
        form.do("set", "public-key", "")
        assert form.is_marked("public-key")
    for flags in ("0", "1", "2", "4"):
        kept = {**COMPLETE, "public-key": SERVER_KEY, "private-key-flags": flags,
                "preshared-key-flags": flags}
        with world.form(**kept) as form:
            assert form.dump() == kept, form.dump()
            form.do("set", "client-id", "me")
            assert form.dump() == {**kept, "client-id": "me"}, form.dump()
            assert form.look("generate-private-key")["sensitive"] == ("0" if flags in "24" else "1"), flags


def samples(world):
    """files come through the form as they come through import and export alone"""
    with world.form() as form, tempfile.TemporaryDirectory() as folder:
        names = sorted(os.listdir(SAMPLES))
        assert len(names) > 10
        for name in names:
            path = os.path.join(SAMPLES, name)
            once, twice = os.path.join(folder, name), os.path.join(folder, "2-" + name)
            assert form.ask("edit", path, once) == ["exported"], name
            assert form.ask("edit", once, twice) == ["exported"], name
            first, second = read_settings(once), read_settings(twice)
            # A name that no tunnel can have is the file's alone.
            if "name" not in first:
                second.pop("name", None)
            assert first == second, name
            given = {key.strip() for key in read_settings(path) if not key.startswith("#")}
            assert given - set(first) <= {"name", "role"}, (name, given, first)
            assert set(first) - given <= {"name", "role"}, (name, given, first)


def refused(world):
    """a file that is refused leaves the form as it is"""
    with world.form(**COMPLETE) as form:
        lines = form.ask("open", os.path.join(HERE, "refused", "server.kcpvpn"))
        assert lines[0].endswith("role: these are settings of a server, a client was asked for")
        assert form.dump() == COMPLETE


def gone(world):
    """a form that goes away takes its dialog with it"""
    with world.form(**COMPLETE) as form:
        form.do("press", "advanced")
        form.do("press", "advanced")
        form.do("open", os.path.join(SAMPLES, "office.kcpvpn"))
        assert form.ask("answer", "ok") == ["missing"]
        assert form.ask("look", "dscp") == ["missing"]
        form.do("press", "advanced")
        form.do("answer", "ok")
        assert form.dump()["kcp-mode"] == "fast3"


TESTS = (empty, marks, whole_table, advanced, by_default, together, kept, secret, way, keys, samples, refused, gone)


def main(program, plugin, kcpvpn, only=None):
    if shutil.which("Xvfb") is None:
        print("SKIPPED: needs Xvfb", flush=True)
        return SKIPPED
    failures = 0
    with kvscreen.screen() as env:
        # No accessibility bus; the names that it would show have a test of their own.
        world = World(program, os.path.abspath(plugin), kcpvpn, {**env, "NO_AT_BRIDGE": "1", "GTK_A11Y": "none"})
        for test in TESTS:
            if only not in (None, test.__name__):
                continue
            try:
                test(world)
                print(f"ok {test.__name__}: {test.__doc__}", flush=True)
            except AssertionError:
                failures += 1
                print(f"FAILED {test.__name__}: {test.__doc__}", flush=True)
                traceback.print_exc(file=sys.stdout)
    return 1 if failures else 0


sys.exit(main(*sys.argv[1:]))
