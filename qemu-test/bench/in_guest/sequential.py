# SPDX-License-Identifier: GPL-2.0
"""usage: sequential.py read|write FILE: nanoseconds that a MiB takes, from open to close, of a file that is not cached."""

import os
import sys
import time

SIZE, PIECE = 32 << 20, 1 << 20


def read(path):
    """All of it."""
    file = os.open(path, os.O_RDONLY)
    while os.read(file, PIECE):
        pass
    os.close(file)


def write(path):
    """All of it, over what is there."""
    file, piece = os.open(path, os.O_WRONLY | os.O_CREAT), bytes(PIECE)
    for _ in range(SIZE // PIECE):
        os.write(file, piece)
    os.close(file)


def main():
    """The file is there, and what is cached of it is dropped, before the time counts."""
    job, path = sys.argv[1:]
    if not os.path.exists(path) or os.path.getsize(path) != SIZE:
        write(path)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as order:
        order.write("1")
    start = time.monotonic_ns()
    {"read": read, "write": write}[job](path)
    print((time.monotonic_ns() - start) / (SIZE // PIECE))


main()
