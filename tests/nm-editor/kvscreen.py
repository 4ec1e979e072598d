# SPDX-License-Identifier: GPL-2.0-or-later
"""A screen without a monitor, and the environment of a desktop that is nobody's."""

import contextlib
import os
import subprocess
import tempfile
import time

SIZE = "1100x1000x24"


@contextlib.contextmanager
def screen():
    """An X server of the test's own; yields the environment for programs on it."""
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o700)
        read, write = os.pipe()
        # Another test may start one at the same time: the server picks a free number itself.
        server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", SIZE,
                                   "-nolisten", "tcp", "-noreset"],
                                  pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        try:
            with os.fdopen(read, encoding="ascii") as pipe:
                number = pipe.readline().strip()
            if not number:
                raise RuntimeError("Xvfb does not start")
            yield environment(home, f":{number}")
        finally:
            server.terminate()
            server.wait()


def environment(home, display):
    wanted = {name: value for name, value in os.environ.items()
              if name.startswith(("ASAN_", "LSAN_", "UBSAN_", "LD_")) or name == "PATH"}
    return {**wanted, "DISPLAY": display, "HOME": home, "XDG_RUNTIME_DIR": home,
            "GSETTINGS_BACKEND": "memory", "GDK_BACKEND": "x11", "GSK_RENDERER": "cairo",
            "LC_ALL": "C.UTF-8", "LANGUAGE": ""}


@contextlib.contextmanager
def session(env):
    """A session bus of the test's own; yields the environment for programs on it."""
    read, write = os.pipe()
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--nosyslog",
                            f"--print-address={write}"], pass_fds=[write], env=env,
                           stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read, encoding="ascii") as pipe:
            address = pipe.readline().strip()
        yield {**env, "DBUS_SESSION_BUS_ADDRESS": address}
    finally:
        bus.terminate()
        bus.wait()


class Eyes:
    """What is on the screen, as programs for people who do not see it are told (AT-SPI)."""

    def __init__(self, env):
        os.environ.update(env)
        import gi
        gi.require_version("Atspi", "2.0")
        from gi.repository import Atspi, GLib
        self.atspi, self.error = Atspi, GLib.Error

    def _walk(self, node):
        yield node
        for at in range(node.get_child_count()):
            child = node.get_child_at_index(at)
            if child is not None:
                yield from self._walk(child)

    def look(self, role, name, about=None):
        """What is there now by that name, and described so; None. A window that is being made changes under the look."""
        with contextlib.suppress(self.error):
            for node in self._walk(self.atspi.get_desktop(0)):
                if node.get_name() == name and node.get_role_name() in role.split("|") and \
                        about in (None, node.get_description()) and node.get_state_set().contains(
                            self.atspi.StateType.VISIBLE):
                    return node
        return None

    def find(self, role, name, about=None, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            node = self.look(role, name, about)
            if node is not None:
                return node
            time.sleep(0.05)
        raise AssertionError(f"no {role} {name!r} on the screen: {self.list()}")

    def list(self):
        with contextlib.suppress(self.error):
            return [(node.get_role_name(), node.get_name())
                    for node in self._walk(self.atspi.get_desktop(0)) if node.get_name()]
        return []

    def press(self, role, name):
        self.find(role, name).get_action_iface().do_action(0)

    def type(self, role, name, text, about=None):
        node = self.find(role, name, about)
        assert node.get_editable_text_iface().set_text_contents(text), f"{name} takes no text"

    def read(self, role, name, about=None):
        text = self.find(role, name, about).get_text_iface()
        return text.get_text(0, text.get_character_count())

    def is_showing(self, role, name):
        """Whether it is there, and nothing that it is in is hidden."""
        node = self.look(role, name)
        while node is not None and node.get_role() != self.atspi.Role.FRAME:
            if not node.get_state_set().contains(self.atspi.StateType.VISIBLE):
                return False
            node = node.get_parent()
        return node is not None

    def press_in_popup(self, owner, role, name):
        """What is in the menu of the entry @owner; GTK 3 alone tells whose it is."""
        for panel in self._walk(self.atspi.get_desktop(0)):
            for relation in panel.get_relation_set():
                if relation.get_relation_type() == self.atspi.RelationType.POPUP_FOR and \
                        relation.get_target(0).get_name() == owner:
                    [node] = [node for node in self._walk(panel)
                              if node.get_role_name() == role and node.get_name() == name]
                    node.get_action_iface().do_action(0)
                    return
        raise AssertionError(f"{owner} has no menu with {name}")

    def is_sensitive(self, role, name):
        return self.find(role, name).get_state_set().contains(self.atspi.StateType.SENSITIVE)
