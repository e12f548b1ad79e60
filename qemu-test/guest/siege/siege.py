# SPDX-License-Identifier: GPL-2.0
"""Rounds of mounting, working and unmounting against a server that lies by a seed."""

import ctypes
import os
import random
import re
import time

from hostile import prepare
from hostile_server import counted
from ktap import FS, host
from siege.changes import Changer
from siege.crew import PATIENCE, SLOWNESS, SOON, Crew, Fault, Undead, command

BESIDE = "/media"
MNT_DETACH = 2
DRIVER = "/sys/bus/virtio/drivers/rfuse"

libc = ctypes.CDLL(None, use_errno=True)


def ask(tag, *words):
    """An order to the server; counts as a dictionary."""
    return counted(host("ask", tag, *words))


def is_mounted(point):
    """Whether something is mounted there."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(line.split()[1] == point for line in mounts)


class Siege:
    """One seed against one share."""

    def __init__(self, tag, point, seed, workers, trade=Changer):
        self.tag, self.point, self.workers, self.trade = tag, point, workers, trade
        self.random = random.Random(seed)
        prepare()
        self.mounts = self.refused = self.killed = self.died = self.waited = self.forced = self.pulled = 0

    def run(self, deadline):
        """Cycles until the server did its number of damages, or the time is over: its counts."""
        while not self.is_done() and time.monotonic() < deadline:
            self.cycle()
        return self.counters()

    def counters(self):
        """The server's counts."""
        return ask(self.tag, "counters")

    def owes(self):
        """Whether the server keeps anybody waiting."""
        return self.counters()["waiting"]

    def is_done(self):
        """Whether the server did its number of damages."""
        return self.counters()["done"]

    def cycle(self):
        """Mounts, works, unmounts; now and then without the module in between."""
        if self.mount():
            crew = Crew(self.point, self.workers, self.random, self.owes, trade=self.trade)
            try:
                for _ in range(self.random.randrange(2, 6)):
                    crew.watch(self.random.choice((0.3, 1.0, 2.0)) * SLOWNESS)
                    self.maybe_drop(crew)
                    self.maybe_beside(crew)
                    if crew.killed > 1 or self.is_done():
                        break
                if self.random.random() < 0.1:
                    self.pull()
            except Undead as undead:
                self.cut_off(undead)
            finally:
                self.end(crew)
        self.unmount()
        if self.random.random() < 0.2:
            self.unload()

    def end(self, crew):
        """Ends a crew, and counts what happened to it."""
        self.killed += crew.killed
        self.died += crew.died
        self.waited += crew.waited
        try:
            crew.end()
        except Undead as undead:
            self.cut_off(undead)
            crew.end()

    def cut_off(self, undead):
        """Who exits heeds no signal any more. If it is the last to use what is mounted within, it waits for what the
        server has of that, as the administrator can end."""
        if not re.search(r"kill_sb.*do_exit", str(undead), re.DOTALL):
            raise undead
        self.forced += 1
        command("umount", "-f", self.point, patience=SOON)

    def pull(self):
        """Takes the device away while it is in use, and gives it back."""
        device = next(name for name in os.listdir(DRIVER) if name.startswith("virtio"))
        for order in ("unbind", "bind"):
            status, output = command("sh", "-c", f"echo {device} > {DRIVER}/{order}", patience=SOON)
            if status:
                raise Fault(f"{order} of {device}: status {status}: {output}")
        self.pulled += 1

    def mount(self):
        """Whether the mount succeeded: an INIT may be damaged."""
        status, _ = command("mount", "-t", FS, self.tag, self.point, patience=3 * PATIENCE)
        self.mounts += 1
        self.refused += status != 0
        return is_mounted(self.point)

    def beside(self, crew, *words):
        """A command that may wait for the lock of a superblock, as long as a worker has it."""
        try:
            command(*words, patience=3 * PATIENCE)
        except Undead as undead:
            crew.release(undead)

    def maybe_drop(self, crew):
        """Has the kernel give cached things up, sometimes."""
        if self.random.random() < 0.1:
            self.beside(crew, "sh", "-c", "echo 3 > /proc/sys/vm/drop_caches")

    def maybe_beside(self, crew):
        """Mounts the same a second time and takes it away, sometimes: both share what they mount."""
        if self.random.random() < 0.1:
            self.beside(crew, "mount", "-t", FS, self.tag, BESIDE)
            # Not by umount(8), which asks the server first. The other mount keeps what is mounted.
            if is_mounted(BESIDE) and libc.umount2(BESIDE.encode(), MNT_DETACH):
                raise Fault(f"umount2 of {BESIDE}: {os.strerror(ctypes.get_errno())}")

    def unmount(self):
        """As an administrator would: politely first."""
        if not is_mounted(self.point):
            return
        if self.random.random() < 0.8:
            command("umount", self.point, patience=3 * PATIENCE)
        if is_mounted(self.point):
            self.forced += 1
            status, output = command("umount", "-f", self.point, patience=SOON)
            if is_mounted(self.point):
                raise Fault(f"umount -f left it mounted: status {status}: {output}")

    def unload(self):
        """The module must go once nothing is mounted, whatever the server did."""
        # A mount that was refused, or an unmount that was killed, may still be on its way out.
        end = time.monotonic() + SOON
        while (result := command("rmmod", "rfuse", patience=SOON))[0]:
            if time.monotonic() > end or not os.path.exists("/sys/module/rfuse"):
                raise Fault(f"rmmod: {result}")
            time.sleep(0.1)

    def __str__(self):
        return (f"{self.mounts} mounts ({self.refused} refused, {self.forced} forced off, {self.pulled} pulled), "
                f"{self.killed} workers killed, {self.died} died, {self.waited} waited for another")
