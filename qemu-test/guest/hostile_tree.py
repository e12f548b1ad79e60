# SPDX-License-Identifier: GPL-2.0
"""The hostile server's tree as it is when nobody lies."""

import os
import subprocess

from hostile import Content, told
from ktap import check, errno_of, same


def walk(top):
    """Names of all, and the faults of every file's content."""
    names, faults = 0, []
    for folder, folders, files in os.walk(top):
        names += len(folders) + len(files)
        # Of the large directory's files, some: they are all alike.
        for name in files[::1 if len(files) < 100 else 20]:
            path = os.path.join(folder, name)
            if telling := told(name):
                faults += content_faults(path, *telling)
    return names, faults


def content_faults(path, ino, size):
    """What is wrong with a file."""
    with open(path, "rb", buffering=0) as file:
        data = file.read()
    stat = os.stat(path)
    fault = Content(ino).fault(0, data)
    faults = [f"{path}: {fault}"] if fault else []
    if (len(data), stat.st_size, stat.st_ino) != (size, size, ino):
        faults.append(f"{path}: {len(data)} bytes, size {stat.st_size}, inode {stat.st_ino}")
    # Zeros pass as the end of a page; what the name promises must be there.
    if size and data.count(0) > size // 16 + 8:
        faults.append(f"{path}: {data.count(0)} zeros")
    return faults


def everything(top):
    """The whole tree, with all that it has."""
    names, faults = walk(top)
    check(f"{names} names", names > 3080)
    same("all content is right", faults[:5], [])
    same("a second time, from the cache", walk(top), (names, []))
    same("a link", os.readlink(f"{top}/links/dir"), "../deep/down")
    check("a link is followed", os.path.isdir(f"{top}/links/dir/down"))
    same("a long link", len(os.readlink(f"{top}/links/long")), 4000)
    same("a loop", errno_of(os.stat, f"{top}/links/loop"), "ELOOP")
    same("a name that is not there", errno_of(os.stat, f"{top}/none"), "ENOENT")
    links = os.listdir(f"{top}/hard")
    same("hard links", {os.stat(f"{top}/hard/{name}").st_nlink for name in links}, {3})
    same("are one inode", len({os.stat(f"{top}/hard/{name}").st_ino for name in links}), 1)
    same("statfs", os.statvfs(top).f_blocks, 1 << 20)
    readers = [subprocess.Popen(f"cat {top}/files/* {top}/deep/f* | sha256sum", shell=True, stdout=subprocess.PIPE)
               for _ in range(4)]
    same("four readers at once read the same", len({reader.communicate()[0] for reader in readers}), 1)
