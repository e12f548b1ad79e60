# SPDX-License-Identifier: GPL-2.0
"""The host's unit tests, each workspace as one case."""

import os
import subprocess
import threading
import time

from . import paths

WORKSPACES = {"host-proto": paths.REPO / "rust" / "proto", "host-tools": paths.REPO / "tools",
              "host-hostile": paths.RIG / "hostile"}


def names():
    """The cases that this repository has."""
    return [name for name, folder in WORKSPACES.items() if (folder / "Cargo.toml").exists()]


class HostTests(threading.Thread):
    """Runs `cargo test` beside the guest; `results` gets (name, passed, seconds, log)."""

    def __init__(self, chosen, run):
        super().__init__(daemon=True)
        self.chosen, self.folder = chosen, run
        self.results = []
        self.children = []

    def run(self):
        uid, gid = (int(part) for part in os.environ.get("RFUSE_USER", "0:0").split(":"))
        for name in self.chosen:
            log, start = self.folder / f"{name}.log", time.monotonic()
            with open(log, "wb") as out:
                child = subprocess.Popen(
                    ["cargo", "test", "--quiet"], cwd=WORKSPACES[name], user=uid, group=gid,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out)
                self.children.append(child)
                passed = child.wait() == 0
            self.results.append((name, passed, time.monotonic() - start, log))

    def stop(self):
        """Ends what still runs."""
        for child in self.children:
            if child.poll() is None:
                child.terminate()
