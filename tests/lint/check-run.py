#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
""""run test" ends with what failed and what that said. Usage: check-run.py SOURCE-ROOT

It runs with a stand-in for meson, whose tests end as is wished here.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import kv_lint

LINES = 200  # of what the test says that fails
SHOWN = 40

MESON = """#!/usr/bin/env python3
import json, os, sys
words = sys.argv[1:]
if words[0] == "setup":
    os.makedirs(words[1], exist_ok=True)
    sys.exit("a library is missing" if "asan" in words[1] and os.environ["WISH"] == "no asan" else 0)
suite = words[words.index("--suite") + 1] if "--suite" in words else "cli"
if words[0] == "introspect" or suite != "cli":
    sys.exit(print("[]") if words[0] == "introspect" else None)
if "--list" in words:
    sys.exit(print("kcpvpn:cli / verbs\\nkcpvpn:cli / terminal"))
bad = os.environ["WISH"] == "bad test" and words[words.index("-C") + 1].endswith("build")
results = [("verbs", "FAIL" if bad else "OK"), ("terminal", "OK")]
folder = os.path.join(words[words.index("-C") + 1], "meson-logs")
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, words[words.index("--logbase") + 1] + ".json"), "w") as log:
    for name, result in results:
        said = "".join(f"{name} says {i}\\n" for i in range(LINES))
        log.write(json.dumps({"name": f"kcpvpn:cli / {name}", "result": result, "stdout": said}) + "\\n")
        print(f"1/2 kcpvpn:cli / {name} {result}")
sys.exit(bad)
""".replace("LINES", str(LINES))

STAND_INS = {"meson": MESON, "ninja": "#!/bin/sh\n", "dpkg-query": "#!/bin/sh\nprintf installed\n"}


def run_tests(folder, wish):
    """Returns the exit status and the lines of "run test"."""
    env = {**os.environ, "WISH": wish, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    done = subprocess.run([os.path.join(folder, "run"), "test"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=env, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines()


def look(folder):
    """Yields what is wrong."""
    status, lines = run_tests(folder, "all well")
    if status != 0 or not lines[-1].endswith(" 0 failed, 0 skipped"):
        yield f"run: all tests are well, but: status {status}, {lines[-1]}"
    status, lines = run_tests(folder, "bad test")
    said = [f"    | verbs says {i}" for i in range(LINES - SHOWN, LINES)]
    expected = ["failed: build kcpvpn:cli / verbs: FAIL; the end of what it said:", *said]
    if status != 1 or lines[-len(expected) - 1:-1] != expected:
        yield f"run: a test failed, but: status {status}, and the end of the output is {lines[-3:]}"
    if not any("cli / verbs FAIL" in line for line in lines):
        yield "run: the progress does not tell of the test that failed"
    status, lines = run_tests(folder, "no asan")
    if status != 1 or lines[-3:-1] != ["failed: build-asan", "    | a library is missing"]:
        yield f"run: a build failed, but: status {status}, and the end of the output is {lines[-3:]}"


def main(root):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "bin"))
        for name, text in STAND_INS.items():
            path = os.path.join(folder, "bin", name)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)
        shutil.copy(os.path.join(root, "run"), folder)
        kv_lint.report(list(look(folder)))


main(sys.argv[1])
