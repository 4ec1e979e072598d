#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin's libraries show and need: one symbol each, and no toolkit in what nmcli loads. And what the
service, which is root, cannot do: nothing that it takes from libraries makes a file or runs a program.

Usage: test_libraries.py SERVICE PLUGIN.so [EDITOR.so...]
"""

import os
import re
import subprocess
import sys

PLUGIN_SYMBOL = "nm_vpn_editor_plugin_factory"
EDITOR_SYMBOL = "nm_vpn_editor_factory_kcpvpn"
# A file that is opened by two arguments, as open64_2 does, must be there: secrets' files are read so.
MAKES = re.compile(r"_*(f?open(at)?(64)?|f?creat(64)?|mk\w+|rename\w*|link(at)?|symlink\w*|unlink\w*|exec\w*|posix_spawn\w*|"
                   r"v?fork|system|popen|freopen\w*|g_spawn\w*|g_file_set\w*|g_file_(replace|create|append|copy)\w*|"
                   r"g_mkdir\w*|g_subprocess\w*|g_key_file_save\w*)")
TOOLKIT = re.compile(r"libgtk|libgdk|libnma|libadwaita")


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def exported(path):
    words = [line.split()[-1] for line in run("nm", "-D", "--defined-only", path).splitlines()]
    # What a sanitizer adds to each library is not ours.
    return [word for word in words if not word.startswith(("__asan", "__odr_asan", "__ubsan"))]


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(\S+)\]", run("readelf", "-d", path))


def imported(path):
    return [line.split()[-1].partition("@")[0] for line in run("nm", "-D", "--undefined-only", path).splitlines()]


def main(service, plugin, *editors):
    names = imported(service)
    # Under a sanitizer open64 is not cut into the two.
    sanitized = any(name.startswith(("__asan", "__tsan")) for name in names)
    makers = [name for name in names if MAKES.fullmatch(name) and not (sanitized and name == "open64")]
    assert not makers, f"{service} could make a file or run a program by {makers}"
    assert exported(plugin) == [PLUGIN_SYMBOL], exported(plugin)
    toolkits = [name for name in needed(plugin) if TOOLKIT.match(name)]
    assert not toolkits, f"{plugin} needs {toolkits}"
    for editor in editors:
        assert exported(editor) == [EDITOR_SYMBOL], exported(editor)
        wanted = "libgtk-4" if "gtk4" in os.path.basename(editor) else "libgtk-3"
        toolkits = [name for name in needed(editor) if name.startswith("libgtk-")]
        assert [name.startswith(wanted) for name in toolkits] == [True], toolkits


main(*sys.argv[1:])
