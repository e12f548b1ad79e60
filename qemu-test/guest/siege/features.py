# SPDX-License-Identifier: GPL-2.0
"""What a worker does with a server that can do more than the stock one: locks, handles, ioctls, submounts."""

import contextlib
import fcntl
import os
import signal
import struct
import subprocess

from handles import CONNECTABLE, handle_of, open_handle
from hostile import TAGS, content_of, written
from ktap import drop_caches
from siege.changes import Changer
from siege.work import WrongContent

FLOCK = "hh4xqqi4x"
LOCKED = 4
RANGES = ((0, 0), (0, 1), (0, 100), (50, 100), (99, 1), (1 << 40, 0), ((1 << 63) - 2, 1))
ORDERS = (fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_SETLKW, fcntl.F_GETLK, fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW)
IOCTLS = (0x80086601, 0x801C581F, 0x80087203, 0x7202, 0x5401, 0x80047203)
SETFLAGS, FLAGS = 0x40086602, (0, 0x8, 0x40, 0x80)
# Who waits for a lock does so for that long, in seconds.
WAIT = 0.3


class Featured(Changer):
    """Does that beside reading and writing."""

    def __init__(self, top, seed, progress, honest=False):
        super().__init__(top, seed, progress, honest)
        self.armed = False
        signal.signal(signal.SIGALRM, self.on_alarm)
        more = [self.lock_ranges, self.lock_ranges, self.lock_whole, self.alone, self.alone, self.handle, self.ioctl,
                self.turn, self.submount]
        # As often as all the rest.
        self.jobs += more * (len(self.jobs) // len(more))

    def on_alarm(self, _number, _frame):
        """Ends a call that waits."""
        if self.armed:
            raise InterruptedError

    @contextlib.contextmanager
    def patience(self):
        """Waits within the block end by a signal."""
        self.armed = True
        signal.setitimer(signal.ITIMER_REAL, WAIT * self.random.random() + 0.01)
        try:
            yield
        finally:
            self.armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def lockable(self):
        """One of a few files that all workers lock."""
        path = os.path.join(self.top, "rw", f"l{self.random.randrange(LOCKED)}")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)

    def lock_ranges(self):
        """Some byte ranges, until the file is closed."""
        descriptor = self.lockable()
        try:
            for _ in range(self.random.choice((1, 5))):
                start, length = self.random.choice(RANGES)
                kind = self.random.choice((fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK))
                wanted = struct.pack(FLOCK, kind, os.SEEK_SET, start, length, 0)
                with self.patience():
                    fcntl.fcntl(descriptor, self.random.choice(ORDERS), wanted)
        finally:
            os.close(descriptor)

    def lock_whole(self):
        """The whole file, shared or not, upgraded or not."""
        descriptor = self.lockable()
        try:
            for _ in range(self.random.choice((1, 3))):
                with self.patience():
                    fcntl.flock(descriptor, self.random.choice((fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_UN))
                                | self.random.choice((0, 0, fcntl.LOCK_NB)))
        finally:
            os.close(descriptor)

    def alone(self):
        """Nobody else has what this worker has locked. Another lock that is nobody's but this kernel's tells: that one
        goes first when a worker is killed, for its file is closed first, and byte ranges go when that begins."""
        number = self.random.randrange(2)
        local = os.open(f"/tmp/siege.{os.path.basename(self.top)}.{number}", os.O_RDWR | os.O_CREAT, 0o644)
        path = os.path.join(self.top, "rw", f"alone{number}")
        try:
            shared = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                with self.patience():
                    if number:
                        fcntl.flock(shared, fcntl.LOCK_EX)
                    else:
                        fcntl.lockf(shared, fcntl.LOCK_EX, 10, 5)
                self.claim(local)
                # Others may read it.
                os.pwrite(shared, written(TAGS[0], 0, 5), 0)
                fcntl.lockf(local, fcntl.LOCK_UN)
            finally:
                os.close(shared)
        finally:
            os.close(local)

    def claim(self, local):
        """Takes what nobody else can have."""
        try:
            fcntl.lockf(local, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if self.honest:
                raise WrongContent("two have one lock") from error

    def handle(self):
        """Finds a file by its handle."""
        path = self.path()
        handle = handle_of(path, self.random.choice((0, CONNECTABLE)))
        for _ in range(2):
            descriptor = open_handle(self.top, handle, os.O_RDONLY | os.O_NONBLOCK)
            try:
                if os.path.basename(path)[:2] == "f.":
                    self.judge(path, content_of(path), 0, os.pread(descriptor, 5000, 0))
                os.readlink(f"/proc/self/fd/{descriptor}")
            finally:
                os.close(descriptor)
            if self.random.random() < 0.1:
                drop_caches(2)

    def ioctl(self):
        """A few that are known, and others."""
        descriptor = os.open(self.random.choice((self.path(), self.folder())), os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(descriptor, self.random.choice(IOCTLS), bytearray(64))
        finally:
            os.close(descriptor)
        descriptor = self.opened()[0]
        try:
            fcntl.ioctl(descriptor, SETFLAGS, struct.pack("q", self.random.choice(FLAGS)))
        finally:
            os.close(descriptor)

    def turn(self):
        """Data both ways; what is not written by the server stays what it was."""
        size = self.random.choice((1, 64, 4096, 5000, 16383))
        descriptor, data = self.opened()[0], os.urandom(size)
        # What lies behind must not be touched.
        buffer = bytearray(data + b"guard")
        try:
            fcntl.ioctl(descriptor, 3 << 30 | size << 16 | 0x7201, buffer)
        finally:
            os.close(descriptor)
            if buffer[size:] != b"guard":
                raise WrongContent("an ioctl has written behind its argument")
        if self.honest and buffer[:size] != data[::-1]:
            raise WrongContent("an ioctl's data are not what the server said")

    def submount(self):
        """Walks what is mounted within, and unmounts it sometimes."""
        for folder in (f"{self.top}/sub", f"{self.top}/sub/inner", f"{self.top}/sub/rw"):
            for name in os.listdir(folder):
                os.stat(f"{folder}/{name}")
        if self.random.random() < 0.2:
            subprocess.run(["umount", f"{self.top}/sub/inner"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
