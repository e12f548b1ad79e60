# SPDX-License-Identifier: GPL-2.0
"""Processes of their own that a case tells what to do: they have their own files, locks and ids.

    with Worker() as other:
        other.do(os.mkdir, "/mnt/dir")
        other.begin(fcntl.lockf, ...)
        ... other.busy() ... other.end()
"""

import errno
import multiprocessing
import os
import signal
import time

# How much longer things take on a debug kernel.
SLOWNESS = int(os.environ.get("RFUSE_PATIENCE", 1))


class Interrupted(Exception):
    """A caught signal has ended a call."""


def _raise(_number, _frame):
    raise Interrupted


def outcome(function, *args):
    """What a call gives; an error is its name."""
    try:
        return function(*args)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    except Interrupted:
        return "interrupted"


class Worker:
    """A process that makes one call after the other. SIGUSR1 interrupts a call."""

    def __init__(self):
        self.pipe, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if not self.pid:
            self._serve(theirs)
        theirs.close()

    def _serve(self, pipe):
        self.pipe.close()
        signal.signal(signal.SIGUSR1, _raise)
        try:
            while True:
                function, args = pipe.recv()
                pipe.send(outcome(function, *args))
        except EOFError:
            os._exit(0)
        finally:
            os._exit(1)

    def begin(self, function, *args):
        """Begins a call of a function that has a name."""
        self.pipe.send((function, args))

    def busy(self, seconds=0.3):
        """Whether the call that was begun has not ended after that time."""
        return not self.pipe.poll(seconds)

    def end(self, seconds=10):
        """What the call gave: an error is its name."""
        if not self.pipe.poll(seconds * SLOWNESS):
            return f"no end after {seconds} s"
        return self.pipe.recv()

    def do(self, function, *args):
        """A whole call."""
        self.begin(function, *args)
        return self.end()

    def signal(self, number):
        """Sends the process a signal."""
        os.kill(self.pid, number)

    def dead(self, seconds):
        """Whether it ends within that time."""
        deadline = time.monotonic() + seconds * SLOWNESS
        while self.pid and time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                self.pid = 0
            else:
                time.sleep(0.02)
        return not self.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pipe.close()
        if self.pid:
            os.waitpid(self.pid, 0)
