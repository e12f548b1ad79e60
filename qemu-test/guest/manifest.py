#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Lists a tree with everything that a faithful file system must show, one sorted line an entry.

A line: name, type and mode, owner, group, links, size, blocks, device, mtime in ns, and for a file
its SHA-256, for a symbolic link its target. The same script runs in the guest and on the host.
"""

import argparse
import contextlib
import hashlib
import mmap
import multiprocessing
import os
import stat
import sys
import time


PROGRESS_SECONDS = 10


def entries(top, folders):
    """Every path below these folders of top, relative to top, as bytes."""
    queue = list(folders)
    while queue:
        folder = queue.pop()
        with os.scandir(os.path.join(top, folder)) as found:
            for entry in found:
                path = os.path.join(folder, entry.name)
                yield path
                if entry.is_dir(follow_symlinks=False):
                    queue.append(path)


def digest(path, size, how):
    """SHA-256 of a file, read or over a mapping."""
    with open(path, "rb", buffering=0) as file:
        if how == "read" or not size:
            return hashlib.file_digest(file, "sha256").hexdigest()
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
            return hashlib.sha256(mapping).hexdigest()


def describe(job):
    """One entry's line and its bytes of content."""
    top, path, how, copy = job
    full = os.path.join(top, path)
    status = os.lstat(full)
    content, size = "-", 0
    if stat.S_ISREG(status.st_mode):
        content, size = digest(full, status.st_size, how), status.st_size
    elif stat.S_ISLNK(status.st_mode):
        content = ascii(os.readlink(full))
    # How much room a file and a folder take is the file system's own business.
    room = (size, "-") if copy else (status.st_size, status.st_blocks)
    fields = (ascii(path), oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink,
              *room, status.st_rdev, status.st_mtime_ns, content)
    return " ".join(map(str, fields)), size


def described(jobs, processes):
    """The lines of all entries and their bytes, with a sign of life on standard error."""
    lines, total, next_note = [], 0, time.monotonic() + PROGRESS_SECONDS
    with multiprocessing.Pool(processes) if processes > 1 else contextlib.nullcontext() as pool:
        for line, size in pool.imap_unordered(describe, jobs, 64) if pool else map(describe, jobs):
            lines.append(line)
            total += size
            if time.monotonic() > next_note:
                next_note += PROGRESS_SECONDS
                print(f"progress: {len(lines)} of {len(jobs)} entries, {total >> 20} MiB", file=sys.stderr)
    return sorted(lines), total


def main():
    """Writes the manifest, and a line with its totals to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("top")
    parser.add_argument("folders", nargs="*", default=[""], help="below top (all of it)")
    parser.add_argument("--how", choices=("read", "mmap"), default="read")
    parser.add_argument("--copy", action="store_true", help="without what a copy need not share: blocks, sizes of folders")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", default="/dev/stdout")
    args = parser.parse_args()
    start = time.monotonic()
    top = os.fsencode(args.top)
    jobs = [(top, path, args.how, args.copy) for path in entries(top, map(os.fsencode, args.folders))]
    lines, total = described(jobs, args.jobs)
    text = "\n".join(lines) + "\n"
    with open(args.out, "w", encoding="ascii") as out:
        out.write(text)
    print(f"entries {len(lines)} bytes {total} "
          f"seconds {time.monotonic() - start:.1f} manifest {hashlib.sha256(text.encode()).hexdigest()}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
