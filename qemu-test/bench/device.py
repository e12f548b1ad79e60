# SPDX-License-Identifier: GPL-2.0
"""Instructions of one request by the character device: a daemon that answers at once, by its threads (see null.c)."""

import csv

from . import places
from .guest import Guest, need_symbols
from .rates import Result
from .scaling import DEVICES
from .sides import BASE

ABOUT = "Instructions of one request of a daemon that answers at once"
COLUMNS, UNIT = ("threads",), "instructions"
ROUNDS, QUICK_ROUNDS = 5, 3
CPUS = (1,)
THREADS = (1, 4)
MILLISECONDS = 1500


def _line(row):
    """Client, threads, and the instructions of the kernel and of the module for one request."""
    client = "rfuse" if row["fs"] == "rfuse" else BASE
    return client, row["op"].removeprefix("null-"), (int(row["kernel"]) + int(row["module"])) / int(row["ops"])


def run(folder, rounds, accel):
    """Boots a guest under the plugin; the results."""
    out = folder / "device.tsv"
    plugin = f"file={places.BIN / 'insn.so'},out={out},syms={need_symbols(folder)}"
    with Guest(folder, accel=accel, cpus=CPUS[0], extra=["-plugin", plugin], limit=900, label="device") as guest:
        guest.run("modprobe rfuse; [ -e /dev/rfuse ] && [ -e /dev/fuse ]")
        for turn in range(rounds):
            for threads in THREADS:
                for client in list(DEVICES)[::-1 if turn % 2 else 1]:
                    guest.run(f"/rig/bench/null {DEVICES[client]} {threads} {threads} {MILLISECONDS}")
            print(f"  round {turn + 1} of {rounds}", flush=True)
        guest.run("rmmod rfuse", check=True)
    results = {str(threads): Result((str(threads),), is_cost=True) for threads in THREADS}
    with open(out, encoding="ascii") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            client, threads, instructions = _line(row)
            results[threads].times[client].append(instructions)
    return list(results.values())
