#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""qmesh on a terminal: what it asks, what it hides, what it draws.

  cli_tty.py login QMESH SERVER USER PASSWORD
  cli_tty.py qr QMESH SERVER DEVICE FILE      writes the code's lines to FILE
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT_S = 30


class Terminal:
    def __init__(self, args, columns, rows):
        self.raw = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # The window is there before the program looks.
            time.sleep(0.3)
            os.execv(args[0], args)
        self.resize(columns, rows)

    def resize(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            self.raw += os.read(self.fd, 65536)
            return True
        except OSError:
            return False

    @property
    def seen(self):
        return self.raw.decode(errors="replace")

    def until(self, pattern):
        end = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.seen):
            ready = select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]
            if not ready or not self.read():
                os.kill(self.pid, signal.SIGKILL)
                raise SystemExit(f"no {pattern!r} in {self.seen!r}")

    def say(self, text):
        os.write(self.fd, text.encode() + b"\n")

    def end(self):
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def login(qmesh, server, user, password):
    t = Terminal([qmesh, "--server", server, "login"], 80, 24)
    t.until("User: ")
    t.say(user)
    t.until("Password: ")
    t.say(password)
    code = t.end()
    assert code == 0, (code, t.seen)
    assert user in t.seen and "signed in as" in t.seen, t.seen
    assert password not in t.seen, "the password was echoed"


def qr(qmesh, server, device, path):
    t = Terminal([qmesh, "--server", server, "device", "rotate", device, "--qr"], 20, 10)
    t.until(r"window too small: need \d+x\d+, have 20x10")
    assert "\u2588" not in t.seen, "half a code is worse than none"
    t.resize(200, 100)
    t.say("")
    code = t.end()
    assert code == 0, (code, t.seen)
    lines = re.findall("\x1b\\[30;107m([\u2580\u2584\u2588 ]+)\x1b\\[0m", t.seen)
    assert len(lines) > 20, t.seen
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    {"login": login, "qr": qr}[sys.argv[1]](*sys.argv[2:])
