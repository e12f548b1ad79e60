# SPDX-License-Identifier: GPL-2.0
"""Cases of functions that are named after CVEs: all of them run, whatever becomes of one."""

import ctypes
import mmap
import os
import traceback

import device
from callers import child, ended, stat
from device import GETATTR, ROOT, answer
from ktap import case, errno_of, result, same
from telling import RESENT

PAGE = mmap.PAGESIZE

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class Area:
    """Memory at an address, of a file if there is one: unlike mmap.mmap's it may go beyond the file's end, and may be
    without access."""

    def __init__(self, length, protection=mmap.PROT_READ, descriptor=-1):
        self.length = length
        flags = mmap.MAP_SHARED if descriptor >= 0 else mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.start = libc.mmap(None, length, protection, flags, descriptor, 0)
        if self.start == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        libc.munmap(self.start, self.length)

    def contents(self):
        """All of it."""
        return ctypes.string_at(self.start, self.length)


def vector(function, descriptor, *parts):
    """readv(2) or writev(2) of parts that are (address, length)."""
    segments = (ctypes.c_size_t * (2 * len(parts)))(*(number for part in parts for number in part))
    done = libc.syscall({"readv": 19, "writev": 20}[function], descriptor, segments, len(parts))
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return done


def nothing_left(fd, text):
    """That there is nothing to read."""
    os.set_blocking(fd, False)
    same(text, errno_of(device.read, fd), "EAGAIN")
    os.set_blocking(fd, True)


def usable(fd, text):
    """That the connection serves the next caller."""
    waiter = child(stat, "/mnt")
    request = device.read(fd)
    same(f"{text}: the next request", (request.opcode, request.unique & RESENT), (GETATTR, 0))
    answer(fd, request, ROOT)
    same(f"{text}: and its answer", ended(waiter), 0)


def run(names):
    """The whole case, of the functions among these names."""
    with case():
        for name, function in list(names.items()):
            if not name.startswith("cve_"):
                continue
            try:
                function()
            except Exception:  # pylint: disable=broad-except
                result(False, f"{name[4:].replace('_', '-')}: no exception", traceback.format_exc())
