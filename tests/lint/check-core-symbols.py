#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The core archive calls nothing impure. Usage: check-core-symbols.py ARCHIVE ALLOW-LIST"""

import re
import shutil
import subprocess
import sys

import kv_lint

SANITIZER = re.compile(r"__(asan|ubsan|tsan|sanitizer|sancov|msan)_.*|__start_.*|__stop_.*")


def main(archive, allow_list):
    if shutil.which("nm") is None:
        kv_lint.skip("nm is not installed")
    with open(allow_list, encoding="utf-8") as file:
        allowed = [re.compile(line.strip()) for line in file
                   if line.strip() and not line.startswith("#")]
    listing = subprocess.run(["nm", archive], check=True, capture_output=True, text=True).stdout
    symbols = re.findall(r"^[0-9a-f ]* ([A-Za-z]) (\S+)$", listing, re.M)
    defined = {name for kind, name in symbols if kind not in "Uw"}
    called = {name for kind, name in symbols if kind in "Uw"} - defined
    if not called:
        kv_lint.report([f"{archive}: no symbols found"])
    kv_lint.report([f"{archive}: calls {name}, which core may not" for name in sorted(called)
                    if not SANITIZER.fullmatch(name)
                    and not any(pattern.fullmatch(name) for pattern in allowed)])


main(sys.argv[1], sys.argv[2])
