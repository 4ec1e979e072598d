#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every part of the bus interfaces is documented, and every method ends in options.
Usage: check-bus-docs.py SOURCE-ROOT"""

import os
import sys
import xml.etree.ElementTree as ElementTree

import kv_lint


def parse(root, path):
    builder = ElementTree.TreeBuilder(insert_comments=True)
    parser = ElementTree.XMLParser(target=builder)
    return ElementTree.fromstring(kv_lint.read(root, path), parser=parser)


def check_method(path, method, text):
    names = [arg.get("name") for arg in method.iter("arg")]
    inputs = [(arg.get("name"), arg.get("type")) for arg in method.iter("arg")
              if arg.get("direction") == "in"]
    if method.tag == "method" and inputs[-1:] != [("options", "a{sv}")]:
        yield f"{path}: {method.get('name')} does not end in a{{sv}} options"
    for name in names:
        if f"@{name}:" not in text:
            yield f"{path}: {method.get('name')}: argument {name} is not documented"


def check_children(path, parent):
    text = ""
    for child in parent:
        if child.tag is ElementTree.Comment:
            text = child.text.strip()
            continue
        name = child.get("name")
        if child.tag != "annotation" and not text.startswith(name + ":"):
            yield f"{path}: no comment that begins with \"{name}:\" before {child.tag} {name}"
        elif child.tag in ("method", "signal"):
            yield from check_method(path, child, text)
        text = ""


def main(root):
    findings = []
    paths = kv_lint.files(root, ".xml", folders=("data/dbus",))
    for path in paths:
        node = parse(root, path)
        findings += check_children(path, node)
        for interface in node.iter("interface"):
            findings += check_children(path, interface)
            if os.path.basename(path) != interface.get("name") + ".xml":
                findings.append(f"{path}: holds {interface.get('name')}")
    if len(paths) < 3:
        findings.append("data/dbus: interfaces are missing")
    kv_lint.report(findings)


main(sys.argv[1])
