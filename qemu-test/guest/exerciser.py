# SPDX-License-Identifier: GPL-2.0
"""O_DIRECT, buffered and mapped reads and writes of one file, with a model of what it holds."""

import mmap
import os
import random

SIZE = 2 << 20
# O_DIRECT of the server's own file system wants whole blocks.
BLOCK = 4096


class Exerciser:
    """One file, opened twice and mapped once, and the content that it must have."""

    def __init__(self, path, seed):
        self.dice, self.model = random.Random(seed), bytearray()
        self.buffered = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self.direct = os.open(path, os.O_RDWR | os.O_DIRECT)
        os.ftruncate(self.buffered, SIZE)
        self.model = bytearray(SIZE)
        self.map = mmap.mmap(self.buffered, SIZE)
        self.memory = mmap.mmap(-1, SIZE)

    def range(self, block=1):
        """A part of the file as it is now."""
        longest = self.dice.choice((300, 9000, 400_000))
        start = self.dice.randrange(len(self.model)) // block * block
        return start, min(start + max(self.dice.randrange(longest) // block * block, block), len(self.model) // block * block)

    def write(self, descriptor, block=1):
        """A write inside the file."""
        start, end = self.range(block)
        self.memory[:end - start] = self.dice.randbytes(end - start)
        self.model[start:end] = self.memory[:end - start]
        return end == start or os.pwritev(descriptor, [memoryview(self.memory)[:end - start]], start) == end - start

    def read(self, descriptor, block=1):
        """A read, into memory that holds something else before."""
        start, end = self.range(block)
        self.memory[:end - start] = b"\xa5" * (end - start)
        got = os.preadv(descriptor, [memoryview(self.memory)[:end - start]], start) if end > start else 0
        return got == end - start and self.memory[:got] == self.model[start:end]

    def map_write(self):
        """A write through the mapping."""
        start, end = self.range()
        self.map[start:end] = self.model[start:end] = self.dice.randbytes(end - start)
        return True

    def map_read(self):
        """A read through the mapping."""
        start, end = self.range()
        return self.map[start:end] == self.model[start:end]

    def truncate(self):
        """Shorter or longer; what comes is zero."""
        size = self.dice.randrange(BLOCK, SIZE)
        os.ftruncate(self.direct, size)
        self.model = self.model[:size].ljust(size, b"\0")
        return os.fstat(self.buffered).st_size == size

    def step(self):
        """One operation; its name and whether it did what it should."""
        name, function = self.dice.choices(list(self.table().items()), [6, 6, 6, 6, 6, 6, 1, 1])[0]
        return name, function()

    def close(self):
        """Lets go of the file."""
        self.map.close()
        os.close(self.buffered)
        os.close(self.direct)

    def table(self):
        """The operations."""
        return {"write": lambda: self.write(self.buffered), "read": lambda: self.read(self.buffered),
                "direct write": lambda: self.write(self.direct, BLOCK),
                "direct read": lambda: self.read(self.direct, BLOCK), "map write": self.map_write,
                "map read": self.map_read, "truncate": self.truncate,
                "fsync": lambda: os.fsync(self.buffered) is None}

    def run(self, count, progress=None):
        """So many operations; what is wrong, "" if nothing is."""
        names = []
        for number in range(count):
            name, right = self.step()
            names.append(name)
            if not right:
                return f"operation {number} is wrong; before it: {names[-12:]}"
            if progress and number % 10_000 == 9_999:
                progress(number + 1)
        return ""
