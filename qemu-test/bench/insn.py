# SPDX-License-Identifier: GPL-2.0
"""Guest instructions of each operation, counted by the plugin (plugin/insn.c)."""

import csv
import dataclasses
import shutil
import subprocess
from dataclasses import dataclass

from . import places, profile
from .guest import DEVICES, Guest, devices_for, directory, need_symbols
from .sides import BASE, WRITEBACK, WRITEBACK_ABOUT, device, taking_part
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


# As in in_guest/ops.h.
READS, WRITES, WRITES_BACK = range(3)


@dataclass
class Operation:
    """One line of in_guest/ops.c's table, on servers of one kind."""

    name: str
    about: str
    goal: float
    writes: int
    # Its name in that table.
    op: str
    writeback: bool = False

    @property
    def sides(self):
        """Who takes part."""
        return taking_part(self.writes == WRITES_BACK)

    @property
    def tags(self):
        """The devices of those."""
        return [device(side, self.writeback) for side in self.sides]

    def twin(self):
        """The same on servers with --writeback."""
        return dataclasses.replace(self, name=self.name + WRITEBACK, about=f"{self.about}, {WRITEBACK_ABOUT}",
                                   writeback=True)


def parse(text):
    """The operations by name, those that write back on both kinds of servers."""
    rows = [line.split("\t") for line in text.splitlines()]
    plain = [Operation(name, about, float(goal), int(writes), name) for name, about, goal, writes in rows]
    twins = [operation.twin() for operation in plain if operation.writes == WRITES_BACK]
    return {operation.name: operation for operation in plain + twins}


def table():
    """What in_guest/ops.c has."""
    return parse(subprocess.run([places.BIN / "opbench", "-l"], check=True, stdout=subprocess.PIPE, text=True).stdout)


class Result:
    """What the rounds of one operation cost on each side."""

    def __init__(self, operation):
        self.operation = operation
        self.count = 0
        self.clients = {side: [] for side in operation.sides}
        self.events = {side: {event: [] for event in EVENTS} for side in operation.sides}

    def add(self, side, row):
        """One line of the plugin's file."""
        count = int(row["ops"])
        self.count = count
        self.clients[side].append(client_of(row))
        for event in EVENTS:
            self.events[side][event].append(int(row[event]) / count)

    def client(self, side):
        """Kernel and module instructions of one operation, interrupts included, without idle and tick."""
        return median(self.clients[side])

    def event(self, side, event):
        """How often that happened for one operation."""
        return median(self.events[side][event])

    def ratio(self, side):
        """A side in parts of C."""
        return ratio(self.clients[BASE], self.clients[side]).widened(BOOTS)

    @property
    def complete(self):
        """Whether no side failed."""
        return all(self.ratio(side).is_stated for side in self.operation.sides)


def read(path, operations):
    """The results in the plugin's file, in its order."""
    results = {}
    with open(path, encoding="ascii") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            side = DEVICES[row["fs"]][0]
            name = row["op"] + row["fs"].removeprefix(side)
            results.setdefault(name, Result(operations[name])).add(side, row)
    return list(results.values())


def plugin(out, symbols):
    """What the emulator is told of the plugin, whose lines go to `out`."""
    return f"file={places.BIN / 'insn.so'},out={out},syms={symbols}"


def client_of(row):
    """Kernel and module instructions of one operation, by a line of the plugin's."""
    return (int(row["kernel"]) + int(row["module"])) / int(row["ops"])


def run(folder, names, rounds, hist):
    """Boots a guest under the plugin and runs the operations; their results."""
    symbols, operations = need_symbols(folder), table()
    chosen = [operations[name] for name in names]
    mode = "rw" if any(operation.writes for operation in chosen) else "ro"
    counts = folder / "insn.tsv"
    told = plugin(counts, symbols)
    raw = folder / "hist"
    if hist:
        raw.mkdir()
        told += f",hist={raw}"
    limit = 300 + len(names) * rounds * SECONDS_A_ROUND
    with Guest(folder, devices_for(chosen), late_us=LATE_US, extra=["-plugin", told], limit=limit, label="insn") as guest:
        guest.mount(mode)
        print(f"bench: instructions, {rounds} rounds", flush=True)
        for operation in chosen:
            print(f"  {operation.name}", flush=True)
            sides = " ".join(f"{tag}={directory(tag)}" for tag in operation.tags)
            guest.run(f"/rig/bench/opbench -r {rounds} {sides} -- {operation.op}", rounds * SECONDS_A_ROUND)
        functions = guest.symbols() if hist else ""
        guest.unmount()
    results = read(counts, operations)
    if hist:
        shutil.rmtree(places.PROFILE, ignore_errors=True)
        profile.write(raw, functions, places.PROFILE, results)
    return results
