# SPDX-License-Identifier: GPL-2.0
"""A share whose server is qemu-test/hostile: it serves a tree of its own, and lies by a seed."""

import argparse
import shlex
import socket

from .paths import HOSTILE
from .share import Share

PREFIX = "server=hostile"
ORDER_SECONDS = 10


class HostileShare(Share):
    """The hostile server. Its journal of damaged answers lies in `run`."""

    def __init__(self, tag, directory, run, options):
        super().__init__(tag, directory, run, options.removeprefix(PREFIX))
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument("--queues", type=int, default=1)
        self.queues = parser.parse_known_args(shlex.split(self.options))[0].queues
        self.control = f"{tag}.control"
        self.journal = run / f"hostile-{tag}.journal"

    def argv(self):
        if not HOSTILE.exists():
            raise RuntimeError(f"{HOSTILE} is not built: run 'make hostile' first")
        return [HOSTILE, f"--socket-path={self.socket}", f"--control={self.control}",
                f"--journal={self.journal}", *shlex.split(self.options)]

    def ask(self, words):
        """An order to the running server (`counters`, `damage OPTION…`): its answer."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(ORDER_SECONDS)
            # The path's length is limited; the process sits in that folder, so its view is short.
            channel.connect(f"/proc/{self.process.popen.pid}/cwd/{self.control}")
            channel.sendall(" ".join(words).encode() + b"\n")
            with channel.makefile("r", encoding="utf-8") as answer:
                return answer.read()

    def stop(self):
        super().stop()
        (self.run / self.control).unlink(missing_ok=True)


def make(tag, directory, run, options):
    """The share that a case's options ask for."""
    kind = HostileShare if options.startswith(PREFIX) else Share
    return kind(tag, directory, run, options)
