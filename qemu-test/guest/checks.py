# SPDX-License-Identifier: GPL-2.0
"""What every verdict includes: nothing mounted, the module unloadable, no object left, a clean log."""

import os
import re
import subprocess
import time

FS = os.environ["RIG_FS"]
KMEMLEAK = "/sys/kernel/debug/kmemleak"
# In the stack of an allocation; a module that is gone has no symbols.
OURS = re.compile(r"rfuse|rig_bug|0xffffffff[a-f]")
PATIENCE = int(os.environ["RIG_PATIENCE"])
SECONDS = 10 * PATIENCE


def _lines(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read().splitlines()


def mounts():
    """Mount points that are left, newest first (so that they can be unmounted in this order)."""
    fields = [line.split() for line in _lines("/proc/self/mounts")]
    # Daemons are served by type fuse where the C client is under test.
    return [field[1] for field in reversed(fields) if field[2].split(".")[0] in (FS, "fuse", "fuseblk")]


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
        return faults + self.lockdep() + self.leaks()

    @staticmethod
    def lockdep():
        """A kernel that has lockdep must still have it at work: its first report ends it."""
        path = "/proc/lockdep_stats"
        if not os.path.exists(path) or any(line.split() == ["debug_locks:", "1"] for line in _lines(path)):
            return []
        return ["lockdep has turned itself off"]

    @staticmethod
    def leaks():
        """Objects that nobody points to, where the kernel was booted with kmemleak=on."""
        if "kmemleak=on" not in _lines("/proc/cmdline")[0].split():
            return []
        try:
            # Objects younger than 5 s are not told of; a pointer that is gone may
            # still lie on a stack.
            for seconds in (6, 1):
                with open(KMEMLEAK, "w", encoding="utf-8") as order:
                    time.sleep(seconds)
                    order.write("scan")
            text = _lines(KMEMLEAK)
            with open(KMEMLEAK, "w", encoding="utf-8") as order:
                order.write("clear")
        except OSError as error:
            return [f"{KMEMLEAK}: {error}"]
        objects = "\n".join(text).split("unreferenced object ")[1:]
        return [f"leak: {' '.join(one.split())[:1500]}" for one in objects if OURS.search(one)][:5]

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
