# SPDX-License-Identifier: GPL-2.0
"""Writes the run's own part of the initrd: a cpio archive (newc), appended to build/initrd."""

import os
import stat


def _record(ino, name, mode, data):
    fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def archive(files):
    """The archive of {path in the guest: path here}; folders are added, modes are kept."""
    out, seen = [], set()
    for name in sorted(files):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in seen:
                seen.add(folder)
                out.append(_record(len(out) + 1, folder.encode(), stat.S_IFDIR | 0o755, b""))
        with open(files[name], "rb") as source:
            mode = stat.S_IFREG | (os.fstat(source.fileno()).st_mode & 0o777)
            out.append(_record(len(out) + 1, name.encode(), mode, source.read()))
    out.append(_record(0, b"TRAILER!!!", 0, b""))
    return b"".join(out)
