# SPDX-License-Identifier: GPL-2.0
"""Processes that call once while the case itself is the server: how they ended, and whether in time."""

import ctypes
import os
import signal
import time

PATIENCE = int(os.environ["RIG_PATIENCE"])

_libc = ctypes.CDLL(None, use_errno=True)


def child(function, *arguments, keeps=2):
    """A process that exits with the number of the error that the call ends in; SIGUSR1 does nothing but interrupt. It
    has the descriptors up to `keeps`."""
    pid = os.fork()
    if not pid:
        os.closerange(keeps + 1, 64)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        try:
            function(*arguments)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
        finally:
            os._exit(255)
    return pid


def stat(path):
    """stat(2) once: Python's own would begin anew after a signal."""
    buffer = ctypes.create_string_buffer(256)
    if _libc.stat(path.encode(), buffer):
        raise OSError(ctypes.get_errno(), path)


def ended(pid, seconds=5):
    """The error number a child exits with, or minus the signal; None while it lives."""
    deadline = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def within(seconds, condition):
    """What the condition is when it is met, or after that time."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
