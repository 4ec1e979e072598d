#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""po/POTFILES.in lists exactly the files with text to translate, and the services have none. Usage: check-potfiles.py ROOT"""

import re
import sys

import kv_lint

MARKED_C = re.compile(r"\b(?:_|N_|C_|NC_|ngettext)\(\s*\"")
# The services speak English in every locale; what polkit asks it translates itself.
SERVICES = ("src/daemon", "src/hooks")
LOCALIZED_C = re.compile(r"\b(?:_|C_|ngettext|setlocale|textdomain)\(")
MARKED_XML = re.compile(r'translatable="yes"|gettext-domain=|<summary>')


def main(root):
    marked = {path for path in kv_lint.files(root, ".c", ".h", folders=("src", "nm-plugin"))
              if MARKED_C.search(kv_lint.read(root, path))}
    marked |= {path for path in kv_lint.files(root, ".ui", ".policy.in", ".metainfo.xml.in",
                                              folders=("data", "nm-plugin"))
               if MARKED_XML.search(kv_lint.read(root, path))}
    lines = kv_lint.read(root, "po/POTFILES.in").splitlines()
    listed = [line.split("]")[-1].strip() for line in lines if line and not line.startswith("#")]
    findings = [f"{path}: not in po/POTFILES.in" for path in sorted(marked - set(listed))]
    findings += [f"po/POTFILES.in: {path} has nothing to translate"
                 for path in sorted(set(listed) - marked)]
    if listed != sorted(set(listed)):
        findings.append("po/POTFILES.in: not sorted, or a file twice")
    findings += [f"{path}: the services speak English, but this is for a locale"
                 for path in kv_lint.files(root, ".c", folders=SERVICES)
                 if LOCALIZED_C.search(kv_lint.bare(kv_lint.read(root, path)))]
    kv_lint.report(findings)


main(sys.argv[1])
