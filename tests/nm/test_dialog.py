#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The authentication dialog where no window is needed: what it reads, asks for and answers.

Usage: test_dialog.py DIALOG [NAME...]. The window is tested in tests/sandbox.
"""
import configparser
import os
import subprocess
import sys
import time

SERVICE = "org.freedesktop.NetworkManager.kcpvpn"
UUID = "5a0d1c1e-5b7a-4a64-9d6a-0c0ffee0aa02"
OPTIONS = ["-u", UUID, "-n", "office", "-s", SERVICE]
HERE = os.path.dirname(os.path.abspath(__file__))

TESTS = []


def test(proves):
    def mark(function):
        TESTS.append((function, proves))
        return function
    return mark


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: {got!r} is not {expected!r}")


def want(text, *parts):
    for part in parts:
        if part not in text:
            raise AssertionError(f"no {part!r} in: {text!r}")


def details(data=None, secrets=None):
    """A connection as agents write it; lines of a value after its first begin with "="."""
    text = ""
    for word, items in (("DATA", data or {"ip": "vpn.example.org"}), ("SECRET", secrets or {})):
        for key, value in items.items():
            text += f"{word}_KEY={key}\n{word}_VAL={value.replace(chr(10), chr(10) + '=')}\n\n"
    return text + "DONE\n\n"


class Dialog:
    """How the program is run: without a display, and with no keyring but the one a test brings."""

    def __init__(self, program):
        self.program = program
        self.env = {key: value for key, value in os.environ.items()
                    if key not in ("DISPLAY", "WAYLAND_DISPLAY", "LANGUAGE")}
        self.env.update(LC_ALL="C.UTF-8", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")

    def run(self, *options, stdin=details() + "QUIT\n\n", status=0, words=()):
        done = subprocess.run([*words, self.program, *OPTIONS, *options], input=stdin, text=True,
                              capture_output=True, check=False, timeout=60, env=self.env)
        equal(done.returncode, status, f"status of {options}, which said {done.stderr!r}")
        return done.stdout, done.stderr

    def fields(self, *options, **kw):
        """What it says in external UI mode, as a dictionary of dictionaries."""
        parser = configparser.ConfigParser(interpolation=None, delimiters="=")
        parser.optionxform = str
        parser.read_string(self.run("--external-ui-mode", *options, **kw)[0])
        return {name: dict(parser[name]) for name in parser.sections()}


@test("a missing secret is to be asked for, under a title and a sentence that names the connection")
def asks(dialog):
    found = dialog.fields("-i")
    equal(list(found), ["VPN Plugin UI", "secret"])
    equal((found["VPN Plugin UI"]["Version"], bool(found["VPN Plugin UI"]["Title"])), ("2", True))
    want(found["VPN Plugin UI"]["Description"], "office")
    equal(found["secret"], {"Value": "", "Label": "Secret", "IsSecret": "true", "ShouldAsk": "true"})


@test("a secret that is known is told, and asked for again only after it was wrong")
def known(dialog):
    stdin = details({"ip": "a", "secret-flags": "0"}, {"secret": "hush; hush"})
    found = dialog.fields("-i", stdin=stdin)["secret"]
    equal((found["Value"], found["ShouldAsk"]), ("hush; hush", "false"))
    found = dialog.fields("-i", "-r", stdin=stdin)["secret"]
    equal((found["Value"], found["ShouldAsk"]), ("hush; hush", "true"))
    equal(dialog.run(stdin=stdin + "QUIT\n\n")[0], "secret\nhush; hush\n\n\n")


@test("hints name the secret and bring the sentence; a secret that is not required is asked for by name only")
def hints(dialog):
    found = dialog.fields("-i", "-r", "-t", "secret", "-t", "x-vpn-message:No answer: is it right?")
    equal(found["VPN Plugin UI"]["Description"], "No answer: is it right?")
    equal(found["secret"]["ShouldAsk"], "true")
    stdin = details({"secret-flags": "4"})
    equal(dialog.fields("-i", stdin=stdin)["secret"]["ShouldAsk"], "false")
    equal(dialog.fields("-i", "-t", "secret", stdin=stdin)["secret"]["ShouldAsk"], "true")
    equal(dialog.fields("-i", "-t", "x-vpn-message:Why?", stdin=stdin)["secret"]["ShouldAsk"], "false")


@test("a secret that is always asked for is not taken from what comes along")
def not_saved(dialog):
    stdin = details({"secret-flags": "2"}, {"secret": "old"})
    found = dialog.fields("-i", stdin=stdin)["secret"]
    equal((found["Value"], found["ShouldAsk"]), ("", "true"))


@test("with keys it is these that are asked for, by their labels, and no secret; the preshared one only if it has a keeper")
def keys(dialog):
    data = {"public-key": "x", "private-key-flags": "2"}
    found = dialog.fields("-i", stdin=details(data))
    equal(list(found), ["VPN Plugin UI", "private-key"])
    want(found["VPN Plugin UI"]["Description"], "office", "private key")
    equal(found["private-key"], {"Value": "", "Label": "Private key", "IsSecret": "true", "ShouldAsk": "true"})
    key = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
    data = {"public-key": "x", "private-key-flags": "0", "preshared-key-flags": "1"}
    found = dialog.fields("-i", stdin=details(data, {"private-key": key}))
    want(found["VPN Plugin UI"]["Description"], "office", "preshared key")
    equal((found["private-key"]["Value"], found["private-key"]["ShouldAsk"]), (key, "false"))
    equal((found["preshared-key"]["Label"], found["preshared-key"]["ShouldAsk"]), ("Preshared key", "true"))
    # What is no key is not handed on.
    found = dialog.fields("-i", stdin=details(data, {"private-key": key[:-1]}))["private-key"]
    equal((found["Value"], found["ShouldAsk"]), ("", "true"))
    equal(dialog.run(stdin=details(data, {"private-key": key, "preshared-key": key}) + "QUIT\n\n")[0],
          f"private-key\n{key}\npreshared-key\n{key}\n\n\n")


@test("without leave to ask nobody is asked, and what is not known is left out")
def silent(dialog):
    equal(dialog.fields("-r")["secret"]["ShouldAsk"], "false")
    equal(dialog.run()[0], "\n\n")


@test("the window that cannot be shown is an error that says so, in which no secret stands")
def no_window(dialog):
    out, err = dialog.run("-i", "-r", stdin=details({}, {"secret": "hush"}), status=1)
    equal(out, "")
    want(err, "nm-kcpvpn-auth-dialog: ")
    assert "hush" not in err, err


@test("wrong use, another plugin's connection and a broken description end it with status 1 and a reason")
def misuse(dialog):
    for options, reason in ((["--nonsense"], "--nonsense"), (["more"], "more"),
                            (["-s", "org.freedesktop.NetworkManager.openvpn"], "openvpn")):
        want(dialog.run(*options, status=1)[1], "nm-kcpvpn-auth-dialog: ", reason)
    for stdin in ("", "DATA_KEY=ip\n", "nonsense\n"):
        want(dialog.run(stdin=stdin, status=1)[1], "stdin")
    done = subprocess.run([dialog.program, "-u", UUID], capture_output=True, text=True, check=False, env=dialog.env)
    equal(done.returncode, 1)
    want(done.stderr, "--service")


@test("it waits until the reader has the answer, and no longer")
def waits(dialog):
    stdin = details({}, {"secret": "hush"})
    with subprocess.Popen([dialog.program, *OPTIONS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=dialog.env) as process:
        process.stdin.write(stdin)
        process.stdin.flush()
        equal([process.stdout.readline() for _ in range(4)], ["secret\n", "hush\n", "\n", "\n"])
        time.sleep(0.3)
        equal(process.poll(), None, "it ended before QUIT")
        process.stdin.write("QUIT\n\n")
        process.stdin.flush()
        equal(process.wait(10), 0)


@test("what the user's keyring has of this connection is found, in both modes; of others it is not told")
def keyring(dialog):
    words = ["dbus-run-session", "--", "/usr/bin/python3", os.path.join(HERE, "fake_keyring.py"), UUID, "kept", "--"]

    def run(*options, flags):
        return dialog.run(*options, stdin=details({"secret-flags": flags}) + "QUIT\n\n", words=words)[0]

    equal(run("-i", flags="1"), "secret\nkept\n\n\n")
    want(run("-i", "--external-ui-mode", flags="1"), "Value=kept\n", "ShouldAsk=false\n")
    equal(run(flags="0"), "\n\n", "a secret that is not the user's own")
    equal(run("-u", UUID[:-1] + "3", flags="1"), "\n\n", "another connection")


@test("no toolkit is linked")
def toolkit(dialog):
    out = subprocess.run(["ldd", dialog.program], capture_output=True, text=True, check=True).stdout
    want(out, "libnm.so")
    for name in ("libgtk", "libX11", "libwayland", "libnma"):
        assert name not in out, out


def main():
    dialog, names = Dialog(os.path.abspath(sys.argv[1])), sys.argv[2:]
    bad = 0
    for function, proves in TESTS:
        if names and function.__name__ not in names:
            continue
        try:
            function(dialog)
            print(f"ok   {function.__name__}: {proves}", flush=True)
        except Exception as error:  # each test is told about, whatever went wrong
            bad += 1
            print(f"FAIL {function.__name__}: {proves}\n     {type(error).__name__}: {error}", flush=True)
    sys.exit(1 if bad else 0)


main()
