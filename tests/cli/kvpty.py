# SPDX-License-Identifier: GPL-2.0-or-later
"""A program on a terminal of its own, typed at and read as a person does."""

import os
import pty
import select
import signal
import termios
import time


class Terminal:
    def __init__(self, words, env, columns=100):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(words[0], words, {**env, "TERM": env.get("TERM", "xterm"),
                                             "COLUMNS": str(columns), "LINES": "40"})
            finally:
                os._exit(127)

    def read(self, seconds):
        """Takes in what comes within the time; False: nothing did, or the program has closed."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, part, seconds=20):
        """Reads until the text has the part; returns all of it so far."""
        end = time.monotonic() + seconds
        while part not in self.text:
            left = end - time.monotonic()
            if left <= 0 or (not self.read(left) and part not in self.text):
                raise AssertionError(f"no {part!r} on the terminal: {self.text!r}")
        return self.text

    def wait_hidden(self, seconds=20):
        """Waits until the terminal no longer shows what is typed."""
        end = time.monotonic() + seconds
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise AssertionError(f"the terminal still shows what is typed: {self.text!r}")
            time.sleep(0.01)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self):
        """Reads to the end. Returns the exit status, or minus the signal."""
        while self.read(20):
            pass
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.1)
        else:
            self.signal(signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise AssertionError(f"it does not end: {self.text!r}")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()
