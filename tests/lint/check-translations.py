#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each translation is complete and belongs to the present text. Usage: check-translations.py ROOT"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import kv_lint

# As meson's preset "glib" has them.
KEYWORDS = ["_", "N_", "C_:1c,2", "NC_:1c,2", "g_dcgettext:2", "g_dngettext:2,3",
            "g_dpgettext2:2c,3"]


def run(root, *words):
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})


def message_ids(root, path):
    listing = run(root, "msgattrib", "--no-obsolete", "--no-wrap", path).stdout
    return set(re.findall(r'^msgid "(.+)"$', listing, re.M))


def check_language(root, language, pot, scratch):
    po = f"po/{language}.po"
    merged = os.path.join(scratch, language + ".po")
    for words in (["msgfmt", "--check", "-o", os.devnull, po],
                  ["msgmerge", "--no-fuzzy-matching", "--quiet", "-o", merged, po, pot]):
        done = run(root, *words)
        if done.returncode != 0:
            return [f"{po}: {done.stderr}"]
    missing = run(root, "msgattrib", "--untranslated", "--no-wrap", merged).stdout
    fuzzy = run(root, "msgattrib", "--only-fuzzy", "--no-obsolete", "--no-wrap", po).stdout
    findings = [f"{po}: not translated: {text}"
                for text in re.findall(r'^msgid "(.+)"$', missing, re.M)]
    findings += [f"{po}: fuzzy: {text}" for text in re.findall(r'^msgid "(.+)"$', fuzzy, re.M)]
    findings += [f"{po}: no longer in the sources: {text}"
                 for text in sorted(message_ids(root, po) - message_ids(root, pot))]
    return findings


def main(root):
    for program in ("xgettext", "msgmerge", "msgfmt", "msgattrib"):
        if shutil.which(program) is None:
            kv_lint.skip(f"{program} is not installed")
    findings = []
    with tempfile.TemporaryDirectory() as scratch:
        pot = os.path.join(scratch, "kcpvpn.pot")
        done = run(root, "xgettext", "--from-code=UTF-8", "--files-from=po/POTFILES.in",
                   *[f"--keyword={word}" for word in KEYWORDS], "-o", pot)
        if done.returncode != 0 or not os.path.exists(pot):
            kv_lint.report([f"xgettext: {done.stderr or 'no text found'}"])
        for language in kv_lint.read(root, "po/LINGUAS").split():
            findings += check_language(root, language, pot, scratch)
    kv_lint.report(findings)


main(os.path.abspath(sys.argv[1]))
