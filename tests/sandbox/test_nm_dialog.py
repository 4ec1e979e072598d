#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The authentication dialog's window, as installed, on a display of its own. Usage: FILE [BUILD [TEST...]]

KCPVPN_SCREENSHOTS names a folder for pictures of the windows.
"""
import os
import subprocess
import sys
import time

import kvbox
from kvbox import SERVICE, check, equal, main, shell, test, wait_until
from kvnet import Process, Skipped

OPTIONS = ("--no-nm", "--no-wan", "--no-polkit")
WORDS = ["-u", "5a0d1c1e-5b7a-4a64-9d6a-0c0ffee0aa02", "-n", "office", "-s", SERVICE, "-i"]
STDIN = "DATA_KEY=ip\nDATA_VAL=vpn.example.org\n\n{}DONE\n\n"
TITLE = "Authenticate VPN"


def find_dialog():
    return next(path for path in ("/usr/local/libexec/nm-kcpvpn-auth-dialog", "/usr/libexec/nm-kcpvpn-auth-dialog")
                if os.path.exists(path))


def remove_modules(name):
    found = [path for folder in ("/usr/local/lib", "/usr/local/lib/*", "/usr/lib", "/usr/lib/*")
             for path in kvbox.glob.glob(os.path.join(folder, "NetworkManager", name))]
    check(found, f"no {name} is installed")
    for path in found:
        os.unlink(path)


def start_display(box):
    for program in ("Xvfb", "openbox", "xdotool", "dbus-run-session"):
        if kvbox.shutil.which(program) is None:
            raise Skipped(f"needs {program}")
    read, write = os.pipe()
    os.set_inheritable(write, True)
    process = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "900x600x24", "-nolisten", "tcp"],
                               close_fds=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    number = os.read(read, 16).decode().strip()
    check(number, "Xvfb started no display")
    os.environ.update(DISPLAY=f":{number}", GDK_BACKEND="x11", GSK_RENDERER="cairo", GSETTINGS_BACKEND="memory",
                      HOME=box.dir, XDG_RUNTIME_DIR=box.dir, GTK_A11Y="none", NO_AT_BRIDGE="1", LC_ALL="C.UTF-8")
    box.processes.append(Process(["openbox"], "openbox", None, box.dir))
    return process


def find_window():
    return shell("xdotool", "search", "--onlyvisible", "--name", TITLE, check_status=False).split()


def open_dialog(*options, secrets=""):
    process = subprocess.Popen(["dbus-run-session", "--", find_dialog(), *WORDS, *options], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(STDIN.format(secrets))
    process.stdin.flush()
    wait_until(lambda: find_window() or process.poll() is not None, 20, "the window is there")
    check(process.poll() is None, f"it ended: {process.poll() is not None and process.stderr.read()}")
    shell("xdotool", "search", "--sync", "--onlyvisible", "--name", TITLE, "windowfocus", "--sync")
    time.sleep(0.3)  # the field takes the focus
    return process


def take_picture(name):
    folder = os.environ.get("KCPVPN_SCREENSHOTS")
    if folder:
        shell("import", "-window", find_window()[0], os.path.join(folder, name + ".png"))


def type_text(text):
    if text:
        shell("xdotool", "type", "--clearmodifiers", "--delay", "5", text)
    shell("xdotool", "key", "--clearmodifiers", "Return")


def end(process, status):
    """What it answered, once it has been told to end."""
    process.stdin.write("QUIT\n\n")
    process.stdin.flush()
    out, err = process.communicate(timeout=20)
    equal(process.returncode, status, f"the exit status ({err})")
    return out


def check_toolkit(box, toolkit):
    start_display(box)
    dialog = open_dialog()
    equal(len(kvbox.find_processes("nm-kcpvpn-auth-dialog")), 1, "processes")
    [process] = kvbox.find_processes("nm-kcpvpn-auth-dialog")
    with open(f"/proc/{process}/maps", encoding="ascii") as file:
        check(f"libnm-kcpvpn-auth-{toolkit}.so" in file.read(), f"the window is not of {toolkit}")
    take_picture("dialog-" + toolkit)
    type_text("hush  hush")
    wait_until(lambda: not find_window(), 10, "the window goes")
    equal(end(dialog, 0), "secret\nhush  hush\n\n\n", "the answer")

    dialog = open_dialog("-r", "-t", "secret", "-t", "x-vpn-message:The server did not answer. Is the secret right?",
                         secrets="SECRET_KEY=secret\nSECRET_VAL=was wrong\n\n")
    take_picture("dialog-again-" + toolkit)
    type_text("")  # as it was: the field is filled
    equal(end(dialog, 0), "secret\nwas wrong\n\n\n", "the answer to a prefilled field")

    dialog = open_dialog()
    type_text("")
    time.sleep(0.5)
    wait_until(find_window, 10, "an empty secret is asked for again")
    shell("xdotool", "search", "--sync", "--onlyvisible", "--name", TITLE, "windowfocus", "--sync")
    time.sleep(0.3)
    take_picture("dialog-empty-" + toolkit)
    shell("xdotool", "key", "Escape")
    wait_until(lambda: dialog.poll() is not None, 10, "Escape ends it")
    equal((dialog.returncode, dialog.stdout.read()), (1, ""), "a cancelled dialog")

    dialog = open_dialog()
    dialog.stdin.write("CANCEL 2 timeout reached\n\n")
    dialog.stdin.flush()
    wait_until(lambda: dialog.poll() is not None, 10, "it ends when nobody waits for it any more")
    equal(dialog.returncode, 1, "the exit status")


@test("GTK 4: typed, prefilled after a wrong one, empty, cancelled by the person and by the agent",
      60, OPTIONS)
def window_gtk4(box):
    check_toolkit(box, "gtk4")


@test("GTK 3, where the module for GTK 4 is not installed: the same", 60, OPTIONS)
def window_gtk3(box):
    remove_modules("libnm-kcpvpn-auth-gtk4.so")
    check_toolkit(box, "gtk3")


@test("with keys they are asked for one after the other, and what is no key once more", 60, OPTIONS)
def keys(box):
    start_display(box)
    key, preshared = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE="
    dialog = open_dialog(secrets="DATA_KEY=public-key\nDATA_VAL=x\n\nDATA_KEY=preshared-key-flags\nDATA_VAL=2\n\n")
    for name, text in (("private", key[:-1]), ("again", key), ("preshared", preshared)):
        take_picture("dialog-keys-" + name)
        before = find_window()
        type_text(text)
        if text == preshared:
            break
        wait_until(lambda before=before: find_window() not in ([], before), 10, "the next window is there")
        shell("xdotool", "search", "--sync", "--onlyvisible", "--name", TITLE, "windowfocus", "--sync")
        time.sleep(0.3)
    equal(end(dialog, 0), f"private-key\n{key}\npreshared-key\n{preshared}\n\n\n", "the answer")


@test("without a display, and without any module, it says what is missing and shows nothing", 30, OPTIONS)
def no_window(box):
    for what in ("display", "installed"):
        if what == "installed":
            remove_modules("libnm-kcpvpn-auth-gtk?.so")
        done = subprocess.run([find_dialog(), *WORDS], input=STDIN.format(""), capture_output=True, text=True,
                              check=False, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        equal((done.returncode, done.stdout), (1, ""), "without a window")
        check(what in done.stderr, f"no {what!r} in {done.stderr!r}")


@test("fields that others show are in the user's language, without the mnemonics that only a window has", 30, OPTIONS)
def translated(box):
    out = subprocess.run([find_dialog(), *WORDS, "--external-ui-mode"], input=STDIN.format(""), capture_output=True,
                         text=True, check=True, env={"LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN"}).stdout
    check("\nLabel=密钥\n" in out, f"not translated: {out}")


main()
