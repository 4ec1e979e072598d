#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The form in the settings of GNOME, where it is one of GTK 4. Usage: FILE [BUILD [TEST...]]

KCPVPN_SCREENSHOTS names a folder for pictures of the windows.
"""
import contextlib
import os
import sys
import time

import kvbox
from kvbox import check, equal, main, shell, test, wait_until
from kvnet import TUN_SERVER, Process, Skipped

sys.path.insert(0, os.path.join(os.path.dirname(kvbox.HERE), "nm-editor"))

import kvscreen  # noqa: E402

PROGRAM = "gnome-control-center"
ENTRY = "text|password text|entry"
KIND = ("label", "A VPN for bad links: loss, jitter, throttled UDP.")
# Other pages there have gateways, too.
GATEWAY = "Address or host name of the server"
ADD, CANCEL = ("push button", "_Add Add"), ("push button", "_Cancel Cancel")
FAULT = 'port: "99999" is not allowed; allowed: a whole number from 1 to 65535'


class Hand:
    """A mouse: to programs that touch what is on the screen, GTK 4 offers texts and no buttons."""

    def __init__(self, eyes):
        self.eyes = eyes

    def click(self, role, name):
        node = self.eyes.find(role, name)
        place = node.get_extents(self.eyes.atspi.CoordType.WINDOW)
        # The window that opened last is the one that can be used.
        window = shell("xdotool", "search", "--onlyvisible", "--name", ".").split()[-1]
        shell("xdotool", "mousemove", "--sync", "--window", window, str(place.x + place.width // 2),
              str(place.y + place.height // 2), "click", "1")
        # Where it stays, a tooltip comes up, and may lie over what is clicked next.
        shell("xdotool", "mousemove", "--sync", "0", "0")

    def open(self, role, name, *wanted):
        """Clicks until that is there: a window that has just come may not take the first one."""
        for _ in range(5):
            self.click(role, name)
            with contextlib.suppress(AssertionError):
                self.eyes.find(*wanted, seconds=3)
                time.sleep(0.5)  # it has its place
                return
        raise AssertionError(f"{name} opens no {wanted}: {self.eyes.list()}")


@contextlib.contextmanager
def settings(box):
    """GNOME's settings, at the page of networks; yields what sees and what touches them."""
    for program in (PROGRAM, "Xvfb", "openbox", "dbus-daemon", "xdotool"):
        if kvbox.shutil.which(program) is None:
            raise Skipped(f"needs {program}")
    with kvscreen.screen() as env, kvscreen.session({**env, "XDG_CURRENT_DESKTOP": "GNOME"}) as env:
        try:
            eyes = kvscreen.Eyes(env)
        except (ImportError, ValueError) as error:
            raise Skipped(str(error)) from error
        box.processes.append(Process(["openbox", "--sm-disable"], "openbox", None, box.dir))
        box.processes.append(Process([PROGRAM, "network"], PROGRAM, None, box.dir))
        eyes.find("push button", "Add connection", seconds=30)
        time.sleep(1)  # its window has its place
        yield eyes, Hand(eyes)


def take_picture(name):
    folder = os.environ.get("KCPVPN_SCREENSHOTS")
    if folder:
        time.sleep(0.5)  # until it is drawn
        window = shell("xdotool", "search", "--onlyvisible", "--name", ".").split()[-1]
        shell("import", "-window", window, os.path.join(folder, name + ".png"))


@test("a profile that is made there is the one that nmcli shows; what is wrong cannot be saved", limit=120)
def make(box):
    with settings(box) as (eyes, hand):
        hand.open("push button", "Add connection", *KIND)
        hand.open(*KIND, ENTRY, "Gateway", GATEWAY)
        check(not eyes.is_sensitive(*ADD), "an empty form can be saved")
        eyes.type(ENTRY, "Gateway", "vpn.example.org", GATEWAY)
        eyes.type(ENTRY, "Port", "99999")
        eyes.find("label", FAULT)
        check(not eyes.is_sensitive(*ADD), "a wrong port can be saved")
        eyes.type(ENTRY, "Port", "29900")
        eyes.type(ENTRY, "Identity", "laptop")
        eyes.type(ENTRY, "Secret", "correct horse")
        take_picture("editor-gtk4")
        hand.open("push button", "Advanced…", ENTRY, "Heartbeat")
        eyes.type(ENTRY, "Heartbeat", "15")
        take_picture("advanced-gtk4")
        hand.click("push button", "OK")
        wait_until(lambda: eyes.look(ENTRY, "Heartbeat") is None, 10, "the advanced page is gone")
        wait_until(lambda: eyes.is_sensitive(*ADD), 5, "it can be saved")
        hand.click(*ADD)
        wait_until(lambda: "VPN 1" in box.nmcli("-g", "NAME", "connection"), 10, "nmcli shows the profile")
    text = box.nmcli("-e", "no", "-g", "vpn.data", "connection", "show", "VPN 1").strip()
    equal(dict(item.split(" = ", 1) for item in text.split(", ")),
          {"ip": "vpn.example.org", "port": "29900", "client-id": "laptop", "keepalive": "15", "secret-flags": "1"},
          "vpn.data")


@test("a profile with keys is shown with them, and with the public key that the server must know", limit=120)
def keys(box):
    # RFC 7748, section 6.1.
    private_key, own = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
    server_key = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
    box.profile("office", "vpn.secrets", f"private-key={private_key}", secret=None, public_key=server_key)
    with settings(box) as (eyes, hand):
        hand.open("push button", "Options…", ENTRY, "Public key")
        equal((eyes.read(ENTRY, "Public key"), eyes.read(ENTRY, "Server's public key")), (own, server_key), "the keys")
        check(eyes.look(ENTRY, "Secret") is None, "there is a secret beside the keys")
        hand.click("label|page tab", "Identity")
        take_picture("keys-gtk4")
        hand.click(*CANCEL)


@test("a profile that nmcli made is shown, connects by its switch, and ends by it", limit=120)
def switch(box):
    box.start_server()
    before = box.network()
    box.profile("office", client_id="laptop")
    with settings(box) as (eyes, hand):
        hand.open("push button", "Options…", "label", "Identity")
        equal((eyes.read(ENTRY, "Gateway", GATEWAY), eyes.read(ENTRY, "Port")), (box.address4, str(kvbox.kvnet.PORT)),
              "the form")
        hand.click(*CANCEL)
        wait_until(lambda: eyes.look(ENTRY, "Port") is None, 10, "the form is gone")
        time.sleep(0.5)
        hand.click("check box", "Turn VPN connection off office")
        wait_until(lambda: box.state("office") == "activated", 15, "it is connected")
        box.here.can_ping(TUN_SERVER)
        hand.click("check box", "Turn VPN connection off office")
        box.wait_network(before)


if __name__ == "__main__":
    main()
