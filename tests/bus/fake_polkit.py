#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A polkit authority that a test tells what to answer. It owns org.freedesktop.PolicyKit1.

Besides the Authority it has the interface org.kcpvpn.Test on the same object:
  SetAnswer(s action, s answer)  "" is every action without an answer of its own; answers: yes, no,
                                 challenge, dismissed, error, hang
  Release()                      answers "yes" to all that hang
  GetCalls() -> s                JSON: what was asked, in order
"""
import json

from gi.repository import Gio, GLib

PATH = "/org/freedesktop/PolicyKit1/Authority"
XML = """
<node>
  <interface name="org.freedesktop.PolicyKit1.Authority">
    <method name="CheckAuthorization">
      <arg name="subject" type="(sa{sv})" direction="in"/>
      <arg name="action_id" type="s" direction="in"/>
      <arg name="details" type="a{ss}" direction="in"/>
      <arg name="flags" type="u" direction="in"/>
      <arg name="cancellation_id" type="s" direction="in"/>
      <arg name="result" type="(bba{ss})" direction="out"/>
    </method>
    <method name="CancelCheckAuthorization">
      <arg name="cancellation_id" type="s" direction="in"/>
    </method>
    <signal name="Changed"/>
    <property name="BackendName" type="s" access="read"/>
    <property name="BackendVersion" type="s" access="read"/>
    <property name="BackendFeatures" type="u" access="read"/>
  </interface>
  <interface name="org.kcpvpn.Test">
    <method name="SetAnswer">
      <arg name="action" type="s" direction="in"/>
      <arg name="answer" type="s" direction="in"/>
    </method>
    <method name="Release"/>
    <method name="GetCalls"><arg name="json" type="s" direction="out"/></method>
  </interface>
</node>"""

RESULTS = {
    "yes": (True, False, {}),
    "no": (False, False, {}),
    "challenge": (False, True, {}),
    "dismissed": (False, False, {"polkit.dismissed": "true"}),
}


class Authority:
    def __init__(self):
        self.answers, self.calls, self.hanging = {"": "no"}, [], {}

    def check(self, invocation, subject, action, details, flags, cancellation):
        answer = self.answers.get(action, self.answers[""])
        self.calls.append({"subject": subject[0], "name": subject[1].get("name"), "action": action,
                           "details": details, "interactive": bool(flags & 1)})
        if answer == "hang":
            self.hanging[cancellation or id(invocation)] = invocation
        elif answer == "error":
            invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Failed", "told to fail")
        else:
            self.reply(invocation, answer)

    @staticmethod
    def reply(invocation, answer):
        invocation.return_value(GLib.Variant("((bba{ss}))", (RESULTS[answer],)))

    def cancel(self, invocation, cancellation):
        waiting = self.hanging.pop(cancellation, None)
        self.calls.append({"cancelled": waiting is not None})
        if waiting is not None:
            waiting.return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "cancelled")
        invocation.return_value(None)

    def release(self):
        for waiting in self.hanging.values():
            self.reply(waiting, "yes")
        self.hanging.clear()

    def call(self, _bus, _sender, _path, _interface, method, arguments, invocation):
        arguments = arguments.unpack()
        if method == "CheckAuthorization":
            self.check(invocation, *arguments)
        elif method == "CancelCheckAuthorization":
            self.cancel(invocation, *arguments)
        elif method == "SetAnswer":
            self.answers[arguments[0]] = arguments[1]
            invocation.return_value(None)
        elif method == "Release":
            self.release()
            invocation.return_value(None)
        else:
            invocation.return_value(GLib.Variant("(s)", (json.dumps(self.calls),)))

    @staticmethod
    def get(_bus, _sender, _path, _interface, name):
        return {"BackendName": GLib.Variant("s", "test"), "BackendVersion": GLib.Variant("s", "0"),
                "BackendFeatures": GLib.Variant("u", 0)}[name]


def main():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    authority = Authority()
    for interface in Gio.DBusNodeInfo.new_for_xml(XML).interfaces:
        bus.register_object(PATH, interface, authority.call, authority.get, None)
    Gio.bus_own_name_on_connection(bus, "org.freedesktop.PolicyKit1", Gio.BusNameOwnerFlags.NONE,
                                   lambda *_: print("ready", flush=True), None)
    GLib.MainLoop().run()


main()
