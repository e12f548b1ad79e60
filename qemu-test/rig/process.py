# SPDX-License-Identifier: GPL-2.0
"""Child processes that cannot outlive the rig."""

import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One child in a process group of its own, its output in a log file."""

    def __init__(self, argv, cwd, log, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        self.log = log
        with open(log, "ab") as out:
            kwargs.setdefault("stdout", out)
            kwargs.setdefault("stderr", out)
            self.popen = subprocess.Popen(
                [str(word) for word in argv], cwd=cwd, start_new_session=True,
                preexec_fn=_die_with_parent, **kwargs)

    def alive(self):
        """Whether it still runs."""
        return self.popen.poll() is None

    def signal(self, number):
        """Sends a signal to the process group; one that has ended is no error."""
        if self.alive():
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                pass

    def wait(self, seconds):
        """Whether it ended within that time."""
        try:
            self.popen.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def stop(self):
        """Ends it: asks first, then kills. A stopped process is continued, so that it can end."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if not self.wait(2):
            self.signal(signal.SIGKILL)
            self.popen.wait()
