# SPDX-License-Identifier: GPL-2.0
"""A run's folder under build/test."""

import os
import shutil
import signal
import sys
import time
from contextlib import contextmanager

from .paths import RUNS
from .runner import own

KEPT_RUNS = 5


def _old_runs():
    runs = sorted(path for path in RUNS.iterdir() if path.is_dir() and not path.is_symlink())
    return [run for run in runs[:-KEPT_RUNS] if not _in_use(run)]


def _in_use(run):
    try:
        os.kill(int(run.name.rsplit("-", 1)[1]), 0)
        return True
    except (ProcessLookupError, ValueError, IndexError):
        return False


def _end(number, _frame):
    sys.exit(128 + number)


@contextmanager
def folder():
    """A new folder for one run; `build/test/last` leads to it. Shared directories go at its end."""
    # SIGINT too: a background job of a shell inherits it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    run = RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    run.mkdir(parents=True)
    link = RUNS / "last"
    link.unlink(missing_ok=True)
    link.symlink_to(run.name)
    try:
        yield run
    finally:
        for lane in (run, *run.glob("lane*/")):
            shutil.rmtree(lane / "share", ignore_errors=True)
            (lane / "rfuse.ko").unlink(missing_ok=True)
        own(run)
        for old in _old_runs():
            shutil.rmtree(old, ignore_errors=True)
