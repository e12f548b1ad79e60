# SPDX-License-Identifier: GPL-2.0
"""Guest instructions of each operation, counted by the plugin (plugin/insn.c)."""

import csv
import shutil
import subprocess
from dataclasses import dataclass

from . import places, profile
from .guest import SIDES, Guest, need_symbols
from .stats import median, ratio

# Answers come to a client that sleeps, as on hardware (plugin/late.c).
LATE_US = 500
EVENTS = ("switches", "wakeups", "kicks", "interrupts")
ROUNDS, QUICK_ROUNDS = 7, 3
# What another boot changes in a ratio (measured: up to 2 %), in parts of it.
BOOTS = 0.02
# A spread beyond this allows no verdict.
NOISY = 0.1
SECONDS_A_ROUND = 20


@dataclass
class Operation:
    """One line of in_guest/ops.c's table."""

    name: str
    about: str
    goal: float
    writes: bool


def table():
    """The operations, by name."""
    done = subprocess.run([places.BIN / "opbench", "-l"], check=True, stdout=subprocess.PIPE, text=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {name: Operation(name, about, float(goal), writes == "1") for name, about, goal, writes in rows}


class Result:
    """What the rounds of one operation cost on each side."""

    def __init__(self, operation):
        self.operation = operation
        self.count = 0
        self.clients = {side: [] for side in SIDES}
        self.events = {side: {event: [] for event in EVENTS} for side in SIDES}

    def add(self, row):
        """One line of the plugin's file."""
        count, side = int(row["ops"]), row["fs"]
        self.count = count
        self.clients[side].append((int(row["kernel"]) + int(row["module"])) / count)
        for event in EVENTS:
            self.events[side][event].append(int(row[event]) / count)

    def client(self, side):
        """Kernel and module instructions of one operation, interrupts included, without idle and tick."""
        return median(self.clients[side])

    def event(self, side, event):
        """How often that happened for one operation."""
        return median(self.events[side][event])

    def ratio(self):
        """rfuse in parts of C."""
        return ratio(self.clients["c"], self.clients["rfuse"]).widened(BOOTS)

    @property
    def complete(self):
        """Whether neither side failed."""
        return self.ratio().is_stated


def read(path, operations):
    """The results in the plugin's file, in its order."""
    results = {}
    with open(path, encoding="ascii") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            results.setdefault(row["op"], Result(operations[row["op"]])).add(row)
    return list(results.values())


def run(folder, names, rounds, hist):
    """Boots a guest under the plugin and runs the operations; their results."""
    symbols, operations = need_symbols(folder), table()
    mode = "rw" if any(operations[name].writes for name in names) else "ro"
    counts = folder / "insn.tsv"
    plugin = f"file={places.BIN / 'insn.so'},out={counts},syms={symbols}"
    raw = folder / "hist"
    if hist:
        raw.mkdir()
        plugin += f",hist={raw}"
    limit = 300 + len(names) * rounds * SECONDS_A_ROUND
    with Guest(folder, late_us=LATE_US, extra=["-plugin", plugin], limit=limit, label="insn") as guest:
        sides = [f"{side}={directory}" for side, directory in guest.mount(mode).items()]
        print(f"bench: instructions, {rounds} rounds", flush=True)
        for name in names:
            print(f"  {name}", flush=True)
            guest.run(f"/rig/bench/opbench -r {rounds} {' '.join(sides)} -- {name}", rounds * SECONDS_A_ROUND)
        functions = guest.symbols() if hist else ""
        guest.unmount()
    results = read(counts, operations)
    if hist:
        shutil.rmtree(places.PROFILE, ignore_errors=True)
        counts = {result.operation.name: result.count for result in results}
        profile.write(raw, functions, places.PROFILE, counts)
    return results
