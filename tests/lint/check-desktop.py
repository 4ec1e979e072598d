#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What desktops read of the plugin is sound. Usage: check-desktop.py SOURCE-ROOT METAINFO ICON"""

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import kv_lint

SVG = "{http://www.w3.org/2000/svg}"
SIDE = "128"
# What stands for the project's place on the web, where a build has none: AppStream wants a whole address.
WEBSITE = "https://kcpvpn.example"


def check_icon(path):
    picture = ElementTree.parse(path).getroot()
    size = (picture.tag, picture.get("width"), picture.get("height"), picture.get("viewBox"))
    if size != (f"{SVG}svg", SIDE, SIDE, f"0 0 {SIDE} {SIDE}"):
        yield f"{path}: not a picture of {SIDE} by {SIDE}: {size}"
    for kind in ("text", "image"):
        if picture.find(f".//{SVG}{kind}") is not None:
            yield f"{path}: <{kind}> needs what is not in the picture"


def check_pictures(root, template):
    """Every picture that the template names is there."""
    for picture in ElementTree.fromstring(template).iter("image"):
        name = picture.text.removeprefix(WEBSITE + "/")
        if not os.path.exists(os.path.join(root, name)):
            yield f"the AppStream data names {name}, which is not there"


def validate(path):
    if shutil.which("appstreamcli") is None:
        kv_lint.skip("appstreamcli is not installed")
    done = subprocess.run(["appstreamcli", "validate", "--no-net", "--pedantic", "--no-color", path],
                          capture_output=True, text=True, check=False)
    return [f"{path}: {line}" for line in (done.stdout + done.stderr).splitlines()
            if line and ("success" not in line or done.returncode != 0)]


def main(root, metainfo, icon):
    source = "nm-plugin/desktop/" + os.path.basename(metainfo) + ".in"
    template = kv_lint.read(root, source)
    for word, text in (("@WEBSITE@", WEBSITE), ("@WEB_BEGIN@", ""), ("@WEB_END@", "")):
        template = template.replace(word, text)
    findings = [*check_icon(icon), *check_pictures(root, template), *validate(metainfo)]
    with tempfile.TemporaryDirectory() as folder:
        with_pictures = os.path.join(folder, os.path.basename(metainfo))
        with open(with_pictures, "w", encoding="utf-8") as file:
            file.write(template)
        findings += validate(with_pictures)
    kv_lint.report(findings)


main(*sys.argv[1:])
