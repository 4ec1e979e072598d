#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The form in nm-connection-editor, as a person without a mouse fills it in. Usage: FILE [BUILD [TEST...]]

KCPVPN_SCREENSHOTS names a folder for pictures of the windows.
"""
import contextlib
import os
import subprocess
import sys
import time

import kvbox
from kvbox import check, equal, main, shell, test, wait_until
from kvnet import Process, Skipped

sys.path.insert(0, os.path.join(os.path.dirname(kvbox.HERE), "nm-editor"))

import kvscreen  # noqa: E402

PROGRAM = "nm-connection-editor"
ENTRY = "text|password text"
SAMPLES = os.path.join(os.path.dirname(kvbox.HERE), "nm-editor", "samples")


@contextlib.contextmanager
def desktop(box):
    """A screen, a session bus and a window manager; yields what sees and touches the windows."""
    for program in (PROGRAM, "Xvfb", "openbox", "dbus-daemon"):
        if kvbox.shutil.which(program) is None:
            raise Skipped(f"needs {program}")
    with kvscreen.screen() as env, kvscreen.session(env) as env:
        try:
            eyes = kvscreen.Eyes(env)
        except (ImportError, ValueError) as error:
            raise Skipped(str(error)) from error
        box.processes.append(Process(["openbox", "--sm-disable"], "openbox", None, box.dir))
        yield eyes


@contextlib.contextmanager
def editor(box, *words):
    process = Process([PROGRAM, *words], PROGRAM, None, box.dir)
    box.processes.append(process)
    yield process


def take_picture(title, name, height=None):
    folder = os.environ.get("KCPVPN_SCREENSHOTS")
    if folder:
        window = shell("xdotool", "search", "--name", title).split()[-1]
        if height:
            shell("xdotool", "windowsize", window, "540", str(height))
        time.sleep(0.5)  # until it is drawn
        shell("import", "-window", window, os.path.join(folder, name + ".png"))


def save(eyes):
    wait_until(lambda: eyes.is_sensitive("push button", "Save"), 5, "it can be saved")
    eyes.press("push button", "Save")


def read_data(box, name):
    """vpn.data of a profile, as nmcli shows it."""
    text = box.nmcli("-e", "no", "-g", "vpn.data", "connection", "show", name).strip()
    return dict(item.split(" = ", 1) for item in text.split(", "))


@test("a profile that is made in the form is the one that nmcli shows; what is wrong cannot be saved", limit=90)
def make(box):
    with desktop(box) as eyes, editor(box, "--create", "--type=vpn"):
        eyes.find("label", "A VPN for bad links: loss, jitter, throttled UDP.")
        eyes.press("push button", "Create…")
        eyes.find(ENTRY, "Gateway")
        check(not eyes.is_sensitive("push button", "Save"), "an empty form can be saved")
        eyes.type(ENTRY, "Gateway", "vpn.example.org")
        eyes.type(ENTRY, "Port", "99999")
        check(eyes.look("label", 'port: "99999" is not allowed; allowed: a whole number from 1 to 65535'),
              "the port is not marked")
        check(not eyes.is_sensitive("push button", "Save"), "a wrong port can be saved")
        eyes.type(ENTRY, "Port", "29900")
        eyes.type(ENTRY, "Identity", "laptop")
        eyes.type(ENTRY, "Secret", "correct horse")
        eyes.press_in_popup("Secret", "radio button", "Store the password for all users")
        take_picture("Editing", "editor-gtk3")
        eyes.press("push button", "Advanced…")
        eyes.type(ENTRY, "Heartbeat", "15")
        eyes.type(ENTRY, "Data packets in a group", "20")
        check(not eyes.is_sensitive("combo box", "KCP mode"), "a mode of KCP can be chosen for the native protocol")
        eyes.press("check box", "Reconnect automatically")
        take_picture("Advanced", "advanced-gtk3")
        eyes.press("push button", "OK")
        eyes.press("menu item", "salsa20")
        eyes.press("push button", "Advanced…")
        eyes.press("menu item", "fast3")
        eyes.press("push button", "OK")
        save(eyes)
        wait_until(lambda: "VPN connection 1" in box.nmcli("-g", "NAME", "connection"), 10, "nmcli shows the profile")
    equal(read_data(box, "VPN connection 1"),
          {"ip": "vpn.example.org", "port": "29900", "client-id": "laptop", "kcp-mode": "fast3", "keepalive": "15",
           "datashard": "20", "crypt": "salsa20", "auto-reconnect": "false", "secret-flags": "0"}, "vpn.data")
    equal(box.nmcli("-s", "-g", "vpn.secrets", "connection", "show", "VPN connection 1").strip(),
          "secret = correct horse", "vpn.secrets")


def public_key(private_key):
    """As the command line makes it."""
    return subprocess.run([kvbox.kvnet.PROGRAM, "pubkey"], input=private_key, capture_output=True, text=True,
                          check=True).stdout.strip()


def read_secrets(box, name):
    """vpn.secrets of a profile, as nmcli shows it."""
    text = box.nmcli("-s", "-e", "no", "-g", "vpn.secrets", "connection", "show", name).strip()
    return dict(item.split(" = ", 1) for item in text.split(", "))


@test("a key pair that is made in the form can be copied and is saved; nmcli has the private key among the secrets",
      limit=90)
def keys(box):
    server_key, preshared = public_key("A" * 43 + "="), "B" * 42 + "A="
    with desktop(box) as eyes, editor(box, "--create", "--type=vpn"):
        eyes.press("push button", "Create…")
        eyes.find(ENTRY, "Gateway")
        eyes.type(ENTRY, "Gateway", "vpn.example.org")
        eyes.type(ENTRY, "Port", "29900")
        check(not eyes.is_showing(ENTRY, "Private key"), "there are keys before anybody chose them")
        eyes.press("menu item", "Public keys")
        wait_until(lambda: eyes.is_showing(ENTRY, "Private key"), 5, "there are keys")
        check(not eyes.is_showing(ENTRY, "Secret"), "there is a secret beside the keys")
        equal(eyes.read(ENTRY, "Public key"), "", "the public key of no private one")
        eyes.press("push button", "Generate")
        wait_until(lambda: eyes.read(ENTRY, "Public key"), 5, "there is a public key")
        shown = eyes.read(ENTRY, "Public key")
        check(not eyes.is_sensitive("push button", "Save"), "a profile without the server's key can be saved")
        eyes.type(ENTRY, "Server's public key", server_key[:-2])
        check(eyes.look("label", f'public-key: "{server_key[:-2]}" is not allowed; allowed: 44 characters of base64 as '
                        "kcpvpn pubkey writes them; not one of the few keys, such as zeros alone, that protect nothing"),
              "no mark at the key")
        eyes.type(ENTRY, "Server's public key", server_key)
        eyes.type(ENTRY, "Preshared key", preshared)
        for name in ("Private key", "Preshared key"):
            eyes.press_in_popup(name, "radio button", "Store the password for all users")
        take_picture("Editing", "keys-gtk3", 680)
        # What was copied is what is pasted elsewhere.
        eyes.press("push button", "Copy")
        eyes.find(ENTRY, "Identity").get_editable_text_iface().paste_text(0)
        wait_until(lambda: eyes.read(ENTRY, "Identity") == shown, 5, "the public key was copied")
        eyes.type(ENTRY, "Identity", "laptop")
        save(eyes)
        wait_until(lambda: "VPN connection 1" in box.nmcli("-g", "NAME", "connection"), 10, "nmcli shows the profile")
    equal(read_data(box, "VPN connection 1"),
          {"ip": "vpn.example.org", "port": "29900", "client-id": "laptop", "public-key": server_key,
           "private-key-flags": "0", "preshared-key-flags": "0"}, "vpn.data")
    secrets = read_secrets(box, "VPN connection 1")
    equal(secrets.pop("preshared-key"), preshared, "the preshared key")
    equal(public_key(secrets.pop("private-key")), shown, "the public key that was shown")
    equal(secrets, {}, "other secrets")


@test("an edit changes what was edited, and leaves the rest as nmcli made it", limit=90)
def edit(box):
    box.profile("office", udp_mtu=1280, from_the_future="x", crypt="aes", acknodelay="T")
    before = read_data(box, "office")
    ident = box.nmcli("-g", "connection.uuid", "connection", "show", "office").strip()
    with desktop(box) as eyes, editor(box, "--edit", ident):
        eyes.find(ENTRY, "Gateway")
        equal(eyes.read(ENTRY, "Gateway"), box.address4, "the gateway in the form")
        eyes.type(ENTRY, "Identity", "laptop")
        save(eyes)
        wait_until(lambda: "client-id" in read_data(box, "office"), 10, "nmcli shows the change")
    equal(read_data(box, "office"), {**before, "client-id": "laptop"}, "vpn.data")
    equal(box.nmcli("-s", "-g", "vpn.secrets", "connection", "show", "office").strip(),
          f"secret = {kvbox.SECRET}", "vpn.secrets")


@test("each sample comes through nmcli's import, export and import again unchanged", limit=60)
def nmcli_identity(box):
    fields = ("connection.id", "vpn.secrets", "vpn.service-type", "ipv4.method", "ipv6.method")

    def show(ident):
        data = read_data(box, ident)
        # What it can do without, nobody keeps for the copy.
        data.pop("preshared-key-flags", None)
        if "public-key" in data:
            data.pop("secret-flags", None)
        return data, box.nmcli("-s", "-g", ",".join(fields), "connection", "show", ident)

    def take(path):
        known = set(box.nmcli("-g", "UUID", "connection").split())
        box.nmcli("connection", "import", "type", "kcpvpn", "file", path)
        [ident] = set(box.nmcli("-g", "UUID", "connection").split()) - known
        return ident

    for name in sorted(os.listdir(SAMPLES)):
        first = take(os.path.join(SAMPLES, name))
        # nmcli gives no secret away to an export, so that the copy asks for the one that it needs.
        flags = [key for key in read_data(box, first) if key.endswith("-flags")]
        box.nmcli("connection", "modify", first, "vpn.secrets", "",
                  *(word for key in flags for word in ("+vpn.data", f"{key} = 1")))
        shown = show(first)
        # A name that no tunnel can have is the file's alone.
        out = os.path.join(box.dir, box.value("connection.id", first) + ".kcpvpn")
        box.nmcli("connection", "export", first, out)
        box.nmcli("connection", "delete", first)
        second = take(out)
        equal(show(second), shown, name)
        box.nmcli("connection", "delete", second)
    _, said = box.nmcli_fails("connection", "import", "type", "kcpvpn", "file",
                              os.path.join(SAMPLES, "../refused/server.kcpvpn"))
    check("role: these are settings of a server, a client was asked for" in said, said)


if __name__ == "__main__":
    main()
