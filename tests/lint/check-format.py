#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""clang-format agrees with every C file. Usage: check-format.py SOURCE-ROOT"""

import shutil
import subprocess
import sys

import kv_lint


def main(root):
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if program is None:
        kv_lint.skip("clang-format is not installed")
    done = subprocess.run([program, "--dry-run", "-Werror", *kv_lint.files(root, ".c", ".h")],
                          cwd=root, capture_output=True, text=True, check=False)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "error:" in line})
    if done.returncode != 0 and not wrong:
        wrong = [done.stderr]
    kv_lint.report([f"{path}: run clang-format -i" for path in wrong])


main(sys.argv[1])
