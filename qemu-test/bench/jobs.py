# SPDX-License-Identifier: GPL-2.0
"""What is timed: one table. A job's `spec` is for in_guest/measure.py."""

import dataclasses
from dataclasses import dataclass, field

from . import tree
from .sides import WRITEBACK, WRITEBACK_ABOUT, taking_part


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
    # What it writes goes through the page cache, so that it matters how rfuse writes back.
    written_back: bool = False
    # It runs on servers with --writeback.
    writeback: bool = False

    @property
    def sides(self):
        """Who takes part."""
        return taking_part(self.written_back)

    def plan(self):
        """For the guest."""
        return {"name": self.name, **self.spec}


def _ops(op, about, repeat, mib=0):
    """Operations of in_guest/ops.c; `repeat` is chosen so that C takes about a second."""
    return Job(op, about, mib, spec={"kind": "ops", "op": op, "repeat": repeat})


def _changes(op, about, repeat, mib=0):
    """The same, of operations that write."""
    return dataclasses.replace(_ops(op, about, repeat, mib), writes=True)


def _twins(job, **spec):
    """A job that writes through the page cache, and the same on servers with --writeback; `spec` differs there."""
    job = dataclasses.replace(job, writes=True, written_back=True)
    return job, dataclasses.replace(job, name=job.name + WRITEBACK, about=f"{job.about}, {WRITEBACK_ABOUT}",
                                    writeback=True, spec=job.spec | spec)


def _command(name, about, ops, *words, before="", after=""):
    """A program; shell commands that prepare it and clean up after it are not timed."""
    return Job(name, about, spec={"kind": "command", "words": words, "ops": ops, "before": before, "after": after})


def _fio(mode, pattern, size, jobs, mib):
    """Reads or writes `mib` MiB of a large file, or of a file for each of several jobs."""
    writes = "write" in pattern
    part = "write" if writes else "part"
    files = (["--filename={directory}/large"] if jobs == 1 else
             ["--directory={directory}", f"--filename_format={part}$jobnum"])
    # What is in the page cache at the end is not written yet.
    more = [f"--size={tree.WRITE_PART}m", "--end_fsync=1"] if writes else ["--readonly"]
    words = [*files, f"--rw={pattern}", f"--bs={size}", f"--numjobs={jobs}", f"--io_size={(mib << 20) // jobs}",
             f"--ioengine={'mmap' if mode == 'mmap' else 'psync'}", f"--direct={int(mode == 'direct')}",
             *more, "--thread", "--norandommap", "--randrepeat=1", "--group_reporting", "--output-format=json"]
    order = "random" if pattern.startswith("rand") else "sequential"
    verb = " write" if writes else ""
    return Job("-".join(filter(None, (mode, order, verb.strip(), size, str(jobs)))),
               f"{mode} {order}{verb} {size}, {jobs} job{'s' * (jobs > 1)}", {"4k": PAGE, "1m": 1}[size], jobs == 1,
               {"kind": "fio", "words": words, "cold": mode != "direct", "result": "write" if writes else "read"},
               writes)


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
# The same for writes of four jobs: on servers with --writeback, what is written back late.
WRITE_JOBS, WRITE_AMOUNT = 4, 8
# The repository's older commit is checked out, and no file is as young as the index, which would have
# git compare it by its content.
GIT = "git -c safe.directory=* -c core.checkStat=minimal -c advice.detachedHead=false -C checkout"
OLDER = f"""{GIT} checkout -q -f {tree.COMMITS[0]} && cd checkout &&
git -c safe.directory=* ls-files -z | xargs -0 touch -d 2001-09-09 && cd .. && {GIT} update-index -q --refresh"""


def _writing_fio():
    """fio's writes, of several jobs at once."""
    buffered = [_fio("buffered", pattern, "4k", WRITE_JOBS, WRITE_AMOUNT) for pattern in ("write", "randwrite")]
    return [*(job for each in buffered for job in _twins(each)),
            *(_fio("direct", pattern, size, WRITE_JOBS, mib)
              for pattern, size, mib in (("write", "4k", WRITE_AMOUNT), ("randwrite", "4k", WRITE_AMOUNT),
                                         ("write", "1m", 8 * WRITE_AMOUNT)))]


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
        *(_changes(f"{op}-storm", f"{op}, name after name", 4) for op in ("create", "unlink", "rename", "mkdir")),
        *_twins(_command("untar", f"untar of {tree.ARCHIVED} files, a file", tree.ARCHIVED,
                         "tar", "-xf", "/tmp/archive.tar", "-C", "untar",
                         before="cp archive.tar /tmp && rm -rf untar && mkdir untar", after="rm -rf untar")),
        *_twins(_command("git-checkout", f"git checkout that changes {tree.CHANGED} files, a file", tree.CHANGED,
                         *GIT.split(), "checkout", "-q", tree.COMMITS[1], before=OLDER)),
        *_twins(_ops("write-4k", "buffered write 4k", 8, PAGE), repeat=20),
        _changes("direct-write-4k", "direct random write 4k", 8, PAGE),
        *_twins(_ops("write-4k-fsync", "buffered write 4k + fsync", 4, PAGE)),
        *_twins(_ops("write-1m-fsync", "buffered write 1m + fsync", 6, 1)),
        _changes("direct-write-1m", "direct write 1m", 6, 1),
        *_twins(_ops("mmap-write-4k", "mmap write of a page + msync", 4, PAGE)),
        *_twins(_ops("mmap-write-1m", "mmap write of 1m + msync", 6, 1)),
        # Not by fio: opening a file empties its cache (virtiofsd --cache=auto).
        _ops("cached-4k", "cached sequential 4k", 30, PAGE),
        _ops("cached-4k-random", "cached random 4k", 30, PAGE),
        _ops("cached-1m", "cached sequential 1m", 15, 1),
        _ops("mmap-hot", "mmap sequential 4k, cached", 20, PAGE),
        *(_fio(mode, pattern, size, jobs, mib)
          for jobs, modes in AMOUNTS.items()
          for mode, amounts in modes.items()
          for (pattern, size), mib in amounts.items()),
        *_writing_fio()]
