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
    """The compiler, and every include path and definition of the build."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = [shlex.split(e["command"]) for e in json.load(file) if e["file"].endswith(".c")]
    words = [w for w in entries[0] if not w.startswith("-")]
    compiler = words[1] if os.path.basename(words[0]) in ("ccache", "sccache") else words[0]
    flags = {}
    for entry in entries:
        for word in entry:
            # Each library logs under a name of its own; headers do not log.
            if word.startswith("-DG_LOG_DOMAIN"):
                continue
            if word.startswith(("-I", "-D", "-std")) and ".p" not in word[-2:]:
                flags[word] = None
    return compiler, list(flags)


def main(root, build):
    compiler, flags = read_commands(build)
    findings = []
    for path in kv_lint.files(root, ".h", folders=("src", "tests")):
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
