#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Times the jobs of a plan on all clients, or counts what they put on the queues.

usage: measure.py PLAN (JSON: sides, rounds, count, jobs). Prints a line of JSON for each measurement:
job, side, round, operations, and either wall and busy (nanoseconds) or the counters.

Rounds of a job on one side and on the others follow each other, in an order that alternates, so that a
disturbance of the host meets all.
"""

import json
import os
import subprocess
import sys
import time

BIN = "/rig/bench"
SNAPSHOT = f"{BIN}/snapshot"
# In the order of modules/bench_count.c.
COUNTERS = ("requests", "descriptors", "kicks", "interrupts")
TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count()


def drop_caches():
    """Forgets pages, names and attributes, of all."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def run(words, **kwargs):
    """A program's output; its failure is an exception."""
    return subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, check=True,
                          **kwargs).stdout


def busy_between(before, after):
    """Nanoseconds in which processors were not idle between two snapshots."""
    def of(snapshot):
        uptime, cpu = snapshot.split("\n", 2)[:2]
        # The idle time is exact, whereas what a processor was busy with is only sampled by ticks.
        idle = sum(map(int, cpu.split()[4:6])) * TICK
        return float(uptime.split()[0]) * 1e9 * PROCESSORS - idle
    return max(0, round(of(after) - of(before)))


def counts_between(before, after):
    """What bench_count counted between two snapshots."""
    first, second = ([int(word) for word in text.splitlines()[2].split()] for text in (before, after))
    return dict(zip(COUNTERS, (b - a for a, b in zip(first, second))))


class Ops:
    """Operations of opbench, which times them itself."""

    def __init__(self, job):
        self.op, self.repeat = job["op"], job["repeat"]

    def run(self, directory, counting):
        """Operations, wall and busy nanoseconds, snapshots."""
        hook = "snapshots"
        words = ["-x", f"{SNAPSHOT} >> {os.getcwd()}/{hook}"] if counting else ["-n", self.repeat]
        out = run([f"{BIN}/opbench", *words, f"x={directory}", "--", self.op])
        _, _, _, count, wall, busy = out.split()
        return int(count), int(wall), int(busy), taken(hook) if counting else []


class Command:
    """A program that is run with cold caches in the directory."""

    def __init__(self, job):
        self.words, self.ops = job["words"], job["ops"]
        self.before, self.after = job["before"], job["after"]

    def run(self, directory, _counting):
        """See Ops.run."""
        run(["sh", "-c", self.before], cwd=directory)
        try:
            return self.timed(directory)
        finally:
            run(["sh", "-c", self.after], cwd=directory)

    def timed(self, directory):
        """Operations, wall and busy nanoseconds, snapshots of the program alone."""
        drop_caches()
        # Its own pages are no part of the job.
        run([self.words[0], "--version"])
        before = run([SNAPSHOT]).partition("\n")[2]
        start = time.monotonic_ns()
        run(self.words, cwd=directory)
        wall = time.monotonic_ns() - start
        after = run([SNAPSHOT]).partition("\n")[2]
        return self.ops, wall, busy_between(before, after), [before, after]


class Fio:
    """A fio job; fio itself runs the snapshots, so that its start and end are left out."""

    def __init__(self, job):
        self.words, self.cold, self.result = job["words"], job["cold"], job["result"]

    def run(self, directory, _counting):
        """See Ops.run."""
        if self.cold:
            drop_caches()
        out = run(["fio", "--name=job", *(word.replace("{directory}", directory) for word in self.words),
                   f"--exec_prerun={SNAPSHOT}", f"--exec_postrun={SNAPSHOT}"])
        # A line about the hooks may stand before the JSON.
        done = json.loads(out[out.index("\n{") if not out.startswith("{") else 0:])["jobs"][0][self.result]
        before, after = taken("job.prerun.txt")[0], taken("job.postrun.txt")[0]
        return done["total_ios"], done["runtime"] * 1_000_000, busy_between(before, after), [before, after]


def taken(path):
    """The snapshots in a file, which is removed."""
    with open(path, encoding="ascii") as file:
        parts = file.read().split("snapshot\n")[1:]
    os.unlink(path)
    return parts


KINDS = {"ops": Ops, "command": Command, "fio": Fio}


def measure(job, side, directory, number, counting):
    """One measurement, printed."""
    result = {"job": job["name"], "side": side, "round": number}
    try:
        count, wall, busy, snapshots = KINDS[job["kind"]](job).run(directory, counting)
    except (subprocess.CalledProcessError, OSError, ValueError, KeyError) as error:
        print(json.dumps(result | {"error": f"{type(error).__name__}: {error}"}), flush=True)
        return
    if counting:
        result |= {"ops": count, "counts": counts_between(*snapshots[:2])}
    else:
        result |= {"ops": count, "wall": wall, "busy": busy}
    print(json.dumps(result), flush=True)


def main():
    """Runs the plan."""
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    sides = list(plan["sides"].items())
    for job in plan["jobs"]:
        for number in range(plan["rounds"]):
            for side, directory in sides if number % 2 == 0 else reversed(sides):
                measure(job, side, directory, number, plan["count"])


if __name__ == "__main__":
    main()
