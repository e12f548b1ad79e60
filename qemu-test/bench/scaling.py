# SPDX-License-Identifier: GPL-2.0
"""Requests a second of a daemon that answers at once, on both clients, by its threads and the guest's processors."""

from dataclasses import dataclass, field

from . import table
from .guest import Guest
from .sides import BASE
from .stats import median, ratio
from .timing import BOOTS, LEAST, NOISY

ROUNDS, QUICK_ROUNDS = 7, 3
THREADS = (1, 2, 4, 8)
CPUS = (1, 2, 4)
MILLISECONDS = 1000
DEVICES = {BASE: "/dev/fuse fuse", "rfuse": "/dev/rfuse rfuse"}
HEAD = ("cpus", "threads", "C requests/s", "rfuse requests/s", "rfuse/C", "spread", "verdict")


@dataclass
class Result:
    """All rounds of a number of processors and threads."""

    cpus: int
    threads: int
    # Nanoseconds of a request, by side.
    times: dict = field(default_factory=lambda: {side: [] for side in DEVICES})

    @property
    def complete(self):
        """Whether nothing failed."""
        return len({len(times) for times in self.times.values()}) == 1 and all(self.times.values())

    def row(self):
        """For the table."""
        speed = ratio(self.times["rfuse"], self.times[BASE], LEAST).widened(BOOTS)
        rates = [f"{1e9 / median(self.times[side]):,.0f}" for side in DEVICES]
        return (str(self.cpus), str(self.threads), *rates, f"{speed.median:.2f}", f"{speed.spread:.0%}",
                speed.verdict(1.0, NOISY, higher=True))


def _measure(guest, result, turn):
    """One round: both clients, in an order that alternates."""
    sides = list(DEVICES)[::-1 if turn % 2 else 1]
    for side in sides:
        words = f"/rig/bench/null {DEVICES[side]} {result.threads} {result.threads} {MILLISECONDS}"
        count, took = map(int, guest.run(words)[-1].split())
        result.times[side].append(took / count)


def run(folder, rounds, accel):
    """Boots a guest for each number of processors; the results."""
    results = []
    for cpus in CPUS:
        with Guest(folder, accel=accel, cpus=cpus, limit=900, label=f"scaling{cpus}") as guest:
            guest.run("modprobe rfuse; [ -e /dev/rfuse ] && [ -e /dev/fuse ]")
            for threads in THREADS:
                result = Result(cpus, threads)
                for turn in range(rounds):
                    _measure(guest, result, turn)
                results.append(result)
                print(f"  {cpus} cpus, {threads} threads: rfuse {result.row()[4]} of C", flush=True)
            guest.run("rmmod rfuse", check=True)
    return results


def report(name, results, machine):
    """Prints the table and writes it; the path of the CSV."""
    rows = [result.row() for result in results]
    print(table.aligned([HEAD, *rows]))
    table.write_markdown(name, machine, [HEAD, *rows])
    return table.write_csv(name, machine, HEAD, rows)
