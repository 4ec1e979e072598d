# SPDX-License-Identifier: GPL-2.0-or-later
"""A screen without a monitor, and the environment of a desktop that is nobody's."""

import contextlib
import os
import subprocess
import tempfile

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
