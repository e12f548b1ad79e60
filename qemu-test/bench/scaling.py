# SPDX-License-Identifier: GPL-2.0
"""Requests a second of a daemon that answers at once, on both clients, by its threads and the guest's processors."""

from .guest import Guest
from .rates import BEGIN, END, Result
from .sides import BASE

ABOUT = "A daemon that answers at once"
COLUMNS, UNIT = ("cpus", "threads"), "requests/s"
ROUNDS, QUICK_ROUNDS = 7, 3
THREADS = (1, 2, 4, 8)
CPUS = (1, 2, 4)
MILLISECONDS = 1000
DEVICES = {BASE: "/dev/fuse fuse", "rfuse": "/dev/rfuse rfuse"}


def null(guest, client, threads, milliseconds):
    """Nanoseconds of a request of that daemon."""
    count, took = map(int, guest.run(f"/rig/bench/null {DEVICES[client]} {threads} {threads} {milliseconds}")[-1].split())
    return took / count


def _once(guest, threads):
    """What measures one client: nanoseconds of a request."""
    return lambda client: null(guest, client, threads, MILLISECONDS)


def run(folder, rounds, accel):
    """Boots a guest for each number of processors; the results."""
    results = []
    for cpus in CPUS:
        with Guest(folder, accel=accel, cpus=cpus, limit=900, label=f"scaling{cpus}") as guest:
            guest.run(BEGIN)
            for threads in THREADS:
                results.append(Result((str(cpus), str(threads))))
                results[-1].measure(rounds, _once(guest, threads))
            guest.run(END, check=True)
    return results
