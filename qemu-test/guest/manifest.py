#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Lists a tree with everything that a faithful file system must show, one sorted line an entry.

A line: name, type and mode, owner, group, links, size, blocks, device, mtime in ns, and for a file
its SHA-256, for a symbolic link its target. The same script runs in the guest and on the host.
"""

import argparse
import hashlib
import mmap
import multiprocessing
import os
import stat
import sys
import time


def entries(top, skip):
    """Every path below top, relative, as bytes; `skip` names paths to leave out."""
    queue = [b""]
    while queue:
        folder = queue.pop()
        with os.scandir(os.path.join(top, folder)) as found:
            for entry in found:
                path = os.path.join(folder, entry.name)
                if path in skip:
                    continue
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
    top, path, how = job
    full = os.path.join(top, path)
    status = os.lstat(full)
    content, size = "-", 0
    if stat.S_ISREG(status.st_mode):
        content, size = digest(full, status.st_size, how), status.st_size
    elif stat.S_ISLNK(status.st_mode):
        content = ascii(os.readlink(full))
    fields = (ascii(path), oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink,
              status.st_size, status.st_blocks, status.st_rdev, status.st_mtime_ns, content)
    return " ".join(map(str, fields)), size


def main():
    """Writes the manifest, and a line with its totals to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("top")
    parser.add_argument("--how", choices=("read", "mmap"), default="read")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", default="/dev/stdout")
    parser.add_argument("--skip", nargs="*", default=[])
    args = parser.parse_args()
    start = time.monotonic()
    top = os.fsencode(args.top)
    jobs = [(top, path, args.how) for path in entries(top, {os.fsencode(path) for path in args.skip})]
    if args.jobs > 1:
        with multiprocessing.Pool(args.jobs) as pool:
            lines = pool.map(describe, jobs, chunksize=64)
    else:
        lines = [describe(job) for job in jobs]
    text = "\n".join(sorted(line for line, _ in lines)) + "\n"
    with open(args.out, "w", encoding="ascii") as out:
        out.write(text)
    print(f"entries {len(lines)} bytes {sum(size for _, size in lines)} "
          f"seconds {time.monotonic() - start:.1f} manifest {hashlib.sha256(text.encode()).hexdigest()}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
