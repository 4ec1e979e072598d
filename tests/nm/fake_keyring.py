# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for the user's keyring, with one secret of one connection, while a command runs.

Usage: fake_keyring.py UUID SECRET -- COMMAND... on a session bus. It has what libsecret asks for of
org.freedesktop.secrets: a plain session, a search by attributes, the secret.
"""
import subprocess
import sys
import threading

from gi.repository import Gio, GLib

INTERFACES = """<node>
  <interface name="org.freedesktop.Secret.Service">
    <method name="OpenSession">
      <arg type="s" direction="in"/><arg type="v" direction="in"/>
      <arg type="v" direction="out"/><arg type="o" direction="out"/>
    </method>
    <method name="SearchItems">
      <arg type="a{ss}" direction="in"/><arg type="ao" direction="out"/><arg type="ao" direction="out"/>
    </method>
    <method name="GetSecrets">
      <arg type="ao" direction="in"/><arg type="o" direction="in"/><arg type="a{o(oayays)}" direction="out"/>
    </method>
    <property name="Collections" type="ao" access="read"/>
  </interface>
</node>"""
ITEM, SESSION = "/org/freedesktop/secrets/collection/login/1", "/org/freedesktop/secrets/session/1"


def main():
    uuid, secret, command = sys.argv[1], sys.argv[2], sys.argv[4:]
    own = {"connection-uuid": uuid, "setting-name": "vpn", "setting-key": "secret"}

    def answer(_bus, _sender, _path, _interface, method, arguments, invocation):
        values = arguments.unpack()
        if method == "OpenSession" and values[0] != "plain":
            invocation.return_dbus_error("org.freedesktop.DBus.Error.NotSupported", "plain only")
        elif method == "OpenSession":
            invocation.return_value(GLib.Variant("(vo)", (GLib.Variant("s", ""), SESSION)))
        elif method == "SearchItems":
            invocation.return_value(GLib.Variant("(aoao)", ([ITEM] if values[0] == own else [], [])))
        else:
            value = (SESSION, b"", secret.encode(), "text/plain")
            invocation.return_value(GLib.Variant("(a{o(oayays)})", ({ITEM: value},)))

    bus = Gio.bus_get_sync(Gio.BusType.SESSION)
    [interface] = Gio.DBusNodeInfo.new_for_xml(INTERFACES).interfaces
    bus.register_object("/org/freedesktop/secrets", interface, answer,
                        lambda *_: GLib.Variant("ao", []), None)
    loop, status = GLib.MainLoop(), []

    def run(*_):
        def work():
            status.append(subprocess.run(command, check=False).returncode)
            GLib.idle_add(loop.quit)
        threading.Thread(target=work).start()

    Gio.bus_own_name_on_connection(bus, "org.freedesktop.secrets", Gio.BusNameOwnerFlags.NONE, run, None)
    loop.run()
    sys.exit(status[0])


main()
