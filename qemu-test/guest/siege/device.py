# SPDX-License-Identifier: GPL-2.0
"""The siege against the hostile server as a daemon: each mount starts a new one, with a seed of its own."""

import os
import subprocess
import time

from daemons import runner
from hostile_server import counted
from ktap import DEVICE, TYPE
from own_daemon import order
from siege.crew import PATIENCE, Fault
from siege.siege import SOON, Siege, is_mounted


class DeviceSiege(Siege):
    """One seed, and those behind it, until so many answers were damaged."""

    def __init__(self, point, seed, workers, answers, options):
        super().__init__("", point, seed, workers)
        self.seed, self.answers, self.options = seed, answers, list(map(str, options))
        self.control = os.path.abspath("control")
        self.child = None
        self.sums, self.last = {}, {}

    def counters(self):
        """Its counts and those of the daemons before."""
        if self.child:
            try:
                self.last = counted(order(self.control, "counters"))
            except OSError:
                # It has ended: what it said last counts.
                pass
        names = self.sums.keys() | self.last.keys()
        return {"waiting": 0, "damaged": 0} | {name: self.sums.get(name, 0) + self.last.get(name, 0) for name in names}

    def owes(self):
        """Whether the daemon keeps anybody waiting."""
        self.counters()
        return self.last.get("waiting", 0)

    def is_done(self):
        """Whether the daemons did their number of damages."""
        return self.counters()["damaged"] >= self.answers

    def mount(self):
        """Whether the mount succeeded."""
        seed = 1000 * self.seed + self.mounts
        clones = self.random.choice((1, 1, 3))
        words = ["hostile-daemon", "--clone-of", DEVICE, "--control", self.control, "--clones", str(clones),
                 "--seed", str(seed), *self.options, self.point]
        self.child = subprocess.Popen(runner(*words))
        self.mounts += 1
        end = time.monotonic() + 3 * PATIENCE
        while not (os.path.exists(self.control) and is_mounted(self.point)) and self.child.poll() is None:
            if time.monotonic() > end:
                raise Fault("neither mounted nor refused")
            time.sleep(0.02)
        if not os.path.exists(self.control):
            raise Fault(f"the daemon does not start (status {self.child.returncode}): {words}")
        return is_mounted(self.point)

    def unmount(self):
        """The daemon ends with its mount."""
        self.counters()
        super().unmount()
        try:
            self.child.wait(SOON)
        except subprocess.TimeoutExpired as error:
            raise Fault("the daemon's connection did not end with its mount") from error
        self.child = None
        os.unlink(self.control)
        for name, number in self.last.items():
            self.sums[name] = self.sums.get(name, 0) + number
        self.last = {}

    def pull(self):
        """Kills the daemon while it is in use."""
        subprocess.run(["pkill", "-KILL", "-x", "hostile-daemon"], check=False)
        self.pulled += 1

    def unload(self):
        """The kernel's own client stays."""
        if TYPE == "rfuse":
            super().unload()

    def maybe_beside(self, crew):
        """There is no second mount of a daemon."""
