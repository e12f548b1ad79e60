# SPDX-License-Identifier: GPL-2.0
"""Instructions of one request by the character device: a daemon that answers at once, by its threads (see null.c)."""

import csv

from .guest import Guest, need_symbols
from .insn import client_of, plugin
from .rates import BEGIN, END, Result
from .scaling import null

ABOUT = "Instructions of one request of a daemon that answers at once"
COLUMNS, UNIT = ("threads",), "instructions"
ROUNDS, QUICK_ROUNDS = 5, 3
CPUS = (1,)
THREADS = (1, 4)
MILLISECONDS = 1500


def _once(guest, threads, out):
    """What measures one client: the instructions of one request, by the plugin's latest line."""
    def once(client):
        null(guest, client, threads, MILLISECONDS)
        with open(out, encoding="ascii") as lines:
            return client_of(list(csv.DictReader(lines, delimiter="\t"))[-1])
    return once


def run(folder, rounds, accel):
    """Boots a guest under the plugin; the results."""
    out, results = folder / "device.tsv", []
    extra = ["-plugin", plugin(out, need_symbols(folder))]
    with Guest(folder, accel=accel, cpus=CPUS[0], extra=extra, limit=900, label="device") as guest:
        guest.run(BEGIN)
        for threads in THREADS:
            results.append(Result((str(threads),), is_cost=True))
            results[-1].measure(rounds, _once(guest, threads, out))
        guest.run(END, check=True)
    return results
