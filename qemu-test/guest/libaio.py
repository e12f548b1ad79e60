# SPDX-License-Identifier: GPL-2.0
"""io_submit(2) and its kin, which Python has not."""

import ctypes
import os
import struct

SYS_IO_SETUP, SYS_IO_DESTROY, SYS_IO_GETEVENTS, SYS_IO_SUBMIT = 206, 207, 208, 209
PREAD, PWRITE = 0, 1
libc = ctypes.CDLL(None, use_errno=True)


class Context:
    """A context of io_submit(2)."""

    def __init__(self):
        self.number = ctypes.c_ulong(0)
        if libc.syscall(SYS_IO_SETUP, 64, ctypes.byref(self.number)):
            raise OSError(ctypes.get_errno(), "io_setup")

    def submit(self, operations):
        """Begins operations: kind, descriptor, memory, offset."""
        blocks = []
        for index, (kind, descriptor, area, offset) in enumerate(operations):
            start = ctypes.addressof(ctypes.c_char.from_buffer(area))
            block = struct.pack("=QIiHhIQQqQII", index, 0, 0, kind, 0, descriptor, start, len(area), offset, 0, 0, 0)
            blocks.append(ctypes.create_string_buffer(block, 64))
        pointers = (ctypes.c_void_p * len(blocks))(*map(ctypes.addressof, blocks))
        if libc.syscall(SYS_IO_SUBMIT, self.number, len(blocks), pointers) != len(blocks):
            raise OSError(ctypes.get_errno(), "io_submit")

    def results(self, count):
        """Waits for the results, by the index of the operation."""
        events = ctypes.create_string_buffer(32 * count)
        got = libc.syscall(SYS_IO_GETEVENTS, self.number, count, count, events, None)
        if got != count:
            raise OSError(ctypes.get_errno(), f"io_getevents: {got}")
        return {index: result for index, _, result, _ in struct.iter_unpack("=QQqq", events.raw)}

    def end(self):
        """Gives it up."""
        libc.syscall(SYS_IO_DESTROY, self.number)
