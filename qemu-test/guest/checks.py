# SPDX-License-Identifier: GPL-2.0
"""What every verdict includes: nothing mounted, the module unloadable, no object left, a clean log."""

import os
import subprocess

FS = os.environ["RIG_FS"]
PATIENCE = int(os.environ["RIG_PATIENCE"])
SECONDS = 10 * PATIENCE


def _lines(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read().splitlines()


def mounts():
    """Mount points that are left, newest first (so that they can be unmounted in this order)."""
    fields = [line.split() for line in _lines("/proc/self/mounts")]
    return [field[1] for field in reversed(fields) if field[2].split(".")[0] == FS]


def loaded():
    """Whether the module is loaded."""
    return any(line.split()[0] == "rfuse" for line in _lines("/proc/modules"))


def slabs():
    """Slab caches that a module which is gone left behind."""
    return [line.split()[0] for line in _lines("/proc/slabinfo") if line.startswith("rfuse")]


class Checks:
    """The checks after a case."""

    def __init__(self, log):
        self.log = log

    def all(self):
        """Every fault found, after cleaning up."""
        faults = []
        for point in mounts():
            faults.append(f"left mounted: {point}")
            faults += self.run("umount", "-l", point)
        faults += self.unload()
        faults += self.log.faults()
        return faults + self.lockdep()

    @staticmethod
    def lockdep():
        """A kernel that has lockdep must still have it at work: its first report ends it."""
        path = "/proc/lockdep_stats"
        if not os.path.exists(path) or any(line.split() == ["debug_locks:", "1"] for line in _lines(path)):
            return []
        return ["lockdep has turned itself off"]

    @staticmethod
    def run(*command):
        """Runs a command that must succeed, and in time; what it did instead."""
        text = " ".join(command)
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            output = child.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            # Not waited for: it may not even die.
            child.kill()
            return [f"'{text}' did not end within {SECONDS} s"]
        return [f"'{text}' failed: {output.strip()}"] if child.returncode else []

    @staticmethod
    def unload():
        """Removes the module and looks for what it forgot."""
        if loaded() and (faults := Checks.run("rmmod", "rfuse")):
            return faults
        return [f"slab cache left behind: {name}" for name in slabs()]
