# SPDX-License-Identifier: GPL-2.0
"""What the hostile server's files hold (as in qemu-test/hostile/src/content.rs), and judging it."""

import functools
import os
import re

PAGE = 4096
STARTS = 65536
# More than the server has nodes.
NODES = 4000
# Whose content is written below `rw`: numbers that no made-up file has.
TAGS = range(3900, 3916)
# So many bytes are no coincidence.
TELLING = 8
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


def written(ino, offset, length):
    """What is to be written at an offset."""
    first, inside = divmod(offset, PAGE)
    pages = (page(ino, number) for number in range(first, (offset + length) // PAGE + 1))
    return b"".join(pages)[inside:inside + length]


def told(path):
    """Inode number and size that a file's name tells; None for others."""
    match = re.search(r"\.(\d+)\.(\d+)$", os.fsdecode(path))
    return tuple(map(int, match.groups())) if match else None


@functools.lru_cache(maxsize=64)
def _owners(number):
    """Whose page of that number starts where in the pattern."""
    owners = {}
    for ino in range(1, NODES):
        owners.setdefault(_mix((ino << 32) + number) % STARTS, []).append(ino)
    return owners


class Content:
    """Judges what is read from one open file. With `lies`, its node may not be the one that its name tells.

    Right is, in every page: content of this page of one and the same file, then zeros to the end. A lie about
    nodes may lead to what workers have written, or have it written here; see Written.
    """

    def __init__(self, ino, lies=False):
        self.ino, self.lies, self.lied_to = ino, lies, lies

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
        """Whether the part is content of this page, and zeros behind. The first page that has enough of it to
        be told settles which file this is."""
        if _fits(self.ino, number, inside, part):
            if len(part.rstrip(b"\0")) >= TELLING:
                self.lies = False
            return True
        for ino in self._others(number, inside, part) if self.lies else ():
            if _fits(ino, number, inside, part):
                self.ino, self.lies = ino, len(part.rstrip(b"\0")) < TELLING
                return True
        return self.lied_to and _consists(number, inside, part, (self.ino, *TAGS))

    @staticmethod
    def _others(number, inside, part):
        """Files that may have the part in that page."""
        filled = part.rstrip(b"\0")[:PAGE]
        found = _PATTERN.find(filled, inside)
        while found >= 0:
            yield from _owners(number).get(found - inside, ())
            found = _PATTERN.find(filled, found + 1)


class Written(Content):
    """Judges what is read from a file below `rw`, where workers write at once what their files' names tell.

    Right is, in every page: pieces of this page's content of any tag, and zeros. With `lies`, of any file.
    """

    def _known(self, number, inside, part):
        return _fits(self.ino, number, inside, part) or _consists(number, inside, part, TAGS, self.lies)


def content_of(path):
    """Who judges what is read from a file on a server that lies."""
    telling = told(path)
    return (Written if "/rw/" in path else Content)(telling[0] if telling else 0, lies=True)


def prepare():
    """Has what judging needs most often ready before processes are forked."""
    _owners(0)


def _fits(ino, number, inside, part):
    """Whether `part` begins as the page and is zero from some byte on."""
    wanted = page(ino, number)[inside:inside + len(part)]
    if part == wanted:
        return True
    filled = part.rstrip(b"\0")
    return bool(filled) and wanted.startswith(filled)


def _consists(number, inside, part, inos, anyone=False):
    """Whether a part of a page is made of content of these files, and zeros; or of other files too."""
    at = 0
    while at < len(part):
        rest = part[at:]
        pages = [page(ino, number)[inside + at:] for ino in inos]
        length = max([len(rest) - len(rest.lstrip(b"\0"))] + [_common(rest, one) for one in pages])
        if not length and anyone:
            length = _longest(number, inside + at, rest)
        if not length:
            return False
        at += length
    return True


def _longest(number, inside, rest):
    """How much of it is this page's content in some file, which may be cut before there is enough to tell."""
    begin = rest[:TELLING].rstrip(b"\0")
    found = _PATTERN.find(begin, inside)
    while found >= 0:
        if found - inside in _owners(number):
            return _common(rest, _PATTERN[found:found + PAGE - inside])
        found = _PATTERN.find(begin, found + 1)
    return 0


def _common(one, other):
    """How many bytes both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def describe(part):
    """A few bytes, where they begin to be something."""
    first = len(part) - len(part.lstrip(b"\0"))
    return f"{len(part)} bytes, from byte {first} on {part[first:first + 32].hex()}"
