#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is meant to be run can be run, and nothing else. Usage: check-executable.py SOURCE-ROOT

The mode is the one that git keeps; a source without git has only its own.
"""

import os
import subprocess
import sys

import kv_lint

RUN = ("run", ".ci/run")


def tracked(root):
    """Pairs of a path and whether git has it as executable; None without git."""
    done = subprocess.run(["git", "-C", root, "ls-files", "--stage", "-z"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    entries = [entry.split("\t", 1) for entry in done.stdout.split("\0") if entry]
    return [(path, what.split()[0] == "100755") for what, path in entries]


def untracked(root):
    paths = kv_lint.files(root, "") + [path for path in RUN if os.path.exists(os.path.join(root, path))]
    return [(path, os.access(os.path.join(root, path), os.X_OK)) for path in paths]


def has_interpreter(root, path):
    with open(os.path.join(root, path), "rb") as file:
        return file.read(2) == b"#!"


def main(root):
    entries = tracked(root) or untracked(root)
    executable = {path for path, can_run in entries if can_run}
    runnable = {path for path, _ in entries
                if os.path.isfile(os.path.join(root, path)) and has_interpreter(root, path)}
    findings = [f"{path}: begins with #! but is not executable; run: git update-index --chmod=+x" for path in
                sorted(runnable - executable)]
    findings += [f"{path}: is executable but does not begin with #!; run: git update-index --chmod=-x" for path in
                 sorted(executable - runnable)]
    findings += [f"{path}: cannot be run" for path in RUN if path not in executable & runnable]
    kv_lint.report(findings)


main(os.path.abspath(sys.argv[1]))
