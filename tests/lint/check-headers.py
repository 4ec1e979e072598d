#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every header compiles alone, after config.h. Usage: check-headers.py SOURCE-ROOT BUILD-ROOT"""

import json
import os
import shlex
import subprocess
import sys

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


def main(root, build):
    compiler, flags, folders = read_commands(build)
    findings = []
    for path in kv_lint.files(root, ".h", folders=folders):
        full = os.path.join(root, path)
        text = f'#include "config.h"\n#include "{full}"\n'
        if "#pragma once" not in kv_lint.read(root, path):
            findings.append(f"{path}: no #pragma once")
        done = subprocess.run([compiler, *flags, "-I" + os.path.dirname(full), "-Wall", "-Werror",
                               "-fsyntax-only", "-x", "c", "-"],
                              cwd=build, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            findings.append(f"{path}: does not compile alone\n{done.stderr}")
    kv_lint.report(findings)


main(sys.argv[1], sys.argv[2])
