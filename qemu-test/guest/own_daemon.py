# SPDX-License-Identifier: GPL-2.0
"""The hostile server as a daemon: the raw protocol over the device, rightly unless told otherwise.

    with own_daemon("--interrupts", "lack") as daemon:
        daemon.ask("damage", "--rate", 100, "--only", "never", "--to", "READ")
        ... daemon.counters()["interrupts"]
"""

import contextlib
import os
import socket

from daemons import becomes, foreground, holders, kill
from hostile_server import COMPLAINTS, counted
from ktap import DEVICE, same


def order(control, *words):
    """An order to the daemon at that socket: its answer."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(10)
        channel.connect(control)
        channel.sendall(" ".join(map(str, words)).encode() + b"\n")
        with channel.makefile("r", encoding="utf-8") as answer:
            return answer.read()


class Daemon:
    """A running one."""

    def __init__(self, control, process, before):
        self.control, self.process, self.before = control, process, before

    def ask(self, *words):
        """An order: its answer."""
        return order(self.control, *words)

    def counters(self):
        """Its counts."""
        return counted(self.ask("counters"))

    def count(self, name):
        """One of its counts."""
        return self.counters().get(name, 0)

    def blameless(self):
        """That it has nothing to say of its client."""
        counts = self.counters()
        same("no complaints", {name: counts[name] for name in COMPLAINTS if counts.get(name)}, {})

    def kill(self):
        """Ends it without a word."""
        kill(self.process, self.before)
        self.process.wait(10)
        # That rfuse-run tells of it is as it should be.
        self.process.returncode = 0


@contextlib.contextmanager
def own_daemon(*options, mount="", point="/mnt"):
    """The daemon with these options, mounted for the block."""
    control, before = os.path.abspath("control"), holders()
    words = ["hostile-daemon", "--clone-of", DEVICE, "--control", control, *map(str, options)]
    with foreground(*words, options=mount, point=point) as child:
        becomes(lambda: os.path.exists(control))
        yield Daemon(control, child, before)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(control)
