#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every header compiles alone, after config.h. Usage: check-headers.py SOURCE-ROOT BUILD-ROOT"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import kv_lint


def read_commands(build):
    """The compiler, every include path and definition of the build, and the folders it has."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = [entry for entry in json.load(file) if entry["file"].endswith(".c")]
    entries = [shlex.split(entry["command"]) for entry in commands]
    words = [w for w in entries[0] if not w.startswith("-")]
    compiler = words[1] if os.path.basename(words[0]) in ("ccache", "sccache") else words[0]
    flags = {}
    for entry in entries:
        for word in entry:
            # Each library logs under a name of its own; headers do not log. What one toolkit is told
            # of its version is nothing to the other.
            if word.startswith(("-DG_LOG_DOMAIN", "-DGDK_VERSION")):
                continue
            if word.startswith(("-I", "-isystem", "-D", "-std")) and ".p" not in word[-2:]:
                flags[word] = None
    # The plugin of NetworkManager is left out where there is no libnm.
    built = any("/nm-plugin/" in entry["file"] for entry in commands)
    return compiler, list(flags), ("src", "tests", "nm-plugin") if built else ("src", "tests")


def check(root, build, path, compile_alone):
    """What is wrong with one header."""
    full = os.path.join(root, path)
    text = f'#include "config.h"\n#include "{full}"\n'
    if "#pragma once" not in kv_lint.read(root, path):
        yield f"{path}: no #pragma once"
    done = subprocess.run([*compile_alone, "-I" + os.path.dirname(full), "-Wall", "-Werror",
                           "-fsyntax-only", "-x", "c", "-"],
                          cwd=build, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"{path}: does not compile alone\n{done.stderr}"


def main(root, build):
    compiler, flags, folders = read_commands(build)
    headers = kv_lint.files(root, ".h", folders=folders)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: list(check(root, build, path, [compiler, *flags])), headers)
        kv_lint.report([finding for findings in found for finding in findings])


main(sys.argv[1], sys.argv[2])
