# SPDX-License-Identifier: GPL-2.0
"""What is timed: one table. A job's `spec` is for in_guest/measure.py."""

import dataclasses
from dataclasses import dataclass, field

from . import tree


@dataclass
class Job:
    """One line of the table."""

    name: str
    about: str
    # How many MiB one operation carries (0: it is metadata).
    mib: float = 0
    # Part of a quick run.
    quick: bool = True
    spec: dict = field(default_factory=dict)
    # It needs a writable mount.
    writes: bool = False

    def plan(self):
        """For the guest."""
        return {"name": self.name, **self.spec}


def _ops(op, about, repeat, mib=0):
    """Operations of in_guest/ops.c; `repeat` is chosen so that C takes about a second."""
    return Job(op, about, mib, spec={"kind": "ops", "op": op, "repeat": repeat})


def _changes(op, about, repeat, mib=0):
    """The same, of operations that write."""
    return dataclasses.replace(_ops(op, about, repeat, mib), writes=True)


def _command(name, about, ops, *words):
    return Job(name, about, spec={"kind": "command", "words": words, "ops": ops})


def _fio(mode, pattern, size, jobs, mib):
    """Reads `mib` MiB of a large file, or of a file for each of several jobs."""
    files = (["--filename={directory}/large"] if jobs == 1 else
             ["--directory={directory}", "--filename_format=part$jobnum"])
    words = [*files, f"--rw={pattern}", f"--bs={size}", f"--numjobs={jobs}", f"--io_size={(mib << 20) // jobs}",
             f"--ioengine={'mmap' if mode == 'mmap' else 'psync'}", f"--direct={int(mode == 'direct')}",
             "--readonly", "--thread", "--norandommap", "--randrepeat=1", "--group_reporting",
             "--output-format=json"]
    order = "random" if pattern == "randread" else "sequential"
    return Job(f"{mode}-{order}-{size}-{jobs}", f"{mode} {order} {size}, {jobs} job{'s' * (jobs > 1)}",
               {"4k": PAGE, "1m": 1}[size], jobs == 1,
               {"kind": "fio", "words": words, "cold": mode != "direct"})


PAGE = 1 / 256
# MiB of a job, so that C takes about a second. fio advises what it will do (RANDOM, SEQUENTIAL), so
# that a random mapping is read in single pages.
AMOUNTS = {
    1: {"cold": {("read", "4k"): 128, ("read", "1m"): 256, ("randread", "4k"): 8, ("randread", "1m"): 256},
        "direct": {("read", "4k"): 8, ("read", "1m"): 512, ("randread", "4k"): 8, ("randread", "1m"): 512},
        "mmap": {("read", "4k"): 128, ("read", "1m"): 256, ("randread", "4k"): 8, ("randread", "1m"): 6}},
    4: {"cold": {("read", "4k"): 128, ("read", "1m"): 256, ("randread", "4k"): 8},
        "direct": {("read", "4k"): 16, ("read", "1m"): 512, ("randread", "4k"): 16, ("randread", "1m"): 512},
        "mmap": {("read", "1m"): 256, ("randread", "4k"): 8}}}


def table():
    """All jobs, in their order."""
    return [
        _ops("stat", "stat, cached", 80),
        _ops("stat-cold", "stat of a name not seen before", 2),
        _ops("statx", "statx by path, forced", 10),
        _ops("open", "open + close", 4),
        _ops("missing", "stat of a missing name", 8),
        _ops("readdir", f"readdir of {tree.ENTRIES:,}, an entry", 12),
        _ops("readdir-stat", f"readdir of {tree.ENTRIES:,} and stat, an entry", 3),
        _command("find", "find -size of a repository, cold", tree.REPO_FILES, "find", "repo", "-size", "+1000"),
        _command("git-status", "git status of a repository, cold", tree.REPO_FILES, "git", "-c",
                 "safe.directory=*", "--no-optional-locks", "-C", "repo", "status", "--porcelain"),
        _changes("create-unlink", "create + unlink", 4),
        _changes("mkdir-rmdir", "mkdir + rmdir", 6),
        _changes("rename", "rename", 4),
        _changes("write-4k", "buffered write 4k", 8, PAGE),
        _changes("direct-write-4k", "direct random write 4k", 8, PAGE),
        _changes("write-1m-fsync", "buffered write 1m + fsync", 6, 1),
        _changes("direct-write-1m", "direct write 1m", 6, 1),
        # Not by fio: opening a file empties its cache (virtiofsd --cache=auto).
        _ops("cached-4k", "cached sequential 4k", 30, PAGE),
        _ops("cached-4k-random", "cached random 4k", 30, PAGE),
        _ops("cached-1m", "cached sequential 1m", 15, 1),
        _ops("mmap-hot", "mmap sequential 4k, cached", 20, PAGE),
        *(_fio(mode, pattern, size, jobs, mib)
          for jobs, modes in AMOUNTS.items()
          for mode, amounts in modes.items()
          for (pattern, size), mib in amounts.items())]
