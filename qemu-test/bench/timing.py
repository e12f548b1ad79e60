# SPDX-License-Identifier: GPL-2.0
"""Wall and processor time of the jobs on all clients, and what they put on the queues."""

import json
import time
from dataclasses import dataclass, field

from .guest import Guest, devices_for, directories_for
from .jobs import Job
from .sides import BASE
from .stats import median, ratio

ROUNDS, QUICK_ROUNDS = 5, 3
# Fewer rounds, or a spread beyond this, allow no verdict.
LEAST = 3
NOISY = 0.15
# What another boot of the same guest changes in a ratio (measured: up to 6 %), in parts of it.
BOOTS = 0.05
COUNTERS = ("requests", "descriptors", "kicks", "interrupts")
# How long one measurement may take.
SECONDS = 60
PING_ROUNDS, PINGS = 15, 1000
PING_SCRIPT = f"""
for round in $(seq {PING_ROUNDS}); do
	echo {PINGS} > /sys/kernel/debug/bench_ping/run
	cat /sys/kernel/debug/bench_ping/run
done
"""


@dataclass
class Result:
    """All measurements of one job, by side."""

    job: Job
    # Nanoseconds of one operation.
    wall: dict = field(default_factory=dict)
    busy: dict = field(default_factory=dict)
    # Of one operation.
    counts: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)

    def __post_init__(self):
        self.wall = {side: [] for side in self.job.sides}
        self.busy = {side: [] for side in self.job.sides}

    def add(self, text):
        """One line of in_guest/measure.py; others (a traceback) are no results."""
        if not text.startswith("{"):
            return
        line = json.loads(text)
        side = line["side"]
        if "error" in line:
            self.errors.append(f"{self.job.name} on {side}: {line['error']}")
        elif "counts" in line:
            self.counts[side] = {name: count / line["ops"] for name, count in line["counts"].items()}
        else:
            self.wall[side].append(line["wall"] / line["ops"])
            self.busy[side].append(line["busy"] / line["ops"])

    @property
    def complete(self):
        """Whether nothing failed."""
        return not self.errors and set(self.counts) == set(self.job.sides)

    def latest(self):
        """How the last round went, for the progress."""
        spent = {side: times[-1] for side, times in self.wall.items() if times}
        return "".join(f", {side} {nanoseconds / 1000:,.1f} us" for side, nanoseconds in spent.items())

    def speed(self, side):
        """A side's speed in parts of C's."""
        return ratio(self.wall[side], self.wall[BASE], LEAST).widened(BOOTS)

    def cost(self, side):
        """A side's processor time in parts of C's."""
        return ratio(self.busy[BASE], self.busy[side], LEAST).widened(BOOTS)


def _pass(guest, results, rounds, count):
    """Has the guest run every job; its lines go to the results."""
    for result in results:
        sides = directories_for(result.job)
        plan = {"sides": sides, "rounds": rounds, "count": count, "jobs": [result.job.plan()]}
        text = json.dumps(plan)
        start = time.monotonic()
        guest.run(f"cat > plan <<'END'\n{text}\nEND\npython3 /rig/bench/measure.py plan",
                  SECONDS * rounds * len(sides), line=result.add)
        print(f"  {result.job.name} ({time.monotonic() - start:.0f} s){result.latest()}", flush=True)


def _ping(guest):
    """Nanoseconds of an empty request: the median of the rounds."""
    lines = guest.run(PING_SCRIPT, 120)
    return median([int(spent) / int(count) for count, spent in map(str.split, lines)])


def run(folder, jobs, rounds, accel, cpus):
    """Boots a guest, times, then counts. Returns results, and an empty request's time before and after."""
    results = [Result(job) for job in jobs]
    limit = 300 + len(jobs) * (rounds + 1) * 3 * SECONDS
    with Guest(folder, devices_for(jobs), accel=accel, cpus=cpus, limit=limit, label="time") as guest:
        guest.mount("rw" if any(job.writes for job in jobs) else "ro")
        pings = [_ping(guest)]
        print(f"bench: time, {rounds} rounds of {len(jobs)} jobs", flush=True)
        _pass(guest, results, rounds, False)
        pings.append(_ping(guest))
        print("bench: counters, one round", flush=True)
        guest.run("insmod /rig/bench/bench_count.ko")
        _pass(guest, results, 1, True)
        guest.run("rmmod bench_count")
        guest.unmount()
    return results, pings
