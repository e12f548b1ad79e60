# SPDX-License-Identifier: GPL-2.0
"""What the hostile server's files hold (as in qemu-test/hostile/src/content.rs), and judging it."""

import os
import re

PAGE = 4096
STARTS = 65536
SEED = 0x726675736521
MASK = (1 << 64) - 1


def _mix(number):
    """The finish of splitmix64."""
    word = (number + 1) * 0x9E3779B97F4A7C15 & MASK
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & MASK
    return word ^ (word >> 31)


_PATTERN = b"".join(_mix(SEED + index).to_bytes(8, "little") for index in range((STARTS + PAGE) // 8))
_ZEROS = bytes(PAGE)


def page(ino, number):
    """One page of a file's content."""
    start = _mix((ino << 32) + number) % STARTS
    return _PATTERN[start:start + PAGE]


def told(path):
    """Inode number and size that a file's name tells; None for others."""
    match = re.search(r"\.(\d+)\.(\d+)$", os.fsdecode(path))
    return tuple(map(int, match.groups())) if match else None


class Content:
    """Judges what is read from one open file, whose node may not be the one that its name tells.

    Right is, in every page: content of this page of one and the same file, then zeros to the end.
    """

    def __init__(self, ino, lies=False):
        self.inos = [ino]
        self.lies = lies

    def fault(self, offset, data):
        """What is wrong with data that was read at an offset; None if nothing is."""
        at = 0
        while at < len(data):
            number, inside = divmod(offset + at, PAGE)
            part = data[at:at + PAGE - inside]
            if part != _ZEROS[:len(part)] and not self._known(number, inside, part):
                return f"page {number} from byte {inside} on: {describe(part)}"
            at += len(part)
        return None

    def _known(self, number, inside, part):
        """Whether the part is content of this page, and zeros behind."""
        if any(_fits(page(ino, number)[inside:inside + len(part)], part) for ino in self.inos):
            return True
        if self.lies:
            for ino in range(1, 4000):
                if _fits(page(ino, number)[inside:inside + len(part)], part):
                    self.inos = [ino]
                    self.lies = False
                    return True
        return False


def _fits(wanted, part):
    """Whether `part` begins as `wanted` and is zero from some byte on."""
    if part == wanted:
        return True
    filled = part.rstrip(b"\0")
    return bool(filled) and wanted.startswith(filled)


def describe(part):
    """A few bytes, where they begin to be something."""
    first = len(part) - len(part.lstrip(b"\0"))
    return f"{len(part)} bytes, from byte {first} on {part[first:first + 32].hex()}"
